//! Requests inside TLS, through real libraries.

use std::fs;
use std::path::Path;
use std::process::Command;

use weir_model::{Role, Way};
use weir_testkit::{Lab, Need, missing, run, scratch_dir};

use super::{GET, OK, PATIENCE, PayloadOptions, Told, Watch, options};

const PYTHON: [Need; 4] =
    [Need::Root, Need::Btf, Need::Program("python3"), Need::Program("openssl")];

/// A certificate for `localhost` and its key, in a folder.
fn certify(folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let (key, cert) = (path("key"), path("cert"));
    let args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &cert];
    let subject = ["-days", "2", "-subj", "/CN=localhost"];
    run("openssl", &[&args[..], &subject[..]].concat()).expect("openssl makes a certificate");
}

/// Wraps what `pair` gives into TLS.
fn prelude(folder: &Path) -> String {
    let path = folder.display();
    format!(
        "import ssl\n\
         def wrapped(port):\n    \
         c, a = pair(port)\n    \
         s = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n    \
         s.load_cert_chain('{path}/cert', '{path}/key')\n    \
         k = ssl._create_unverified_context()\n    \
         t = threading.Thread(target=lambda: globals().update(a=s.wrap_socket(a, server_side=True)))\n    \
         t.start()\n    \
         c = k.wrap_socket(c)\n    \
         t.join()\n    \
         return c, globals()['a']\n"
    )
}

fn one(watch: &Watch, role: Role, port: u16) -> &Told {
    let of_port = watch.of_port(0, role, port);
    let [told] = of_port[..] else { panic!("{role:?} of {port}: {of_port:?}") };
    assert!(told.ends.is_tls);
    told
}

#[test]
fn what_is_inside_tls_is_told_to_the_byte() {
    if missing("what_is_inside_tls_is_told_to_the_byte", &PYTHON) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    certify(folder.path());
    for one_end in [true, false] {
        let payload = PayloadOptions { one_end, ..PayloadOptions::default() };
        let mut watch = Watch::tls(1, payload);
        watch.play(
            0,
            &format!(
                "{}\n\
                 c, a = wrapped(7900)\n\
                 for _ in range(3): c.sendall(GET); a.recv(99); a.sendall(OK); c.recv(99)\n\
                 c.sendall(GET); a.recv(7); a.recv(99); a.sendall(OK[:20]); a.sendall(OK[20:])\n\
                 take(c, 40); c.close(); a.close()\n\
                 c, a = wrapped(7901)\n\
                 c.sendall(b'\\0\\1\\2nothing known'); a.recv(99); a.sendall(OK); c.recv(99)\n\
                 c.sendall(GET); a.recv(99)",
                prelude(folder.path())
            ),
        );
        watch.until(|watch| one(watch, Role::Server, 7900).closed.is_some());
        let server = one(&watch, Role::Server, 7900);
        assert_eq!(server.stream(Way::Received), (GET.repeat(4).into_bytes(), true));
        assert_eq!(server.stream(Way::Sent), (OK.repeat(4).into_bytes(), true));
        assert_eq!(server.closed, Some(false));
        let process = server.ends.process.as_ref().map(|process| &*process.name);
        assert_eq!(process, Some("python3"));
        assert_eq!(server.ends.local.port, 7900);
        if !one_end {
            let client = one(&watch, Role::Client, 7900);
            assert_eq!(client.stream(Way::Sent), (GET.repeat(4).into_bytes(), true));
            assert_eq!(client.stream(Way::Received), (OK.repeat(4).into_bytes(), true));
        }
        for role in [Role::Client, Role::Server] {
            assert_eq!(watch.of_port(0, role, 7901).len(), 0, "it speaks no HTTP");
        }
        assert_eq!(watch.lost(), []);
    }
    let options = options(PayloadOptions { tls: false, ..PayloadOptions::default() });
    let mut watch = Watch::of(Lab::new(1).expect("a lab"), &options);
    let script = "c, a = wrapped(7902)\nc.sendall(GET); a.recv(99)";
    watch.play(0, &format!("{}\n{script}", prelude(folder.path())));
    assert!(watch.of_port(0, Role::Server, 7902).is_empty(), "TLS is off");
}

#[test]
fn nginx_counts_the_same_requests_inside_tls() {
    let needs = [PYTHON[0], PYTHON[1], PYTHON[3], Need::Program("nginx"), Need::Program("wrk")];
    if missing("nginx_counts_the_same_requests_inside_tls", &needs) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    certify(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {};", path(kind)))
        .concat();
    let config = format!(
        "user root; worker_processes 1; daemon off; pid {}; error_log stderr;\n\
         events {{}}\n\
         http {{ access_log {}; {temporary} keepalive_requests 40;\n\
         server {{ listen 127.0.0.1:7910 ssl; ssl_certificate {}; ssl_certificate_key {};\n\
         location / {{ return 200 hello; }} }} }}",
        path("pid"),
        path("log"),
        path("cert"),
        path("key"),
    );
    fs::write(path("conf"), config).expect("a configuration");
    let mut watch = Watch::tls(1, PayloadOptions::default());
    let mut nginx = Command::new("nginx");
    nginx.args(["-c", &path("conf"), "-e", "stderr"]);
    let nginx = watch.lab.host(0).start(&mut nginx).expect("nginx starts");
    watch.play(
        0,
        "while True:\n    try: socket.create_connection(('127.0.0.1', 7910)); break\n    \
         except OSError: time.sleep(0.05)",
    );
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c4", "-d1s", "https://127.0.0.1:7910/"]);
    let wrk = watch.lab.host(0).start(&mut wrk).expect("wrk starts");
    watch.wait_for(wrk);
    nginx.signal(rustix::process::Signal::QUIT).expect("nginx is told to end");
    watch.wait_for(nginx);
    let log = fs::read_to_string(path("log")).expect("a log");
    let count = |way, beginning: &[u8]| -> usize {
        let told = watch.of_port(0, Role::Server, 7910);
        let calls = told.iter().flat_map(|told| &told.calls).filter(|call| call.way == way);
        calls.filter(|call| call.bytes.starts_with(beginning)).count()
    };
    assert!(log.lines().count() > 100, "{log}");
    assert_eq!(count(Way::Received, b"GET / "), log.lines().count());
    let answered = log.lines().filter(|line| line.contains("\" 200 ")).count();
    assert_eq!(count(Way::Sent, b"HTTP/1.1 200 OK\r\n"), answered);
    assert_eq!(watch.lost(), []);
}

/// A server of Python's that speaks TLS and answers each request for a page.
fn python_server(watch: &Watch, folder: &Path, port: u16) -> weir_testkit::Running {
    let script = format!(
        "import http.server, ssl\n\
         class Handler(http.server.BaseHTTPRequestHandler):\n    \
         protocol_version = 'HTTP/1.1'\n    \
         def do_GET(self):\n        \
         self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers()\n        \
         self.wfile.write(b'hi')\n\
         server = http.server.ThreadingHTTPServer(('127.0.0.1', {port}), Handler)\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.load_cert_chain('{0}/cert', '{0}/key')\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n\
         print('up', flush=True)\n\
         server.serve_forever()",
        folder.display()
    );
    let mut python = Command::new("python3");
    python.args(["-c", &script]);
    let mut python = watch.lab.host(0).start(&mut python).expect("python starts");
    python.line_after("up", PATIENCE).expect("python listens");
    python
}

/// Requests that a client's end sent, with its answers, after a program ran to its end.
fn requests_of(client: &mut Command, port: u16, folder: &Path) -> (Vec<Told>, String) {
    let payload = PayloadOptions { one_end: false, ..PayloadOptions::default() };
    let mut watch = Watch::tls(1, payload);
    let _server = python_server(&watch, folder, port);
    let client = watch.lab.host(0).start(client).expect("the client starts");
    watch.wait_for(client);
    watch.until(|watch| {
        let told = watch.of_port(0, Role::Client, port);
        !told.is_empty() && told.iter().all(|told| told.closed.is_some())
    });
    let lost = watch.lost();
    let told = watch.of_port(0, Role::Client, port).into_iter().cloned().collect();
    (told, format!("{lost:?}"))
}

#[test]
fn gnutls_is_read() {
    let needs = [PYTHON[0], PYTHON[1], PYTHON[2], PYTHON[3], Need::Program("wget")];
    if missing("gnutls_is_read", &needs) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    certify(folder.path());
    let mut wget = Command::new("wget");
    let url = |page: &str| format!("https://127.0.0.1:7920/{page}");
    wget.args(["-q", "-O", "-", "--no-check-certificate", &url("a"), &url("b")]);
    let (told, lost) = requests_of(&mut wget, 7920, folder.path());
    let sent: Vec<_> = told.iter().map(|told| told.stream(Way::Sent).0).collect();
    let sent = String::from_utf8_lossy(&sent.concat()).into_owned();
    for page in ["a", "b"] {
        assert!(sent.contains(&format!("GET /{page} HTTP/1.1\r\n")), "{page} in {sent}, {lost}");
    }
    let answers = told.iter().map(|told| told.stream(Way::Received).0).collect::<Vec<_>>().concat();
    let answers = String::from_utf8_lossy(&answers).matches("HTTP/1.1 200 OK\r\n").count();
    assert_eq!(answers, 2, "{lost}");
}

#[test]
fn node_is_read_with_its_library_inside() {
    let needs = [PYTHON[0], PYTHON[1], PYTHON[2], PYTHON[3], Need::Program("node")];
    if missing("node_is_read_with_its_library_inside", &needs) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    certify(folder.path());
    let script = "const https = require('https');\n\
        const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });\n\
        const ask = (n) => https.get({ host: '127.0.0.1', port: 7930, path: '/' + n, agent,\n\
            rejectUnauthorized: false }, (res) => { res.resume(); res.on('end', () => {\n\
            if (n < 9) setTimeout(ask, 50, n + 1); else agent.destroy(); }); });\n\
        setTimeout(ask, 1000, 0);";
    let mut node = Command::new("node");
    node.args(["-e", script]);
    let (told, lost) = requests_of(&mut node, 7930, folder.path());
    let [told] = &told[..] else { panic!("{told:?} {lost}") };
    let sent = String::from_utf8_lossy(&told.stream(Way::Sent).0).into_owned();
    let answers = String::from_utf8_lossy(&told.stream(Way::Received).0).into_owned();
    // The library is inside the program, which is looked into when it begins.
    assert_eq!(sent.matches("GET /").count(), 10, "{lost}");
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 10, "{answers}");
    let process = told.ends.process.as_ref().map(|process| &*process.name);
    assert_eq!(process, Some("node"));
}

/// Asks itself ten times, the client keeping its connection, and ends.
const GO: &str = r#"
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hi") })
	listener, err := net.Listen("tcp", "127.0.0.1:7940")
	if err != nil {
		log.Fatal(err)
	}
	go http.ServeTLS(listener, nil, "cert", "key")
	// On a busy machine it takes a moment to look into a program that begins.
	time.Sleep(time.Second)
	config := &tls.Config{InsecureSkipVerify: true}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, ForceAttemptHTTP2: WITH_HTTP2, MaxConnsPerHost: 2}}
	done := make(chan int)
	for worker := 0; worker < 2; worker++ {
		go func() {
			for n := 0; n < 5; n++ {
				answer, err := client.Get("https://127.0.0.1:7940/a")
				if err != nil {
					log.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			done <- 1
		}()
	}
	<-done
	<-done
	client.CloseIdleConnections()
	time.Sleep(200 * time.Millisecond)
}
"#;

/// Builds the program as many are: without symbols.
fn build_go(folder: &Path, http2: bool) {
    let http2 = if http2 { "true" } else { "false" };
    fs::write(folder.join("main.go"), GO.replace("WITH_HTTP2", http2)).expect("a source");
    fs::write(folder.join("go.mod"), "module ask\n\ngo 1.18\n").expect("a module");
    let mut go = Command::new("go");
    go.args(["build", "-ldflags", "-s -w", "-o", "ask", "."]).current_dir(folder);
    let cache = std::env::temp_dir().join("weir-go");
    go.env("GOCACHE", cache).env("GOFLAGS", "-mod=mod").env("GOTOOLCHAIN", "local");
    assert!(go.status().expect("go runs").success());
}

#[test]
fn go_is_read_in_programs_without_symbols() {
    let needs = [Need::Root, Need::Btf, Need::Program("go"), Need::Program("openssl")];
    if missing("go_is_read_in_programs_without_symbols", &needs) {
        return;
    }
    let folder = scratch_dir().expect("a folder");
    certify(folder.path());
    for one_end in [true, false] {
        build_go(folder.path(), false);
        let payload = PayloadOptions { one_end, ..PayloadOptions::default() };
        let mut watch = Watch::tls(1, payload);
        let mut ask = Command::new(folder.path().join("ask"));
        ask.current_dir(folder.path());
        let ask = watch.lab.host(0).start(&mut ask).expect("the program starts");
        watch.wait_for(ask);
        let lost = watch.lost();
        // Not call by call: Go's server may read the first byte of the next request by itself.
        let count = |role, way, wanted: &str| -> usize {
            let told = watch.of_port(0, role, 7940);
            let streams = told.iter().map(|told| told.stream(way).0);
            streams.map(|bytes| String::from_utf8_lossy(&bytes).matches(wanted).count()).sum()
        };
        assert_eq!(count(Role::Server, Way::Received, "GET /a HTTP/1.1\r\n"), 10, "{lost:?}");
        assert_eq!(count(Role::Server, Way::Sent, "HTTP/1.1 200 OK\r\n"), 10);
        if !one_end {
            assert_eq!(count(Role::Client, Way::Sent, "GET /a HTTP/1.1\r\n"), 10);
            assert_eq!(count(Role::Client, Way::Received, "HTTP/1.1 200 OK\r\n"), 10);
        }
        assert_eq!(lost, []);
    }
}
