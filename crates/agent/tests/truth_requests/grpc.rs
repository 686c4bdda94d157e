//! gRPC through its own library, in clear and inside TLS, many calls at once over one connection; what
//! the client got is the witness of codes, what server and client waited that of latencies.
//!
//! Debian's build of the library uses the shared OpenSSL. The one that Python's package index has
//! holds a library without symbols inside, which cannot be read.

use weir_testkit::Need;

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// What `grpc_client.py` calls.
const CALLS: usize = 109;

/// Calls everything; the log is the client's.
fn call_everything(watch: &Watch, port: u16, log: &str, certificate: &[String]) {
    let (address, port) = (watch.address(), port.to_string());
    let mut server = watch.python("grpc_server.py");
    server.args([&address, &port]).args(certificate);
    let mut client = watch.python("grpc_client.py");
    client.args([&address, &port, &watch.path(log)]).args(certificate.first());
    let _server = watch.serve(&mut server);
    watch.ask(&mut client);
}

#[test]
fn grpc_interleaved_in_clear_and_inside_tls() {
    let test = "grpc_interleaved_in_clear_and_inside_tls";
    if lacks(test, &[Need::PythonModule("grpc"), Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    call_everything(&watch, 7201, "clear.log", &[]);
    call_everything(&watch, 7203, "tls.log", &[cert, key]);
    for (port, name, is_tls) in [(7201, "clear.log", false), (7203, "tls.log", true)] {
        let log = Log::read(&watch, name, is_tls);
        assert_eq!(log.0.len(), CALLS);
        log.judge(&watch, port);
    }
    assert_eq!(watch.lost(), [].into(), "all was understood");
}

/// Of a call that passes more than is copied, the frames behind the copy are not seen.
#[test]
fn grpc_of_large_messages_is_told_or_counted_as_lost() {
    let test = "grpc_of_large_messages_is_told_or_counted_as_lost";
    if lacks(test, &[Need::PythonModule("grpc")]) {
        return;
    }
    let watch = Watch::new();
    let address = watch.address();
    let server = watch.serve(watch.python("grpc_server.py").args([&*address, "7202"]));
    let log = watch.path("log");
    watch.ask(watch.python("grpc_client.py").args([&*address, "7202", &log, "large"]));
    drop(server);
    watch.settle();
    let calls = (CALLS + 20) as u64;
    let lost: u64 = watch.lost().values().sum();
    assert!(lost > 0, "calls of 200 kB are not copied whole");
    let told = watch.told("incoming", 7202);
    let [requests, unanswered] = [
        told.values().map(|(count, _)| count.requests).sum::<u64>(),
        told.values().map(|(count, _)| count.unanswered).sum::<u64>(),
    ];
    assert!((calls.saturating_sub(lost)..=calls).contains(&requests), "{requests}, {lost} lost");
    assert!(unanswered <= 3, "{unanswered} unanswered, more than its clients gave up");
}
