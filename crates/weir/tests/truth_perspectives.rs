//! T12: conversations of which both ends are observed, or one, or none: the merged view has each
//! of them once, each perspective what its end saw. The far ends that cannot be observed are TCP
//! stacks in user space, which also count what they delivered.

use std::io::{Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};

use anyhow::{Context, Result};
use serde_json::Value;
use weir_testkit::stranger::Stranger;
use weir_testkit::traffic::{self, HEADER_BYTES, PATIENCE};
use weir_testkit::{Actors, Host, Lab, Need, WeirProcess, missing};

/// Client to server, server to client, connections: `None` where the answer is empty.
type Seen = Option<(u64, u64, u64)>;

fn seen(weir: &WeirProcess, filter: &str, perspective: &str) -> Result<Seen> {
    let answer = weir.summary(filter, perspective)?;
    let rows = answer["rows"].as_array().context("rows is a list")?;
    if rows.is_empty() {
        return Ok(None);
    }
    let sum = |metric: &str| -> u64 {
        rows.iter().filter_map(|row| row["metrics"][metric].as_u64()).sum()
    };
    let counts = (sum("bytes_sent"), sum("bytes_received"), sum("connections"));
    let totals = |metric: &str| answer["totals"][metric].as_u64();
    let total = (totals("bytes_sent"), totals("bytes_received"), totals("connections"));
    assert_eq!(total, (Some(counts.0), Some(counts.1), Some(counts.2)), "{answer}");
    Ok(Some(counts))
}

fn assert_seen(weir: &WeirProcess, filter: &str, expected: [(&str, Seen); 3]) -> Result<()> {
    for (perspective, expected) in expected {
        assert_eq!(seen(weir, filter, perspective)?, expected, "{perspective} of {filter}");
    }
    Ok(())
}

#[test]
fn t12_both_ends_observed_count_once() -> Result<()> {
    if missing("T12 both ends", &[Need::Root, Need::Btf]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let actors = Actors::new()?;
    let weir = WeirProcess::start(&[])?;
    let [serving, calling] = [lab.host(0), lab.host(1)];
    let mut ports = Vec::new();
    for (listen, caller) in [(serving.ipv4.to_string(), calling), ("127.0.0.1".into(), serving)] {
        let words = format!("tcp-serve --connections 3 --listen {listen}:0");
        let server = actors.serve(serving, "both-server", &words)?;
        let words = "tcp-send --connections 3 --upload 4000 --download 9000";
        actors.send(caller, "both-client", &format!("{words} --to {}", server.address))?;
        ports.push(server.port());
        server.finish()?;
    }
    weir.settle()?;
    let once = Some((3 * (4000 + HEADER_BYTES), 3 * 9000, 3));
    for port in ports {
        let filter = format!("server_port:{port}");
        assert_seen(&weir, &filter, [("merged", once), ("client", once), ("server", once)])?;
        let answer = weir.summary(&filter, "merged")?;
        let pair = &answer["rows"][0];
        let name = |end: &str| pair[end]["name"].as_str().map(str::to_owned);
        assert_eq!(name("client").as_deref(), Some("both-client"), "{answer}");
        assert_eq!(name("server").as_deref(), Some("both-server"), "{answer}");
        assert_eq!(answer["total"], Value::from(1), "{answer}");
    }
    Ok(())
}

/// The kernel's client to a stranger's echo server.
fn visit_stranger(host: &Host, stranger: &Stranger, port: u16, bytes: usize) -> Result<()> {
    let work = stranger.echo(port)?;
    let to = SocketAddr::from((stranger.address, port));
    host.run(|| -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.write_all(&vec![7; bytes])?;
        stream.read_exact(&mut vec![0; bytes])
    })??;
    assert_eq!(work.finish()?.bytes_received, bytes as u64);
    Ok(())
}

#[test]
fn t12_one_end_observed_is_seen_from_there() -> Result<()> {
    if missing("T12 one end", &[Need::Root, Need::Btf, Need::Tun]) {
        return Ok(());
    }
    let lab = Lab::new(1)?;
    let host = lab.host(0);
    let weir = WeirProcess::start(&[])?;
    let stranger = Stranger::beyond(&lab, host, 0)?;
    visit_stranger(host, &stranger, 7201, 30_000)?;

    let listener = host.run(|| TcpListener::bind((lab.side_network(0).0, 7202)))??;
    let server = host.spawn(move || Ok(traffic::tcp_server(&listener, 1, 1)?))?;
    let to = SocketAddrV4::new(lab.side_network(0).0, 7202);
    let called = stranger.call(to, 11_000, 22_000)?.finish()?;
    server.join().expect("no panic")?;
    weir.settle()?;

    let visited = Some((30_000, 30_000, 1));
    let filter = format!("server_port:7201 server_ip:{}", stranger.address);
    assert_seen(&weir, &filter, [("merged", visited), ("client", visited), ("server", None)])?;
    let served = Some((called.bytes_sent, called.bytes_received, 1));
    let filter = format!("server_port:7202 client_ip:{}", stranger.address);
    assert_seen(&weir, &filter, [("merged", served), ("client", None), ("server", served)])?;
    let answer = weir.summary(&filter, "merged")?;
    let client = &answer["rows"][0]["client"];
    assert_eq!(client["kind"], "external", "{answer}");
    assert_eq!(client["id"], stranger.address.to_string(), "{answer}");
    Ok(())
}

#[test]
fn t12_a_conversation_that_only_passes_through_is_not_this_hosts() -> Result<()> {
    if missing("T12 no end", &[Need::Root, Need::Btf, Need::Tun]) {
        return Ok(());
    }
    let lab = Lab::new(1)?;
    let host = lab.host(0);
    host.sysctl("net.ipv4.ip_forward", "1")?;
    let weir = WeirProcess::start(&[])?;
    let [here, there] = [Stranger::beyond(&lab, host, 0)?, Stranger::beyond(&lab, host, 1)?];
    let work = there.echo(7203)?;
    let echoed = 5_000 + HEADER_BYTES;
    let to = SocketAddrV4::new(there.address, 7203);
    let called = here.call(to, 5_000, echoed)?.finish()?;
    assert_eq!(called.bytes_received, echoed);
    assert_eq!(work.finish()?.bytes_received, echoed);
    weir.settle()?;
    let filter = format!("ip:{}", there.address);
    assert_seen(&weir, &filter, [("merged", None), ("client", None), ("server", None)])
}
