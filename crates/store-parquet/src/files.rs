//! Paths of the data directory, its lock, and the file operations that durability needs.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use weir_schema::Table;
use weir_store::{StoreError, StoreErrorKind};

use crate::errors::io_error;

/// Length of a file's partition.
pub const HOUR_MS: i64 = 3_600_000;
/// Name of the catalogue database in the data directory.
pub const CATALOGUE: &str = "catalogue.sqlite";
const LOCK: &str = "lock";

/// Start of the hour that a time lies in.
pub fn hour_of(ms: i64) -> i64 {
    ms.div_euclid(HOUR_MS) * HOUR_MS
}

/// Path of a file inside the data directory: `l4_flows/2026/11/21/13/42.parquet`.
pub fn relative_path(table: Table, hour_ms: i64, id: i64) -> Result<PathBuf, StoreError> {
    let time = jiff::Timestamp::from_millisecond(hour_ms).map_err(|error| {
        let message = format!("{hour_ms} ms is not a time that a file can be named by");
        StoreError::with_source(StoreErrorKind::Invalid, message, error)
    })?;
    let hour = time.to_zoned(jiff::tz::TimeZone::UTC);
    Ok(PathBuf::from(format!(
        "{}/{:04}/{:02}/{:02}/{:02}/{id}.parquet",
        table.name(),
        hour.year(),
        hour.month(),
        hour.day(),
        hour.hour()
    )))
}

/// Where a file goes that cannot be read.
pub fn corrupt_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".corrupt");
    PathBuf::from(name)
}

/// Creates the data directory, readable by its owner only, as flows tell who talks to whom.
pub fn create_data_dir(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt;
    let result = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    result.map_err(|error| io_error("create the data directory", path, error))?;
    fs::read_dir(path).map_err(|error| io_error("read the data directory", path, error))?;
    Ok(())
}

/// The right to use a data directory, held until dropped (or the process ends).
#[derive(Debug)]
pub struct DirLock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// Takes the lock of a data directory.
pub fn lock(data_dir: &Path) -> Result<DirLock, StoreError> {
    let path = data_dir.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file =
        options.open(&path).map_err(|error| io_error("open the lock file", &path, error))?;
    if let Err(errno) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        let mut holder = String::new();
        let _ = file.read_to_string(&mut holder);
        let holder = match holder.trim() {
            "" => "another process".to_owned(),
            pid => format!("process {pid}"),
        };
        let message = format!(
            "data directory {} is in use by {holder}; stop it or choose another directory",
            data_dir.display()
        );
        return Err(StoreError::with_source(StoreErrorKind::Busy, message, io::Error::from(errno)));
    }
    let written = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| io_error("write the lock file", &path, error))?;
    Ok(DirLock(file))
}

/// Makes renames and new names in a directory durable.
pub fn sync_dir(path: &Path) -> Result<(), StoreError> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.map_err(|error| io_error("sync directory", path, error))
}

/// Creates the directories of a relative path inside the data directory, durably.
pub fn create_parents(data_dir: &Path, relative: &Path) -> Result<(), StoreError> {
    let Some(parents) = relative.parent() else { return Ok(()) };
    let mut dir = data_dir.to_owned();
    for part in parents {
        let above = dir.clone();
        dir.push(part);
        match fs::create_dir(&dir) {
            Ok(()) => sync_dir(&above)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_error("create directory", &dir, error)),
        }
    }
    Ok(())
}

/// Removes what an interrupted flush left: Parquet files that `known` does not name, and files
/// that were not finished. What was set aside stays. Returns how many were removed.
pub fn remove_orphans(
    data_dir: &Path,
    table: Table,
    known: &HashSet<PathBuf>,
) -> Result<u64, StoreError> {
    let mut removed = 0;
    let mut pending = vec![data_dir.join(table.name())];
    while let Some(dir) = pending.pop() {
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(io_error("read directory", &dir, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| io_error("read directory", &dir, error))?.path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let ours = path.extension().is_some_and(|e| e == "parquet" || e == "tmp");
            if ours && !known.contains(&path) {
                fs::remove_file(&path)
                    .map_err(|error| io_error("remove unfinished file", &path, error))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Removes a file that nothing names any more, and the directories that it leaves empty.
pub fn remove_file_and_empty_parents(data_dir: &Path, path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    let mut dir = path.parent();
    while let Some(parent) = dir.filter(|d| *d != data_dir && d.starts_with(data_dir)) {
        // Fails where the directory still holds something, which is where to stop.
        if fs::remove_dir(parent).is_err() {
            break;
        }
        dir = parent.parent();
    }
    Ok(())
}
