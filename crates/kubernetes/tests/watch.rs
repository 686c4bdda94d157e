//! The watch against a double of the API server, over TLS with a token.

use std::net::TcpListener;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_kubernetes::{
    Access, Client, Clock, Directory, DirectoryLimits, Kind, WatchOptions, WatchStatus, Watcher,
};
use weir_testkit::{ApiServer, wait_for};

const PODS: &str = "/api/v1/pods";
const PATIENCE: Duration = Duration::from_secs(60);

fn pod(name: &str) -> Value {
    json!({"metadata": {"uid": name, "name": name, "namespace": "shop",
        "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"nodeName": "a"}, "status": {"podIP": "10.0.0.1", "phase": "Running"}})
}

/// A watcher of a double.
struct World {
    server: ApiServer,
    directory: Arc<RwLock<Directory>>,
    watcher: Watcher,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(prepare: impl FnOnce(&ApiServer), change: impl FnOnce(&mut Access)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = ApiServer::start(listener).expect("the double");
        prepare(&server);
        let mut access = Access {
            url: server.url(),
            ca_file: Some(server.ca_file()),
            token_file: Some(server.token_file()),
        };
        change(&mut access);
        let directory = Arc::new(RwLock::new(Directory::new(DirectoryLimits::default())));
        let began = Instant::now();
        let clock: Clock = Arc::new(move || 1_800_000_000_000 + began.elapsed().as_millis() as i64);
        let options = WatchOptions {
            page_max: 2,
            retry_min: Duration::from_millis(10),
            retry_max: Duration::from_millis(100),
            ..WatchOptions::default()
        };
        let client = Client::new(access).expect("a client");
        let mut watcher = Watcher::new(client, directory.clone(), clock, options);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async { watcher.start() });
        Self { server, directory, watcher, runtime }
    }

    fn with_pods(names: &[&str]) -> Self {
        let world = Self::new(|server| put_all(server, names), |_| {});
        world.wait_status("the list", |status| status.listed_ms.is_some());
        world
    }

    fn status(&self) -> WatchStatus {
        let statuses = self.watcher.status();
        statuses.into_iter().find(|status| status.kind == Kind::Pod).expect("the Pods")
    }

    fn wait_status(&self, what: &str, is_so: impl Fn(&WatchStatus) -> bool) -> WatchStatus {
        let look = || Ok(Some(self.status()).filter(|status| is_so(status)));
        wait_for(what, Instant::now() + PATIENCE, look)
            .unwrap_or_else(|err| panic!("{err:#}: {:?}", self.status()))
    }

    /// Waits until the directory has so many Pods that live and that are gone.
    fn wait_pods(&self, living: usize, gone: usize) {
        let look = || {
            let counts = self.directory.read().expect("the directory").counts(Kind::Pod);
            Ok(((counts.living, counts.gone) == (living, gone)).then_some(()))
        };
        wait_for("the Pods", Instant::now() + PATIENCE, look)
            .unwrap_or_else(|err| panic!("{err:#}: {:?}", self.status()));
    }

    fn put(&self, name: &str) {
        put_all(&self.server, &[name]);
    }

    /// Questions for Pods that contain the text.
    fn asked(&self, text: &str) -> usize {
        let asked = self.server.asked();
        asked.iter().filter(|path| path.starts_with(PODS) && path.contains(text)).count()
    }

    fn stop(self) {
        self.runtime.block_on(self.watcher.stop());
    }
}

fn put_all(server: &ApiServer, names: &[&str]) {
    names.iter().for_each(|name| server.put(PODS, pod(name)).expect("a Pod"));
}

#[test]
fn lists_by_page_and_follows_changes() {
    let world = World::with_pods(&["a", "b", "c", "d", "e"]);
    world.wait_pods(5, 0);
    assert_eq!((world.asked("limit=2"), world.asked("continue=")), (3, 2));
    world.put("f");
    world.wait_pods(6, 0);
    world.server.delete(PODS, "a").expect("deleted");
    world.wait_pods(5, 1);
    let status = world.wait_status("the changes", |status| status.changes == 2);
    assert_eq!((status.lists, status.problem, status.unreadable), (1, None, 0));
    world.stop();
}

#[test]
fn a_broken_watch_is_resumed_and_nothing_is_listed_again() {
    let world = World::with_pods(&["a"]);
    world.put("b");
    world.wait_pods(2, 0);
    world.server.cut_watches();
    world.put("c");
    world.server.delete(PODS, "a").expect("deleted");
    world.wait_pods(2, 1);
    assert_eq!(world.status().lists, 1);
    assert!(world.asked("watch=1") >= 2, "{:?}", world.server.asked());
    world.stop();
}

#[test]
fn what_changed_during_an_outage_is_found_by_a_new_list() {
    let world = World::with_pods(&["a", "b"]);
    world.wait_pods(2, 0);
    world.server.set_down(true);
    let status = world.wait_status("the outage", |status| status.problem.is_some());
    let (since_ms, _) = status.problem.expect("a problem");
    world.wait_status("another try", |now| now.failures > status.failures + 2);
    assert_eq!(world.status().problem.map(|(ms, _)| ms), Some(since_ms), "since the first");
    world.wait_pods(2, 0); // what is known stays known
    world.server.delete(PODS, "a").expect("deleted");
    world.put("c");
    world.server.compact();
    world.server.set_down(false);
    world.wait_pods(2, 1);
    let status = world.wait_status("the end", |status| status.problem.is_none());
    assert_eq!(status.lists, 2, "410 Gone");
    world.stop();
}

#[test]
fn a_bookmark_spares_a_list() {
    let world = World::with_pods(&["a"]);
    world.wait_status("a watch", |_| world.asked("watch=1") == 1);
    world.server.bookmark();
    world.server.compact();
    // the next change is sent after the bookmark, so the bookmark has been read by then
    world.put("b");
    world.wait_pods(2, 0);
    world.server.cut_watches();
    world.put("c");
    world.wait_pods(3, 0);
    assert_eq!(world.status().lists, 1);
    world.stop();
}

#[test]
fn a_missing_rule_is_named_and_the_other_kinds_go_on() {
    let world = World::new(
        |server| {
            put_all(server, &["a"]);
            server.forbid("/apis/apps/v1/replicasets", true);
        },
        |_| {},
    );
    world.wait_pods(1, 0);
    let forbidden = || {
        let statuses = world.watcher.status();
        let status = statuses.into_iter().find(|status| status.kind == Kind::ReplicaSet)?;
        status.problem.map(|(_, text)| text)
    };
    let text = wait_for("403", Instant::now() + PATIENCE, || Ok(forbidden())).expect("a problem");
    for part in ["may not list replicasets", r#"apiGroups ["apps"]"#, "is forbidden"] {
        assert!(text.contains(part), "{text}");
    }
    world.server.forbid("/apis/apps/v1/replicasets", false);
    let is_well = || Ok(forbidden().is_none().then_some(()));
    wait_for("the rule", Instant::now() + PATIENCE, is_well).expect("it goes on by itself");
    world.stop();
}

#[test]
fn a_rotated_token_is_used_at_once() {
    let world = World::with_pods(&["a"]);
    world.wait_pods(1, 0);
    world.server.accept_token("second-token");
    world.server.cut_watches();
    // the first word may be of the cut itself
    world.wait_status("401", |status| {
        let problem = status.problem.as_ref();
        problem.is_some_and(|(_, text)| text.contains("does not accept the token of /"))
    });
    world.server.write_token("second-token").expect("written");
    world.put("b");
    world.wait_pods(2, 0);
    assert_eq!(world.status().problem, None);
    world.stop();
}

#[test]
fn a_server_that_is_not_trusted_gets_no_token() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let other = ApiServer::start(other).expect("another double");
    let world = World::new(|_| {}, |access| access.ca_file = Some(other.ca_file()));
    let status = world.wait_status("a problem", |status| status.problem.is_some());
    let (_, text) = status.problem.expect("a problem");
    assert!(text.contains("cannot reach the API server at https://127.0.0.1:"), "{text}");
    assert!(text.contains("certificate"), "{text}");
    assert!(world.server.asked().is_empty());
    world.stop();
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let world = World::new(|_| {}, |access| access.token_file = Some("/nowhere/token".into()));
    let status = world.wait_status("a problem", |status| status.problem.is_some());
    let (_, text) = status.problem.expect("a problem");
    assert!(text.contains("cannot read the token file /nowhere/token"), "{text}");
    world.stop();
}

#[test]
fn what_cannot_be_read_is_counted() {
    let world = World::with_pods(&["a"]);
    world.wait_pods(1, 0);
    let mut odd = pod("odd");
    odd["status"]["podIPs"] = json!("not a list");
    world.server.put(PODS, odd).expect("an object");
    world.put("b");
    world.wait_pods(2, 0);
    assert_eq!(world.status().unreadable, 1);
    world.stop();
}
