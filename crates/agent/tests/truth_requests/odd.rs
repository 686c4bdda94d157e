//! What servers and clients do seldom or should not, over a server of our own in clear and in TLS:
//! pipelines, single bytes, 1xx, upgrades, tunnels, answers that come early, late, cut or never.

use weir_testkit::Need;

use crate::watch::{Watch, lacks};
use crate::witness::Log;

#[test]
fn odd_requests_in_clear_and_inside_tls() {
    if lacks("odd_requests_in_clear_and_inside_tls", &[Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    let scripts = || ["odd_server.py", "odd_client.py"].map(|script| watch.python(script));
    let _servers = [
        watch.play(scripts(), 7001, "clear.log", &[]),
        watch.play(scripts(), 7002, "tls.log", &[cert, key]),
    ];
    Log::read(&watch, "clear.log", false).judge(&watch, 7001);
    Log::read(&watch, "tls.log", true).judge(&watch, 7002);
    assert_eq!(watch.lost(), [].into(), "all was understood");
}
