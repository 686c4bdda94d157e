//! Independent witnesses: what others on the machine say about the same traffic.
//!
//! Owns reading and parsing of `ss`, the kernel's own SNMP counters, interface counters, `iperf3`
//! and `tshark`. Judges nothing.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::child::Running;
use crate::lab::Host;
use crate::namespace::Namespace;

/// One socket as `ss -tin` tells it: the kernel's TCP_INFO.
#[derive(Clone, Debug, Default)]
pub struct TcpInfo {
    pub state: String,
    pub local: String,
    pub remote: String,
    /// Every `name:value` word of the socket's details.
    words: BTreeMap<String, String>,
}

impl TcpInfo {
    /// A counter such as `bytes_received`, `bytes_retrans`, `segs_out`; absent means 0 for `ss`.
    pub fn count(&self, name: &str) -> u64 {
        self.words.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Smoothed round trip time and its variation, microseconds.
    pub fn rtt_us(&self) -> Result<(u64, u64)> {
        let text = self.words.get("rtt").context("ss tells no rtt")?;
        let (rtt, variation) = text.split_once('/').context("rtt has two parts")?;
        Ok((ms_to_us(rtt)?, ms_to_us(variation)?))
    }

    /// Segments retransmitted over the life of the socket.
    pub fn retransmits(&self) -> u64 {
        self.words
            .get("retrans")
            .and_then(|text| text.split_once('/'))
            .and_then(|(_, total)| total.parse().ok())
            .unwrap_or(0)
    }
}

fn ms_to_us(text: &str) -> Result<u64> {
    let ms: f64 = text.parse().with_context(|| format!("`{text}` is no number"))?;
    Ok((ms * 1000.0).round() as u64)
}

/// TCP sockets of a host that match a filter of `ss`, listening ones not included.
pub fn sockets(host: &Namespace, filter: &str) -> Result<Vec<TcpInfo>> {
    let text = host.output("ss", &["-tinHO", filter])?;
    Ok(text.lines().filter_map(parse_socket).collect())
}

fn parse_socket(line: &str) -> Option<TcpInfo> {
    let mut words = line.split_whitespace();
    let state = words.next()?.to_owned();
    let (_, _) = (words.next()?, words.next()?);
    let local = words.next()?.to_owned();
    let remote = words.next()?.to_owned();
    let words = words
        .filter_map(|word| word.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Some(TcpInfo { state, local, remote, words })
}

/// The kernel's SNMP counters of a host's network, as `Tcp.RetransSegs`, `TcpExt.ListenDrops`...
pub fn kernel_counters(host: &Namespace) -> Result<BTreeMap<String, u64>> {
    let read = || {
        let snmp = std::fs::read_to_string("/proc/thread-self/net/snmp")?;
        let netstat = std::fs::read_to_string("/proc/thread-self/net/netstat")?;
        std::io::Result::Ok(snmp + &netstat)
    };
    let text = host.run(read)?.context("read the kernel's counters")?;
    let lines: Vec<&str> = text.lines().collect();
    let mut counters = BTreeMap::new();
    for pair in lines.chunks_exact(2) {
        let (Some((group, names)), Some((_, values))) =
            (pair[0].split_once(": "), pair[1].split_once(": "))
        else {
            continue;
        };
        for (name, value) in names.split(' ').zip(values.split(' ')) {
            if let Ok(value) = value.parse() {
                counters.insert(format!("{group}.{name}"), value);
            }
        }
    }
    Ok(counters)
}

/// Packets and bytes of an interface, as the kernel's driver counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkCounters {
    pub received_packets: u64,
    pub received_bytes: u64,
    pub sent_packets: u64,
    pub sent_bytes: u64,
}

/// Counters of the interface `device` of a host.
pub fn link_counters(host: &Namespace, device: &str) -> Result<LinkCounters> {
    let text = host.output("ip", &["-s", "-j", "link", "show", "dev", device])?;
    let json: Value = serde_json::from_str(&text).context("read ip's JSON")?;
    let stats = &json[0]["stats64"];
    let count = |way: &str, what: &str| {
        stats[way][what].as_u64().with_context(|| format!("ip tells no {way} {what}"))
    };
    Ok(LinkCounters {
        received_packets: count("rx", "packets")?,
        received_bytes: count("rx", "bytes")?,
        sent_packets: count("tx", "packets")?,
        sent_bytes: count("tx", "bytes")?,
    })
}

/// What a run of `iperf3` reports about itself.
pub struct Iperf(pub Value);

impl Iperf {
    /// Runs server and client to the end; `args` go to the client.
    pub fn run(server: &Host, client: &Host, port: u16, args: &[&str]) -> Result<Self> {
        let port = port.to_string();
        let mut command = Command::new("iperf3");
        command.args(["-s", "-1", "-p", &port, "--forceflush"]);
        let mut serving = server.start(&mut command)?;
        serving.line_after("Server listening on", Duration::from_secs(60))?;
        let address = server.ipv4.to_string();
        let mut words = vec!["-J", "-c", &address, "-p", &port];
        words.extend_from_slice(args);
        let text = client.output("iperf3", &words)?;
        serving.wait(Duration::from_secs(60))?;
        Ok(Self(serde_json::from_str(&text).context("read iperf3's JSON")?))
    }

    /// A number of the `end` part by its path, such as `/sum_sent/bytes`.
    pub fn end(&self, pointer: &str) -> Result<u64> {
        self.0["end"]
            .pointer(pointer)
            .and_then(Value::as_u64)
            .with_context(|| format!("iperf3 reports no end{pointer}"))
    }
}

/// A packet capture by `tshark` on one interface.
pub struct Capture(Running);

impl Capture {
    /// Starts to capture what `filter` (tcpdump's language) names and waits until it captures.
    pub fn start(host: &Namespace, device: &str, filter: &str, fields: &[&str]) -> Result<Self> {
        let mut command = Command::new("tshark");
        command.args(["-i", device, "-f", filter, "-l", "-n", "-T", "fields"]);
        for field in fields {
            command.args(["-e", field]);
        }
        let running = host.start(&mut command)?;
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        crate::wait_for("tshark to capture", deadline, || {
            Ok(running.stderr().contains("Capturing on").then_some(()))
        })?;
        Ok(Self(running))
    }

    /// Waits for the next packet; the fields asked for are apart by tabs.
    pub fn packet(&mut self) -> Result<String> {
        self.0.line(Duration::from_secs(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_socket_as_ss_prints_it() {
        let line = "ESTAB 0 0 198.18.4.1:7000 198.18.4.2:51000 cubic wscale:7,7 rto:204 \
                    rtt:20.356/10.25 ato:40 mss:1448 bytes_sent:12001 bytes_retrans:1448 \
                    bytes_acked:10553 bytes_received:77 segs_out:12 retrans:1/9 minrtt:20.1";
        let info = parse_socket(line).expect("a socket");
        assert_eq!(info.remote, "198.18.4.2:51000");
        assert_eq!(info.count("bytes_sent"), 12001);
        assert_eq!(info.count("bytes_retrans"), 1448);
        assert_eq!(info.rtt_us().expect("an rtt"), (20_356, 10_250));
        assert_eq!(info.retransmits(), 9);
    }
}
