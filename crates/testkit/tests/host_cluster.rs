//! The cluster itself: Pods reach one another however they dial, and nothing is left behind.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;
use weir_testkit::cluster::{Cluster, NodePlan, Pod, PodPlan, Port};
use weir_testkit::traffic::Tally;
use weir_testkit::{Actors, Need, Place, Server, missing};

const NEEDS: [Need; 4] =
    [Need::Root, Need::Program("ip"), Need::Program("nft"), Need::Program("unshare")];

fn plans() -> [NodePlan; 2] {
    [NodePlan::new("node-a", "zone-1", "lab"), NodePlan::new("node-b", "zone-2", "lab")]
}

struct World {
    actors: Actors,
    here: Pod,
    there: Pod,
    cluster: Cluster,
}

impl World {
    fn new() -> Result<Self> {
        let mut cluster = Cluster::new(&plans())?;
        let cart = cluster.deployment("shop", "cart")?;
        let here = cluster.run(&PodPlan::of(&cart)?, 0)?;
        let there = cluster.run(&PodPlan::of(&cart)?, 1)?;
        Ok(Self { actors: Actors::new()?, here, there, cluster })
    }
}

fn serve(actors: &Actors, pod: &Pod, connections: u64) -> Result<Server> {
    let words = format!("tcp-serve --connections {connections} --listen 0.0.0.0:8080");
    actors.serve(pod, "cart", &words)
}

fn dial(actors: &Actors, from: &dyn Place, to: (Ipv4Addr, u16), times: u64) -> Result<Tally> {
    let to = SocketAddr::from(to);
    let words = format!("tcp-send --connections {times} --upload 9 --download 9 --to {to}");
    actors.send(from, "client", &words)
}

#[test]
fn host_pods_are_reached_by_address_by_service_and_by_node() -> Result<()> {
    if missing("cluster", &NEEDS) {
        return Ok(());
    }
    let World { actors, here, there, mut cluster } = World::new()?;
    let servers = (serve(&actors, &here, 6)?, serve(&actors, &there, 5)?);
    let ports = [Port::tcp(80, 8080).at_nodes(30_080)];
    let service = cluster.service("shop", "cart", &ports)?;
    cluster.set_backends("shop", "cart", &[&here, &there])?;
    let dial = |from: &dyn Place, to, times| dial(&actors, from, to, times);
    dial(&here, (there.ip, 8080), 1)?;
    dial(&there, (here.ip, 8080), 1)?;
    // two backends in turn: the own one and the other's
    dial(&here, (service, 80), 2)?;
    dial(&cluster.node(1).service("client")?, (service, 80), 2)?;
    dial(cluster.outside().0, (cluster.node(0).ip, 30_080), 2)?;
    let on_node = cluster.run(&PodPlan::new("shop", "probe").with_host_network(), 0)?;
    dial(&on_node, (here.ip, 8080), 1)?;
    dial(&on_node, (service, 80), 2)?;
    assert_eq!(servers.0.finish()?.connections, 6);
    assert_eq!(servers.1.finish()?.connections, 5);
    let translated = [cluster.node(0).translated()?, cluster.node(1).translated()?];
    assert_eq!(translated, [2 + 2 + 2, 2]);
    Ok(())
}

#[test]
fn host_a_service_without_backends_refuses() -> Result<()> {
    if missing("cluster refuses", &NEEDS) {
        return Ok(());
    }
    let mut world = World::new()?;
    let service = world.cluster.service("shop", "nobody", &[Port::tcp(80, 8080)])?;
    let outcome = world.actors.fail(&world.here, "client", SocketAddr::from((service, 80)))?;
    assert_eq!(outcome, "ConnectionRefused");
    Ok(())
}

#[test]
fn host_processes_are_in_the_groups_that_kubelet_would_make_and_nothing_is_left() -> Result<()> {
    if missing("cluster groups", &NEEDS) {
        return Ok(());
    }
    let world = World::new()?;
    let server = serve(&world.actors, &world.here, 1)?;
    let file = std::fs::read_to_string(format!("/proc/{}/cgroup", server.pid()))?;
    let path = file.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default();
    let (uid, id) = (&world.here.meta.uid, &world.here.container_id);
    let node = world.cluster.node(0).group.path()?;
    let slice = format!("kubepods-burstable-pod{}.slice", uid.replace('-', "_"));
    let expected = format!("{node}/kubepods.slice/kubepods-burstable.slice/{slice}");
    assert_eq!(path, format!("{expected}/cri-containerd-{id}.scope"));
    let published = world.cluster.published(&world.here);
    assert_eq!(published["metadata"]["uid"], uid.as_str());
    let statuses = &published["status"]["containerStatuses"];
    assert_eq!(statuses[0]["containerID"], format!("containerd://{id}"));
    let group = world.cluster.node(0).group.directory().to_owned();
    let top = group.parent().map(Path::to_owned).unwrap_or_default();
    let namespace = Path::new("/run/netns").join(&world.here.network().name);
    assert!(group.is_dir() && namespace.exists());
    drop(world); // with a process that still waits
    assert!(!top.exists() && !namespace.exists());
    drop(server);
    Ok(())
}
