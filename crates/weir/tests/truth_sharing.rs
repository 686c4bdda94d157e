//! T7: one socket in the hands of many processes is still one socket: nothing is counted twice.
//! The witness is what the processes' own calls returned, added up.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use weir_testkit::{Actors, Lab, Need, WeirProcess, missing};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shared_socket.py");
const DATAGRAMS: u64 = 10;

#[test]
fn t7_a_shared_socket_is_counted_once() -> Result<()> {
    if missing("T7", &[Need::Root, Need::Btf, Need::Program("python3")]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [serving, calling] = [lab.host(0), lab.host(1)];
    let mut finished = Vec::new();
    for mode in ["fork", "pass", "exec", "udp"] {
        let words = match mode {
            "udp" => format!("udp-serve --datagrams {DATAGRAMS} --reply 303"),
            _ => "tcp-serve".to_owned(),
        };
        let words = format!("{words} --listen {}:0", serving.ipv4);
        let server = actors.serve(serving, "share-server", &words)?;
        let port = server.port();
        let mut command = Command::new("python3");
        command.args([SCRIPT, mode, &serving.ipv4.to_string(), &port.to_string()]);
        let made: Value = calling.start(&mut command)?.json(Duration::from_secs(30))?;
        finished.push((mode, port, made, server.finish()?));
    }
    weir.settle()?;
    for (mode, port, made, served) in finished {
        let rows = weir.flows(&format!("port:{port}"))?;
        let (out, into) = (rows.with("direction", "outgoing"), rows.with("direction", "incoming"));
        assert_eq!(Some(out.sum("bytes_sent")), made["sent"].as_u64(), "{mode}: {rows:?}");
        assert_eq!(Some(out.sum("bytes_received")), made["received"].as_u64(), "{mode}: {rows:?}");
        assert_eq!(into.sum("bytes_received"), served.bytes_received, "{mode}: {rows:?}");
        assert_eq!(into.sum("bytes_sent"), served.bytes_sent, "{mode}: {rows:?}");
        for rows in [&out, &into] {
            assert_eq!(rows.sum("connections"), served.connections, "{mode}: {rows:?}");
            assert_eq!(rows.sum("closures"), served.connections, "{mode}: {rows:?}");
        }
        if mode == "udp" {
            assert_eq!(out.sum("packets_sent"), DATAGRAMS, "{rows:?}");
            assert_eq!(out.sum("packets_received"), DATAGRAMS, "{rows:?}");
        }
    }
    Ok(())
}
