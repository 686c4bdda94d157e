//! T11: addresses that go to another Pod, Pods that move, Services whose Pods change, Pods that
//! live a moment. What was told stays as it was, what comes is told right.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use weir_testkit::cluster::PodPlan;
use weir_testkit::traffic::Exchange;
use weir_testkit::{Rows, missing};

use crate::world::{
    DOWNLOAD, End, Expected, HEADER, NEEDS, NODE_A, NODE_B, TARGET, UPLOAD, World, finish,
};

const EACH: u64 = 4;

fn of_server(rows: &Rows, pod: &str) -> Rows {
    rows.with("server_pod", pod)
}

#[test]
fn t11_an_address_goes_to_another_pod_within_seconds() -> Result<()> {
    if missing("T11 address", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let clients = [world.pod("client-here", NODE_A)?, world.pod("client-there", NODE_B)?];
    let mut names = Vec::new();
    let mut ip = None;
    for generation in ["before", "after"] {
        let workload = world.cluster.deployment("shop", generation)?;
        let mut plan = PodPlan::of(&workload)?;
        if let Some(ip) = ip {
            plan = plan.at(ip);
        }
        let pod = world.cluster.run(&plan, NODE_A)?;
        let server = world.serve(&pod, 2 * EACH)?;
        for client in &clients {
            world.dial(client, SocketAddr::from((pod.ip, TARGET)), EACH)?;
        }
        finish(server, 2 * EACH)?;
        // the window ends before the address goes on: within one, nobody could tell them apart
        world.observed.settle()?;
        ip = Some(pod.ip);
        names.push((pod.name().to_owned(), generation));
        world.cluster.delete(pod)?;
    }
    let rows = world.rows()?;
    for ((name, generation), client) in
        names.iter().flat_map(|n| clients.iter().map(move |c| (n, c)))
    {
        let server = End {
            ip: ip.expect("an address was given"),
            pod: name,
            host: "node-a",
            zone: "zone-1",
        };
        let expected = Expected {
            client: End::of(client),
            server,
            dialled: None,
            service: "",
            connections: EACH,
        };
        let told = of_server(&rows, name).with("client_pod", client.name());
        expected.assert_both(&told)?;
        let workloads = told.with("direction", "outgoing").values("remote_deployment");
        ensure!(workloads.keys().eq([*generation]), "{workloads:?}: {told:?}");
    }
    let all = 4 * EACH;
    let filter = format!("transport:tcp server_port:{TARGET}");
    world.assert_seen(&filter, &[("merged", all), ("client", all), ("server", all)])
}

#[test]
fn t11_a_pod_moves_and_its_service_follows() -> Result<()> {
    if missing("T11 moved", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let client = world.pod("client", NODE_A)?;
    let workload = world.cluster.deployment("shop", "cart")?;
    let first = world.pod_of(&workload, NODE_A)?;
    let service = world.service("cart", &[&first])?;
    let server = world.serve(&first, EACH + 1)?;
    // this connection stays with the first Pod, whoever is behind the Service later
    let mut talker = world.actors.converse(&client, "shop-talker", service)?;
    let exchange = Exchange { upload_bytes: UPLOAD, download_bytes: DOWNLOAD };
    talker.exchange(exchange)?;
    world.dial(&client, service, EACH)?;

    let second = world.pod_of(&workload, NODE_B)?;
    let next_server = world.serve(&second, EACH)?;
    world.cluster.set_backends("shop", "cart", &[&second])?;
    world.observed.settle()?;
    talker.exchange(exchange)?;
    talker.finish()?;
    world.dial(&client, service, EACH)?;
    finish(server, EACH + 1)?;
    finish(next_server, EACH)?;
    world.observed.settle()?;
    let (first_end, second_end) = ((first.ip, first.name().to_owned()), End::of(&second));
    world.cluster.delete(first)?;

    let rows = world.rows()?;
    let expected = Expected {
        client: End::of(&client),
        server: second_end,
        dialled: Some(service),
        service: "cart",
        connections: EACH,
    };
    expected.assert_at(&of_server(&rows, second.name()), "outgoing")?;
    // what another node translates, the server's does not know; the Pod stands behind one Service
    let expected = Expected { dialled: None, ..expected };
    expected.assert_at(&of_server(&rows, second.name()), "incoming")?;
    let (ip, name) = first_end;
    let told = of_server(&rows, &name);
    let dialled = told.with("dialled_ip", &service.ip().to_string());
    let out = dialled.with("direction", "outgoing").with("remote_ip", &ip.to_string());
    let sent = EACH * (UPLOAD + HEADER) + 2 * (UPLOAD + HEADER);
    ensure!(out.sum("connections") == EACH + 1, "{out:?} of {told:?}");
    ensure!(out.sum("bytes_sent") == sent, "{sent} bytes: {out:?}");
    ensure!(out.with("remote_service", "cart").sum("bytes_sent") == sent, "{out:?}");
    let incoming = dialled.with("direction", "incoming").with("local_host", "node-a");
    ensure!(incoming.sum("bytes_received") == sent, "{sent} bytes: {incoming:?}");
    let all = 2 * EACH + 1;
    let totals = world.seen(&format!("transport:tcp server_port:{TARGET}"), "merged")?;
    ensure!(totals == (all, sent + EACH * (UPLOAD + HEADER)), "{totals:?}");
    Ok(())
}

#[test]
fn t11_a_pod_that_lives_a_moment_is_named() -> Result<()> {
    if missing("T11 moment", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let near = world.pod("near", NODE_A)?;
    let far = world.pod("far", NODE_B)?;
    let servers = (world.serve(&near, 3 * EACH)?, world.serve(&far, 3 * EACH)?);
    let mut names = Vec::new();
    for _ in 0..3 {
        let job = world.cluster.cron_job("shop", "report")?;
        let pod = world.pod_of(&job, NODE_A)?;
        for server in [&near, &far] {
            world.dial_slowly(&pod, SocketAddr::from((server.ip, TARGET)), EACH)?;
        }
        names.push((pod.name().to_owned(), pod.ip));
        world.cluster.delete(pod)?;
        world.cluster.delete_job(&job)?;
    }
    finish(servers.0, 3 * EACH)?;
    finish(servers.1, 3 * EACH)?;
    let rows = world.rows()?;
    for ((name, ip), server) in names.iter().flat_map(|name| [(name, &near), (name, &far)]) {
        let expected = Expected {
            client: End { ip: *ip, pod: name, host: "node-a", zone: "zone-1" },
            server: End::of(server),
            dialled: None,
            service: "",
            connections: EACH,
        };
        let told = rows.with("client_pod", name).with("server_pod", server.name());
        expected.assert_both(&told)?;
        let out = told.with("direction", "outgoing");
        let (kinds, workloads) =
            (out.values("local_workload_kind"), out.values("local_deployment"));
        ensure!(kinds.keys().eq(["CronJob"]) && workloads.keys().eq(["report"]), "{out:?}");
    }
    let all = 6 * EACH;
    let filter = format!("transport:tcp server_port:{TARGET}");
    world.assert_seen(&filter, &[("merged", all), ("client", all), ("server", all)])
}
