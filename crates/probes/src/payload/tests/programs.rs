//! Real programs: what was handed over is what their own logs say.

use std::fs;
use std::process::Command;

use weir_model::{Role, Way};
use weir_testkit::{Need, missing, scratch_dir};

use super::{PATIENCE, PayloadOptions, Told, Watch};

const NGINX: [Need; 4] = [Need::Root, Need::Btf, Need::Program("nginx"), Need::Program("wrk")];
const PYTHON: [Need; 4] = [Need::Root, Need::Btf, Need::Program("python3"), Need::Program("curl")];

/// Messages whose first line begins so, one way, on a server's port.
fn messages(watch: &Watch, port: u16, way: Way, beginning: &[u8]) -> usize {
    let told = watch.of_port(0, Role::Server, port);
    let calls = told.iter().flat_map(|told| &told.calls).filter(|call| call.way == way);
    calls.filter(|call| call.bytes.starts_with(beginning)).count()
}

#[test]
fn nginx_and_the_probe_count_the_same_requests() {
    if missing("nginx_and_the_probe_count_the_same_requests", &NGINX) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("page"), "x".repeat(800)).expect("a page");
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};", path(kind)))
        .concat();
    let config = format!(
        "user root; worker_processes 2; daemon off; pid {}; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log {}; sendfile on; keepalive_requests 50; {temporary}\n\
         server {{ listen 127.0.0.1:7801; root {}; location /short {{ return 200 hello; }} }} }}",
        path("pid"),
        path("log"),
        folder.path().display(),
    );
    fs::write(path("conf"), config).expect("a configuration");
    let mut watch = Watch::new(1, PayloadOptions::default());
    let mut nginx = Command::new("nginx");
    nginx.args(["-c", &path("conf"), "-e", "stderr"]);
    let nginx = watch.lab.host(0).start(&mut nginx).expect("nginx starts");
    let up = "while True:\n    try: socket.create_connection(('127.0.0.1', 7801)); break\n    \
              except OSError: time.sleep(0.05)";
    watch.play(0, up);
    for page in ["short", "page"] {
        let mut wrk = Command::new("wrk");
        wrk.args(["-t1", "-c4", "-d1s", &format!("http://127.0.0.1:7801/{page}")]);
        let wrk = watch.lab.host(0).start(&mut wrk).expect("wrk starts");
        watch.wait_for(wrk);
    }
    nginx.signal(rustix::process::Signal::QUIT).expect("nginx is told to end");
    watch.wait_for(nginx);
    let log = fs::read_to_string(path("log")).expect("a log");
    // A request that wrk took back is in the log with 499, and was read by nginx all the same.
    let asked = log.lines().count();
    assert!(asked > 100, "{asked} requests");
    assert_eq!(messages(&watch, 7801, Way::Received, b"GET /"), asked);
    let answered = log.lines().filter(|line| line.contains("\" 200 ")).count();
    assert_eq!(messages(&watch, 7801, Way::Sent, b"HTTP/1.1 200 OK\r\n"), answered);
    let told = watch.of_port(0, Role::Server, 7801);
    assert!(told.iter().all(|told| told.closed.is_some()), "an end is missing");
    assert_eq!(watch.lost(), []);
}

#[test]
fn python_serves_curl() {
    if missing("python_serves_curl", &PYTHON) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    fs::write(folder.path().join("page"), "y".repeat(100_000)).expect("a page");
    let mut watch = Watch::new(1, PayloadOptions::default());
    let mut python = Command::new("python3");
    python.args(["-u", "-m", "http.server", "7802", "--bind", "127.0.0.1"]);
    python.current_dir(folder.path());
    let mut python = watch.lab.host(0).start(&mut python).expect("python starts");
    python.line_after("Serving HTTP", PATIENCE).expect("python listens");
    for page in ["page", "page?q=1", "none"] {
        let url = format!("http://127.0.0.1:7802/{page}");
        watch.lab.host(0).output("curl", &["-s", "-o", "/dev/null", &url]).expect("curl runs");
    }
    watch.until(|watch| {
        let told = watch.of_port(0, Role::Server, 7802);
        told.iter().filter(|told| told.closed.is_some()).count() == 3
    });
    let told = watch.of_port(0, Role::Server, 7802);
    assert_eq!(told.len(), 3);
    for (page, status) in [("page", "200"), ("page?q=1", "200"), ("none", "404")] {
        let line = format!("GET /{page} HTTP/1.1\r\n");
        let asks = |told: &&&Told| told.calls[0].bytes.starts_with(line.as_bytes());
        let told = told.iter().find(asks).unwrap_or_else(|| panic!("nothing asks for {page}"));
        let (sent, _) = told.stream(Way::Sent);
        assert!(sent.starts_with(format!("HTTP/1.0 {status} ").as_bytes()), "{page}");
        let passed = told.calls.iter().rfind(|call| call.way == Way::Sent).map(|c| c.position);
        assert!(status == "404" || passed > Some(100_000), "{page}: {passed:?}");
        assert_eq!(told.closed, Some(false), "{page}");
    }
    assert_eq!(watch.lost(), []);
}
