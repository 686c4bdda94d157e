//! HTTP/2 in calls of 24 to 100 KiB: header blocks behind bodies, which are too long to be copied.
//! Both ends make their frames themselves and cut them anywhere; the server's log is the witness.

use weir_testkit::{Need, Running};

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// Of `frames.py`.
const REQUESTS: usize = 240;

/// Plays all of it over one connection; the server is to live until all is told.
fn play(watch: &Watch, port: &str, log: &str, certificate: &[String]) -> Running {
    let address = watch.address();
    let mut server = watch.python("frames.py");
    server.args(["serve", &address, port, &watch.path(log)]).args(certificate);
    let mut client = watch.python("frames.py");
    client.args(["ask", &address, port]);
    if !certificate.is_empty() {
        client.arg("tls");
    }
    let server = watch.serve(&mut server);
    watch.ask(&mut client);
    server
}

#[test]
fn frames_behind_large_bodies_are_read() {
    if lacks("frames_behind_large_bodies_are_read", &[Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    let _servers =
        [play(&watch, "7601", "clear.log", &[]), play(&watch, "7602", "tls.log", &[cert, key])];
    for (port, name, is_tls) in [(7601, "clear.log", false), (7602, "tls.log", true)] {
        let log = Log::read(&watch, name, is_tls);
        assert_eq!(log.0.len(), REQUESTS);
        log.judge(&watch, port);
    }
    assert_eq!(watch.lost(), [].into(), "all was understood");
}
