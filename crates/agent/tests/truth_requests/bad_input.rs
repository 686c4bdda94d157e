//! What is no HTTP, or only begins like it: nothing breaks, memory stays small, and what began like
//! a request and was none is counted as lost.

use serde_json::Value;
use weir_testkit::Need;

use crate::nginx::Nginx;
use crate::watch::{Told, Watch, in_time, lacks};

/// What this process holds, in kilobytes; the agent runs in it.
fn held_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Rows as text: method, path, status, and how many requests and unanswered ones.
fn shown(told: &Told) -> Vec<String> {
    let show = |(key, (count, _)): (&crate::watch::Key, &(crate::watch::Count, _))| {
        let status = key.status.map(|status| format!(" {status}")).unwrap_or_default();
        format!("{} {}{status}: {}, {}", key.method, key.path, count.requests, count.unanswered)
    };
    told.iter().map(show).collect()
}

/// What began like HTTP may be given up at either end before the other is known to be watched.
fn expect(watch: &Watch, port: u64, rows: &[String], lost: &[(&str, u64)]) {
    in_time(|| {
        let (told, counted) = (shown(&watch.told("incoming", port)), watch.lost());
        let is_within = |(why, n): &(&str, u64)| {
            let key = ("l7".to_owned(), (*why).to_owned());
            counted.get(&key).is_some_and(|counted| (*n..=2 * n).contains(counted))
        };
        if told == rows && counted.len() == lost.len() && lost.iter().all(is_within) {
            return Ok(());
        }
        Err(format!("port {port}: {told:?}, not {rows:?}; lost {counted:?}, not {lost:?}"))
    });
}

#[test]
fn bad_input_is_counted_and_breaks_nothing() {
    if lacks("bad_input_is_counted_and_breaks_nothing", &[]) {
        return;
    }
    let watch = Watch::new();
    let address = watch.address();
    let _sink = watch.serve(
        watch.python("sink.py").arg(&address).args(["7401", "7402", "7403", "7404", "7405"]),
    );
    let send = |port: &str, kind: &str| {
        let said = watch.ask(watch.python("bad_client.py").args([&address, port, kind]));
        watch.settle();
        said
    };
    let before_kb = held_kb();
    send("7401", "strangers");
    expect(&watch, 7401, &[], &[]);
    send("7402", "halves");
    let mut lost = vec![("garbage", 10), ("unfinished", 40)];
    expect(&watch, 7402, &[], &lost);
    let said = send("7403", "cut");
    let (whole, part) = said.trim().split_once(' ').expect("two numbers");
    lost[1].1 += part.parse::<u64>().expect("a number");
    expect(&watch, 7403, &[format!("GET /cut: {whole}, {whole}")], &lost);
    send("7404", "long");
    let mut told = 0;
    in_time(|| {
        told = watch.requests(7404);
        let lost: u64 = watch.lost().values().sum();
        // 60 requests at either end of which the head never ended
        if lost >= 50 + 60 { Ok(()) } else { Err(format!("{told} told, {:?}", watch.lost())) }
    });
    assert!(told <= 2 * 60, "{told}");
    send("7405", "flipped");
    let rows = watch.told("incoming", 7405).len();
    assert!(rows < 500, "{rows} rows of 200 connections");
    let grown_kb = held_kb().saturating_sub(before_kb);
    assert!(grown_kb < 64 << 10, "{grown_kb} kB more");
}

#[test]
fn bad_input_gets_the_answers_that_the_server_logs() {
    let test = "bad_input_gets_the_answers_that_the_server_logs";
    if lacks(test, &["nginx", "openssl"].map(Need::Program)) {
        return;
    }
    let watch = Watch::new();
    let nginx = Nginx::start(&watch, 7410);
    let port = nginx.ports.clear;
    for kind in ["strangers", "halves", "long"] {
        let port = port.to_string();
        watch.ask(watch.python("bad_client.py").args([&watch.address(), &port, kind]));
    }
    watch.ask(
        watch.program("curl").args(["-sS", &format!("http://{}:{port}/hello", watch.address())]),
    );
    watch.settle();
    drop(nginx);
    let log = std::fs::read_to_string(watch.path("log")).expect("a log");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let long: Vec<_> = lines.filter(|line| line["path"] == "/long").collect();
    // of heads that may yet end nginx logs an answer that it did not send
    let answered = long.iter().filter(|line| line["sent"].as_u64() > Some(0)).count();
    let waiting = long.len() - answered;
    assert_eq!((answered, waiting), (40, 20), "nginx takes heads of 5 kB and not of 100");
    let rows = [
        "GET /hello 200: 1, 0".to_owned(),
        format!("GET /long: {waiting}, {waiting}"),
        format!("GET /long 400: {answered}, 0"),
    ];
    in_time(|| {
        let told = shown(&watch.told("incoming", port));
        if told == rows { Ok(()) } else { Err(format!("{told:?}, not {rows:?}")) }
    });
}
