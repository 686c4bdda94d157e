//! Simulations: servers of gRPC on unix sockets that answer as CRI documents it, and some that
//! misbehave. A real containerd is asked in `crates/weir/tests/truth_runtimes`.

use std::io::Cursor;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use ::http::{HeaderMap, Request, Response};
use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, join};
use tokio::net::{UnixListener, UnixStream};
use weir_identity::{Called, ContainerName};

use super::grpc::{self, GrpcError};
use super::runtime::LIST_EVERY;
use super::tests::{DB, LATE, NOBODYS, WEB, called, name, wait_until, watch};
use super::*;

const CALL: &str = "/runtime.v1.RuntimeService/ListContainers";

/// How a server answers a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Lists,
    /// As one that does not know the service: a head with the trailers in it.
    Unimplemented,
    /// As one that cannot: trailers after an empty body.
    Unavailable,
    Silent,
    /// Goes away while it answers.
    Cut,
    Resets,
    NoTrailers,
    /// A body that is no message, or a message that is no list.
    BadFrame,
    Compressed,
    BadList,
    /// A web server that knows HTTP/2.
    Page,
    Endless,
}

/// A runtime, as far as names go.
struct Cri {
    manner: Mutex<Manner>,
    /// Whether it also tells of itself over HTTP/1, as CRI-O does.
    has_pages: bool,
    listed: Mutex<Vec<(&'static str, &'static str)>>,
    /// What it has besides, when it is asked for it by id.
    hidden: Mutex<Vec<(&'static str, &'static str)>>,
    asked: Mutex<Vec<String>>,
}

impl Cri {
    fn start(path: &Path, manner: Manner, has_pages: bool) -> Arc<Self> {
        let (listed, hidden, asked) = Default::default();
        let cri = Arc::new(Self { manner: Mutex::new(manner), has_pages, listed, hidden, asked });
        let (path, serving) = (path.to_owned(), cri.clone());
        let (ready, bound) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = UnixListener::bind(path).expect("bound");
                ready.send(()).expect("waited for");
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serving.clone().serve(stream));
                }
            });
        });
        bound.recv().expect("bound");
        cri
    }

    async fn serve(self: Arc<Self>, stream: UnixStream) -> Option<()> {
        let (mut reader, mut writer) = stream.into_split();
        let mut first = [0; 3];
        reader.read_exact(&mut first).await.ok()?;
        if self.has_pages && first == *b"GET" {
            writer.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n404 page not found\n").await.ok()?;
            return None;
        }
        let stream = join(Cursor::new(first).chain(reader), writer);
        let mut connection = h2::server::handshake(stream).await.ok()?;
        while let Some(Ok((request, respond))) = connection.accept().await {
            if *self.manner.lock().unwrap() == Manner::Cut {
                let head = Response::builder().header("content-type", "application/grpc");
                let mut respond = respond;
                let mut body = respond.send_response(head.body(()).ok()?, false).ok()?;
                body.send_data(Bytes::from_static(b"\0\0\0\0\x7f"), false).ok()?;
                let _ = tokio::time::timeout(Duration::from_millis(100), connection.accept()).await;
                return None;
            }
            tokio::spawn(self.clone().answer(request, respond));
        }
        None
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
    ) -> Option<()> {
        let (head, mut body) = request.into_parts();
        let mut message = BytesMut::new();
        while let Some(data) = body.data().await {
            let data = data.ok()?;
            body.flow_control().release_capacity(data.len()).ok()?;
            message.extend(data);
        }
        let is_grpc = head.headers["content-type"] == "application/grpc"
            && head.headers["te"] == "trailers"
            && message.get(..5)? == [0, 0, 0, 0, message.len() as u8 - 5];
        let filter = String::from_utf8(message.get(9..).unwrap_or_default().to_vec()).ok()?;
        let line = format!("{} {} {is_grpc} {filter}", head.method, head.uri.path());
        self.asked.lock().unwrap().push(line);

        let manner = *self.manner.lock().unwrap();
        let head = Response::builder().header("content-type", "application/grpc");
        let (head, is_over) = match manner {
            Manner::Silent => return std::future::pending().await,
            Manner::Unimplemented => {
                let reason = "unknown service runtime.v1.RuntimeService";
                (head.header("grpc-status", "12").header("grpc-message", reason), true)
            }
            Manner::Resets => {
                respond.send_reset(h2::Reason::REFUSED_STREAM);
                return None;
            }
            Manner::Page => (Response::builder().status(404), true),
            _ => (head, false),
        };
        let mut body = respond.send_response(head.body(()).ok()?, is_over).ok()?;
        if is_over {
            return None;
        }
        if manner == Manner::Endless {
            return flood(body).await;
        }
        let (code, message) = match manner {
            Manner::Unavailable => ("14", Bytes::new()),
            Manner::BadFrame => ("0", Bytes::from_static(b"\0\0\0\0\x7fx")),
            Manner::Compressed => ("0", Bytes::from_static(b"\x01\0\0\0\0")),
            Manner::BadList => ("0", Bytes::from_static(b"\0\0\0\0\x02\x0a\x7f")),
            _ => ("0", self.list(&filter)),
        };
        body.send_data(message, manner == Manner::NoTrailers).ok()?;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", code.parse().ok()?);
        body.send_trailers(trailers).ok()
    }

    /// All containers, or those whose id begins so, as containerd reads the filter.
    fn list(&self, filter: &str) -> Bytes {
        let (listed, hidden) = (self.listed.lock().unwrap(), self.hidden.lock().unwrap());
        let asked = hidden.iter().filter(|_| !filter.is_empty());
        let chosen = listed.iter().chain(asked).filter(|(id, _)| id.starts_with(filter));
        let list: Vec<u8> = chosen.flat_map(|(id, name)| container(id, name)).collect();
        let length = (list.len() as u32).to_be_bytes();
        [&[0], &length[..], &list].concat().into()
    }
}

/// Sends as long as somebody takes it.
async fn flood(mut body: SendStream<Bytes>) -> Option<()> {
    loop {
        body.reserve_capacity(16_384);
        std::future::poll_fn(|context| body.poll_capacity(context)).await?.ok()?;
        body.send_data(vec![b'x'; body.capacity()].into(), false).ok()?;
    }
}

/// `Container` with its id, its metadata, and the labels that kubelet gives it, as an entry of the
/// list. `name` is that of Pod, namespace and container, or of a container without a Pod.
fn container(id: &str, name: &str) -> Vec<u8> {
    let field = |number: u8, bytes: &[u8]| {
        let length = bytes.len() as u8;
        assert!(bytes.len() < 1 << 14, "two bytes of length are enough here");
        [&[number << 3 | 2, length & 0x7f | 0x80, (bytes.len() >> 7) as u8], bytes].concat()
    };
    let parts: Vec<&str> = name.split('_').collect();
    let own = parts.last().expect("a name");
    let mut message = field(1, id.as_bytes());
    message.extend(field(3, &field(1, own.as_bytes())));
    if let [pod, namespace, _] = parts.as_slice() {
        for (key, value) in [("pod.name", pod), ("pod.namespace", namespace)] {
            let key = field(1, format!("io.kubernetes.{key}").as_bytes());
            message.extend(field(8, &[key, field(2, value.as_bytes())].concat()));
        }
    }
    field(1, &message)
}

fn nginx() -> Called {
    Called::Name(ContainerName::in_pod("nginx", "web-7d4b9", "shop"))
}

#[test]
fn names_are_listed_and_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("containerd.sock");
    let cri = Cri::start(&path, Manner::Lists, false);
    cri.listed.lock().unwrap().push((WEB, "web-7d4b9_shop_nginx"));
    cri.hidden.lock().unwrap().push((DB, "alone"));
    watch(&[folder.path().join("docker.sock"), path], |names| {
        wait_until(names, WEB, &nginx());
        wait_until(names, DB, &name("alone"));
        wait_until(names, NOBODYS, &Called::Nothing);
    });
    let asked = cri.asked.lock().unwrap();
    let expected = [String::new(), DB.to_owned(), NOBODYS.to_owned()]
        .map(|id| format!("POST {CALL} true {id}"));
    assert_eq!(*asked, expected);
}

/// One that also answers to HTTP/1, and one that does not.
#[test]
fn what_a_runtime_speaks_is_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for (case, has_pages) in [("containerd", false), ("crio", true)] {
        let path = folder.path().join(case);
        let cri = Cri::start(&path, Manner::Lists, has_pages);
        cri.listed.lock().unwrap().push((WEB, "web-7d4b9_shop_nginx"));
        let names = RuntimeNames::default();
        let mut runtime = Runtime::new(&path);
        runtime.reach(&names);
        assert!(runtime.is_there && runtime.is_reached(), "{case}");
        assert!(runtime.events().is_none(), "{case}: it tells of nothing by itself");
        assert_eq!(called(&names, WEB), nginx(), "{case}");
    }
}

#[test]
fn new_containers_are_listed_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("containerd.sock");
    let cri = Cri::start(&path, Manner::Lists, false);
    let names = RuntimeNames::default();
    names.begin(true);
    let mut runtime = Runtime::new(&path);
    runtime.reach(&names);
    // asked for before the runtime knew it
    assert_eq!(runtime.name_of(LATE), Some(None));
    names.learn(LATE, None, 0);
    cri.listed.lock().unwrap().push((LATE, "late"));
    let now = Instant::now();
    runtime.read_news(&names, now);
    assert_eq!(called(&names, LATE), Called::Nothing, "not yet again");
    runtime.read_news(&names, now + LIST_EVERY);
    assert_eq!(called(&names, LATE), name("late"));
    *cri.manner.lock().unwrap() = Manner::Unavailable;
    runtime.read_news(&names, now + 2 * LIST_EVERY);
    assert!(runtime.is_there && !runtime.is_reached());
    assert_eq!(runtime.name_of(LATE), None, "it cannot be asked");
    assert_eq!(called(&names, LATE), name("late"), "what was learned stays");
}

#[test]
fn a_runtime_without_kubernetes_counts_as_none_until_it_has_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("containerd.sock");
    let cri = Cri::start(&path, Manner::Unimplemented, false);
    cri.listed.lock().unwrap().push((WEB, "web"));
    let names = RuntimeNames::default();
    names.begin(true);
    let mut runtime = Runtime::new(&path);
    runtime.reach(&names);
    assert!(!runtime.is_there && !runtime.is_reached());
    let wait = runtime.retry_at.expect("a time").duration_since(Instant::now());
    assert!(wait > Duration::from_secs(300), "{wait:?}");
    let mut runtimes = [runtime];
    assert_eq!(called(&names, WEB), Called::NotYetKnown);
    ask_for_wanted(&mut runtimes, &names);
    assert_eq!(called(&names, WEB), Called::Nothing, "it holds up no answer");
    let [mut runtime] = runtimes;
    *cri.manner.lock().unwrap() = Manner::Lists;
    runtime.retry_at = None;
    runtime.reach(&names);
    assert!(runtime.is_there && runtime.is_reached());
    assert_eq!(called(&names, WEB), name("web"));
}

#[test]
fn runtimes_that_misbehave_name_nothing_and_are_left_in_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("containerd.sock");
    let cri = Cri::start(&path, Manner::Lists, false);
    cri.listed.lock().unwrap().push((WEB, "web"));
    assert!(grpc::call(&path, CALL, &[]).is_ok_and(|list| !list.is_empty()));
    type IsExpected = fn(&GrpcError) -> bool;
    let cases: [(Manner, IsExpected); 10] = [
        (Manner::Unavailable, |err| matches!(err, GrpcError::Status { code: 14, .. })),
        (Manner::Silent, |err| matches!(err, GrpcError::Slow)),
        (Manner::Cut, |err| matches!(err, GrpcError::Http(_))),
        (Manner::Resets, |err| matches!(err, GrpcError::Http(_))),
        (Manner::NoTrailers, |err| matches!(err, GrpcError::Garbage)),
        (Manner::BadFrame, |err| matches!(err, GrpcError::Garbage)),
        (Manner::Compressed, |err| matches!(err, GrpcError::Garbage)),
        (Manner::BadList, |_| false),
        (Manner::Page, |err| matches!(err, GrpcError::Garbage)),
        (Manner::Endless, |err| matches!(err, GrpcError::Long | GrpcError::Slow)),
    ];
    for (manner, is_expected) in cases {
        *cri.manner.lock().unwrap() = manner;
        let began = Instant::now();
        match grpc::call(&path, CALL, &[]) {
            Ok(list) => assert_eq!((manner, &*list), (Manner::BadList, &b"\x0a\x7f"[..])),
            Err(err) => assert!(is_expected(&err), "{manner:?}: {err:?}"),
        }
        let names = RuntimeNames::default();
        names.begin(true);
        let mut runtime = Runtime::new(&path);
        runtime.reach(&names);
        assert!(runtime.is_there && !runtime.is_reached(), "{manner:?}");
        assert_eq!((runtime.failures, called(&names, WEB)), (1, Called::NotYetKnown), "{manner:?}");
        assert!(began.elapsed() < Duration::from_secs(9), "{manner:?}: {:?}", began.elapsed());
    }
    let err = grpc::call(&folder.path().join("none"), CALL, &[]).expect_err("no socket");
    assert!(matches!(err, GrpcError::Io(_)), "{err}");
}
