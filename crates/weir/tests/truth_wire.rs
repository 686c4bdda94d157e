//! T5 and T6: packets dropped and packets delayed. The witnesses are the kernel's SNMP counters
//! and TCP_INFO as `ss` prints it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use weir_testkit::traffic::{Exchange, PATIENCE};
use weir_testkit::trouble::Line;
use weir_testkit::{Actors, Host, Lab, Need, WeirProcess, missing, trouble, wait_for, witness};

/// Waits until the kernel has no connection of this port left, closing ones included.
fn wait_until_gone(host: &Host, port: u16) -> Result<()> {
    let filter = format!("( sport = :{port} or dport = :{port} )");
    wait_for("the last connection to be gone", Instant::now() + 3 * PATIENCE, || {
        Ok(witness::sockets(host, &filter)?.is_empty().then_some(()))
    })
}

#[test]
fn t5_retransmissions_are_the_kernels_own_count() -> Result<()> {
    if missing("T5", &[Need::Root, Need::Btf, Need::Program("nft"), Need::Program("ss")]) {
        return Ok(());
    }
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    for (permille, exchanges) in [(10, 300), (100, 60)] {
        let lab = Lab::new(2)?;
        let [server, client] = [lab.host(0), lab.host(1)];
        trouble::drop_packets(server, permille)?;
        trouble::drop_packets(client, permille)?;
        let words = format!("tcp-serve --listen {}:0", server.ipv4);
        let serving = actors.serve(server, "lossy-server", &words)?;
        let port = serving.port();
        let mut talker = actors.converse(client, "lossy-client", serving.address)?;
        for _ in 0..exchanges {
            talker.exchange(Exchange { upload_bytes: 20_000, download_bytes: 20_000 })?;
        }
        let (sent, served) = (talker.finish()?, serving.finish()?);
        for host in [server, client] {
            wait_until_gone(host, port)?;
        }
        weir.settle()?;
        let rows = weir.flows(&format!("port:{port}"))?;
        let ends = [("outgoing", client, sent), ("incoming", server, served)];
        for (direction, host, made) in ends {
            let rows = rows.with("direction", direction);
            let kernel = witness::kernel_counters(host)?["Tcp.RetransSegs"];
            assert!(kernel > 0, "nothing was retransmitted at {permille} per mille");
            assert_eq!(rows.sum("retransmits"), kernel, "{direction}, {permille}: {rows:?}");
            assert_eq!(rows.sum("bytes_sent"), made.bytes_sent, "{direction}, {permille}");
            assert_eq!(rows.sum("bytes_received"), made.bytes_received, "{direction}, {permille}");
            println!("T5: {permille} per mille, {direction}: {kernel} retransmissions");
        }
    }
    Ok(())
}

#[test]
fn t6_delay_and_jitter_are_those_of_tcp_info() -> Result<()> {
    if missing("T6", &[Need::Root, Need::Btf, Need::Tun, Need::Program("ss")]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [server, client] = [lab.host(0), lab.host(1)];
    for (index, delay_ms, wander_ms) in [(0, 0, 0), (1, 8, 6), (2, 40, 1)] {
        let delay = Duration::from_millis(delay_ms);
        let wander = Duration::from_millis(wander_ms);
        let line = Line::lay(&lab, (client, server), index, delay, wander)?;
        let words = format!("tcp-serve --listen {}:0", line.far);
        let serving = actors.serve(server, "far-server", &words)?;
        let port = serving.port();
        let mut talker = actors.converse(client, "near-client", serving.address)?;
        for _ in 0..25 {
            talker.exchange(Exchange { upload_bytes: 500, download_bytes: 2_000 })?;
        }
        // From here on the connection is silent, so its estimates stand still.
        weir.settle()?;
        let rows = weir.flows(&format!("port:{port}"))?;
        let ends = [("outgoing", client, "dport"), ("incoming", server, "sport")];
        for (direction, host, side) in ends {
            let sockets = witness::sockets(host, &format!("{side} = :{port}"))?;
            let kernel = sockets.first().context("ss shows the connection")?.rtt_us()?;
            let rows = rows.with("direction", direction);
            let latest = rows.max("window_start_ms").context("there are rows")?;
            let last = rows.with_number("window_start_ms", latest);
            let seen = (last.max("rtt_us_max"), last.sum("jitter_us_sum"));
            assert_eq!(last.sum("rtt_samples"), 1, "one reading of one socket: {last:?}");
            assert_eq!(seen, (Some(kernel.0), kernel.1), "{direction}: {last:?}");
            println!("T6: {delay_ms}+{wander_ms} ms, {direction}: rtt, jitter {kernel:?} us");
        }
        talker.finish()?;
        serving.finish()?;
    }
    Ok(())
}
