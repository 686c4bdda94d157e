//! Damaged, foreign and newer data: said clearly, set aside, never deleted.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{bytes_sent, files, groups, one, open, parquet_files};
use rusqlite::Connection;
use weir_store::conformance::settle;
use weir_store::{Store, StoreError, StoreErrorKind, Stored};
use weir_store_parquet::{Options, ParquetStore};

fn error_of(dir: &Path) -> StoreError {
    match ParquetStore::open(Options::new(dir)) {
        Ok(_) => panic!("{} was opened", dir.display()),
        Err(error) => error,
    }
}

/// A closed store with a file for each of two hours, of 1 and 10 bytes sent.
fn two_files() -> (tempfile::TempDir, Vec<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.ingest(&one(1, 0, 1)).unwrap();
    store.ingest(&one(2, 360, 10)).unwrap();
    settle(&store);
    store.close().unwrap();
    let files = parquet_files(dir.path());
    assert_eq!(files.len(), 2);
    (dir, files)
}

fn flip_a_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn cut_short(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn overwrite(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::write(path, vec![b'x'; length as usize]).unwrap();
}

#[test]
fn a_corrupt_file_is_set_aside_and_the_rest_answers() {
    for (name, damage) in
        [("flipped", flip_a_bit as fn(&Path)), ("cut", cut_short), ("overwritten", overwrite)]
    {
        let (dir, files) = two_files();
        damage(&files[0]);
        let damaged = fs::read(&files[0]).unwrap();
        let check = |store: &ParquetStore| {
            let answer = groups(store, &[]);
            assert_eq!(answer.totals, [Some(10.0)], "{name}");
            assert_eq!(answer.incomplete.len(), 1, "{name}");
            let lacking = &answer.incomplete[0];
            assert_eq!((&*lacking.kind, lacking.count), ("corrupt", 1), "{name}");
            assert_eq!(store.status().unwrap().corrupt_files, 1, "{name}");
        };
        let store = open(dir.path());
        check(&store);
        assert_eq!(store.ingest(&one(3, 1, 100)).unwrap(), Stored::New, "{name}");
        assert_eq!(bytes_sent(&store), Some(110.0), "{name}");
        drop(store);
        let aside = files[0].with_extension("parquet.corrupt");
        assert_eq!(fs::read(aside).unwrap(), damaged, "{name}: what is left is kept");
        assert!(!files[0].exists(), "{name}");
        let store = open(dir.path());
        assert_eq!(bytes_sent(&store), Some(110.0), "{name}");
        assert_eq!(store.status().unwrap().corrupt_files, 1, "{name}");
        // Retention drops what is old, and leaves what was set aside.
        store.maintain(weir_store::conformance::START_MS + 10_000 * 3_600_000).unwrap();
        drop(store);
        assert_eq!(fs::read(files[0].with_extension("parquet.corrupt")).unwrap(), damaged);
    }
}

#[test]
fn a_missing_file_is_said_and_the_rest_answers() {
    let (dir, files) = two_files();
    fs::remove_file(&files[1]).unwrap();
    let store = open(dir.path());
    let answer = groups(&store, &[]);
    assert_eq!(answer.totals, [Some(1.0)]);
    assert_eq!(answer.incomplete[0].kind, "corrupt");
}

#[test]
fn compaction_sets_a_corrupt_file_aside_as_well() {
    let dir = tempfile::tempdir().unwrap();
    for sequence in 1..=3 {
        let store = open(dir.path());
        store.ingest(&one(sequence, 0, 10_u64.pow(sequence as u32))).unwrap();
        store.close().unwrap();
    }
    let files = parquet_files(dir.path());
    assert_eq!(files.len(), 3);
    flip_a_bit(&files[1]);
    let store = open(dir.path());
    settle(&store);
    assert_eq!(parquet_files(dir.path()).len(), 1, "the two good files are joined");
    assert_eq!(bytes_sent(&store), Some(1_010.0));
    assert_eq!(store.status().unwrap().corrupt_files, 1);
}

#[test]
fn a_journal_row_that_cannot_be_read_is_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.ingest(&one(1, 0, 1)).unwrap();
    store.ingest(&one(2, 0, 10)).unwrap();
    drop(store);
    let catalogue = Connection::open(dir.path().join("catalogue.sqlite")).unwrap();
    catalogue.execute("UPDATE journal SET body = x'00ff' WHERE id = 1", []).unwrap();
    let store = open(dir.path());
    assert_eq!(bytes_sent(&store), Some(10.0));
    settle(&store);
    drop(store);
    let kept: i64 =
        catalogue.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = error_of(dir.path());
    assert_eq!(error.kind, StoreErrorKind::Busy);
    let expected = format!("is in use by process {}", std::process::id());
    assert!(error.message.contains(&expected), "{error}");
    store.close().unwrap();
    open(dir.path());
}

#[test]
fn what_an_interrupted_flush_left_is_removed_and_nothing_else() {
    let (dir, files_before) = two_files();
    let hour = files_before[0].parent().unwrap();
    for name in ["77.parquet", "78.tmp", "79.parquet.corrupt", "README"] {
        fs::write(hour.join(name), "left").unwrap();
    }
    let store = open(dir.path());
    assert_eq!(bytes_sent(&store), Some(11.0));
    let exists = |name: &str| hour.join(name).exists();
    assert!(!exists("77.parquet") && !exists("78.tmp"));
    assert!(exists("79.parquet.corrupt") && exists("README"));
}

#[test]
fn data_of_a_newer_program_are_refused_and_left_alone() {
    for (what, change) in
        [("the catalogue", "PRAGMA user_version = 99"), ("a file", "UPDATE files SET format = 99")]
    {
        let (dir, _) = two_files();
        let path = dir.path().join("catalogue.sqlite");
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let before = fs::read(&path).unwrap();
        let error = error_of(dir.path());
        assert_eq!(error.kind, StoreErrorKind::TooNew, "{what}: {error}");
        assert!(error.message.contains("99"), "{what}: {error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
    }
}

#[test]
fn a_foreign_catalogue_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("catalogue.sqlite");
    fs::write(&path, "this is no database, but long enough to be taken for a header").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(error_of(dir.path()).kind, StoreErrorKind::Corrupt);
    assert_eq!(fs::read(&path).unwrap(), before);

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(other);
    let error = error_of(dir.path());
    assert_eq!(error.kind, StoreErrorKind::Corrupt);
    assert!(error.message.contains("is not a catalogue of weir"), "{error}");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = error_of(&path);
        assert_eq!(error.kind, StoreErrorKind::Io, "{error}");
        assert!(error.message.contains(path.to_str().unwrap()), "{error}");
    }
    assert_eq!(files(dir.path()), [file]);
}
