//! Trouble on the wire: dropped packets and a long, unsteady line.
//!
//! Owns the nftables rules and the TUN line that make it. `tc netem` would do both, but kernels
//! without it are common on small virtual machines.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use smoltcp::phy::{Device, Medium, RxToken, TunTapInterface, TxToken, wait};

use crate::lab::{Host, Lab};
use crate::namespace::enter;

/// How long the line's thread sleeps at most: this is the precision of its delay.
const TICK: Duration = Duration::from_micros(200);
/// Packets in flight on one direction of a line; more are dropped, as a router would.
const IN_FLIGHT_MAX: usize = 10_000;

/// Drops `permille` (below 1000) of the TCP packets that arrive at `host`, at random.
///
/// The rules are gone with the host.
pub fn drop_packets(host: &Host, permille: u16) -> Result<()> {
    let packets = format!("meta l4proto tcp numgen random mod 1000 < {permille}");
    rule(host, &format!("{packets} counter name dropped drop"))
}

/// Drops silently every TCP packet that arrives at `host` for `port`, as a firewall does.
pub fn drop_port(host: &Host, port: u16) -> Result<()> {
    rule(host, &format!("tcp dport {port} counter name dropped drop"))
}

/// Drops silently every TCP packet that arrives at `host` from `port` of another host.
pub fn drop_answers(host: &Host, port: u16) -> Result<()> {
    rule(host, &format!("tcp sport {port} counter name dropped drop"))
}

/// Refuses TCP packets for `port` with ICMP's "administratively prohibited".
pub fn prohibit_port(host: &Host, port: u16) -> Result<()> {
    rule(host, &format!("tcp dport {port} reject with icmpx type admin-prohibited"))
}

fn rule(host: &Host, rule: &str) -> Result<()> {
    let rules = [
        "add table inet weirlab",
        "add counter inet weirlab dropped",
        "add chain inet weirlab arriving { type filter hook input priority 0; }",
        &format!("add rule inet weirlab arriving {rule}"),
    ];
    host.output("nft", &[&rules.join("; ")]).map(drop)
}

/// Packets that the rules of this module dropped at `host`.
pub fn dropped(host: &Host) -> Result<u64> {
    let text = host.output("nft", &["-j", "list", "counter", "inet", "weirlab", "dropped"])?;
    let json: serde_json::Value = serde_json::from_str(&text).context("read nft's JSON")?;
    json["nftables"]
        .as_array()
        .and_then(|items| items.iter().find_map(|item| item["counter"]["packets"].as_u64()))
        .context("nft tells no counter")
}

/// A point-to-point line between two hosts that holds each packet for a while.
///
/// Packets stay in order; the hold time of each wanders between `delay` and `delay + wander`.
pub struct Line {
    /// Address of the first host's end.
    pub near: Ipv4Addr,
    /// Address of the second host's end.
    pub far: Ipv4Addr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Line {
    /// Lays a line between two hosts of a lab; `index` tells the lines of one lab apart.
    pub fn lay(
        lab: &Lab,
        (near_host, far_host): (&Host, &Host),
        index: u8,
        delay: Duration,
        wander: Duration,
    ) -> Result<Self> {
        let (near, far) = lab.side_network(index);
        let device = format!("line{index}");
        for (host, local, peer) in [(near_host, near, far), (far_host, far, near)] {
            host.ip(&format!("tuntap add dev {device} mode tun"))?;
            host.ip(&format!("addr add {local} peer {peer} dev {device}"))?;
            host.ip(&format!("link set {device} up"))?;
        }
        let namespaces = [near_host.open()?, far_host.open()?];
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let (ready, opened) = channel();
        let thread = std::thread::spawn(move || {
            let mut ends = Vec::new();
            for namespace in &namespaces {
                enter(namespace)?;
                let end = TunTapInterface::new(&device, Medium::Ip).context("open a TUN device")?;
                ends.push(end);
            }
            let _ = ready.send(()); // the other side waits for it or is gone
            carry(&mut ends, delay, wander, &stopped)
        });
        let line = Self { near, far, stop, thread: Some(thread) };
        opened.recv().ok().context("the line's thread ended before it carried anything")?;
        Ok(line)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(Ok(Err(err))) = self.thread.take().map(JoinHandle::join) {
            eprintln!("a line of the lab broke: {err:#}");
        }
    }
}

/// Packets on their way in one direction, each with the time at which it arrives.
#[derive(Default)]
struct Way {
    packets: VecDeque<(Instant, Vec<u8>)>,
    /// State of a small generator: the same wander in every run.
    seed: u64,
}

impl Way {
    fn put(&mut self, packet: Vec<u8>, delay: Duration, wander: Duration) {
        if self.packets.len() >= IN_FLIGHT_MAX {
            return;
        }
        // Knuth's MMIX generator; its high bits are good enough to wander with.
        let next = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.seed = next;
        let share = (next >> 40) as u32 % 1000;
        let due = Instant::now() + delay + wander * share / 1000;
        let due = self.packets.back().map_or(due, |(last, _)| due.max(*last));
        self.packets.push_back((due, packet));
    }

    fn take_due(&mut self) -> Option<Vec<u8>> {
        let (due, _) = self.packets.front()?;
        if *due > Instant::now() {
            return None;
        }
        self.packets.pop_front().map(|(_, packet)| packet)
    }
}

fn carry(
    ends: &mut [TunTapInterface],
    delay: Duration,
    wander: Duration,
    stop: &AtomicBool,
) -> Result<()> {
    let mut ways = [Way::default(), Way::default()];
    let now = smoltcp::time::Instant::ZERO; // the TUN device does not look at it
    while !stop.load(Ordering::Relaxed) {
        for (end, way) in ends.iter_mut().zip(&mut ways) {
            while let Some((packet, _)) = end.receive(now) {
                way.put(packet.consume(<[u8]>::to_vec), delay, wander);
            }
        }
        for (end, way) in ends.iter_mut().rev().zip(&mut ways) {
            while let Some(packet) = way.take_due() {
                let token = end.transmit(now).context("a TUN device always takes a packet")?;
                token.consume(packet.len(), |buffer| buffer.copy_from_slice(&packet));
            }
        }
        let first = ends.first().context("a line has two ends")?.as_raw_fd();
        let tick = smoltcp::time::Duration::from_micros(TICK.as_micros() as u64);
        wait(first, Some(tick)).context("wait for a packet")?;
    }
    Ok(())
}
