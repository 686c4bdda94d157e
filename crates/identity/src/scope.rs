//! Which control groups are observed, where that is only a part of the tree.
//!
//! Nodes that are containers (kind, k3d) share one kernel, so an agent on each of them sees the
//! sockets of all. What belongs to a node is what was made in a control group at or below the
//! node's own. Owns that decision, by the id that the kernel gives for a socket; does not own what
//! a group's path says (`container`).
//!
//! An id is looked for once: groups at or below the directory are learned as they appear, so that
//! those are known that are gone before their flows are read, and an id that a later walk does not
//! find is remembered as somebody else's.

use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use crate::aged::Aged;
use crate::cgroup::{Reason, Walked, Walks, mount_point};

/// Whether a socket is one of those that are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belonging {
    Here,
    Elsewhere,
    /// Not found, but not looked for thoroughly either. It counts as elsewhere for now.
    Unknown,
}

/// A control group that cannot be the one to observe.
#[derive(Debug, Error)]
pub enum ScopeError {
    #[error("{0:?} is no path of a control group: expected one like /kubepods.slice, without ..")]
    NoPath(String),
    #[error("no cgroup v2 file system is mounted, so control groups tell nothing of sockets")]
    NoMount,
    #[error("{0} is not a directory: expected a path as seen from the mount of cgroup v2")]
    NoGroup(PathBuf),
}

/// The directory of the control group `path`, which is as seen from the mount of cgroup v2.
pub fn scope_directory(proc_root: &Path, path: &str) -> Result<PathBuf, ScopeError> {
    let below = Path::new(path).strip_prefix("/");
    let below = below.map_err(|_| ScopeError::NoPath(path.to_owned()))?;
    if !below.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(ScopeError::NoPath(path.to_owned()));
    }
    let directory = mount_point(proc_root).ok_or(ScopeError::NoMount)?.join(below);
    if !directory.is_dir() {
        return Err(ScopeError::NoGroup(directory));
    }
    Ok(directory)
}

/// What is known of an id.
#[derive(Clone, Copy, Debug)]
enum Known {
    Here,
    /// Not found, and since when it has been asked for. A group that has sockets exists, so a walk
    /// that began later and did not find it says that it is elsewhere.
    Missed(i64),
}

/// Decides what is observed; without a directory, everything is.
#[derive(Debug)]
pub struct CgroupScope {
    tree: Option<Tree>,
}

#[derive(Debug)]
struct Tree {
    walks: Walks,
    known: Aged<u64, Known>,
    groups_max: usize,
    /// When the last walk began, if it saw everything.
    walked_all_ms: Option<i64>,
    cut_walks: u64,
}

impl CgroupScope {
    /// `groups_max`: how many ids are remembered, and how many directories a walk visits.
    pub fn new(directory: Option<PathBuf>, groups_max: usize) -> Self {
        let tree = directory.map(|directory| Tree {
            walks: Walks::new(directory),
            known: Aged::new(groups_max),
            groups_max,
            walked_all_ms: None,
            cut_walks: 0,
        });
        Self { tree }
    }

    /// Whether anything is left out.
    pub fn is_whole_host(&self) -> bool {
        self.tree.is_none()
    }

    /// Whom the sockets of a control group belong to.
    pub fn of(&mut self, cgroup_id: Option<u64>, now_ms: i64) -> Belonging {
        let Some(tree) = &mut self.tree else { return Belonging::Here };
        let Some(id) = cgroup_id else { return Belonging::Elsewhere };
        tree.of(id, now_ms)
    }

    /// Whether the sockets of a control group are observed.
    pub fn has(&mut self, cgroup_id: Option<u64>, now_ms: i64) -> bool {
        self.of(cgroup_id, now_ms) == Belonging::Here
    }

    /// Learns of new groups while they exist; to be called often.
    pub fn refresh(&mut self, now_ms: i64) {
        if let Some(tree) = &mut self.tree {
            tree.walk(Reason::Time, now_ms);
        }
    }

    /// How many walks did not see the whole tree since the last call.
    pub fn take_cut_walks(&mut self) -> u64 {
        self.tree.as_mut().map_or(0, |tree| std::mem::take(&mut tree.cut_walks))
    }
}

impl Tree {
    fn of(&mut self, id: u64, now_ms: i64) -> Belonging {
        let walked_ms = self.walked_all_ms;
        let missed_ms = match self.known.get(&id, now_ms) {
            Some(Known::Here) => return Belonging::Here,
            Some(Known::Missed(ms)) if walked_ms > Some(*ms) => return Belonging::Elsewhere,
            Some(Known::Missed(ms)) => Some(*ms),
            None => None,
        };
        if self.walk(Reason::UnknownId, now_ms) {
            if let Some(Known::Here) = self.known.peek(&id) {
                return Belonging::Here;
            }
            self.known.insert(id, Known::Missed(i64::MIN), now_ms);
            return Belonging::Elsewhere;
        }
        if missed_ms.is_none() {
            self.known.insert(id, Known::Missed(now_ms), now_ms);
        }
        Belonging::Unknown
    }

    /// Whether there was a walk that saw all.
    fn walk(&mut self, reason: Reason, now_ms: i64) -> bool {
        let Some(walked) = self.walks.walk(reason, self.groups_max, now_ms) else { return false };
        let Walked { paths, is_cut } = walked;
        self.cut_walks += u64::from(is_cut);
        for id in paths.into_keys() {
            self.known.insert(id, Known::Here, now_ms);
        }
        // what a walk did not find that was cut may be anywhere
        self.walked_all_ms = if is_cut { None } else { Some(now_ms) };
        !is_cut
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use Belonging::{Elsewhere, Here, Unknown};

    struct World {
        root: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let world = Self { root: tempfile::tempdir().expect("a directory") };
            world.group("node-a/pods");
            world.count("node-a", 1);
            world
        }

        fn group(&self, path: &str) -> u64 {
            let directory = self.root.path().join(path);
            fs::create_dir_all(&directory).expect("group");
            fs::metadata(&directory).expect("metadata").ino()
        }

        /// What the kernel says of groups below.
        fn count(&self, path: &str, groups: u32) {
            let text = format!("nr_descendants {groups}\nnr_dying_descendants 0\n");
            fs::write(self.root.path().join(path).join("cgroup.stat"), text).expect("written");
        }

        fn scope(&self) -> CgroupScope {
            CgroupScope::new(Some(self.root.path().join("node-a")), 16)
        }
    }

    #[test]
    fn at_or_below_is_here_and_everything_else_is_not() {
        let world = World::new();
        let mut scope = world.scope();
        let mut of = |id| scope.of(id, 10_000);
        assert_eq!(of(Some(world.group("node-a/pods"))), Here);
        assert_eq!(of(Some(world.group("node-a"))), Here);
        assert_eq!(of(None), Elsewhere);
        let mut scope = world.scope();
        let mut of = |id, now_ms| scope.of(Some(id), now_ms);
        let (other, longer) = (world.group("node-b"), world.group("node-ab"));
        assert_eq!(of(other, 10_000), Elsewhere);
        assert_eq!(of(longer, 10_001), Unknown, "looked just now");
        assert_eq!(of(longer, 10_050), Elsewhere);
        assert_eq!(of(other, 10_051), Elsewhere, "as it was found");
        let (one, two) = (world.group("node-c"), world.group("node-d"));
        assert_eq!((of(one, 10_060), of(two, 10_060)), (Unknown, Unknown));
        assert_eq!((of(one, 11_000), of(two, 11_000)), (Elsewhere, Elsewhere), "one walk for both");
    }

    #[test]
    fn without_a_directory_all_are_here() {
        let mut scope = CgroupScope::new(None, 16);
        assert!(scope.is_whole_host() && !World::new().scope().is_whole_host());
        assert!(scope.has(None, 0) && scope.has(Some(1), 0));
    }

    #[test]
    fn a_group_that_appears_is_found_at_once_and_outlives_itself() {
        let world = World::new();
        let mut scope = world.scope();
        scope.refresh(10_000);
        let late = world.group("node-a/pods/late");
        world.count("node-a", 2);
        assert_eq!(scope.of(Some(late), 10_010), Unknown, "looked at just now");
        assert_eq!(scope.of(Some(late), 10_050), Here);
        let brief = world.group("node-a/pods/brief");
        world.count("node-a", 3);
        scope.refresh(10_100);
        fs::remove_dir(world.root.path().join("node-a/pods/brief")).expect("removed");
        assert_eq!(scope.of(Some(brief), 60_000), Here);
    }

    #[test]
    fn walks_end_at_their_limit_and_say_so() {
        let world = World::new();
        for n in 0..30 {
            world.group(&format!("node-a/{n}"));
        }
        let mut scope = world.scope();
        scope.refresh(0);
        assert_eq!((scope.take_cut_walks(), scope.take_cut_walks()), (1, 0));
    }

    #[test]
    fn paths_are_seen_from_the_mount() {
        let world = World::new();
        let proc_root = world.root.path().join("proc");
        fs::create_dir_all(proc_root.join("self")).expect("self");
        let directory =
            |path: &str| scope_directory(&proc_root, path).map_err(|err| err.to_string());
        assert!(directory("/").expect_err("no mount").contains("no cgroup v2"));
        let mounts = format!("cgroup2 {} cgroup2 rw 0 0\n", world.root.path().display());
        fs::write(proc_root.join("self/mounts"), mounts).expect("mounts");
        assert_eq!(directory("/"), Ok(world.root.path().join("")));
        assert_eq!(directory("/node-a/"), Ok(world.root.path().join("node-a")));
        assert!(directory("/node-c").expect_err("none").contains("node-c is not a directory"));
        for path in ["", "node-a", "/../node-a", "/node-a/../x"] {
            let text = directory(path).expect_err(path);
            assert!(text.contains("is no path of a control group"), "{text}");
        }
    }
}
