//! Small files of secrets: whole or not at all, and for their owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Writes beside and renames, so that a crash leaves the file either as it was or whole. The file
/// belongs to whoever owns the folder: what root makes for a server that runs as somebody else can
/// be read by that server.
pub fn write(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let partial = dir.join(format!("{name}.partial"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&partial)?;
    let (folder, own) = (fs::metadata(dir)?, file.metadata()?);
    if (folder.uid(), folder.gid()) != (own.uid(), own.gid()) {
        // Refused to all but root, whose file would be of no use to the folder's owner.
        let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
    }
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&partial, dir.join(name))?;
    fs::File::open(dir)?.sync_all()
}

/// What tells one state of a file from another without reading it: a file that was replaced has
/// another inode, one that was written to another time or size. `None`: there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    bytes: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(path: &Path) -> Option<Self> {
        let data = fs::metadata(path).ok()?;
        let changed = (data.mtime(), data.mtime_nsec());
        Some(Self { inode: data.ino(), bytes: data.size(), changed })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_every_change_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert_eq!(Stamp::of(&path), None);
        write(dir.path(), "secret", "one").unwrap();
        let first = Stamp::of(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        write(dir.path(), "secret", "two").unwrap();
        assert_ne!(Stamp::of(&path), first, "of the same length, at the same moment");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_root_makes_is_the_folders_owners() {
        let dir = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(dir.path(), Some(1_000), Some(1_000)).is_err() {
            println!("skipped: not root, who alone gives files away");
            return;
        }
        write(dir.path(), "secret", "one").unwrap();
        let data = fs::metadata(dir.path().join("secret")).unwrap();
        assert_eq!((data.uid(), data.gid()), (1_000, 1_000));
    }
}
