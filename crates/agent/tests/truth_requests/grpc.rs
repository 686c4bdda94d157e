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
/// And with large messages, if it is to.
const LARGE_CALLS: usize = 20;

/// Calls everything; the log is the client's.
fn call_everything(watch: &Watch, port: u16, log: &str, certificate: &[String], is_large: bool) {
    let (address, port) = (watch.address(), port.to_string());
    let mut server = watch.python("grpc_server.py");
    server.args([&address, &port]).args(certificate);
    let mut client = watch.python("grpc_client.py");
    client.args([&address, &port, &watch.path(log)]).args(certificate.first());
    if is_large {
        client.arg("large");
    }
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
    call_everything(&watch, 7201, "clear.log", &[], false);
    call_everything(&watch, 7203, "tls.log", &[cert, key], false);
    for (port, name, is_tls) in [(7201, "clear.log", false), (7203, "tls.log", true)] {
        let log = Log::read(&watch, name, is_tls);
        assert_eq!(log.0.len(), CALLS);
        log.judge(&watch, port);
    }
    assert_eq!(watch.lost(), [].into(), "all was understood");
}

/// Messages of 200 kB: what is not copied of a call is of their bodies alone.
#[test]
fn grpc_of_large_messages_in_clear_and_inside_tls() {
    let test = "grpc_of_large_messages_in_clear_and_inside_tls";
    if lacks(test, &[Need::PythonModule("grpc"), Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    call_everything(&watch, 7202, "clear.log", &[], true);
    call_everything(&watch, 7204, "tls.log", &[cert, key], true);
    for (port, name, is_tls) in [(7202, "clear.log", false), (7204, "tls.log", true)] {
        let log = Log::read(&watch, name, is_tls);
        assert_eq!(log.0.len(), CALLS + LARGE_CALLS);
        log.judge(&watch, port);
    }
    assert_eq!(watch.lost(), [].into(), "all was understood");
}
