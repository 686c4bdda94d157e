//! What servers and clients do seldom or should not, over a server of our own in clear and in TLS:
//! pipelines, single bytes, 1xx, upgrades, tunnels, answers that come early, late, cut or never.

use weir_testkit::{Need, Running};

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// Lets the client ask for everything once; the server is to live until all is told.
fn ask_for_everything(watch: &Watch, port: u64, log: &str, certificate: &[String]) -> Running {
    let (address, port) = (watch.address(), port.to_string());
    let mut server = watch.python("odd_server.py");
    server.args([&address, &port, &watch.path(log)]).args(certificate);
    let mut client = watch.python("odd_client.py");
    client.args([&address, &port]);
    if !certificate.is_empty() {
        client.arg("tls");
    }
    let server = watch.serve(&mut server);
    watch.ask(&mut client);
    server
}

#[test]
fn odd_requests_in_clear_and_inside_tls() {
    if lacks("odd_requests_in_clear_and_inside_tls", &[Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    let _servers = [
        ask_for_everything(&watch, 7001, "clear.log", &[]),
        ask_for_everything(&watch, 7002, "tls.log", &[cert, key]),
    ];
    Log::read(&watch, "clear.log", false).judge(&watch, 7001);
    Log::read(&watch, "tls.log", true).judge(&watch, 7002);
    assert_eq!(watch.lost(), [].into(), "all was understood");
}
