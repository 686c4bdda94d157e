//! HTTP/2 with many streams at once: h2load's own count and nginx's log are the witnesses.

use weir_testkit::Need;

use crate::nginx::Nginx;
use crate::watch::{Watch, lacks};

const REQUESTS: u64 = 3_000;
/// Those of h2load and that of nghttp, twice, at both ends.
const CONNECTIONS: usize = 16;

/// What follows `word` in what h2load printed, of the form `3000 word`.
fn number_before(said: &str, word: &str) -> u64 {
    let at = said.find(word).unwrap_or_else(|| panic!("no {word} in {said}"));
    let number = said[..at].trim_end().rsplit([' ', ',', '\n']).next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("no number before {word} in {said}"))
}

/// Asks much at once; gives what h2load printed.
fn ask_much(watch: &Watch, scheme: &str, port: u64) -> String {
    let url = |path: &str| format!("{scheme}://{}:{port}{path}", watch.address());
    let mut h2load = watch.program("h2load");
    h2load.args(["-n", &REQUESTS.to_string(), "-c", "3", "-m", "5"]);
    for path in ["/hello", "/absent", "/items/7", "/sorry", "/none", "/moved"] {
        h2load.arg(url(path));
    }
    let said = watch.ask(&mut h2load);
    let answered: u64 = ["2xx", "3xx", "4xx", "5xx"].map(|c| number_before(&said, c)).iter().sum();
    assert_eq!((number_before(&said, " total,"), answered), (REQUESTS, REQUESTS), "{said}");
    // each in a frame of its own, all before the first answer
    let mut nghttp = watch.program("nghttp");
    nghttp.args(["-n", "--no-verify-peer", "--padding=16"]);
    for n in 0..10 {
        nghttp.args([url(&format!("/items/{n}")), url(&format!("/through/slow?ms={n}0"))]);
    }
    watch.ask(&mut nghttp);
    said
}

#[test]
fn http2_interleaved() {
    let programs = ["nginx", "openssl", "h2load", "nghttp"].map(Need::Program);
    if lacks("http2_interleaved", &programs) {
        return;
    }
    let watch = Watch::new();
    let nginx = Nginx::start(&watch, 7300);
    let (clear, tls) = (nginx.ports.h2c, nginx.ports.tls);
    let said = [ask_much(&watch, "http", clear), ask_much(&watch, "https", tls)];
    let logs = nginx.judge(&watch, &[(clear, false), (tls, true)]);
    for (log, said) in logs.iter().zip(&said) {
        assert_eq!(log.0.len() as u64, REQUESTS + 20, "h2load's count and nginx's");
        for (word, class) in [("2xx", 2), ("3xx", 3), ("4xx", 4), ("5xx", 5)] {
            let of_class = log.0.iter().filter(|l| l.key.status.is_some_and(|s| s / 100 == class));
            let of_nghttp = if class == 2 { 20 } else { 0 };
            let asked = number_before(said, word) + of_nghttp;
            assert_eq!(of_class.count() as u64, asked, "{word}: {said}");
        }
    }
    watch.assert_lost_at_goodbyes(CONNECTIONS);
}
