//! What a control group's path says: container or systemd unit.
//!
//! Pure and table-driven. Paths are of cgroup v2 and v1, of the systemd and the cgroupfs driver;
//! the deepest component that says something wins, so a container inside a container is itself.

/// Whom a control group belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupOwner {
    /// Container id, in full.
    pub container: Option<String>,
    /// systemd unit (`nginx.service`, `session-3.scope`), where there is no container.
    pub unit: Option<String>,
}

/// How runtimes write a container's id into a path component: what stands before and after it.
/// Ids of OCI runtimes are 64 lower-case hexadecimal digits.
const CONTAINER_FORMS: &[(&str, &str)] = &[
    // systemd driver
    ("docker-", ".scope"),
    ("cri-containerd-", ".scope"),
    ("crio-", ".scope"),
    ("libpod-", ".scope"),
    ("nerdctl-", ".scope"),
    // cgroupfs driver: /docker/ID, /kubepods/.../podUID/ID, /libpod_parent/libpod-ID
    ("", ""),
    ("crio-", ""),
    ("libpod-", ""),
];

/// Components before a container's name where the name is free text (LXC, Incus).
const NAMED_FORMS: &[&str] = &["lxc.payload."];
/// Parents whose children are named containers: /lxc/NAME of LXC on cgroup v1.
const NAMED_PARENTS: &[&str] = &["lxc", "lxc.payload"];

/// systemd units that hold processes.
const UNIT_SUFFIXES: &[&str] = &[".service", ".scope"];

const ID_DIGITS: usize = 64;

/// Reads a path as `/proc/PID/cgroup` or the cgroup file system give it.
pub fn owner_of_path(path: &str) -> CgroupOwner {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    for (depth, component) in components.iter().enumerate().rev() {
        let parent = depth.checked_sub(1).and_then(|above| components.get(above));
        if let Some(container) = container_of(component, parent.copied()) {
            return CgroupOwner { container: Some(container), unit: None };
        }
    }
    let unit = components.iter().rev().find(|component| is_unit(component));
    CgroupOwner { container: None, unit: unit.map(|unit| (*unit).to_owned()) }
}

fn container_of(component: &str, parent: Option<&str>) -> Option<String> {
    // SLICE:RUNTIME:ID, a systemd-style path given to the cgroupfs driver
    let component = component.rsplit(':').next().unwrap_or(component);
    for (before, after) in CONTAINER_FORMS {
        let id = component.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        if let Some(id) = id.filter(|id| is_id(id)) {
            return Some(id.to_owned());
        }
    }
    let named = NAMED_FORMS.iter().find_map(|before| component.strip_prefix(before));
    if let Some(name) = named.filter(|name| !name.is_empty()) {
        return Some(name.to_owned());
    }
    parent.is_some_and(|parent| NAMED_PARENTS.contains(&parent)).then(|| component.to_owned())
}

fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_unit(component: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| component.len() > suffix.len() && component.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";
    const INNER: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    enum Is {
        Container,
        Inner,
        Named(&'static str),
        Unit(&'static str),
        Nothing,
    }
    use Is::{Container, Inner, Named, Nothing, Unit};

    /// Paths as the runtimes write them, `ID` and `INNER` in the place of the digits.
    const PATHS: &[(&str, Is)] = &[
        // docker
        ("/system.slice/docker-ID.scope", Container),
        ("/docker/ID", Container),
        ("/docker/ID/system.slice/nginx.service", Container),
        ("/system.slice/docker-ID.scope/docker/INNER", Inner),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope", Container),
        ("/actions_job/ID", Container),
        ("/system.slice/docker.service", Unit("docker.service")),
        // containerd: Kubernetes with either driver, nerdctl
        (
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2f1c6a3e_8a51_4f0e_9b0f\
             _0d7b6d1c9c55.slice/cri-containerd-ID.scope",
            Container,
        ),
        (
            "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod9a.slice/\
             cri-containerd-ID.scope",
            Container,
        ),
        ("/kubepods/besteffort/pod2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55/ID", Container),
        ("/kubepods/pod2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55/ID/", Container),
        (
            "/system.slice/containerd.service/kubepods-besteffort-pod2f1c.slice:cri-containerd:ID",
            Container,
        ),
        ("/system.slice/nerdctl-ID.scope", Container),
        ("/default/ID", Container),
        ("/system.slice/containerd.service", Unit("containerd.service")),
        // CRI-O, whose monitor is no container
        ("/kubepods.slice/kubepods-podab12.slice/crio-ID.scope", Container),
        ("/kubepods.slice/kubepods-podab12.slice/crio-ID.scope/container", Container),
        ("/kubepods/burstable/pod2f1c6a3e/crio-ID", Container),
        (
            "/kubepods.slice/kubepods-podab12.slice/crio-conmon-ID.scope",
            Unit("crio-conmon-ID.scope"),
        ),
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
        ("/../../kubepods-pod9a.slice/cri-containerd-ID.scope", Container),
        // LXC
        ("/lxc.payload.web-1", Named("web-1")),
        ("/lxc.payload.web-1/system.slice/nginx.service", Named("web-1")),
        ("/lxc/web-1", Named("web-1")),
        // systemd units
        ("/system.slice/nginx.service", Unit("nginx.service")),
        (
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            Unit("postgresql@15-main.service"),
        ),
        ("/system.slice/ssh.service", Unit("ssh.service")),
        ("/user.slice/user-1000.slice/session-3.scope", Unit("session-3.scope")),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/syncthing.service",
            Unit("syncthing.service"),
        ),
        ("/init.scope", Unit("init.scope")),
        ("/system.slice/foo.service/worker", Unit("foo.service")),
        // nothing to say
        ("/", Nothing),
        ("", Nothing),
        ("/user.slice", Nothing),
        ("/.scope", Nothing),
        ("/docker/abc", Nothing),
        ("/batch/jobs/17", Nothing),
    ];

    #[test]
    fn paths_of_every_runtime_are_read() {
        for (path, expected) in PATHS {
            let fill = |text: &str| text.replace("INNER", INNER).replace("ID", ID);
            let expected = match expected {
                Container => CgroupOwner { container: Some(ID.to_owned()), unit: None },
                Inner => CgroupOwner { container: Some(INNER.to_owned()), unit: None },
                Named(name) => CgroupOwner { container: Some((*name).to_owned()), unit: None },
                Unit(unit) => CgroupOwner { container: None, unit: Some(fill(unit)) },
                Nothing => CgroupOwner::default(),
            };
            assert_eq!(owner_of_path(&fill(path)), expected, "{path}");
        }
    }
}
