//! HTTP/2 in calls of 24 to 100 KiB: header blocks behind bodies, which are too long to be copied.
//! Both ends make their frames themselves and cut them anywhere; the server's log is the witness.

use weir_testkit::Need;

use crate::watch::{Watch, lacks};
use crate::witness::Log;

/// Of `frames.py`.
const REQUESTS: usize = 240;

#[test]
fn frames_behind_large_bodies_are_read() {
    if lacks("frames_behind_large_bodies_are_read", &[Need::Program("openssl")]) {
        return;
    }
    let watch = Watch::new();
    let (cert, key) = watch.certify();
    let ends = || {
        ["serve", "ask"].map(|end| {
            let mut script = watch.python("frames.py");
            script.arg(end);
            script
        })
    };
    let _servers = [
        watch.play(ends(), 7601, "clear.log", &[]),
        watch.play(ends(), 7602, "tls.log", &[cert, key]),
    ];
    for (port, name, is_tls) in [(7601, "clear.log", false), (7602, "tls.log", true)] {
        let log = Log::read(&watch, name, is_tls);
        assert_eq!(log.0.len(), REQUESTS);
        log.judge(&watch, port);
    }
    assert_eq!(watch.lost(), [].into(), "all was understood");
}
