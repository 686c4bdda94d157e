//! Prints what the probes hand over as JSON lines, each second: `cargo run -p weir-probes
//! --example dump -- [SECONDS]`, as root.
//!
//! A tool for those who work on probes; owns nothing.

use std::time::{Duration, Instant};

use serde_json::json;
use weir_model::{L4Record, L7Ends, ListenRecord, Payload, Process, Transport};
use weir_probes::{Collector, Options, PayloadOptions, PayloadSink, Sink};

struct Printer;

fn process(process: &Option<Process>) -> serde_json::Value {
    match process {
        Some(process) => json!([process.pid, &*process.name]),
        None => json!(null),
    }
}

impl Sink for Printer {
    fn l4(&mut self, record: L4Record) {
        let line = json!({
            "transport": record.transport, "role": record.role,
            "local": record.local.to_string(), "remote": record.remote.to_string(),
            "netns": record.netns, "cgroup_id": record.cgroup_id,
            "process": process(&record.process), "counters": record.counters,
        });
        println!("{line}");
    }

    fn listen(&mut self, record: ListenRecord) {
        let line = json!({
            "listen": record.transport, "local": record.local.to_string(),
            "netns": record.netns, "process": process(&record.process),
        });
        println!("{line}");
    }
}

impl PayloadSink for Printer {
    fn opened(&mut self, id: u64, ends: L7Ends) {
        let line = json!({
            "opened": id, "role": ends.role, "is_tls": ends.is_tls,
            "local": ends.local.to_string(), "remote": ends.remote.to_string(),
            "process": process(&ends.process),
        });
        println!("{line}");
    }

    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>) {
        let line = json!({
            "passed": id, "way": payload.way, "position": position, "length": payload.length,
            "captured": payload.bytes.len(),
            "begins": String::from_utf8_lossy(&payload.bytes[..payload.bytes.len().min(32)]),
        });
        println!("{line}");
    }

    fn closed(&mut self, id: u64, _mono_ns: u64, reset: bool) {
        println!("{}", json!({ "closed": id, "reset": reset }));
    }

    fn withdrawn(&mut self, id: u64, server: u64) {
        println!("{}", json!({ "withdrawn": id, "server": server }));
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1).map_or(Ok(u64::MAX), |text| text.parse())?;
    let payload = PayloadOptions { is_on: true, ..PayloadOptions::default() };
    let mut collector = Collector::start(Options { payload, ..Options::default() })?;
    eprintln!("watching");
    for _ in 0..seconds {
        let end = Instant::now() + Duration::from_secs(1);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            collector.poll_payload(left.min(Duration::from_millis(50)), &mut Printer);
            collector.poll_dns(Duration::ZERO, &mut |message| println!("{message:?}"));
        }
        collector.drain(&mut Printer)?;
        for loss in collector.losses() {
            println!("{}", json!({ "loss": loss }));
        }
    }
    for stats in collector.bpf_run_time().iter().filter(|stats| stats.run_count > 0) {
        let each = stats.run_time_ns / stats.run_count;
        eprintln!(
            "{}: {} runs, {each} ns each, {} missed",
            stats.name, stats.run_count, stats.recursion_misses
        );
    }
    let udp = collector.signals(Transport::Udp);
    eprintln!("UDP signals: {udp:?}");
    Ok(())
}
