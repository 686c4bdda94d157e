//! A client and a server that are not ours talk HTTP/2, and what is heard of it is compared with
//! what they were told to say.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use weir_l7::Connection;
use weir_model::{Exchange, Outcome, Payload, Role, Way};

const REQUESTS: usize = 200;
/// Requests whose stream the client gives up, one in so many.
const RESET_EVERY: usize = 17;

fn path(i: usize) -> String {
    format!("/thing/{}/{}?secret={i}", i % 7, "x".repeat(i % 50))
}

fn status(i: usize) -> u16 {
    [200, 204, 404, 418, 503][i % 5]
}

fn grpc_status(i: usize) -> Option<u16> {
    i.is_multiple_of(3).then_some((i % 17) as u16)
}

/// Passes bytes on and notes them in the order in which they went.
async fn listen(
    mut from: tokio::io::ReadHalf<DuplexStream>,
    mut to: tokio::io::WriteHalf<DuplexStream>,
    way: Way,
    heard: tokio::sync::mpsc::UnboundedSender<(Way, Vec<u8>)>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let _ = heard.send((way, buffer[..length].to_vec()));
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn serve(io: DuplexStream) {
    let mut server = h2::server::handshake(io).await.expect("a handshake");
    let mut i = 0;
    while let Some(request) = server.accept().await {
        let Ok((request, mut respond)) = request else { return };
        assert_eq!(request.uri().path(), path(i).split('?').next().expect("a path"));
        let is_given_up = i % RESET_EVERY == RESET_EVERY - 1;
        let (answer, trailers) = (status(i), grpc_status(i));
        i += 1;
        if is_given_up {
            continue;
        }
        tokio::spawn(async move {
            let head = http::Response::builder().status(answer).header("server", "test").body(());
            let body = trailers.is_some() || answer == 200;
            let sent = respond.send_response(head.expect("a head"), !body);
            let mut stream = sent.expect("an open stream");
            if body {
                stream
                    .send_data(Bytes::from(vec![b'x'; i * 100]), trailers.is_none())
                    .expect("data");
            }
            if let Some(status) = trailers {
                let mut fields = http::HeaderMap::new();
                fields.insert("grpc-status", status.into());
                stream.send_trailers(fields).expect("trailers");
            }
        });
    }
}

async fn ask(io: DuplexStream) {
    let (mut client, connection) = h2::client::handshake(io).await.expect("a handshake");
    let connection = tokio::spawn(connection);
    for i in 0..REQUESTS {
        client = client.ready().await.expect("a connection");
        let mut request = http::Request::builder()
            .method(if i.is_multiple_of(2) { "GET" } else { "POST" })
            .uri(format!("http://host.example{}", path(i)))
            .header("user-agent", format!("agent-{}", i % 3))
            .header("cookie", format!("secret-{i}"))
            .header("traceparent", format!("00-{:032x}-00f067aa0ba902b7-01", i + 1));
        if grpc_status(i).is_some() {
            request = request.header("content-type", "application/grpc");
        }
        let (answer, mut stream) =
            client.send_request(request.body(()).expect("a request"), true).expect("a stream");
        if i % RESET_EVERY == RESET_EVERY - 1 {
            tokio::task::yield_now().await;
            stream.send_reset(h2::Reason::CANCEL);
            continue;
        }
        let mut body = answer.await.expect("an answer").into_body();
        while let Some(data) = body.data().await {
            let length = data.expect("data").len();
            body.flow_control().release_capacity(length).expect("what was received");
        }
        body.trailers().await.expect("trailers or none");
    }
    drop(client);
    let _ = connection.await;
}

/// What is said between the two, call by call.
fn conversation() -> Vec<(Way, Vec<u8>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let (client, client_far) = duplex(64 << 10);
        let (server, server_far) = duplex(64 << 10);
        let (from_client, to_client) = tokio::io::split(client_far);
        let (from_server, to_server) = tokio::io::split(server_far);
        let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(listen(from_client, to_server, Way::Sent, sender.clone()));
        tokio::spawn(listen(from_server, to_client, Way::Received, sender));
        let server = tokio::spawn(serve(server));
        ask(client).await;
        server.await.expect("the server");
        let mut calls = Vec::new();
        while let Ok(call) = heard.try_recv() {
            calls.push(call);
        }
        calls
    })
}

fn hear(
    mut connection: Connection,
    calls: &[(Way, Vec<u8>)],
    longest: usize,
) -> (Vec<Exchange>, Connection) {
    let mut exchanges = Vec::new();
    for (at, (way, bytes)) in calls.iter().enumerate() {
        for bytes in bytes.chunks(longest) {
            let (length, mono_ns) = (bytes.len() as u32, at as u64);
            let payload = Payload { way: *way, mono_ns, length, bytes };
            connection.feed(&payload, &mut |exchange| exchanges.push(exchange));
        }
    }
    connection.close(false, &mut |exchange| exchanges.push(exchange));
    (exchanges, connection)
}

fn check_said(exchange: &Exchange) -> usize {
    let trace = exchange.asked.trace_id.as_deref().expect("a trace id");
    let i = usize::from_str_radix(trace, 16).expect("a number") - 1;
    let shown = format!("{i}: {exchange:?}");
    assert_eq!(exchange.asked.path, path(i).split('?').next().expect("a path"), "{shown}");
    assert_eq!(exchange.asked.method, if i.is_multiple_of(2) { "GET" } else { "POST" }, "{shown}");
    let protocol = if grpc_status(i).is_some() { "grpc" } else { "http/2" };
    assert_eq!(exchange.protocol.as_str(), protocol, "{shown}");
    if i % RESET_EVERY == RESET_EVERY - 1 {
        assert_eq!(exchange.outcome, Outcome::Unanswered, "{shown}");
    } else {
        assert_eq!(exchange.outcome, Outcome::Answered, "{shown}");
        assert_eq!(exchange.status, Some(status(i)), "{shown}");
        assert_eq!(exchange.grpc_status, grpc_status(i), "{shown}");
    }
    i
}

#[test]
fn every_exchange_of_strangers_is_heard() {
    let calls = conversation();
    for longest in [1, 7, 16 << 10] {
        let (exchanges, mut connection) = hear(Connection::new(Role::Client), &calls, longest);
        let mut heard: Vec<usize> = exchanges.iter().map(check_said).collect();
        heard.sort_unstable();
        assert_eq!(heard, (0..REQUESTS).collect::<Vec<_>>());
        assert_eq!(connection.take_losses().collect::<Vec<_>>(), [], "nothing is lost");
    }
}

#[test]
fn joined_in_the_middle_nothing_is_taken_for_another() {
    let calls = conversation();
    let mut full = BTreeMap::new();
    for begin in (20..calls.len()).step_by(37) {
        let (exchanges, connection) =
            hear(Connection::joined(Role::Client), &calls[begin..], 16 << 10);
        assert!(!connection.is_given_up(), "from {begin}");
        for exchange in exchanges.iter().filter(|exchange| exchange.asked.trace_id.is_some()) {
            let trace = exchange.asked.trace_id.as_deref().expect("a trace id");
            let i = usize::from_str_radix(trace, 16).expect("a number") - 1;
            let said = path(i);
            let said = said.split('?').next().expect("a path");
            assert!([said, ""].contains(&&*exchange.asked.path), "{i}: {exchange:?}");
            assert!([None, Some(status(i))].contains(&exchange.status), "{i}: {exchange:?}");
            *full.entry(exchange.asked.path == said).or_insert(0) += 1;
        }
    }
    assert!(full.get(&true) > Some(&1000), "{full:?}");
}
