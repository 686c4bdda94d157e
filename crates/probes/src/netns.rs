//! The network namespaces of this host, and doing something inside each.
//!
//! Used once, at start: connections made later are seen in whatever namespace they are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::ProbeError;

/// Namespaces beyond this many are not looked into.
const NAMESPACES_MAX: usize = 16_384;

/// Open handles of all namespaces that a task is in or a mount holds, by inode.
pub(crate) fn discover() -> BTreeMap<u64, File> {
    let mut found = BTreeMap::new();
    add(&mut found, Path::new("/proc/thread-self/ns/net"));
    for task in tasks() {
        add(&mut found, &task.join("ns/net"));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for path in nsfs_mounts(&mounts) {
        add(&mut found, &path);
    }
    found
}

/// Open handles of the namespaces of this task, and of the processes of a control group and of
/// those below it.
pub(crate) fn of_cgroup(directory: &Path) -> BTreeMap<u64, File> {
    let mut found = BTreeMap::new();
    add(&mut found, Path::new("/proc/thread-self/ns/net"));
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        // a group or a process may be gone by now
        let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        for pid in processes.lines() {
            add(&mut found, &Path::new("/proc").join(pid).join("ns/net"));
        }
        let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
        let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        pending.extend(below.map(|entry| entry.path()));
    }
    found
}

/// `/proc/PID/task/TID` of every thread: a thread may have a namespace of its own.
fn tasks() -> impl Iterator<Item = PathBuf> {
    let folders = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    let is_number = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    folders("/proc".into())
        .filter(is_number)
        .flat_map(move |process| folders(process.path().join("task")).map(|task| task.path()))
}

/// Mount points of network namespaces in the text of `/proc/self/mountinfo` (proc(5)).
fn nsfs_mounts(mountinfo: &str) -> impl Iterator<Item = PathBuf> {
    mountinfo.lines().filter_map(|line| {
        let (fields, tail) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let is_net = root.starts_with("net:[") && tail.starts_with("nsfs ");
        is_net.then(|| PathBuf::from(unescape(point)))
    })
}

/// The kernel writes blanks and backslashes of a path as three octal digits.
fn unescape(path: &str) -> String {
    let mut parts = path.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match digits {
            Some(byte) => {
                out.push(byte.into());
                out.push_str(&part[3..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

fn add(found: &mut BTreeMap<u64, File>, path: &Path) {
    // A task that ended meanwhile took its path with it.
    let Ok(inode) = fs::metadata(path).map(|metadata| metadata.ino()) else { return };
    if found.len() >= NAMESPACES_MAX || found.contains_key(&inode) {
        return;
    }
    if let Ok(file) = File::open(path) {
        found.insert(inode, file);
    }
}

/// Runs `job` in a thread of its own that is in the namespace.
pub(crate) fn run_in<T: Send>(
    namespace: &File,
    job: impl FnOnce() -> Result<T, ProbeError> + Send,
) -> Result<T, ProbeError> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|err| ProbeError::io("cannot enter a network namespace", err))?;
            job()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_namespaces_are_found_in_mountinfo() {
        let mountinfo = "\
22 1 0:21 / /proc rw,nosuid - proc proc rw
98 25 0:4 net:[4026532200] /run/netns/blue rw shared:9 - nsfs nsfs rw
99 25 0:4 mnt:[4026532201] /run/mntns/blue rw - nsfs nsfs rw
97 25 0:4 net:[4026532300] /run/netns/with\\040blank rw - nsfs nsfs rw
broken line
";
        let found: Vec<_> = nsfs_mounts(mountinfo).collect();
        assert_eq!(found, [Path::new("/run/netns/blue"), Path::new("/run/netns/with blank")]);
        assert_eq!(unescape("a\\zz"), "a\\zz");
    }
}
