//! T2: very many very short connections: as many opened and closed as were made, every byte and
//! every name, nothing lost. The witnesses are the sockets' own calls and the kernel's SNMP counts.

use std::time::Instant;

use anyhow::Result;
use weir_testkit::{Actors, Lab, Need, WeirProcess, missing, witness};

const CLIENTS: u64 = 2;
const CONNECTIONS_EACH: u64 = 10_000;

#[test]
fn t2_a_storm_of_connections_is_counted_whole() -> Result<()> {
    if missing("T2", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let total = CLIENTS * CONNECTIONS_EACH;
    let listen = lab.host(0).ipv4;
    let words = format!("tcp-serve --workers 4 --connections {total} --listen {listen}:0");
    let server = actors.serve(lab.host(0), "storm-server", &words)?;
    let port = server.port();
    let words = format!(
        "tcp-send --connections {CONNECTIONS_EACH} --upload 100 --download 200 --to {}",
        server.address
    );
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(lab.host(1).start(&mut actors.command("storm-client", &words)?)?);
    }
    let served = server.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    for client in &mut clients {
        client.wait(std::time::Duration::from_secs(20))?;
    }
    assert_eq!(served.connections, total);
    assert_eq!(witness::kernel_counters(lab.host(0))?["Tcp.PassiveOpens"], total);
    weir.settle()?;

    let rows = weir.flows(&format!("port:{port}"))?;
    let ends = [
        ("outgoing", "storm-client", served.bytes_received, served.bytes_sent),
        ("incoming", "storm-server", served.bytes_sent, served.bytes_received),
    ];
    for (direction, process, sent, received) in ends {
        let rows = rows.with("direction", direction);
        let what = format!("{direction}, {} rows", rows.0.len());
        assert_eq!(rows.sum("connections"), total, "connections: {what}");
        assert_eq!(rows.sum("closures"), total, "closures: {what}");
        assert_eq!(rows.sum("bytes_sent"), sent, "bytes sent: {what}");
        assert_eq!(rows.sum("bytes_received"), received, "bytes received: {what}");
        assert_eq!(rows.last("active_connections"), 0, "still open: {what}");
        let names: Vec<_> = rows.values("local_process").into_keys().collect();
        assert_eq!(names, [process], "{what}");
    }
    println!("T2: {total} connections at {:.0} a second, all counted", total as f64 / seconds);
    Ok(())
}
