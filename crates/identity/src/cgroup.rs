//! cgroup v2 ids to paths.
//!
//! The id that the kernel gives for a socket is the inode number of the group's directory
//! (`kernfs_node.id`; the same 64 bits on 64-bit kernels), so a walk over the mounted tree names
//! all of them. A walk happens only when an unknown id is asked for, and not too often.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aged::Aged;

/// Shortest time between two walks over the tree.
const WALK_INTERVAL_MS: i64 = 1_000;

/// Cache of paths by id; it outlives the groups.
#[derive(Debug)]
pub struct Cgroups {
    /// Where the cgroup v2 tree is mounted; `None` on a host without one.
    root: Option<PathBuf>,
    /// `None`: no such group when it was looked for.
    paths: Aged<u64, Option<Arc<str>>>,
    directories_max: usize,
    walked_ms: Option<i64>,
    /// Walks that ended at the limit, since the last call of `take_cut_walks`.
    cut_walks: u64,
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
        let paths = Aged::new(directories_max);
        Self { root, paths, directories_max, walked_ms: None, cut_walks: 0 }
    }

    /// Path of a group below the mount, `/` for the root group; `None` when it is not known.
    pub fn path(&mut self, id: u64, now_ms: i64) -> Option<Arc<str>> {
        if let Some(path) = self.paths.get(&id, now_ms) {
            return path.clone();
        }
        let is_due = self.walked_ms.is_none_or(|walked| now_ms - walked >= WALK_INTERVAL_MS);
        let root = self.root.clone()?;
        if !is_due {
            return None;
        }
        self.walked_ms = Some(now_ms);
        let mut found = self.walk(&root);
        let path = found.remove(&id);
        for (other, other_path) in found {
            if self.paths.peek(&other).is_none() {
                self.paths.insert(other, Some(other_path), now_ms);
            }
        }
        self.paths.insert(id, path.clone(), now_ms);
        path
    }

    /// How many walks did not see the whole tree since the last call.
    pub fn take_cut_walks(&mut self) -> u64 {
        std::mem::take(&mut self.cut_walks)
    }

    fn walk(&mut self, root: &Path) -> HashMap<u64, Arc<str>> {
        let (found, is_cut) = walk(root, self.directories_max);
        self.cut_walks += u64::from(is_cut);
        found
    }
}

/// Where the cgroup v2 tree is mounted, as a process sees it that sees `proc_root`.
pub(crate) fn mount_point(proc_root: &Path) -> Option<PathBuf> {
    cgroup2_mount(&fs::read_to_string(proc_root.join("self/mounts")).unwrap_or_default())
}

/// Paths from `root` on by id, at most so many, and whether there are more.
pub(crate) fn walk(root: &Path, directories_max: usize) -> (HashMap<u64, Arc<str>>, bool) {
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
                return (found, true);
            }
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            found.insert(entry.ino(), Arc::from(path.as_str()));
            pending.push((entry.path(), path));
        }
    }
    (found, false)
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
        assert_eq!(cgroups.path(inode(&late), 10_999), None);
        assert_eq!(cgroups.path(inode(&late), 11_000).as_deref(), Some("/late"));
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
