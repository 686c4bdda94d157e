//! From records to the rows of a window: alignment, folding, both ends, names, losses.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use common::{Script, Server, end, lock, options, record, wait_for};
use weir_agent::{Agent, AgentOptions};
use weir_model::{
    DnsMessage, L4Record, ListenRecord, Loss, LossKind, Netns, Process, Role, Transport, Way,
};

#[test]
fn windows_are_aligned_and_come_even_when_nothing_happens() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Server::default();
    let agent = Agent::new(options(dir.path()), Script::default(), Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("three windows", || (lock(&server.0).taken.len() >= 3).then_some(()));
    let name = agent.agent().to_owned();
    let stats = agent.stop();
    let state = lock(&server.0);
    for batch in &state.taken {
        let header = &batch.header;
        let start_ms = header.from_ms - header.from_ms.rem_euclid(1_000);
        assert!(header.to_ms - start_ms < 1_000 + i64::from(header.window_ms), "{header:?}");
    }
    for pair in state.taken.windows(2) {
        let (before, after) = (&pair[0].header, &pair[1].header);
        assert_eq!(before.agent, name);
        assert_eq!(before.window_ms % 1_000, 0, "longer only when held up");
        assert_eq!(before.to_ms, after.from_ms, "nothing between windows");
        assert!(after.sequence > before.sequence);
    }
    assert_eq!(stats.windows_total, state.taken.len() as u64, "the last window was sent too");
    assert_eq!(stats.batches_sent_total, stats.windows_total);
    assert_eq!((stats.spool_batches, stats.last_error), (0, None));
}

#[test]
fn connections_of_one_client_are_one_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    for port in 40_000..40_100 {
        let local = format!("10.0.0.1:{port}");
        script.play(record(Role::Client, &local, "198.51.100.1:443", "curl", 10));
    }
    let agent = Agent::new(options(dir.path()), script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("the rows", || (!server.rows(|_| true).is_empty()).then_some(()));
    agent.stop();
    let rows = server.rows(|_| true);
    assert_eq!(rows.len(), 1);
    let row = rows[0].get();
    assert_eq!((row.number("bytes_sent"), row.number("connections")), (Some(1_000), Some(100)));
    assert_eq!((row.number("local_port"), row.number("remote_port")), (None, Some(443)));
    assert_eq!(row.text("local_process"), "curl");
    assert_eq!(row.text("remote_agent"), "", "198.51.100.1 is not here");
}

#[test]
fn both_ends_on_this_host_know_each_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    let mut served = record(Role::Server, "10.0.0.2:80", "10.0.0.1:0", "nginx", 7);
    served.netns = Netns(2);
    script.play(record(Role::Client, "10.0.0.1:0", "10.0.0.2:80", "curl", 5));
    script.play(served);
    // connects to a listener whose accepted end was not seen
    script.play(record(Role::Client, "127.0.0.1:0", "127.0.0.1:6379", "web", 3));
    lock(&script.0).listeners.push(ListenRecord {
        transport: Transport::Tcp,
        local: end("0.0.0.0:6379"),
        netns: Netns(1),
        cgroup_id: None,
        process: Some(Process { pid: 1_000_000_008, name: Arc::from("redis-server") }),
    });
    let agent = Agent::new(options(dir.path()), script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("the rows", || (server.rows(|_| true).len() == 3).then_some(()));
    let (name, host) = (agent.agent().to_owned(), agent.host().to_owned());
    agent.stop();
    for (process, remote) in [("curl", "nginx"), ("nginx", "curl"), ("web", "redis-server")] {
        let rows = server.rows(|row| row.text("local_process") == process);
        let row = rows.first().expect("a row").get();
        assert_eq!(row.text("remote_process"), remote, "{process}");
        assert_eq!(row.text("remote_agent"), name);
        assert_eq!((row.text("remote_host"), row.text("local_host")), (host.clone(), host.clone()));
        assert_eq!(row.text("remote_domain"), "", "names are for what is elsewhere");
    }
}

#[test]
fn what_is_outside_of_the_control_group_is_not_observed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (data, groups) = (dir.path().join("data"), dir.path().join("groups"));
    std::fs::create_dir(&data).expect("data");
    let group = |path: &str| {
        std::fs::create_dir_all(groups.join(path)).expect("a group");
        Some(std::fs::metadata(groups.join(path)).expect("metadata").ino())
    };
    let (ours, theirs) = (group("node-a/pod"), group("node-b/pod"));
    let (script, server) = (Script::default(), Server::default());
    let play = |role, local: &str, remote: &str, process: &str, cgroup_id| {
        script.play(L4Record { cgroup_id, ..record(role, local, remote, process, 5) });
    };
    play(Role::Client, "10.0.0.1:0", "10.0.1.1:80", "curl", ours);
    play(Role::Server, "10.0.1.1:80", "10.0.0.1:0", "nginx", theirs);
    play(Role::Client, "10.0.0.1:0", "10.0.0.2:80", "wget", ours);
    play(Role::Server, "10.0.0.2:80", "10.0.0.1:0", "redis", ours);
    play(Role::Client, "10.0.2.1:0", "10.0.0.2:80", "stray", None);
    lock(&script.0).dns.push_back(DnsMessage {
        transport: Transport::Udp,
        way: Way::Received,
        socket: 1,
        netns: Netns(1),
        local: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        remote: SocketAddr::from(([10, 0, 0, 53], 53)),
        dialled: None,
        process: None,
        cgroup_id: theirs,
        mono_ns: monotonic_ns(),
        payload: answer(&["shop", "example"], Ipv4Addr::new(10, 0, 1, 1)),
        truncated: false,
    });
    let options = AgentOptions { cgroup: Some(groups.join("node-a")), ..options(&data) };
    let agent = Agent::new(options, script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("the rows", || (server.rows(|_| true).len() >= 3).then_some(()));
    let name = agent.agent().to_owned();
    agent.stop();
    let rows = server.rows(|_| true);
    let mut told: Vec<_> = rows
        .iter()
        .map(|row| ["local_process", "remote_process", "remote_agent"].map(|c| row.get().text(c)))
        .collect();
    told.sort();
    let text = |words: [&str; 3]| words.map(str::to_owned);
    let curl = text(["curl", "", ""]);
    assert_eq!(told, [curl, text(["redis", "wget", &name]), text(["wget", "redis", &name])]);
    assert!(rows.iter().all(|row| row.get().text("remote_domain").is_empty()));
}

/// An answer with one A record, as a name server writes it (RFC 1035, section 4.1).
fn answer(labels: &[&str], ip: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0, 7, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    for label in labels {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    message.extend_from_slice(&ip.octets());
    message
}

#[test]
fn remote_addresses_get_the_names_that_were_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    let address = Ipv4Addr::new(198, 51, 100, 1);
    lock(&script.0).dns.push_back(DnsMessage {
        transport: Transport::Udp,
        way: Way::Received,
        socket: 1,
        netns: Netns(1),
        local: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        remote: SocketAddr::from(([10, 0, 0, 53], 53)),
        dialled: None,
        process: None,
        cgroup_id: None,
        mono_ns: 0,
        payload: answer(&["old", "example"], address),
        truncated: false,
    });
    let agent = Agent::new(options(dir.path()), script.clone(), Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("the old answer", || (agent.stats().dns_messages_total == 1).then_some(()));
    lock(&script.0).dns.push_back(DnsMessage {
        transport: Transport::Udp,
        way: Way::Received,
        socket: 1,
        netns: Netns(1),
        local: SocketAddr::from(([10, 0, 0, 1], 40_000)),
        remote: SocketAddr::from(([10, 0, 0, 53], 53)),
        dialled: None,
        process: None,
        cgroup_id: None,
        mono_ns: monotonic_ns(),
        payload: answer(&["shop", "example"], address),
        truncated: false,
    });
    wait_for("the answer", || (agent.stats().dns_messages_total == 2).then_some(()));
    script.play(record(Role::Client, "10.0.0.1:0", "198.51.100.1:443", "curl", 5));
    wait_for("the row", || (!server.rows(|_| true).is_empty()).then_some(()));
    agent.stop();
    assert_eq!(server.rows(|_| true)[0].get().text("remote_domain"), "shop.example");
}

fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[test]
fn losses_travel_with_the_data_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    let loss = Loss {
        kind: LossKind::Lost,
        component: "probe_tcp".to_owned(),
        reason: "sockets_full".to_owned(),
        count: 4,
    };
    lock(&script.0).losses.push(loss.clone());
    lock(&script.0).drain_error = Some("the map is gone".to_owned());
    let agent = Agent::new(options(dir.path()), script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("two windows", || (lock(&server.0).taken.len() >= 2).then_some(()));
    let stats = agent.stop();
    let source_error = Loss {
        kind: LossKind::Lost,
        component: "window".to_owned(),
        reason: "source_error".to_owned(),
        count: 1,
    };
    let all: Vec<Loss> =
        lock(&server.0).taken.iter().flat_map(|batch| batch.header.losses.clone()).collect();
    assert_eq!(all, [loss.clone(), source_error.clone()]);
    assert_eq!(stats.losses, [loss, source_error]);
}

#[test]
fn large_windows_make_several_batches() {
    let dir = tempfile::tempdir().expect("a directory");
    let (script, server) = (Script::default(), Server::default());
    for n in 0..25 {
        let remote = format!("198.51.100.{n}:443");
        script.play(record(Role::Client, "10.0.0.1:0", &remote, "curl", 1));
    }
    let mut options = options(dir.path());
    options.limits.batch_rows_max = 10;
    let agent = Agent::new(options, script, Arc::new(server.clone()));
    let agent = agent.start().expect("started");
    wait_for("the rows", || (server.rows(|_| true).len() == 25).then_some(()));
    agent.stop();
    let sizes: Vec<usize> =
        lock(&server.0).taken.iter().map(|batch| batch.rows.num_rows()).collect();
    assert_eq!(sizes.iter().filter(|rows| **rows > 0).copied().collect::<Vec<_>>(), [10, 10, 5]);
}

#[test]
fn impossible_beginnings_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let refused = |options| {
        let server: Arc<Server> = Arc::default();
        let err = Agent::new(options, Script::default(), server).start().err().expect("refused");
        let cause = std::error::Error::source(&err).map(|cause| format!(": {cause}"));
        format!("{err}{}", cause.unwrap_or_default())
    };
    let missing = refused(options(&dir.path().join("nowhere")));
    assert!(missing.contains("nowhere is not a directory that exists"), "{missing}");
    let mut short = options(dir.path());
    short.window_ms = 10;
    assert!(refused(short).contains("a window of 10 ms"));
    let first = Agent::new(options(dir.path()), Script::default(), Arc::new(Server::default()));
    let first = first.start().expect("started");
    let second = refused(options(dir.path()));
    assert!(second.contains("in use by another weir"), "{second}");
    first.stop();
}
