//! cgroup v2 ids to paths.
//!
//! The id that the kernel gives for a socket is the inode number of the group's directory
//! (`kernfs_node.id`; the same 64 bits on 64-bit kernels), so a walk over the mounted tree names
//! all of them. A walk happens when the kernel's own count of groups has changed, so that those are
//! known that are gone before anybody asks, or when an unknown id is asked for; and not too often.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::{DirEntryExt, FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aged::Aged;

/// Shortest time between two looks whether to walk.
const LOOK_INTERVAL_MS: i64 = 50;
/// Rest after a walk for each directory that it found, where there is a reason to walk again:
/// reading one takes some ten microseconds, so walks take a hundredth of a core at most.
const REST_MS: i64 = 1;
/// The same where there is none: a group that went and one that came leave the kernel's count as
/// it was. At least and at most so long.
const IDLE_REST_MS: i64 = 10;
const IDLE_REST_MS_MIN: i64 = 1_000;
const IDLE_REST_MS_MAX: i64 = 10_000;
/// The file has some thirty lines.
const STAT_BYTES_MAX: usize = 2048;

/// When to walk over a tree.
#[derive(Debug)]
pub(crate) struct Walks {
    root: PathBuf,
    /// When the last one began, how many directories it found, and how many groups the kernel
    /// counted then.
    last: Option<(i64, usize, Vec<u8>)>,
    looked_ms: i64,
    /// The kernel's count of groups, open for as long as it can be read.
    stat: Option<File>,
}

/// Why it is asked whether to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    UnknownId,
    Time,
}

impl Walks {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, last: None, looked_ms: i64::MIN, stat: None }
    }

    /// The groups, if some may have appeared since the last walk; else `None`.
    pub(crate) fn walk(
        &mut self,
        reason: Reason,
        directories_max: usize,
        now_ms: i64,
    ) -> Option<Walked> {
        // clocks may be set back
        let since = |then_ms: i64| now_ms.saturating_sub(then_ms).saturating_abs();
        if since(self.looked_ms) < LOOK_INTERVAL_MS {
            return None;
        }
        if let Some((walked_ms, found, _)) = &self.last
            && since(*walked_ms) < *found as i64 * REST_MS
        {
            return None;
        }
        self.looked_ms = now_ms;
        // it counts the groups below, those included that are gone and that sockets outlive
        let stat = self.stat();
        if let Some((walked_ms, found, before)) = &self.last {
            let idle_ms = *found as i64 * IDLE_REST_MS;
            let idle_ms = idle_ms.clamp(IDLE_REST_MS_MIN, IDLE_REST_MS_MAX);
            if reason == Reason::Time && *before == stat && since(*walked_ms) < idle_ms {
                return None;
            }
        }
        let walked = walk(&self.root, directories_max);
        self.last = Some((now_ms, walked.paths.len(), stat));
        Some(walked)
    }

    /// The text of `cgroup.stat`, nothing where it cannot be read. It is kept open, because it is
    /// read many times a second; of a group that was removed it cannot be read any more, and there
    /// may be another one of its name.
    fn stat(&mut self) -> Vec<u8> {
        let read = |stat: File| {
            let mut text = [0; STAT_BYTES_MAX];
            let length = stat.read_at(&mut text, 0).ok()?;
            Some((stat, text[..length].to_vec()))
        };
        let kept = self.stat.take().and_then(read);
        let found = kept.or_else(|| read(File::open(self.root.join("cgroup.stat")).ok()?));
        let (stat, text) = found.unzip();
        self.stat = stat;
        text.unwrap_or_default()
    }
}

/// What a walk found.
#[derive(Debug)]
pub(crate) struct Walked {
    /// Paths from the root on, by id.
    pub(crate) paths: HashMap<u64, Arc<str>>,
    /// Whether there are more.
    pub(crate) is_cut: bool,
}

/// Cache of paths by id; it outlives the groups.
#[derive(Debug)]
pub struct Cgroups {
    /// Over the mounted tree of cgroup v2; `None` on a host without one.
    walks: Option<Walks>,
    /// `None`: no such group when it was looked for.
    paths: Aged<u64, Option<Arc<str>>>,
    directories_max: usize,
    /// Walks that ended at the limit, since the last call of `take_cut_walks`.
    cut_walks: u64,
    /// Paths that walks found since the last call of `take_found`.
    found: Vec<Arc<str>>,
}

impl Cgroups {
    /// Finds the cgroup v2 mount in `PROC_ROOT/self/mounts`: `/sys/fs/cgroup` on most hosts,
    /// `/sys/fs/cgroup/unified` where v1 is used next to it.
    ///
    /// `directories_max` is both how many directories a walk visits and how many ids are kept.
    pub fn new(proc_root: &Path, directories_max: usize) -> Self {
        Self::at(mount_point(proc_root), directories_max)
    }

    fn at(root: Option<PathBuf>, directories_max: usize) -> Self {
        let (walks, paths) = (root.map(Walks::new), Aged::new(directories_max));
        Self { walks, paths, directories_max, cut_walks: 0, found: Vec::new() }
    }

    /// Path of a group below the mount, `/` for the root group; `None` when it is not known.
    pub fn path(&mut self, id: u64, now_ms: i64) -> Option<Arc<str>> {
        if let Some(path) = self.paths.get(&id, now_ms) {
            return path.clone();
        }
        if !self.walk(Reason::UnknownId, now_ms) {
            return None;
        }
        let path = self.paths.peek(&id).cloned().flatten();
        self.paths.insert(id, path.clone(), now_ms);
        path
    }

    /// Learns of new groups while they exist; to be called often.
    pub fn refresh(&mut self, now_ms: i64) {
        self.walk(Reason::Time, now_ms);
    }

    /// How many walks did not see the whole tree since the last call.
    pub fn take_cut_walks(&mut self) -> u64 {
        std::mem::take(&mut self.cut_walks)
    }

    /// Paths that were not known before, since the last call; at most as many as are kept.
    pub fn take_found(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.found)
    }

    /// Whether there was a walk.
    fn walk(&mut self, reason: Reason, now_ms: i64) -> bool {
        let Some(walks) = &mut self.walks else { return false };
        let Some(walked) = walks.walk(reason, self.directories_max, now_ms) else { return false };
        self.cut_walks += u64::from(walked.is_cut);
        for (id, path) in walked.paths {
            if self.paths.peek(&id).is_none() {
                if self.found.len() < self.directories_max {
                    self.found.push(path.clone());
                }
                self.paths.insert(id, Some(path), now_ms);
            }
        }
        true
    }
}

/// Where the cgroup v2 tree is mounted, as a process sees it that sees `proc_root`.
pub(crate) fn mount_point(proc_root: &Path) -> Option<PathBuf> {
    cgroup2_mount(&fs::read_to_string(proc_root.join("self/mounts")).unwrap_or_default())
}

/// Finds the groups from `root` on, at most so many.
fn walk(root: &Path, directories_max: usize) -> Walked {
    let mut found = HashMap::new();
    if let Ok(metadata) = fs::metadata(root) {
        found.insert(metadata.ino(), Arc::from("/"));
    }
    let mut pending = vec![(root.to_owned(), String::new())];
    while let Some((directory, path)) = pending.pop() {
        // a group may be gone by now
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if found.len() >= directories_max {
                return Walked { paths: found, is_cut: true };
            }
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            found.insert(entry.ino(), Arc::from(path.as_str()));
            pending.push((entry.path(), path));
        }
    }
    Walked { paths: found, is_cut: false }
}

/// The mount point of the first cgroup v2 file system in the text of `/proc/self/mounts`.
fn cgroup2_mount(mounts: &str) -> Option<PathBuf> {
    for line in mounts.lines() {
        let mut words = line.split(' ');
        let (_, point, kind) = (words.next(), words.next(), words.next());
        if kind == Some("cgroup2") {
            return point.map(unescape).map(PathBuf::from);
        }
    }
    None
}

/// Undoes the octal escapes of `/proc/mounts` (blank, tab, newline, backslash).
fn unescape(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let mut out = text.to_owned();
    for (escape, character) in escapes {
        out = out.replace(escape, character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_wherever_they_are() {
        let cases = [
            (
                "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime 0 0",
                "/sys/fs/cgroup",
            ),
            (
                "tmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
                 cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
                "/sys/fs/cgroup/unified",
            ),
            ("none /mnt/my\\040groups cgroup2 rw 0 0", "/mnt/my groups"),
        ];
        for (mounts, expected) in cases {
            assert_eq!(cgroup2_mount(mounts), Some(PathBuf::from(expected)));
        }
        assert_eq!(cgroup2_mount("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"), None);
    }

    fn inode(path: &Path) -> u64 {
        fs::metadata(path).expect("metadata").ino()
    }

    #[test]
    fn ids_are_inodes_and_outlive_their_directories() {
        let root = tempfile::tempdir().expect("a directory");
        let deep = root.path().join("system.slice/nginx.service");
        fs::create_dir_all(&deep).expect("group");
        let id = inode(&deep);
        let mut cgroups = Cgroups::at(Some(root.path().to_owned()), 16);
        assert_eq!(cgroups.path(id, 0).as_deref(), Some("/system.slice/nginx.service"));
        assert_eq!(cgroups.path(inode(root.path()), 0).as_deref(), Some("/"));
        fs::remove_dir(&deep).expect("removed");
        assert_eq!(cgroups.path(id, 5_000).as_deref(), Some("/system.slice/nginx.service"));
    }

    #[test]
    fn walks_are_rate_limited() {
        let root = tempfile::tempdir().expect("a directory");
        let mut cgroups = Cgroups::at(Some(root.path().to_owned()), 16);
        assert_eq!(cgroups.path(1, 10_000), None);
        let late = root.path().join("late");
        fs::create_dir(&late).expect("group");
        assert_eq!(cgroups.path(inode(&late), 10_049), None);
        assert_eq!(cgroups.path(inode(&late), 10_050).as_deref(), Some("/late"));
    }

    #[test]
    fn a_group_is_learned_while_it_exists() {
        let root = tempfile::tempdir().expect("a directory");
        let count = |groups: u32| {
            let text = format!("nr_descendants {groups}\nnr_dying_descendants 0\n");
            fs::write(root.path().join("cgroup.stat"), text).expect("written");
        };
        count(0);
        let mut cgroups = Cgroups::at(Some(root.path().to_owned()), 16);
        cgroups.refresh(10_000);
        let brief = root.path().join("brief");
        fs::create_dir(&brief).expect("group");
        let id = inode(&brief);
        count(1);
        cgroups.refresh(10_049); // looked at just now
        assert!(cgroups.paths.peek(&id).is_none());
        cgroups.refresh(10_050);
        fs::remove_dir(&brief).expect("removed");
        assert_eq!(cgroups.path(id, 20_000).as_deref(), Some("/brief"));
    }

    #[test]
    fn walks_over_many_groups_are_rare() {
        let root = tempfile::tempdir().expect("a directory");
        for n in 0..300 {
            fs::create_dir(root.path().join(n.to_string())).expect("group");
        }
        let mut walks = Walks::new(root.path().to_owned());
        let mut times = |reason, is_changing| {
            let start_ms = 1_000_000 * i64::from(is_changing) + 10_000_000 * reason as i64;
            let is_walked = |ms: &i64| {
                if is_changing {
                    fs::write(root.path().join("cgroup.stat"), format!("{ms}")).expect("written");
                }
                walks.walk(reason, 1_000, start_ms + *ms).is_some()
            };
            (0..7_000).step_by(100).filter(is_walked).take(3).collect::<Vec<i64>>()
        };
        assert_eq!(times(Reason::Time, true), [0, 400, 800]);
        assert_eq!(times(Reason::Time, false), [0, 3_100, 6_200], "nothing seems to have changed");
        assert_eq!(times(Reason::UnknownId, false), [0, 400, 800]);
    }

    #[test]
    fn a_tree_that_does_not_change_is_left_alone_for_a_while() {
        let root = tempfile::tempdir().expect("a directory");
        fs::write(root.path().join("cgroup.stat"), "nr_descendants 0").expect("written");
        let mut walks = Walks::new(root.path().to_owned());
        let mut is_walked = |ms| walks.walk(Reason::Time, 16, ms).is_some();
        let walked: Vec<i64> = (0..3_000).step_by(100).filter(|ms| is_walked(*ms)).collect();
        assert_eq!(walked, [0, 1_000, 2_000]);
    }

    #[test]
    fn a_walk_ends_at_its_limit_and_says_so() {
        let root = tempfile::tempdir().expect("a directory");
        for n in 0..10 {
            fs::create_dir(root.path().join(n.to_string())).expect("group");
        }
        let mut cgroups = Cgroups::at(Some(root.path().to_owned()), 4);
        assert_eq!(cgroups.path(1, 0), None);
        assert_eq!((cgroups.take_cut_walks(), cgroups.take_cut_walks()), (1, 0));
    }

    #[test]
    fn a_host_without_the_tree_knows_nothing() {
        assert_eq!(Cgroups::at(None, 4).path(1, 0), None);
    }
}
