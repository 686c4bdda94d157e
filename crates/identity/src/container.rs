//! What a control group's path says: Pod, container or systemd unit.
//!
//! Pure and table-driven. Paths are of cgroup v2 and v1, of the systemd and the cgroupfs driver;
//! the deepest component that says something wins, so a container inside a container is itself,
//! and a node that is itself a container (kind, k3d) does not hide the Pods that it runs.

/// Whom a control group belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupOwner {
    /// UID of the Pod as kubelet names its groups: `metadata.uid`, or of a static Pod the hash of
    /// its manifest, which its mirror in the API has as `kubernetes.io/config.mirror`.
    pub pod_uid: Option<String>,
    /// Container id, in full.
    pub container: Option<String>,
    /// systemd unit (`nginx.service`, `session-3.scope`), where there is neither.
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

/// How kubelet writes a Pod's UID into a path component: what stands before and after it, and
/// whether dashes are written as underscores. What stands before the form is the class of service
/// and the root that kubelet was given (`kubepods-burstable-`, `kubelet-kubepods-`); the Pods of
/// the class *guaranteed* stand directly below the root.
const POD_FORMS: &[(&str, &str, bool)] = &[
    // systemd driver; a dash in the name of a slice would mean a level of the tree
    ("-pod", ".slice", true),
    // cgroupfs driver
    ("pod", "", false),
];

const ID_DIGITS: usize = 64;
/// A hash of a static Pod's manifest.
const POD_HASH_DIGITS: usize = 32;
/// Lengths of the groups of digits of a UID (RFC 9562).
const UID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// Reads a path as `/proc/PID/cgroup` or the cgroup file system give it.
pub fn owner_of_path(path: &str) -> CgroupOwner {
    let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let pod = components.iter().enumerate().rev().find_map(|(depth, component)| {
        let uid = pod_of(component)?;
        Some((depth, uid))
    });
    let container = components.iter().enumerate().rev().find_map(|(depth, component)| {
        let parent = depth.checked_sub(1).and_then(|above| components.get(above));
        let container = container_of(component, parent.copied())?;
        // a container above the Pod is the node that the Pod runs on
        pod.as_ref().is_none_or(|(pod_depth, _)| depth >= *pod_depth).then_some(container)
    });
    let mut owner = CgroupOwner { pod_uid: pod.map(|(_, uid)| uid), container, unit: None };
    if owner.pod_uid.is_none() && owner.container.is_none() {
        let unit = components.iter().rev().find(|component| is_unit(component));
        owner.unit = unit.map(|unit| (*unit).to_owned());
    }
    owner
}

fn pod_of(component: &str) -> Option<String> {
    // POD_SLICE:RUNTIME:ID, a systemd-style path given to the cgroupfs driver
    let component = component.split(':').next().unwrap_or(component);
    for (before, after, is_underscored) in POD_FORMS {
        let Some(rest) = component.strip_suffix(after) else { continue };
        let Some((above, uid)) = rest.rsplit_once(before) else { continue };
        if above.is_empty() == *is_underscored {
            continue; // `kubepods-pod...slice` has a root before it, `pod...` has none
        }
        let uid = if *is_underscored { uid.replace('_', "-") } else { uid.to_owned() };
        if is_pod_uid(&uid) {
            return Some(uid);
        }
    }
    None
}

fn is_pod_uid(text: &str) -> bool {
    let is_hash = text.len() == POD_HASH_DIGITS && is_hexadecimal(text);
    let groups = text.split('-').map(|group| if is_hexadecimal(group) { group.len() } else { 0 });
    is_hash || groups.eq(UID_GROUPS)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
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
    text.len() == ID_DIGITS && is_hexadecimal(text)
}

fn is_unit(component: &str) -> bool {
    UNIT_SUFFIXES.iter().any(|suffix| component.len() > suffix.len() && component.ends_with(suffix))
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
