//! Keeps the payload of chosen containers out, and that of control groups that are not observed.
//!
//! Owns which containers those are. What is passed on is decided when a connection is opened, here
//! and not in the kernel, because a container that has just begun is known here first; the kernel
//! is told, so that what follows costs nothing. Where it cannot be known whether a connection is
//! of such a container, it is not read either.

use weir_identity::{Belonging, Called, CgroupScope, Containment, Owners};
use weir_model::{L7Ends, Payload};
use weir_probes::PayloadSink;

/// Shortest beginning of an id that names a container.
const ID_DIGITS_MIN: usize = 12;
const ID_DIGITS: usize = 64;

/// Names of containers, whole ids, or the beginnings of ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerNames(Vec<String>);

impl ContainerNames {
    pub fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, container: &str) -> bool {
        self.0.iter().any(|name| {
            let is_short = container.len() == ID_DIGITS && name.len() >= ID_DIGITS_MIN;
            name == container || (is_short && container.starts_with(name.as_str()))
        })
    }

    /// Whether one of them can be no id: what a runtime calls its containers matters then.
    fn has_names(&self) -> bool {
        let is_id = |name: &String| {
            name.len() >= ID_DIGITS_MIN && name.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        !self.0.iter().all(is_id)
    }
}

/// A sink in front of another one.
pub struct Gate<'a> {
    pub scope: &'a mut CgroupScope,
    pub names: &'a ContainerNames,
    pub owners: &'a mut Owners,
    pub sink: &'a mut dyn PayloadSink,
    pub now_ms: i64,
    pub shut: Shut,
}

/// What the source need not hand over any more.
#[derive(Debug, Default)]
pub struct Shut {
    pub connections: Vec<u64>,
    pub cgroups: Vec<u64>,
    /// Connections of which nobody knows where they are from.
    pub unknown: u64,
}

impl Gate<'_> {
    fn is_shut(&mut self, ends: &L7Ends) -> bool {
        match self.scope.of(ends.cgroup_id, self.now_ms) {
            Belonging::Here => {}
            Belonging::Elsewhere => {
                self.shut.cgroups.extend(ends.cgroup_id);
                return true;
            }
            Belonging::Unknown => return true,
        }
        if self.names.is_empty() {
            return false;
        }
        let owner = self.owners.containment(ends.process.as_ref(), ends.cgroup_id, self.now_ms);
        match owner {
            Containment::Outside => false,
            Containment::Unknown => {
                self.shut.unknown += 1;
                true
            }
            Containment::In { container, called, by_cgroup } => {
                match called {
                    _ if self.names.has(&container) => {}
                    Called::Name(name)
                        if self.names.has(name.full()) || self.names.has(name.own()) => {}
                    Called::NotYetKnown if self.names.has_names() => {
                        self.shut.unknown += 1;
                        return true;
                    }
                    _ => return false,
                }
                // where only the process's group tells, the socket's is everybody's
                let cgroup = ends.cgroup_id.filter(|_| by_cgroup);
                self.shut.cgroups.extend(cgroup);
                true
            }
        }
    }
}

impl PayloadSink for Gate<'_> {
    fn opened(&mut self, id: u64, ends: L7Ends) {
        if self.is_shut(&ends) {
            self.shut.connections.push(id);
        } else {
            self.sink.opened(id, ends);
        }
    }

    // what was not opened is nothing to the sink behind
    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>) {
        self.sink.payload(id, position, payload);
    }

    fn closed(&mut self, id: u64, mono_ns: u64, is_reset: bool) {
        self.sink.closed(id, mono_ns, is_reset);
    }

    fn withdrawn(&mut self, id: u64, server: u64) {
        self.sink.withdrawn(id, server);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::SocketAddr;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;
    use std::sync::Arc;

    use weir_identity::{ContainerName, OwnersLimits, RuntimeNames};
    use weir_model::{Endpoint, Netns, Role};

    use super::*;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

    #[derive(Default)]
    struct Opened(Vec<u64>);

    impl PayloadSink for Opened {
        fn opened(&mut self, id: u64, _: L7Ends) {
            self.0.push(id);
        }
        fn payload(&mut self, _: u64, _: u64, _: &Payload<'_>) {}
        fn closed(&mut self, _: u64, _: u64, _: bool) {}
        fn withdrawn(&mut self, _: u64, _: u64) {}
    }

    fn ends(cgroup_id: Option<u64>) -> L7Ends {
        let end = || Endpoint::from("10.0.0.1:80".parse::<SocketAddr>().unwrap());
        L7Ends {
            role: Role::Server,
            local: end(),
            remote: end(),
            dialled: None,
            netns: Netns(1),
            cgroup_id,
            process: None,
            is_tls: false,
        }
    }

    #[test]
    fn connections_of_named_containers_and_unknown_ones_are_shut_out() {
        let root = tempfile::tempdir().expect("a directory");
        let (proc_root, groups) = (root.path().join("proc"), root.path().join("groups"));
        fs::create_dir_all(proc_root.join("self")).expect("self");
        let mounts = format!("cgroup2 {} cgroup2 rw 0 0\n", groups.display());
        fs::write(proc_root.join("self/mounts"), mounts).expect("mounts");
        let group = |path: &str| {
            fs::create_dir_all(groups.join(path)).expect("group");
            fs::metadata(groups.join(path)).expect("metadata").ino()
        };
        let docker = group(&format!("system.slice/docker-{ID}.scope"));
        let (lxc, unit) = (group("lxc.payload.web-1"), group("system.slice/ssh.service"));
        let runtime = Arc::new(RuntimeNames::default());
        let limits = OwnersLimits::default();
        let mut owners = Owners::with_names(&proc_root, limits, runtime.clone());
        let mut pass = |names: &[&str], directory: Option<PathBuf>| {
            let mut scope = CgroupScope::new(directory, 16);
            let names = ContainerNames(names.iter().map(|name| (*name).to_owned()).collect());
            let mut sink = Opened::default();
            let shut = Shut::default();
            let (scope, owners) = (&mut scope, &mut owners);
            let mut gate = Gate { scope, names: &names, owners, sink: &mut sink, now_ms: 0, shut };
            for (id, cgroup) in [(1, Some(docker)), (2, Some(lxc)), (3, Some(unit)), (4, None)] {
                gate.opened(id, ends(cgroup));
            }
            let Shut { connections, cgroups, unknown } = gate.shut;
            (sink.0, connections, cgroups, unknown)
        };
        assert_eq!(pass(&[], None), (vec![1, 2, 3, 4], vec![], vec![], 0));
        assert_eq!(pass(&[&ID[..12]], None), (vec![2, 3], vec![1, 4], vec![docker], 1));
        assert_eq!(pass(&["web-1"], None), (vec![1, 3], vec![2, 4], vec![lxc], 1));
        // a runtime's names count as well, and until they are known what may be named is not read
        assert_eq!(pass(&["shop-db-1"], None), (vec![1, 2, 3], vec![4], vec![], 1));
        runtime.begin(true);
        assert_eq!(pass(&["shop-db-1"], None), (vec![2, 3], vec![1, 4], vec![], 2));
        assert_eq!(pass(&["0123456789abcdef"], None), (vec![1, 2, 3], vec![4], vec![], 1));
        runtime.learn(ID, Some(&ContainerName::from("shop-web-1")), 0);
        assert_eq!(pass(&["shop-db-1"], None), (vec![1, 2, 3], vec![4], vec![], 1));
        assert_eq!(pass(&["shop-web-1"], None), (vec![2, 3], vec![1, 4], vec![docker], 1));
        assert_eq!(pass(&["web-1", ID], None), (vec![3], vec![1, 2, 4], vec![docker, lxc], 1));
        // a Pod's container by its own name, too
        runtime.learn(ID, Some(&ContainerName::in_pod("vault", "vault-0", "safe")), 0);
        for name in ["vault", "vault-0_safe_vault"] {
            assert_eq!(pass(&[name], None), (vec![2, 3], vec![1, 4], vec![docker], 1), "{name}");
        }
        assert_eq!(pass(&["vault-0"], None), (vec![1, 2, 3], vec![4], vec![], 1));
        let (payload, slice) = (groups.join("lxc.payload.web-1"), groups.join("system.slice"));
        assert_eq!(pass(&[], Some(payload)), (vec![2], vec![1, 3, 4], vec![docker], 0));
        assert_eq!(pass(&[ID], Some(slice)), (vec![3], vec![1, 2, 4], vec![docker], 0));
    }

    #[test]
    fn containers_are_named_in_full_or_by_the_beginning_of_an_id() {
        let has = |name: &str, container| ContainerNames(vec![name.to_owned()]).has(container);
        assert!(has(ID, ID) && has(&ID[..12], ID) && has(&ID[..40], ID) && has("web-1", "web-1"));
        assert!(!has(&ID[..11], ID), "too short to be meant");
        assert!(!has("web-1", "web-10") && !has("web-1-and-more", "web-1-and-more-still"));
    }
}
