//! T10: name lookups at both ends, against the name server's own log: `dnsmasq`, and two servers that
//! do what it does not, keep silent and take their time.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use weir_testkit::{
    Actors, Host, Lab, Need, Rows, Running, WeirProcess, missing, resolve_as_told, wait_for,
};

const NEEDS: [Need; 5] = [
    Need::Root,
    Need::Btf,
    Need::Program("unshare"),
    Need::Program("dnsmasq"),
    Need::Program("dig"),
];
const PATIENCE: Duration = Duration::from_secs(80);
/// Addresses of one name, too many for a UDP answer.
const MANY: u8 = 60;

/// Lookups by name, type and code.
type Counts = BTreeMap<(String, String, String), u64>;

/// A name server that writes down what it is asked and what it answers.
struct Dnsmasq {
    running: Running,
    log: PathBuf,
    _folder: TempDir,
}

impl Dnsmasq {
    fn start(server: &Host) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let address = server.ipv4;
        let mut command = Command::new("dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--no-hosts",
            "--no-resolv",
            "--conf-file=/dev/null",
        ]);
        command.args(["--user=root", "--pid-file", "--bind-interfaces", "--log-queries=extra"]);
        command.arg(format!("--listen-address={address}"));
        command.arg(format!("--log-facility={}", log.display()));
        command.args(["--local=/shop.test/", "--local=/away.test/", "--local-ttl=300"]);
        for name in ["plain.shop.test", "pod-17.backend.shop.test", "stream.shop.test"] {
            command.arg(format!("--host-record={name},{address},{}", server.ipv6));
        }
        command.arg("--cname=lb.shop.test,pod-17.backend.shop.test");
        command.arg("--cname=www.shop.test,lb.shop.test");
        for last in 1..=MANY {
            command.arg(format!("--host-record=many.shop.test,192.0.2.{last}"));
        }
        let running = server.start(&mut command)?;
        let asked = Self { running, log, _folder: folder };
        wait_for("dnsmasq to serve", Instant::now() + PATIENCE, || {
            let text = fs::read_to_string(&asked.log).unwrap_or_default();
            Ok(text.contains("started").then_some(()))
        })
        .with_context(|| asked.running.stderr())?;
        Ok(asked)
    }

    /// What its log says: a line for each question, and lines for its answer, of one number.
    fn counts(&self) -> Result<Counts> {
        read_log(&self.log)
    }
}

fn read_log(log: &Path) -> Result<Counts> {
    let text = fs::read_to_string(log).context("read the log of dnsmasq")?;
    let mut questions: BTreeMap<(String, String), (String, String, String)> = BTreeMap::new();
    for line in text.lines() {
        // Nov 22 05:10:11 dnsmasq[PID]: NUMBER CLIENT/PORT WHAT NAME is|from ...
        let Some((_, words)) = line.split_once("]: ") else { continue };
        let words: Vec<&str> = words.split(' ').filter(|word| !word.is_empty()).collect();
        let [number, client, what, name, rest @ ..] = &words[..] else { continue };
        // each process of a TCP connection counts anew
        let key = ((*number).to_owned(), (*client).to_owned());
        if let Some(kind) = what.strip_prefix("query[") {
            let kind = kind.trim_end_matches(']').replace("type=", "TYPE");
            questions.insert(key, ((*name).to_owned(), kind, "NOERROR".to_owned()));
        } else if let (Some(question), ["is", code, ..]) = (questions.get_mut(&key), rest)
            && ["NXDOMAIN", "REFUSED", "SERVFAIL"].contains(code)
        {
            question.2 = (*code).to_owned();
        }
    }
    let mut counts = Counts::new();
    for question in questions.into_values() {
        *counts.entry(question).or_default() += 1;
    }
    Ok(counts)
}

const QUESTION: [&str; 3] = ["dns_name", "dns_type", "rcode"];

fn counts_of(rows: &Rows) -> Counts {
    let mut counts = Counts::new();
    for row in &rows.0 {
        let text = |column: &str| row[column].as_str().unwrap_or("-").to_owned();
        let key = (text("dns_name"), text("dns_type"), text("rcode"));
        *counts.entry(key).or_default() += row["dns_queries"].as_u64().unwrap_or(0);
    }
    counts
}

/// The lookups with a server as one end saw them, by `by`, once so many have ended, or time is up.
fn lookups_with(
    weir: &WeirProcess,
    (perspective, server): (&str, Ipv4Addr),
    queries: u64,
    by: &[&str],
) -> Result<Rows> {
    let filter = format!("server_ip:{server}");
    let deadline = Instant::now() + PATIENCE;
    wait_for("the lookups", deadline, || {
        let rows = weir.lookups(perspective, &filter, by)?;
        Ok((rows.sum("dns_queries") >= queries).then_some(rows))
    })
    .or_else(|_| weir.lookups(perspective, &filter, by))
}

fn dig(client: &Host, server: Ipv4Addr, words: &str) -> Result<String> {
    let at = format!("@{server}");
    let mut arguments = vec![&*at, "+tries=1", "+time=5", "+noall", "+comments", "+answer"];
    arguments.extend(words.split(' '));
    client.output("dig", &arguments)
}

/// Connects, as a client would who has just looked an address up; gives the port.
fn visit(actors: &Actors, client: &Host, server: &Host) -> Result<u16> {
    let listen = SocketAddr::new(server.ipv4.into(), 0);
    let serving = actors.serve(server, "named-server", &format!("tcp-serve --listen {listen}"))?;
    let to = serving.address;
    actors.send(client, "visitor", &format!("tcp-send --to {to} --upload 10 --download 20"))?;
    serving.finish()?;
    Ok(to.port())
}

#[test]
fn t10_lookups_are_those_of_the_name_servers_own_log() -> Result<()> {
    if missing("T10 lookups", &NEEDS) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let (server, client) = (lab.host(0), lab.host(1));
    let names = Dnsmasq::start(server)?;
    let plain = format!("nameserver {}\noptions attempts:1\n", server.ipv4);
    let search = format!("search away.test shop.test\n{plain}");
    let found = |conf: &str, name: &str| resolve_as_told(client, conf, name);

    for _ in 0..3 {
        ensure!(found(&plain, "plain.shop.test")?.contains(&IpAddr::from(server.ipv4)));
    }
    ensure!(found(&plain, "www.shop.test")?.contains(&IpAddr::from(server.ipv6)), "an alias");
    ensure!(found(&plain, "missing.shop.test")?.is_empty());
    ensure!(!found(&search, "plain")?.is_empty(), "by the second search domain");
    ensure!(found(&plain, "many.shop.test")?.len() >= usize::from(MANY), "all, so over TCP");
    ensure!(dig(client, server.ipv4, "plain.shop.test AAAA")?.contains("NOERROR"));
    ensure!(dig(client, server.ipv4, "+noedns plain.shop.test TYPE65280")?.contains("NOERROR"));
    ensure!(dig(client, server.ipv4, "elsewhere.test A")?.contains("REFUSED"));
    ensure!(dig(client, server.ipv4, "+tcp stream.shop.test A")?.contains("NOERROR"));
    let port = visit(&actors, client, server)?;

    let made = names.counts()?;
    let total: u64 = made.values().sum();
    for perspective in ["client", "server", "merged"] {
        let rows = lookups_with(&weir, (perspective, server.ipv4), total, &QUESTION)?;
        let mut seen = counts_of(&rows);
        if perspective != "server" {
            forgive_abandoned(&mut seen);
        }
        assert_eq!(seen, made, "{perspective}: {rows:?}");
        rows.0.iter().for_each(check_times);
        let by = ["client_ip", "server_process", "transport"];
        let rows = lookups_with(&weir, (perspective, server.ipv4), total, &by)?;
        assert_eq!(
            rows.values("client_ip").into_keys().collect::<Vec<_>>(),
            [client.ipv4.to_string()]
        );
        assert_eq!(rows.values("server_process").into_keys().collect::<Vec<_>>(), ["dnsmasq"]);
        assert!(rows.with("transport", "tcp").sum("dns_queries") >= 3, "{rows:?}");
    }
    check_known_answers(&made);
    let rows = weir.lookups("client", "dns_name:many.shop.test", &["client_process"])?;
    assert_eq!(rows.values("client_process").into_keys().collect::<Vec<_>>(), ["getent"]);

    weir.settle()?;
    let flows = weir.flows(&format!("remote_port:{port}"))?;
    let domains = flows.with("direction", "outgoing").values("remote_domain");
    assert_eq!(domains.into_keys().collect::<Vec<_>>(), ["stream.shop.test"], "told over TCP");
    Ok(())
}

/// That the witness saw what it was made to: an empty log would agree with anything.
fn check_known_answers(made: &Counts) {
    let count = |name: &str, kind: &str, code: &str| {
        made.get(&(name.to_owned(), kind.to_owned(), code.to_owned())).copied().unwrap_or(0)
    };
    assert_eq!(count("plain.shop.test", "A", "NOERROR"), 4, "{made:?}");
    assert_eq!(count("plain.shop.test", "AAAA", "NOERROR"), 5, "{made:?}");
    assert_eq!(count("plain.away.test", "A", "NXDOMAIN"), 1, "{made:?}");
    assert_eq!(count("www.shop.test", "AAAA", "NOERROR"), 1, "{made:?}");
    assert_eq!(count("missing.shop.test", "A", "NXDOMAIN"), 1, "{made:?}");
    assert!(count("many.shop.test", "A", "NOERROR") >= 2, "cut, then over TCP: {made:?}");
}

/// With the partial answer to one of its two questions the C library closes its socket, and so does
/// not take the answer to the other one, which the server's log has.
fn forgive_abandoned(seen: &mut Counts) {
    let key = |code: &str| ("many.shop.test".to_owned(), "AAAA".to_owned(), code.to_owned());
    if let Some(abandoned) = seen.remove(&key("-")) {
        *seen.entry(key("NOERROR")).or_default() += abandoned;
    }
}

fn check_times(row: &Value) {
    assert_eq!(row["dns_timeouts"], 0, "{row}");
    if row["rcode"].is_null() {
        return;
    }
    assert_eq!(row["dns_us_samples"], row["dns_queries"], "each has a time: {row}");
    let took = row["dns_us_max"].as_u64();
    assert!(took.is_some_and(|us| us < 5_000_000), "no repetition was needed: {row}");
    let failed = if row["rcode"] == "NOERROR" { &Value::from(0) } else { &row["dns_queries"] };
    assert_eq!(&row["dns_failures"], failed, "{row}");
}

/// A query for the A record of `name`, of this id.
fn query(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = id.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

#[test]
fn t10_lookups_that_time_out_count_once_however_often_they_are_repeated() -> Result<()> {
    if missing("T10 timeouts", &NEEDS[..3]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let weir = WeirProcess::start(&[])?;
    let (server, client) = (lab.host(0), lab.host(1));
    // the kernel takes what it is asked, and nobody reads it until the end
    let silent = server.run(|| UdpSocket::bind((server.ipv4, 53)))??;
    let conf = format!("nameserver {}\noptions timeout:1 attempts:2\n", server.ipv4);
    ensure!(resolve_as_told(client, &conf, "nobody.shop.test")?.is_empty());
    let rows = lookups_with(&weir, ("client", server.ipv4), 2, &QUESTION)?;
    let expected = ["A", "AAAA"]
        .map(|kind| (("nobody.shop.test".to_owned(), kind.to_owned(), "-".to_owned()), 1));
    assert_eq!(counts_of(&rows), Counts::from(expected), "{rows:?}");
    assert_eq!((rows.sum("dns_timeouts"), rows.sum("dns_us_samples")), (2, 0), "{rows:?}");

    silent.set_nonblocking(true)?;
    let (mut asked, mut buffer) = (Vec::new(), [0; 512]);
    while let Ok((_, from)) = silent.recv_from(&mut buffer) {
        asked.push((from.port(), buffer[0], buffer[1]));
    }
    assert_eq!(asked.len(), 4, "each was asked twice");
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), 2, "with the same id from the same socket");
    Ok(())
}

#[test]
fn t10_the_time_of_a_lookup_is_what_its_client_waited() -> Result<()> {
    if missing("T10 times", &NEEDS[..2]) {
        return Ok(());
    }
    const DELAY: Duration = Duration::from_millis(80);
    let lab = Lab::new(2)?;
    let weir = WeirProcess::start(&[])?;
    let (server, client) = (lab.host(0), lab.host(1));
    let socket = server.run(|| UdpSocket::bind((server.ipv4, 53)))??;
    let slow = server.spawn(move || {
        let mut buffer = [0; 512];
        let (bytes, from) = socket.recv_from(&mut buffer)?;
        std::thread::sleep(DELAY);
        let answer = &mut buffer[..bytes];
        // an answer that says SERVFAIL
        answer[2..4].copy_from_slice(&[0x81, 0x82]);
        socket.send_to(answer, from)?;
        Ok(())
    })?;
    let waited = client.run(|| {
        let socket = UdpSocket::bind((client.ipv4, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let began = Instant::now();
        socket.send_to(&query(7, "slow.shop.test"), (server.ipv4, 53))?;
        socket.recv_from(&mut [0; 512])?;
        anyhow::Ok(began.elapsed())
    })??;
    slow.join().expect("the slow server does not panic")?;

    let rows = lookups_with(&weir, ("client", server.ipv4), 1, &QUESTION)?;
    let expected = ("slow.shop.test".to_owned(), "A".to_owned(), "SERVFAIL".to_owned());
    assert_eq!(counts_of(&rows), Counts::from([(expected, 1)]), "{rows:?}");
    let took = Duration::from_micros(rows.max("dns_us_max").context("a time")?);
    assert!(DELAY <= took && took <= waited, "{DELAY:?} <= {took:?} <= {waited:?}");
    let at_server = lookups_with(&weir, ("server", server.ipv4), 1, &QUESTION)?;
    let served = Duration::from_micros(at_server.max("dns_us_max").context("its time")?);
    assert!(DELAY <= served && served <= took, "{served:?} of {took:?}");
    Ok(())
}
