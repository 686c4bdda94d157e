//! T3: connections older than the agent, and an agent that is restarted in the middle of one:
//! right direction, nothing twice, nothing lost once the connection is watched.

use anyhow::Result;
use rustix::process::Signal;
use weir_testkit::traffic::Exchange;
use weir_testkit::{Actors, Lab, Need, WeirProcess, missing};

const BEFORE: Exchange = Exchange { upload_bytes: 1_000_000, download_bytes: 5_000 };
const AFTER: Exchange = Exchange { upload_bytes: 30_000, download_bytes: 700_000 };

#[test]
fn t3_a_connection_older_than_the_agent_keeps_its_direction() -> Result<()> {
    if missing("T3 older connection", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let listen = format!("tcp-serve --listen {}:0", lab.host(0).ipv4);
    let server = actors.serve(lab.host(0), "old-server", &listen)?;
    let mut client = actors.converse(lab.host(1), "old-client", server.address)?;
    let port = server.port();
    let before = client.exchange(BEFORE)?;

    let weir = WeirProcess::start(&[])?;
    let after = client.exchange(AFTER)?;
    weir.settle()?;
    let rows = weir.flows(&format!("port:{port}"))?;
    assert_eq!(rows.with("direction", "outgoing").last("active_connections"), 1, "{rows:?}");
    assert_eq!(rows.with("direction", "incoming").last("active_connections"), 1, "{rows:?}");
    client.finish()?;
    server.finish()?;
    weir.settle()?;

    let rows = weir.flows(&format!("port:{port}"))?;
    let (sent, received) =
        (after.bytes_sent - before.bytes_sent, after.bytes_received - before.bytes_received);
    let ends = [("outgoing", sent, received), ("incoming", received, sent)];
    for (direction, sent, received) in ends {
        let rows = rows.with("direction", direction);
        assert_eq!(rows.sum("bytes_sent"), sent, "{direction}: {rows:?}");
        assert_eq!(rows.sum("bytes_received"), received, "{direction}: {rows:?}");
        assert_eq!(rows.sum("connections"), 0, "it was established before: {rows:?}");
        assert_eq!(rows.sum("closures"), 1, "{direction}: {rows:?}");
        assert_eq!(rows.last("active_connections"), 0, "{direction}: {rows:?}");
    }
    assert!(rows.with("direction", "unknown").0.is_empty(), "{rows:?}");
    Ok(())
}

#[test]
fn t3_an_agent_restarted_in_the_middle_counts_nothing_twice() -> Result<()> {
    if missing("T3 restart", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    for signal in [Signal::TERM, Signal::KILL] {
        let lab = Lab::new(2)?;
        let actors = Actors::new()?;
        let mut weir = WeirProcess::start(&[])?;
        let listen = format!("tcp-serve --listen [{}]:0", lab.host(0).ipv6);
        let server = actors.serve(lab.host(0), "steady-server", &listen)?;
        let mut client = actors.converse(lab.host(1), "steady-client", server.address)?;
        let port = server.port();
        client.exchange(BEFORE)?;
        weir.settle()?;
        weir.restart(signal)?;
        client.exchange(AFTER)?;
        let client = client.finish()?;
        let server = server.finish()?;
        weir.settle()?;

        let rows = weir.flows(&format!("port:{port}"))?;
        for (direction, made) in [("outgoing", client), ("incoming", server)] {
            let rows = rows.with("direction", direction);
            let what = format!("{direction} over {signal:?}: {rows:?}");
            assert_eq!(rows.sum("bytes_sent"), made.bytes_sent, "{what}");
            assert_eq!(rows.sum("bytes_received"), made.bytes_received, "{what}");
            assert_eq!(rows.sum("connections"), 1, "{what}");
            assert_eq!(rows.sum("closures"), 1, "{what}");
        }
        assert_eq!(rows.values("direction").len(), 2, "{rows:?}");
    }
    Ok(())
}
