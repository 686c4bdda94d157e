//! Tests of the spool: limits, restarts, crashes, a disk that cannot be written.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;

fn open(directory: &Path) -> Spool {
    Spool::open(directory, 1 << 20, 1 << 10, NOW_MS).expect("a spool")
}

/// Pushes a batch of `bytes` bytes with `rows` rows.
fn push(spool: &mut Spool, rows: u64, bytes: usize) -> (u64, Dropped) {
    let sequence = spool.next_sequence();
    let dropped = spool.push(sequence, rows, vec![7; bytes]);
    (sequence, dropped)
}

fn sequences(spool: &mut Spool) -> Vec<u64> {
    let mut found = Vec::new();
    while let (Some(next), _) = spool.first() {
        found.push(next.sequence);
        spool.remove(next.sequence);
    }
    found
}

#[test]
fn batches_wait_in_order_until_they_are_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut spool = open(dir.path());
    let (first, _) = push(&mut spool, 1, 10);
    let (second, _) = push(&mut spool, 2, 20);
    assert_eq!(spool.size(), (2, 30));
    let next = spool.first().0.expect("a batch");
    assert_eq!((next.sequence, next.rows, next.batch.len()), (first, 1, 10));
    spool.release();
    assert_eq!(spool.first().0.expect("again").sequence, first, "not acknowledged");
    spool.remove(first);
    assert_eq!(spool.first().0.expect("a batch").sequence, second);
    spool.remove(second);
    assert_eq!(spool.size(), (0, 0));
    assert!(spool.first().0.is_none());
}

#[test]
fn a_restart_finds_what_waited_with_its_numbers() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut spool = open(dir.path());
    let waiting: Vec<u64> = (0..5).map(|_| push(&mut spool, 3, 10).0).collect();
    spool.remove(waiting[0]);
    drop(spool);
    fs::write(dir.path().join("00000000000000000099-1.new"), b"half").expect("a torn file");
    let mut spool = open(dir.path());
    assert_eq!(spool.size(), (4, 40));
    let (new, _) = push(&mut spool, 1, 10);
    assert!(new > waiting[4], "{new} was used before");
    assert_eq!(sequences(&mut spool), [&waiting[1..], &[new]].concat());
    assert!(!dir.path().join("00000000000000000099-1.new").exists());
}

#[test]
fn numbers_do_not_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut spool = open(dir.path());
    let mut last = 0;
    for _ in 0..3 * RESERVED {
        let sequence = spool.next_sequence();
        assert!(sequence > last);
        last = sequence;
    }
    drop(spool);
    // the clock was set back, and nothing waits
    let mut spool = Spool::open(dir.path(), 1 << 20, 0, 0).expect("a spool");
    assert!(spool.next_sequence() > last, "the reservation holds");
    drop(spool);
    // the directory was lost, and time went on
    fs::remove_file(dir.path().join(SEQUENCE_FILE)).expect("removed");
    let later = NOW_MS + 10_000;
    let mut spool = Spool::open(dir.path(), 1 << 20, 0, later).expect("a spool");
    assert!(spool.next_sequence() > last, "the time holds");
}

#[test]
fn the_oldest_go_when_it_is_full_but_not_what_is_being_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut spool = Spool::open(dir.path(), 100, 0, NOW_MS).expect("a spool");
    let all: Vec<u64> = (0..3).map(|_| push(&mut spool, 5, 30).0).collect();
    assert_eq!(spool.first().0.expect("a batch").sequence, all[0]);
    let (newest, dropped) = push(&mut spool, 5, 30);
    assert_eq!((dropped.batches, dropped.rows), (1, 5));
    assert_eq!(spool.size(), (3, 90));
    assert_eq!(sequences(&mut spool), [all[0], all[2], newest]);
    let (_, dropped) = push(&mut spool, 9, 101);
    assert_eq!((dropped.batches, dropped.rows), (1, 9), "larger than the whole spool");
    assert_eq!(spool.size(), (0, 0));
}

#[test]
fn memory_takes_what_the_disk_does_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("spool");
    let mut spool = Spool::open(&path, 1 << 20, 100, NOW_MS).expect("a spool");
    let (on_disk, _) = push(&mut spool, 1, 40);
    fs::rename(&path, dir.path().join("away")).expect("moved away");
    let (first, _) = push(&mut spool, 2, 40);
    let (second, _) = push(&mut spool, 3, 40);
    let (third, dropped) = push(&mut spool, 4, 40);
    assert_eq!((dropped.batches, dropped.rows), (1, 2), "the memory has a limit too");
    assert_eq!(spool.only_in_memory().rows, 3 + 4);
    let (next, unreadable) = spool.first();
    assert_eq!(unreadable.rows, 1, "batch {on_disk} is gone with the disk");
    assert_eq!(next.expect("a batch").sequence, second);
    assert!(first < second);
    assert_eq!(sequences(&mut spool), [second, third]);
}

#[test]
fn rejected_batches_are_kept_for_a_while() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut spool = open(dir.path());
    for _ in 0..REJECTED_FILES_MAX + 4 {
        let (sequence, _) = push(&mut spool, 1, 10);
        spool.set_aside(sequence);
    }
    assert_eq!(spool.size(), (0, 0));
    let rejected = fs::read_dir(dir.path().join(REJECTED_DIRECTORY)).expect("kept");
    assert_eq!(rejected.count(), REJECTED_FILES_MAX);
    drop(spool);
    assert_eq!(open(dir.path()).size(), (0, 0), "they are not sent again");
}

#[test]
fn one_directory_serves_one_agent() {
    let dir = tempfile::tempdir().expect("a directory");
    let spool = open(dir.path());
    let err = Spool::open(dir.path(), 1, 1, NOW_MS).expect_err("locked");
    assert!(err.to_string().contains("in use by another weir"), "{err}");
    drop(spool);
    open(dir.path());
}

#[test]
fn unreadable_places_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, b"").expect("a file");
    let err = Spool::open(&file.join("spool"), 1, 1, NOW_MS).expect_err("below a file");
    assert!(err.to_string().contains("file/spool"), "{err}");
}

const CHILD_DIRECTORY: &str = "WEIR_TEST_SPOOL_CHILD";

/// Half of the test below: spools batches for ever and says each number when it is safe.
fn spool_for_ever(directory: &str) {
    let mut spool = open(Path::new(directory));
    loop {
        let (sequence, _) = push(&mut spool, 1, 100);
        println!("safe {sequence}");
    }
}

/// A spool that is killed in the middle of its work keeps what it said was safe, and never uses a
/// number again.
#[test]
fn kill_in_the_middle_loses_nothing_and_repeats_no_number() {
    if let Ok(directory) = std::env::var(CHILD_DIRECTORY) {
        return spool_for_ever(&directory);
    }
    let name = "spool::tests::kill_in_the_middle_loses_nothing_and_repeats_no_number";
    let dir = tempfile::tempdir().expect("a directory");
    let mut safe: Vec<u64> = Vec::new();
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", name, "--nocapture"])
            .env(CHILD_DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut said = 0;
        for line in lines {
            let line = line.expect("a line");
            if let Some(number) = line.strip_prefix("safe ") {
                let sequence = number.parse().expect("a number");
                assert!(!safe.contains(&sequence), "{sequence} was used twice");
                safe.push(sequence);
                said += 1;
            }
            if said == 5 + round {
                child.kill().expect("killed");
                break;
            }
        }
        child.wait().expect("ended");
        assert_eq!(said, 5 + round, "the child spooled");
    }
    let mut spool = Spool::open(dir.path(), 1 << 20, 0, NOW_MS).expect("a spool");
    let found = sequences(&mut spool);
    for sequence in &safe {
        assert!(found.contains(sequence), "{sequence} is lost");
    }
    assert!(spool.next_sequence() > *found.last().expect("some"));
}
