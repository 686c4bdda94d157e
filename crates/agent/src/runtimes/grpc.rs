//! Single calls of gRPC over a unix socket, each with an end.
//!
//! gRPC over HTTP/2 (PROTOCOL-HTTP2 of the gRPC project), as much as a call takes whose request
//! and answer are one message each. A connection and what drives it live as long as the call.

use std::future::pending;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::client::{Builder, SendRequest};
use http::{HeaderMap, Request, header};
use thiserror::Error;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// For one whole call; the server is told it, too.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_HEADER: &str = "2S";
/// Longest answer, that of other clients of gRPC; a container has about a kilobyte in a list.
const MESSAGE_BYTES_MAX: usize = 4 << 20;
const HEADERS_BYTES_MAX: u32 = 16_384;
/// What may be on its way at once.
const WINDOW_BYTES: u32 = 1 << 20;
/// A byte that says whether the message is compressed, four of its length.
const PREFIX_BYTES: usize = 5;
/// What is kept of the words with which a call was refused.
const REASON_CHARS_MAX: usize = 200;

const OK: u32 = 0;
const UNIMPLEMENTED: u32 = 12;

/// Why a call has no answer.
#[derive(Debug, Error)]
pub enum GrpcError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("HTTP/2: {0}")]
    Http(#[from] h2::Error),
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Slow,
    #[error("what came is no answer of gRPC")]
    Garbage,
    #[error("the answer is too long")]
    Long,
    #[error("status {code}: {reason}")]
    Status { code: u32, reason: String },
}

impl GrpcError {
    /// The server does not know the service that was called.
    pub fn is_unimplemented(&self) -> bool {
        matches!(self, Self::Status { code: UNIMPLEMENTED, .. })
    }
}

/// Calls `method` (`/SERVICE/METHOD`) with one message, and waits for the one that answers it.
pub fn call(socket: &Path, method: &str, message: &[u8]) -> Result<Bytes, GrpcError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let called =
        runtime.block_on(async { timeout(CALL_TIMEOUT, talk(socket, method, message)).await });
    called.unwrap_or(Err(GrpcError::Slow))
}

async fn talk(socket: &Path, method: &str, message: &[u8]) -> Result<Bytes, GrpcError> {
    let stream = UnixStream::connect(socket).await?;
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let (client, connection) = builder.handshake::<_, Bytes>(stream).await?;
    // what the connection brought before its end is still to be read
    let driven = async {
        let _ = connection.await;
        pending().await
    };
    tokio::select! {
        answer = ask(client, method, message) => answer,
        never = driven => never,
    }
}

async fn ask(client: SendRequest<Bytes>, method: &str, message: &[u8]) -> Result<Bytes, GrpcError> {
    let request = Request::post(format!("http://localhost{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header("grpc-timeout", TIMEOUT_HEADER)
        .body(())
        .map_err(|_| GrpcError::Garbage)?;
    let mut client = client.ready().await?;
    let (answer, mut sent) = client.send_request(request, false)?;
    sent.send_data(framed(message), true)?;
    let (head, body) = answer.await?.into_parts();
    let kind = head.headers.get(header::CONTENT_TYPE).map(|kind| kind.as_bytes());
    if head.status != http::StatusCode::OK
        || !kind.is_some_and(|k| k.starts_with(b"application/grpc"))
    {
        return Err(GrpcError::Garbage);
    }
    // one that is refused may have no body, and its trailers in the place of its head
    if body.is_end_stream() {
        check_status(&head.headers)?;
        return Err(GrpcError::Garbage);
    }
    let (message, trailers) = read(body).await?;
    check_status(&trailers.ok_or(GrpcError::Garbage)?)?;
    unframed(message)
}

async fn read(mut body: RecvStream) -> Result<(Bytes, Option<HeaderMap>), GrpcError> {
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        if bytes.len() + data.len() > PREFIX_BYTES + MESSAGE_BYTES_MAX {
            return Err(GrpcError::Long);
        }
        body.flow_control().release_capacity(data.len())?;
        bytes.put(data);
    }
    Ok((bytes.freeze(), body.trailers().await?))
}

fn check_status(trailers: &HeaderMap) -> Result<(), GrpcError> {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status").and_then(|code| code.parse().ok()) {
        Some(OK) => Ok(()),
        Some(code) => {
            // left as it travels, percent-encoded: it may be anything
            let reason = text("grpc-message").unwrap_or_default();
            let reason = reason.chars().take(REASON_CHARS_MAX).collect();
            Err(GrpcError::Status { code, reason })
        }
        None => Err(GrpcError::Garbage),
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    bytes.put_u8(0);
    bytes.put_u32(message.len() as u32);
    bytes.put(message);
    bytes.freeze()
}

/// The only message; compression was not offered.
fn unframed(mut bytes: Bytes) -> Result<Bytes, GrpcError> {
    if bytes.len() < PREFIX_BYTES {
        return Err(GrpcError::Garbage);
    }
    let (is_compressed, length) = (bytes.get_u8() != 0, bytes.get_u32());
    if is_compressed || length as usize != bytes.len() {
        return Err(GrpcError::Garbage);
    }
    Ok(bytes)
}
