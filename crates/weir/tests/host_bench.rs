//! `make bench` itself works: a short round of B2 runs, is written down, and weir's count in it is
//! the kernel's own.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weir_testkit::{Need, missing, workspace_program};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/bench/run");

#[test]
fn host_bench_counts_every_connection_of_a_short_round() -> Result<()> {
    let programs = ["python3", "wrk", "nginx", "bpftool", "clang"].map(Need::Program);
    if missing("bench", &[&[Need::Root, Need::Btf][..], &programs].concat()) {
        return Ok(());
    }
    let weir = workspace_program("weir", "weir", "WEIR_BIN")?;
    let results = weir_testkit::scratch_dir()?;
    let output = Command::new("python3")
        .arg(SCRIPT)
        .args(["--quick", "--only", "churn", "--weir"])
        .arg(weir)
        .arg("--results")
        .arg(results.path())
        .output()
        .context("start the benchmark")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{}: {said}", output.status);
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("| B2 churn |"), "no verdict on B2: {page}\n{said}");

    let file = fs::read_dir(results.path())?.next().context("raw slots were kept")??;
    let raw: Value = serde_json::from_slice(&fs::read(file.path())?)?;
    let slots = raw["slots"]["churn"].as_array().context("the slots of the load")?;
    let ours: Vec<_> = slots.iter().filter(|slot| slot["collector"] == "weir").collect();
    assert_eq!(ours.len(), 2, "one slot for cost, one with BPF statistics: {said}");
    for slot in ours {
        for end in ["client", "server"] {
            let pair = &slot["said"]["counted"][end]["connections"];
            assert!(pair[1].as_u64() > Some(0), "{slot}");
            assert_eq!(pair[0], pair[1], "connections at the {end}: {slot}");
        }
    }
    Ok(())
}
