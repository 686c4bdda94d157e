//! The owner of a socket: process name, container and workload in one answer.

use std::path::Path;
use std::sync::Arc;

use weir_model::Process;

use crate::aged::Aged;
use crate::cgroup::Cgroups;
use crate::container::{CgroupOwner, owner_of_path};
use crate::process::Processes;
use crate::runtime::{Called, RuntimeNames};

/// Digits of a container id that its workload's name shows, as runtimes' own tools do.
const SHORT_ID_DIGITS: usize = 12;
const OCI_ID_DIGITS: usize = 64;

/// What runs the process on a plain host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// The unit's name, or the container's name or short id.
    pub name: Arc<str>,
    /// `systemd` or `container`.
    pub kind: &'static str,
}

/// Who is at one end of a conversation; what is not known is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Owner {
    pub process: Option<Arc<str>>,
    /// The Pod that kubelet made the control group for.
    pub pod_uid: Option<Arc<str>>,
    pub container: Option<Arc<str>>,
    pub workload: Option<Workload>,
}

/// Sizes of the caches behind [`Owners`]. A full cache forgets what was not used for longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnersLimits {
    pub processes_max: usize,
    pub cgroups_max: usize,
    /// Processes looked up in `/proc` per second; names stay cut past it.
    pub process_reads_per_s_max: u32,
}

impl Default for OwnersLimits {
    fn default() -> Self {
        Self { processes_max: 16_384, cgroups_max: 16_384, process_reads_per_s_max: 2_000 }
    }
}

/// Whether something runs in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containment {
    /// By its id or name. The socket's own control group tells it, or its process's.
    In {
        container: Arc<str>,
        /// What a runtime calls it, beside its id.
        called: Called,
        by_cgroup: bool,
    },
    Outside,
    /// Neither control group could be read.
    Unknown,
}

/// Pod, container and workload of a control group.
#[derive(Clone, Debug, Default)]
struct Home {
    pod_uid: Option<Arc<str>>,
    container: Option<Arc<str>>,
    workload: Option<Workload>,
}

/// Finds owners by process and control group.
#[derive(Debug)]
pub struct Owners {
    processes: Processes,
    cgroups: Cgroups,
    homes: Aged<Arc<str>, Home>,
    names: Arc<RuntimeNames>,
}

impl Owners {
    /// `proc_root` is where the host's `/proc` is seen.
    pub fn new(proc_root: &Path, limits: OwnersLimits) -> Self {
        Self::with_names(proc_root, limits, Arc::default())
    }

    /// With what container runtimes call their containers.
    pub fn with_names(proc_root: &Path, limits: OwnersLimits, names: Arc<RuntimeNames>) -> Self {
        let reads = limits.process_reads_per_s_max;
        Self {
            processes: Processes::new(proc_root, limits.processes_max, reads),
            cgroups: Cgroups::new(proc_root, limits.cgroups_max),
            homes: Aged::new(limits.cgroups_max),
            names,
        }
    }

    /// The owner of a socket that belongs to `process` and was made in `cgroup_id`.
    ///
    /// The socket's own group decides. Where that says nothing (a host that runs its containers
    /// on cgroup v1 has every socket in the root group of v2), the process's groups do.
    pub fn find(
        &mut self,
        process: Option<&Process>,
        cgroup_id: Option<u64>,
        now_ms: i64,
    ) -> Owner {
        let name = process.map(|process| self.processes.name(process, now_ms));
        let mut home = Home::default();
        if let Some(path) = cgroup_id.and_then(|id| self.cgroups.path(id, now_ms)) {
            home = self.home(path, now_ms, owner_of_path);
        }
        if home.pod_uid.is_none()
            && home.workload.is_none()
            && let Some(text) = process.and_then(|p| self.processes.cgroup_file(p, now_ms))
        {
            home = self.home(text, now_ms, owner_of_file);
        }
        let Home { pod_uid, container, mut workload } = home;
        if let Some(Called::Name(name)) = container.as_ref().map(|id| self.called(id, now_ms)) {
            workload = Some(Workload { name: name.full().clone(), kind: "container" });
        }
        Owner { process: name, pod_uid, container, workload }
    }

    /// Names are looked up each time: they are learned after the container was first seen, and
    /// change. A name that stands in the path is the container's own.
    fn called(&self, container: &Arc<str>, now_ms: i64) -> Called {
        match container.len() == OCI_ID_DIGITS {
            true => self.names.called(container, now_ms),
            false => Called::Nothing,
        }
    }

    /// The container of a socket, looked for as [`Self::find`] does.
    pub fn containment(
        &mut self,
        process: Option<&Process>,
        cgroup_id: Option<u64>,
        now_ms: i64,
    ) -> Containment {
        let path = cgroup_id.and_then(|id| self.cgroups.path(id, now_ms));
        let mut is_known = path.is_some();
        if let Some(path) = path
            && let Some(container) = self.home(path, now_ms, owner_of_path).container
        {
            let called = self.called(&container, now_ms);
            return Containment::In { container, called, by_cgroup: true };
        }
        if let Some(text) = process.and_then(|p| self.processes.cgroup_file(p, now_ms)) {
            is_known = true;
            if let Some(container) = self.home(text, now_ms, owner_of_file).container {
                let called = self.called(&container, now_ms);
                return Containment::In { container, called, by_cgroup: false };
            }
        }
        if is_known { Containment::Outside } else { Containment::Unknown }
    }

    /// Learns of new control groups while they exist; to be called often. A new container's name
    /// is asked for then, so that it is known when the first window ends.
    pub fn refresh(&mut self, now_ms: i64) {
        self.cgroups.refresh(now_ms);
        for path in self.cgroups.take_found() {
            if let Some(container) = owner_of_path(&path).container {
                self.called(&Arc::from(container), now_ms);
            }
        }
    }

    /// How many walks over the control groups were cut since the last call.
    pub fn take_cut_walks(&mut self) -> u64 {
        self.cgroups.take_cut_walks()
    }

    fn home(&mut self, text: Arc<str>, now_ms: i64, read: fn(&str) -> CgroupOwner) -> Home {
        if let Some(home) = self.homes.get(&text, now_ms) {
            return home.clone();
        }
        let home = home_of(read(&text));
        self.homes.insert(text, home.clone(), now_ms);
        home
    }
}

/// The owner that a `/proc/PID/cgroup` names: a Pod or container in any hierarchy, else the unit of the
/// one that systemd manages (`0::` or `name=systemd`).
fn owner_of_file(text: &str) -> CgroupOwner {
    let mut unit = None;
    for line in text.lines() {
        // hierarchy:controllers:path
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let owner = owner_of_path(path);
        if owner.container.is_some() || owner.pod_uid.is_some() {
            return owner;
        }
        if matches!(controllers, "" | "name=systemd") {
            unit = unit.or(owner.unit);
        }
    }
    CgroupOwner { unit, ..CgroupOwner::default() }
}

fn home_of(owner: CgroupOwner) -> Home {
    let pod_uid = owner.pod_uid.as_deref().map(Arc::from);
    match (owner.container, owner.unit) {
        (Some(container), _) => {
            let is_id = container.len() == OCI_ID_DIGITS;
            let short = container.get(..SHORT_ID_DIGITS).filter(|_| is_id).unwrap_or(&container);
            let workload = Workload { name: Arc::from(short), kind: "container" };
            Home { pod_uid, container: Some(Arc::from(&*container)), workload: Some(workload) }
        }
        (None, Some(unit)) => {
            let workload = Workload { name: Arc::from(unit), kind: "systemd" };
            Home { pod_uid, container: None, workload: Some(workload) }
        }
        (None, None) => Home { pod_uid, ..Home::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::ContainerName;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    const ID: &str = "3f9a0b7c5d2e4f6188a7b6c5d4e3f2011020304050607080910aabbccddeeff0";

    /// A host with one process, `nginx` with pid 7, and a cgroup v2 tree.
    struct FakeHost {
        root: tempfile::TempDir,
    }

    impl FakeHost {
        fn new(cgroup_file: &str) -> Self {
            let root = tempfile::tempdir().expect("a directory");
            let process = root.path().join("proc/7");
            fs::create_dir_all(&process).expect("process");
            fs::create_dir_all(root.path().join("proc/self")).expect("self");
            fs::write(process.join("comm"), "nginx\n").expect("comm");
            fs::write(process.join("cgroup"), cgroup_file).expect("cgroup");
            let tree = root.path().join("groups");
            fs::create_dir(&tree).expect("tree");
            let mounts = format!("cgroup2 {} cgroup2 rw 0 0\n", tree.display());
            fs::write(root.path().join("proc/self/mounts"), mounts).expect("mounts");
            Self { root }
        }

        fn group(&self, path: &str) -> u64 {
            let directory = self.root.path().join("groups").join(path);
            fs::create_dir_all(&directory).expect("group");
            fs::metadata(&directory).expect("metadata").ino()
        }

        fn find(&self, pid: Option<u32>, cgroup_id: Option<u64>) -> (String, String, String) {
            let process = pid.map(|pid| Process { pid, name: Arc::from("nginx") });
            let proc_root = self.root.path().join("proc");
            let mut owners = Owners::new(&proc_root, OwnersLimits::default());
            let owner = owners.find(process.as_ref(), cgroup_id, 0);
            let text = |text: Option<Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
            let workload = owner.workload.map(|w| Arc::from(format!("{} {}", w.kind, w.name)));
            (text(owner.process), text(owner.container), text(workload))
        }
    }

    fn expect(found: (String, String, String), process: &str, container: &str, workload: &str) {
        let expected = (process.to_owned(), container.to_owned(), workload.to_owned());
        assert_eq!(found, expected);
    }

    #[test]
    fn the_sockets_group_decides() {
        let host = FakeHost::new("0::/system.slice/systemd.service\n");
        let docker = host.group(&format!("system.slice/docker-{ID}.scope"));
        let unit = host.group("system.slice/nginx.service");
        expect(host.find(Some(7), Some(docker)), "nginx", ID, "container 3f9a0b7c5d2e");
        expect(host.find(Some(7), Some(unit)), "nginx", "-", "systemd nginx.service");
        expect(host.find(None, Some(docker)), "-", ID, "container 3f9a0b7c5d2e");
    }

    #[test]
    fn hosts_on_cgroup_v1_are_read_from_the_process() {
        let v1 = format!(
            "12:pids:/docker/{ID}\n11:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n0::/\n"
        );
        let host = FakeHost::new(&v1);
        let root = host.group("");
        expect(host.find(Some(7), Some(root)), "nginx", ID, "container 3f9a0b7c5d2e");

        let unit = "9:memory:/system.slice/x.service\n1:name=systemd:/system.slice/ssh.service\n";
        let host = FakeHost::new(unit);
        expect(host.find(Some(7), None), "nginx", "-", "systemd ssh.service");
    }

    #[test]
    fn the_pod_is_told_with_its_container() {
        const UID: &str = "2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55";
        let host = FakeHost::new(&format!("5:memory:/kubepods/burstable/pod{UID}\n0::/\n"));
        let container = host.group(&format!("kubepods/pod{UID}/{ID}"));
        let (pod, root) = (host.group(&format!("kubepods/pod{UID}")), host.group(""));
        let mut owners = Owners::new(&host.root.path().join("proc"), OwnersLimits::default());
        let process = Process { pid: 7, name: Arc::from("nginx") };
        let found = owners.find(None, Some(container), 0);
        assert_eq!((found.pod_uid.as_deref(), found.container.as_deref()), (Some(UID), Some(ID)));
        let found = owners.find(None, Some(pod), 0);
        assert_eq!((found.pod_uid.as_deref(), found.container), (Some(UID), None));
        let found = owners.find(Some(&process), Some(root), 0);
        assert_eq!((found.pod_uid.as_deref(), found.container), (Some(UID), None));
    }

    #[test]
    fn containment_says_what_it_knows_and_from_where() {
        let v1 = format!("12:pids:/docker/{ID}\n0::/\n");
        let host = FakeHost::new(&v1);
        let docker = host.group(&format!("system.slice/docker-{ID}.scope"));
        let (root, unit) = (host.group(""), host.group("system.slice/nginx.service"));
        let proc_root = host.root.path().join("proc");
        let process = |pid| Process { pid, name: Arc::from("nginx") };
        let find = |pid: Option<u32>, cgroup_id| {
            let mut owners = Owners::new(&proc_root, OwnersLimits::default());
            owners.containment(pid.map(process).as_ref(), cgroup_id, 0)
        };
        let called = Called::Nothing;
        let inside = |by_cgroup| {
            let called = called.clone();
            Containment::In { container: Arc::from(ID), called, by_cgroup }
        };
        assert_eq!(find(Some(7), Some(docker)), inside(true));
        assert_eq!(find(None, Some(docker)), inside(true));
        assert_eq!(find(Some(7), Some(root)), inside(false));
        assert_eq!(find(Some(7), None), inside(false));
        assert_eq!(find(None, Some(unit)), Containment::Outside);
        assert_eq!(find(None, Some(1)), Containment::Unknown);
        assert_eq!(find(Some(8), None), Containment::Unknown);
    }

    #[test]
    fn runtimes_names_replace_ids_as_soon_as_they_are_known() {
        const UID: &str = "2f1c6a3e-8a51-4f0e-9b0f-0d7b6d1c9c55";
        let host = FakeHost::new("0::/\n");
        let plain = host.group(&format!("system.slice/docker-{ID}.scope"));
        let pod = host.group(&format!("kubepods/pod{UID}/{ID}"));
        let named_in_path = host.group("lxc.payload.web");
        let names = Arc::new(RuntimeNames::new(8));
        names.begin(true);
        let limits = OwnersLimits::default();
        let mut owners = Owners::with_names(&host.root.path().join("proc"), limits, names.clone());
        let mut name_of = |cgroup_id| {
            let owner = owners.find(None, Some(cgroup_id), 0);
            owner.workload.map(|workload| workload.name.to_string())
        };
        assert_eq!(name_of(plain).as_deref(), Some("3f9a0b7c5d2e"));
        assert_eq!(names.take_wanted(8), [Arc::from(ID)]);
        names.learn(ID, Some(&ContainerName::from("shop-web-1")), 0);
        assert_eq!(name_of(plain).as_deref(), Some("shop-web-1"));
        names.learn(ID, Some(&ContainerName::in_pod("nginx", "web-1", "shop")), 0);
        assert_eq!(name_of(pod).as_deref(), Some("web-1_shop_nginx"));
        assert_eq!(name_of(named_in_path).as_deref(), Some("web"));
        assert_eq!(names.take_wanted(8), [] as [Arc<str>; 0]);
    }

    #[test]
    fn names_of_new_containers_are_asked_for_before_anybody_speaks() {
        let host = FakeHost::new("0::/\n");
        host.group("system.slice/ssh.service");
        let names = Arc::new(RuntimeNames::new(8));
        names.begin(true);
        let limits = OwnersLimits::default();
        let mut owners = Owners::with_names(&host.root.path().join("proc"), limits, names.clone());
        owners.refresh(0);
        assert_eq!(names.take_wanted(8), [] as [Arc<str>; 0]);
        host.group(&format!("system.slice/docker-{ID}.scope"));
        owners.refresh(10_000);
        assert_eq!(names.take_wanted(8), [Arc::from(ID)]);
        owners.refresh(20_000);
        assert_eq!(names.take_wanted(8), [] as [Arc<str>; 0], "once");
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let host = FakeHost::new("5:memory:/jobs/1\n0::/\n");
        expect(host.find(Some(7), Some(1)), "nginx", "-", "-");
        expect(host.find(Some(8), None), "nginx", "-", "-");
        expect(host.find(None, None), "-", "-", "-");
    }
}
