//! What servers and clients do seldom or should not, over a server of our own in clear and in TLS:
//! pipelines, single bytes, 1xx, upgrades, tunnels, answers that come early, late, cut or never.

use weir_agent::probes::PayloadOptions;
use weir_testkit::Need;

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// Lets the client ask for everything once, and compares.
fn ask_for_everything(payload: PayloadOptions, port: u64, is_tls: bool) {
    let watch = Watch::with(payload);
    let (address, port_text, log) = (watch.address(), port.to_string(), watch.path("log"));
    let mut server = watch.python("odd_server.py");
    server.args([&address, &port_text, &log]);
    let mut client = watch.python("odd_client.py");
    client.args([&address, &port_text]);
    if is_tls {
        let (cert, key) = watch.certify();
        server.args([cert, key]);
        client.arg("tls");
    }
    let _server = watch.serve(&mut server);
    watch.ask(&mut client);
    Log::read(&watch, "log", is_tls).judge(&watch, port);
    assert_eq!(watch.lost(), [].into(), "all was understood");
}

#[test]
fn odd_requests_in_clear() {
    if !lacks("odd_requests_in_clear", &[]) {
        ask_for_everything(PayloadOptions::default(), 7001, false);
    }
}

#[test]
fn odd_requests_inside_tls() {
    if !lacks("odd_requests_inside_tls", &[Need::Program("openssl")]) {
        ask_for_everything(PayloadOptions::default(), 7002, true);
    }
}
