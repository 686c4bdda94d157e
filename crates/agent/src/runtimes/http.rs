//! Requests over a unix socket, each with an end.
//!
//! HTTP/1.0 on purpose: a server answers it without chunks and closes when it has said everything,
//! so that an answer is what comes until then, and a stream of events is lines.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;

/// For one whole request and its answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const HEAD_BYTES_MAX: usize = 16_384;
const HEADERS_MAX: usize = 64;
/// A list says some kilobytes of each container.
const BODY_BYTES_MAX: usize = 16 << 20;
const LINE_BYTES_MAX: usize = 1 << 20;
const READ_BYTES: usize = 16_384;

/// Why a runtime could not be asked.
#[derive(Debug, Error)]
pub enum HttpError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("no answer within {} s", CALL_TIMEOUT.as_secs())]
    Slow,
    #[error("what came is no answer of HTTP")]
    Garbage,
    #[error("the answer is too long")]
    Long,
    #[error("status {0}")]
    Status(u16),
}

impl From<rustix::io::Errno> for HttpError {
    fn from(errno: rustix::io::Errno) -> Self {
        HttpError::Io(errno.into())
    }
}

/// The body of a `GET`; none where the server has nothing there (404).
pub fn get(socket: &Path, target: &str) -> Result<Option<Vec<u8>>, HttpError> {
    let mut call = Call::begin(socket, target)?;
    let status = match call.head() {
        Err(HttpError::Status(404)) => return Ok(None),
        head => head,
    };
    status?;
    while call.more()? {
        if call.bytes.len() > BODY_BYTES_MAX {
            return Err(HttpError::Long);
        }
    }
    Ok(Some(call.bytes))
}

/// A `GET` whose answer goes on for as long as both sides live.
pub fn follow(socket: &Path, target: &str) -> Result<Lines, HttpError> {
    let mut call = Call::begin(socket, target)?;
    call.head()?;
    call.stream.set_nonblocking(true)?;
    Ok(Lines { stream: call.stream, bytes: call.bytes })
}

/// One request under way.
pub struct Call {
    stream: UnixStream,
    deadline: Instant,
    /// What came and was not used.
    bytes: Vec<u8>,
}

impl Call {
    pub fn begin(socket: &Path, target: &str) -> Result<Self, HttpError> {
        // a server that does not accept fills its queue; then to connect would wait for ever
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&fd, &SocketAddrUnix::new(socket)?)?;
        let mut stream = UnixStream::from(fd);
        stream.set_nonblocking(false)?;
        stream.set_write_timeout(Some(CALL_TIMEOUT))?;
        stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: weir\r\n\r\n").as_bytes())?;
        Ok(Self { stream, deadline: Instant::now() + CALL_TIMEOUT, bytes: Vec::new() })
    }

    /// Reads the answer's head, and leaves what came after it.
    fn head(&mut self) -> Result<(), HttpError> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut response = httparse::Response::new(&mut headers);
            let parsed = response.parse(&self.bytes).map_err(|_| HttpError::Garbage)?;
            let status = response.code;
            let is_chunked =
                headers.iter().any(|header| header.name.eq_ignore_ascii_case("transfer-encoding"));
            if let httparse::Status::Complete(length) = parsed {
                self.bytes.drain(..length);
                return match status {
                    _ if is_chunked => Err(HttpError::Garbage),
                    Some(200) => Ok(()),
                    status => Err(HttpError::Status(status.unwrap_or(0))),
                };
            }
            if self.bytes.len() > HEAD_BYTES_MAX || !self.more()? {
                return Err(HttpError::Garbage);
            }
        }
    }

    /// Reads some more; false at the end.
    fn more(&mut self) -> Result<bool, HttpError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(HttpError::Slow);
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(length) => {
                self.bytes.extend_from_slice(&bytes[..length]);
                Ok(length > 0)
            }
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => Err(HttpError::Slow),
            Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(err) => Err(err.into()),
        }
    }
}

/// Lines that come now and then.
pub struct Lines {
    stream: UnixStream,
    bytes: Vec<u8>,
}

impl Lines {
    /// Hands over the lines that are there, without waiting. An error is the end.
    pub fn read(&mut self, out: &mut dyn FnMut(&[u8])) -> Result<(), HttpError> {
        let mut bytes = [0; READ_BYTES];
        match self.stream.read(&mut bytes) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(length) => self.bytes.extend_from_slice(&bytes[..length]),
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            Err(err) => return Err(err.into()),
        }
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            out(&self.bytes[..end]);
            self.bytes.drain(..=end);
        }
        if self.bytes.len() > LINE_BYTES_MAX { Err(HttpError::Long) } else { Ok(()) }
    }
}

impl AsFd for Lines {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
