//! Paths as the runtimes and kubelet write them.

use super::*;

const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
const INNER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const UID: &str = "2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55";
const UID_IN_SLICE: &str = "2f1c6a3e_8a51_4f0e_9b0f_0d7b6d1c9c55";
const HASH: &str = "6d9bd1b6e5a5ff7d5a5a0b0f0c0a0b0c";

enum Is {
    Container,
    Inner,
    Named(&'static str),
    Unit(&'static str),
    /// A container of the Pod.
    Pod,
    PodInner,
    /// A container of a static Pod.
    StaticPod,
    /// The Pod, but none of its containers.
    PodAlone,
    Nothing,
}
use Is::*;

/// `ID`, `INNER`, `UID` (or `U_D` in the names of slices) and `HASH` stand for the digits.
const PATHS: &[(&str, Is)] = &[
    // docker
    ("/system.slice/docker-ID.scope", Container),
    ("/docker/ID", Container),
    ("/docker/ID/system.slice/nginx.service", Container),
    ("/system.slice/docker-ID.scope/docker/INNER", Inner),
    ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Container),
    ("/actions_job/ID", Container),
    ("/system.slice/docker.service", Unit("docker.service")),
    // containerd without Kubernetes
    ("/system.slice/nerdctl-ID.scope", Container),
    ("/default/ID", Container),
    ("/system.slice/containerd.service", Unit("containerd.service")),
    // kubelet with the systemd driver: burstable, best effort, guaranteed; containerd
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice/\
         cri-containerd-ID.scope",
        Pod,
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_D.slice/\
         cri-containerd-ID.scope",
        Pod,
    ),
    ("/kubepods.slice/kubepods-podU_D.slice/cri-containerd-ID.scope", Pod),
    // CRI-O, also with the group that systemd or crun makes inside; its monitor is no container
    ("/kubepods.slice/kubepods-podU_D.slice/crio-ID.scope", Pod),
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice/crio-ID.scope", Pod),
    ("/kubepods.slice/kubepods-podU_D.slice/crio-ID.scope/container", Pod),
    ("/kubepods.slice/kubepods-podU_D.slice/crio-ID.scope/system.slice/sshd.service", Pod),
    ("/kubepods.slice/kubepods-podU_D.slice/crio-conmon-ID.scope", PodAlone),
    // Docker through cri-dockerd
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podU_D.slice/\
         docker-ID.scope",
        Pod,
    ),
    // kubelet with the cgroupfs driver; containerd, Docker, CRI-O
    ("/kubepods/burstable/podUID/ID", Pod),
    ("/kubepods/besteffort/podUID/ID", Pod),
    ("/kubepods/podUID/ID/", Pod),
    ("/kubepods/burstable/podUID/crio-ID", Pod),
    // a systemd-style path given to the cgroupfs driver
    ("/system.slice/containerd.service/kubepods-besteffort-podU_D.slice:cri-containerd:ID", Pod),
    ("/kubepods-burstable-podU_D.slice:cri-containerd:ID", Pod),
    // static Pods: a hash in the place of the UID
    ("/kubepods/burstable/podHASH/ID", StaticPod),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podHASH.slice/\
         cri-containerd-ID.scope",
        StaticPod,
    ),
    // the Pod's own group
    ("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_D.slice", PodAlone),
    ("/kubepods/podUID", PodAlone),
    // kind: the node is a container; kubelet's root is one level down, with either driver
    (
        "/docker/INNER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
         kubelet-kubepods-besteffort-podU_D.slice/cri-containerd-ID.scope",
        Pod,
    ),
    (
        "/system.slice/docker-INNER.scope/kubelet.slice/kubelet-kubepods.slice/\
         kubelet-kubepods-podU_D.slice/cri-containerd-ID.scope",
        Pod,
    ),
    ("/docker/INNER/kubelet/kubepods/burstable/podUID/ID", Pod),
    ("/docker/INNER/kubelet/kubepods/burstable/podUID", PodAlone),
    (
        "/machine.slice/libpod-INNER.scope/container/kubelet.slice/kubelet-kubepods.slice/\
      kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podU_D.slice/\
      cri-containerd-ID.scope",
        Pod,
    ),
    ("/docker/INNER/system.slice/kubelet.service", Is::Inner),
    // k3s on a host, and in Docker (k3d)
    ("/kubepods/besteffort/podUID/ID", Pod),
    ("/system.slice/k3s.service/kubepods/burstable/podUID/ID", Pod),
    ("/docker/INNER/kubepods/besteffort/podUID/ID", Pod),
    ("/system.slice/k3s.service", Unit("k3s.service")),
    // a root of one's own (--cgroup-root)
    ("/my-node.slice/my-node-kubepods.slice/my-node-kubepods-podU_D.slice/crio-ID.scope", Pod),
    // a container that a container of a Pod runs, which the Pod answers for
    ("/kubepods/burstable/podUID/ID/docker/INNER", PodInner),
    ("/kubepods.slice/kubepods-podU_D.slice/cri-containerd-ID.scope/docker/INNER", PodInner),
    // as seen from a cgroup namespace beside it
    ("/../../kubepods-podU_D.slice/cri-containerd-ID.scope", Pod),
    ("/../cri-containerd-ID.scope", Container),
    // podman, root and not, in a pod, its monitor
    ("/machine.slice/libpod-ID.scope", Container),
    ("/machine.slice/libpod-ID.scope/container", Container),
    ("/machine.slice/machine-libpod_pod_INNER.slice/libpod-ID.scope/container", Container),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        Container,
    ),
    ("/libpod_parent/libpod-ID", Container),
    ("/machine.slice/libpod-conmon-ID.scope", Unit("libpod-conmon-ID.scope")),
    // a manager in the path that the runtime nests under
    ("/ecs/0f9d6a3c2b1e4d5f8a7b6c5d4e3f2a1b/ID", Container),
    // LXC
    ("/lxc.payload.web-1", Named("web-1")),
    ("/lxc.payload.web-1/system.slice/nginx.service", Named("web-1")),
    ("/lxc/web-1", Named("web-1")),
    ("/lxc/web-1/kubepods/burstable/podUID/ID", Pod),
    // systemd units
    ("/system.slice/nginx.service", Unit("nginx.service")),
    (
        "/system.slice/system-postgresql.slice/postgresql@15-main.service",
        Unit("postgresql@15-main.service"),
    ),
    ("/user.slice/user-1000.slice/session-3.scope", Unit("session-3.scope")),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
        Unit("syncthing.service"),
    ),
    ("/init.scope", Unit("init.scope")),
    ("/system.slice/foo.service/worker", Unit("foo.service")),
    // words that only look like a Pod
    ("/system.slice/podman.service", Unit("podman.service")),
    ("/system.slice/my-pod2f1c6a3e.slice/x.service", Unit("x.service")),
    ("/pod2f1c6a3e/17", Nothing),
    ("/xpodUID", Nothing),
    ("/kubepods/burstable/pod2F1C6A3E-8A51-4F0E-9B0F-0D7B6D1C9C55/17", Nothing),
    // nothing to say
    ("/", Nothing),
    ("", Nothing),
    ("/user.slice", Nothing),
    ("/kubepods.slice/kubepods-burstable.slice", Nothing),
    ("/.scope", Nothing),
    ("/docker/abc", Nothing),
    ("/batch/jobs/17", Nothing),
];

#[test]
fn paths_of_every_runtime_are_read() {
    for (path, expected) in PATHS {
        let fill = |text: &str| {
            let text = text.replace("U_D", UID_IN_SLICE).replace("UID", UID);
            text.replace("HASH", HASH).replace("INNER", INNER).replace("ID", ID)
        };
        let (pod_uid, container, unit) = match expected {
            Container => (None, Some(ID), None),
            Inner => (None, Some(INNER), None),
            Named(name) => (None, Some(*name), None),
            Unit(unit) => (None, None, Some(*unit)),
            Pod => (Some(UID), Some(ID), None),
            PodInner => (Some(UID), Some(INNER), None),
            StaticPod => (Some(HASH), Some(ID), None),
            PodAlone => (Some(UID), None, None),
            Nothing => (None, None, None),
        };
        let expected = CgroupOwner {
            pod_uid: pod_uid.map(str::to_owned),
            container: container.map(str::to_owned),
            unit: unit.map(fill),
        };
        assert_eq!(owner_of_path(&fill(path)), expected, "{path}");
    }
}
