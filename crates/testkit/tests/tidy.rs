//! The house rules that a compiler does not check: arrows between rooms, file sizes, headers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which rooms a room may name; the table of ARCHITECTURE.md, which this test also reads.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("schema", &["model"]),
    ("query", &["model", "schema"]),
    ("l7", &["model"]),
    ("topology", &["model"]),
    ("probes", &["model"]),
    ("identity", &["model"]),
    ("kubernetes", &["model"]),
    ("wire", &["model", "schema"]),
    ("store", &["model", "schema", "query"]),
    ("store-parquet", &["store", "query", "schema", "model"]),
    ("agent", &["probes", "identity", "l7", "wire", "schema", "model"]),
    (
        "server",
        &["wire", "store", "query", "topology", "identity", "kubernetes", "model", "schema"],
    ),
    ("weir", &["agent", "server", "kubernetes", "store", "store-parquet", "query", "schema"]),
    ("testkit", &["model", "schema", "query", "wire", "store", "probes", "identity"]),
];

/// Longest hand-written source file, in lines.
const FILE_LINES_MAX: usize = 600;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace")
}

fn files(dir: &Path, extensions: &[&str], out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            let is_made = ["node_modules", "dist", "target", "bench-results"].contains(&&*name);
            if !is_made && !name.starts_with('.') {
                files(&path, extensions, out);
            }
        } else if extensions.iter().any(|e| name.ends_with(e)) {
            out.push(path);
        }
    }
}

#[test]
fn rooms_name_only_the_rooms_below_them() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates").flatten() {
        let room = entry.file_name().to_string_lossy().into_owned();
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).expect("a manifest");
        let Some(may) = allowed.get(&*room) else {
            wrong.push(format!("crates/{room} is not in the table of arrows"));
            continue;
        };
        let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let section = section.split("\n[").next().unwrap_or_default();
        for line in section.lines() {
            let Some(named) = line.strip_prefix("weir-") else { continue };
            let named = named.split(['.', ' ', '=']).next().unwrap_or_default();
            if !may.contains(&named) {
                wrong.push(format!("{room} names {named}; it may name {may:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_arrows_stands_in_the_architecture_page() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (room, may) in ARROWS {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {room}"));
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let mut named: Vec<&str> =
            last.split(',').map(str::trim).filter(|n| !n.is_empty() && *n != "-").collect();
        named.sort_unstable();
        let mut expected: Vec<&str> = may.to_vec();
        expected.sort_unstable();
        assert_eq!(named, expected, "the row of {room} in ARCHITECTURE.md");
    }
}

#[test]
fn only_probes_names_libbpf_or_writes_unsafe() {
    let mut sources = Vec::new();
    files(&root().join("crates"), &[".rs", "Cargo.toml"], &mut sources);
    let here = Path::new(file!()).file_name().expect("a name");
    for path in sources {
        let shown = path.display().to_string();
        if shown.contains("crates/probes/") || path.file_name() == Some(here) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        for word in ["libbpf", "unsafe {", "unsafe fn", "allow(unsafe_code)"] {
            assert!(!text.contains(word), "{shown} has {word:?}; only crates/probes may");
        }
    }
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    let mut sources = Vec::new();
    files(&root().join("crates"), &[".rs", ".c", ".h"], &mut sources);
    let mut wrong = Vec::new();
    for path in sources {
        let text = fs::read_to_string(&path).expect("a source file");
        let shown = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{shown} has {lines} lines, more than {FILE_LINES_MAX}"));
        }
        let is_rust = shown.ends_with(".rs");
        if is_rust && !text.starts_with("//!") {
            wrong.push(format!("{shown} does not begin with a //! header"));
        }
        if !is_rust && !text.contains("SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause") {
            wrong.push(format!("{shown} has no licence line"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dependencies_have_a_line_that_says_why() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    // A comment speaks for the lines below it up to the next blank line or comment.
    let mut is_explained = false;
    for line in section.lines() {
        if line.is_empty() || line.starts_with("weir-") {
            continue;
        }
        if line.starts_with('#') {
            is_explained = true;
            continue;
        }
        assert!(is_explained, "Cargo.toml: {line} has no line that says why");
    }
}
