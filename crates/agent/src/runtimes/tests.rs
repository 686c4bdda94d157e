//! Simulations: servers on unix sockets that answer as Docker documents its API, and some that
//! misbehave. No runtime was asked.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use weir_identity::{Called, ContainerName};

use super::http::HttpError;
use super::runtime::{EVENTS, LIST};
use super::*;

pub(super) const WEB: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
pub(super) const DB: &str = "4f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
pub(super) const LATE: &str = "5f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
pub(super) const NOBODYS: &str = "6f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

/// Docker, as far as names go: which containers it lists, which it has beside, who follows it.
#[derive(Default)]
struct Docker {
    listed: Mutex<Vec<(&'static str, &'static str)>>,
    hidden: Mutex<Vec<(&'static str, &'static str)>>,
    followers: Mutex<Vec<UnixStream>>,
    asked: Mutex<Vec<String>>,
}

impl Docker {
    fn start(path: &Path) -> Arc<Self> {
        let docker = Arc::new(Self::default());
        let (listener, serving) = (UnixListener::bind(path).expect("bound"), docker.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serving.answer(stream);
            }
        });
        docker
    }

    fn answer(&self, mut stream: UnixStream) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        self.asked.lock().unwrap().push(request.clone());
        let target = request.split(' ').nth(1).unwrap_or_default();
        let json = "HTTP/1.0 200 OK\r\nApi-Version: 1.43\r\nContent-Type: application/json\r\n\r\n";
        let _ = if target == "/containers/json" {
            write!(stream, "{json}{}", self.list())
        } else if let Some(id) = target.strip_prefix("/containers/") {
            match self.one(id.trim_end_matches("/json")) {
                Some(body) => write!(stream, "{json}{body}"),
                None => write!(
                    stream,
                    "HTTP/1.0 404 Not Found\r\n\r\n{{\"message\":\"No such container: {id}\"}}\n"
                ),
            }
        } else if target.starts_with("/events?filters=%7B") {
            let begun = write!(stream, "{json}");
            self.followers.lock().unwrap().push(stream);
            begun
        } else {
            write!(stream, "HTTP/1.0 404 Not Found\r\n\r\n{{\"message\":\"page not found\"}}\n")
        };
    }

    fn list(&self) -> String {
        let listed = self.listed.lock().unwrap();
        let one = |(id, name): &(&str, &str)| {
            format!(
                r#"{{"Id":"{id}","Names":["/{name}"],"Image":"nginx","Command":"nginx","Created":1,
                    "Labels":{{"com.docker.compose.project":"shop"}},"State":"running"}}"#
            )
        };
        format!("[{}]\n", listed.iter().map(one).collect::<Vec<_>>().join(","))
    }

    fn one(&self, id: &str) -> Option<String> {
        let (listed, hidden) = (self.listed.lock().unwrap(), self.hidden.lock().unwrap());
        let (id, name) = listed.iter().chain(hidden.iter()).find(|(key, _)| *key == id)?;
        Some(format!(r#"{{"Id":"{id}","Name":"/{name}","State":{{"Status":"running"}}}}"#))
    }

    fn happen(&self, action: &str, id: &str, name: &str) {
        let event = format!(
            "{{\"status\":\"{action}\",\"id\":\"{id}\",\"Type\":\"container\",\"Action\":\
             \"{action}\",\"Actor\":{{\"ID\":\"{id}\",\"Attributes\":{{\"image\":\"nginx\",\
             \"name\":\"{name}\"}}}},\"scope\":\"local\",\"time\":1739811096}}\n"
        );
        for follower in self.followers.lock().unwrap().iter_mut() {
            follower.write_all(event.as_bytes()).expect("followed");
        }
    }
}

/// Runs the thread while `body` runs.
pub(super) fn watch(sockets: &[PathBuf], body: impl FnOnce(&RuntimeNames)) {
    let (names, stop) = (RuntimeNames::default(), StopSignal::default());
    thread::scope(|scope| {
        let thread = scope.spawn(|| watch_names(sockets, &names, &stop));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(&names)));
        stop.set();
        thread.join().expect("no panic");
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

pub(super) fn called(names: &RuntimeNames, id: &str) -> Called {
    names.called(&Arc::from(id), 0)
}

pub(super) fn wait_until(names: &RuntimeNames, id: &str, expected: &Called) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while called(names, id) != *expected {
        let found = called(names, id);
        assert!(Instant::now() < deadline, "{id}: {found:?}, expected {expected:?}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

pub(super) fn name(text: &str) -> Called {
    Called::Name(ContainerName::from(text))
}

#[test]
fn names_are_listed_told_and_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    let docker = Docker::start(&path);
    docker.listed.lock().unwrap().push((WEB, "shop-web-1"));
    docker.hidden.lock().unwrap().push((DB, "shop-db-1"));
    watch(&[path, folder.path().join("podman.sock")], |names| {
        wait_until(names, WEB, &name("shop-web-1"));
        docker.happen("create", LATE, "shop-late-1");
        wait_until(names, LATE, &name("shop-late-1"));
        docker.happen("rename", WEB, "web");
        wait_until(names, WEB, &name("web"));
        wait_until(names, DB, &name("shop-db-1"));
        wait_until(names, NOBODYS, &Called::Nothing);
    });
    let asked = docker.asked.lock().unwrap();
    let of = |id: &str| asked.iter().filter(|request| request.contains(id)).count();
    assert_eq!((of(WEB), of(LATE), of(DB), of(NOBODYS)), (0, 0, 1, 1), "{asked:?}");
    assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
}

#[test]
fn a_runtime_that_comes_later_or_returns_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("docker.sock");
    let names = RuntimeNames::default();
    let mut runtime = Runtime::new(&path);
    runtime.reach(&names);
    assert!(!runtime.is_there && !runtime.is_reached());
    let docker = Docker::start(&path);
    docker.listed.lock().unwrap().push((WEB, "web"));
    runtime.reach(&names);
    assert!(!runtime.is_reached(), "not yet again");
    runtime.retry_at = None;
    names.learn(NOBODYS, None, 0);
    names.begin(true);
    runtime.reach(&names);
    assert!(runtime.is_there && runtime.is_reached());
    assert_eq!(called(&names, WEB), name("web"));
    assert_eq!(called(&names, NOBODYS), Called::NotYetKnown, "it may have come with the runtime");
    docker.followers.lock().unwrap().clear();
    runtime.read_news(&names, Instant::now());
    assert!(runtime.is_there && !runtime.is_reached(), "it went away");
    assert_eq!(called(&names, WEB), name("web"), "what was learned stays");
}

/// Accepts and answers every request with these bytes, or with silence.
fn misbehaving(path: &Path, bytes: &'static [u8]) {
    let listener = UnixListener::bind(path).expect("bound");
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(bytes);
            held.push(stream);
        }
    });
}

#[test]
fn runtimes_that_hang_or_talk_nonsense_name_nothing_and_hold_up_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: [(&str, &'static [u8]); 4] = [
        ("silent", b""),
        ("garbage", b"\x00\x01\x02 220 mail.example ESMTP\r\n"),
        ("chunked", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"),
        ("refusing", b"HTTP/1.0 403 Forbidden\r\n\r\n"),
    ];
    let names = RuntimeNames::default();
    names.begin(true);
    for (case, bytes) in cases {
        let path = folder.path().join(case);
        misbehaving(&path, bytes);
        let mut runtime = Runtime::new(&path);
        let began = Instant::now();
        runtime.reach(&names);
        assert!(runtime.is_there && !runtime.is_reached(), "{case}");
        assert_eq!(runtime.failures, 1, "{case}");
        assert!(began.elapsed() < Duration::from_secs(5), "{case}: {:?}", began.elapsed());
    }
    // the kernel's queue of one that never accepts is full at last
    let path = folder.path().join("never");
    let _listener = UnixListener::bind(&path).expect("bound");
    let mut waiting = Vec::new();
    while let Ok(call) = http::Call::begin(&path, LIST) {
        waiting.push(call);
        assert!(waiting.len() < 10_000, "it takes them all");
    }
    // whoever looks up never waits, and an id stays what it is
    let began = Instant::now();
    watch(&[folder.path().join("silent"), path], |names| {
        wait_until(names, WEB, &Called::NotYetKnown);
    });
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn endless_answers_are_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("endless");
    let listener = UnixListener::bind(&path).expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n");
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
            });
        }
    });
    let err = http::get(&path, LIST).expect_err("no end");
    assert!(matches!(err, HttpError::Long | HttpError::Slow), "{err}");
    let mut lines = http::follow(&path, EVENTS).expect("begun");
    let mut read = Ok(());
    while read.is_ok() {
        read = lines.read(&mut |_| panic!("no line ends"));
    }
    assert!(matches!(read, Err(HttpError::Long)), "{read:?}");
    let err = http::get(&folder.path().join("none"), LIST).expect_err("no socket");
    assert!(matches!(err, HttpError::Io(err) if err.kind() == io::ErrorKind::NotFound));
}
