//! The lab itself: what it lays out works, what it counts is right, what it leaves is nothing.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use weir_testkit::stranger::Stranger;
use weir_testkit::traffic::{self, Conversation, Exchange, HEADER_BYTES, Tally};
use weir_testkit::trouble::{self, Line};
use weir_testkit::{Lab, NameServer, Need, Zone, missing, run, witness, workspace_program};

const EXCHANGE: Exchange = Exchange { upload_bytes: 300_000, download_bytes: 70_000 };

#[test]
fn hosts_reach_one_another_in_both_families_and_leave_nothing() -> Result<()> {
    if missing("lab", &[Need::Root]) {
        return Ok(());
    }
    let lab = Lab::new(3)?;
    let names: Vec<String> = (0..3).map(|index| lab.host(index).name.clone()).collect();
    for address in [IpAddr::from(lab.host(1).ipv4), IpAddr::from(lab.host(1).ipv6)] {
        let listener = lab.host(1).run(|| TcpListener::bind((address, 0)))??;
        let to = listener.local_addr()?;
        let server = lab.host(1).spawn(move || Ok(traffic::tcp_server(&listener, 2, 1)?))?;
        let client = lab.host(2).run(|| traffic::tcp_client(to, 2, EXCHANGE))??;
        let server = server.join().expect("no panic")?;
        assert_eq!(client.bytes_sent, 2 * (EXCHANGE.upload_bytes + HEADER_BYTES));
        assert_eq!(client.bytes_received, 2 * EXCHANGE.download_bytes);
        assert_eq!((server.bytes_received, server.connections), (client.bytes_sent, 2));
    }
    drop(lab);
    let left = run("ip", &["netns", "list"])?;
    assert!(!names.iter().any(|name| left.contains(name.as_str())), "left behind: {left}");
    Ok(())
}

#[test]
fn a_child_process_counts_what_it_did() -> Result<()> {
    if missing("child traffic", &[Need::Root]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let program = workspace_program("weir-traffic", "weir-testkit", "WEIR_TRAFFIC_BIN")?;
    let mut serve = Command::new(&program);
    serve.args(["udp-serve", "--datagrams", "50", "--reply", "300"]);
    serve.args(["--listen", &format!("{}:0", lab.host(0).ipv4)]);
    let mut server = lab.host(0).start(&mut serve)?;
    let to = server.line_after("listening ", Duration::from_secs(60))?;
    let mut send = Command::new(&program);
    send.args(["udp-send", "--to", &to, "--datagrams", "50", "--size", "100"]);
    let sent: Tally = lab.host(1).start(&mut send)?.json(Duration::from_secs(60))?;
    let served: Tally = server.json(Duration::from_secs(60))?;
    assert_eq!((sent.bytes_sent, sent.bytes_received), (5_000, 15_000));
    assert_eq!((served.datagrams_received, served.datagrams_sent), (50, 50));
    Ok(())
}

#[test]
fn dropped_packets_are_retransmitted_and_both_are_counted() -> Result<()> {
    if missing("drops", &[Need::Root, Need::Program("nft"), Need::Program("ss")]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    trouble::drop_packets(lab.host(0), 50)?;
    let listener = lab.host(0).run(|| TcpListener::bind((lab.host(0).ipv4, 0)))??;
    let to = listener.local_addr()?;
    let server = lab.host(0).spawn(move || Ok(traffic::tcp_server(&listener, 1, 1)?))?;
    let mut conversation = lab.host(1).run(|| Conversation::open(to))??;
    for _ in 0..200 {
        conversation.exchange(Exchange { upload_bytes: 2_000, download_bytes: 10 })?;
    }
    let info = witness::sockets(lab.host(1), &format!("dport = :{}", to.port()))?;
    let info = info.first().context("ss shows the client's socket")?;
    conversation.finish()?;
    server.join().expect("no panic")?;
    let kernel = witness::kernel_counters(lab.host(1))?;
    assert!(trouble::dropped(lab.host(0))? > 0, "nothing was dropped");
    assert!(info.retransmits() > 0, "nothing was retransmitted: {info:?}");
    assert!(kernel["Tcp.RetransSegs"] >= info.retransmits());
    assert!(info.count("bytes_received") == 2_000, "{info:?}");
    Ok(())
}

#[test]
fn a_line_delays_what_it_carries() -> Result<()> {
    if missing("line", &[Need::Root, Need::Tun, Need::Program("ss")]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let ends = (lab.host(0), lab.host(1));
    let delay = Duration::from_millis(10);
    let line = Line::lay(&lab, ends, 0, delay, Duration::from_millis(4))?;
    let far = line.far;
    let listener = lab.host(1).run(|| TcpListener::bind((far, 0)))??;
    let to = listener.local_addr()?;
    let server = lab.host(1).spawn(move || Ok(traffic::tcp_server(&listener, 1, 1)?))?;
    let mut conversation = lab.host(0).run(|| Conversation::open(to))??;
    for _ in 0..20 {
        conversation.exchange(Exchange { upload_bytes: 100, download_bytes: 100 })?;
    }
    let info = witness::sockets(lab.host(0), &format!("dport = :{}", to.port()))?;
    let (rtt_us, variation_us) = info.first().context("ss shows the socket")?.rtt_us()?;
    assert!(rtt_us > 19_000, "{rtt_us}");
    assert!(variation_us > 0, "{variation_us}");
    conversation.finish()?;
    server.join().expect("no panic")?;
    Ok(())
}

#[test]
fn a_stranger_answers_and_calls() -> Result<()> {
    if missing("stranger", &[Need::Root, Need::Tun]) {
        return Ok(());
    }
    let lab = Lab::new(1)?;
    let stranger = Stranger::beyond(&lab, lab.host(0), 0)?;
    let work = stranger.echo(7)?;
    let to = SocketAddr::from((stranger.address, 7));
    lab.host(0).run(|| -> std::io::Result<()> {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect_timeout(&to, traffic::PATIENCE)?;
        stream.write_all(&[9; 5_000])?;
        let mut echo = [0; 5_000];
        stream.read_exact(&mut echo)?;
        assert_eq!(echo, [9; 5_000]);
        Ok(())
    })??;
    assert_eq!(work.finish()?.bytes_received, 5_000);

    let listener = lab.host(0).run(|| TcpListener::bind((lab.side_network(0).0, 0)))??;
    let std::net::SocketAddr::V4(to) = listener.local_addr()? else { unreachable!("IPv4") };
    let server = lab.host(0).spawn(move || Ok(traffic::tcp_server(&listener, 1, 1)?))?;
    let called = stranger.call(to, 12_345, 54_321)?.finish()?;
    let served = server.join().expect("no panic")?;
    assert_eq!((called.bytes_sent, called.bytes_received), (12_345 + HEADER_BYTES, 54_321));
    assert_eq!(served.bytes_received, called.bytes_sent);
    Ok(())
}

#[test]
fn a_name_server_follows_aliases_and_knows_what_it_was_asked() -> Result<()> {
    if missing("name server", &[Need::Root, Need::Program("unshare")]) {
        return Ok(());
    }
    let lab = Lab::new(2)?;
    let [server, client] = [lab.host(0), lab.host(1)];
    let zone = Zone::new(60)
        .host("backend.shop.test", &[server.ipv4.into(), server.ipv6.into()])
        .alias("www.shop.test", "backend.shop.test");
    let socket = server.run(|| UdpSocket::bind((server.ipv4, 53)))??;
    let names = NameServer::start(socket, zone)?;
    let found = weir_testkit::resolve(client, server.ipv4.into(), "www.shop.test")?;
    assert!(found.contains(&server.ipv4.into()), "{found:?}");
    assert!(weir_testkit::resolve(client, server.ipv4.into(), "no.shop.test")?.is_empty());
    let asked = names.asked();
    assert!(asked.iter().any(|question| question.name == "www.shop.test"), "{asked:?}");
    Ok(())
}
