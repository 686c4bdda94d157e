//! The lab that people are shown: it comes up, its Pods ask one another, what is told of that fits
//! together, and nothing is left of it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use weir_testkit::{Need, Running, missing, wait_for, workspace_program};

const NEEDS: [Need; 7] = [
    Need::Root,
    Need::Btf,
    Need::Program("ip"),
    Need::Program("nft"),
    Need::Program("unshare"),
    Need::Program("dnsmasq"),
    Need::Program("nginx"),
];
const START: Duration = Duration::from_secs(100);
const PATIENCE: Duration = Duration::from_secs(60);

fn requests(base: &str, filter: &str) -> Result<(u64, u64)> {
    let url = format!(
        "{base}/api/v1/summary?layer=l7&level=deployment&from=now-5m&metrics=requests,errors\
         &filter={filter}"
    );
    let text = ureq::get(&url).call().with_context(|| url.clone())?.body_mut().read_to_string()?;
    let answer: Value = serde_json::from_str(&text)?;
    let total = |metric: &str| answer["totals"][metric].as_u64().unwrap_or(0);
    Ok((total("requests"), total("errors")))
}

#[test]
fn the_lab_shows_a_shop_and_leaves_nothing() -> Result<()> {
    if missing("lab", &NEEDS) {
        return Ok(());
    }
    let program = workspace_program("weir-lab", "weir-testkit", "WEIR_LAB_BIN")?;
    let mut lab = Running::start(Command::new(program).args(["--listen", "127.0.0.1:0"]))?;
    let pid = lab.pid();
    let base = lab.line_after("ready ", START)?;
    let deadline = Instant::now() + PATIENCE;
    wait_for("requests through the whole shop, and the ill Pod's errors", deadline, || {
        let deep = "client_deployment:checkout%20server_deployment:payments";
        let (deep, errors) = requests(&base, deep)?;
        let (lookups, _) = requests(&base, "client_deployment:frontend%20server_service:catalog")?;
        Ok((deep > 0 && errors > 0 && lookups > 0).then_some(()))
    })?;
    // every page that the ingress asks for makes the frontend ask for the products once
    let (pages, _) = requests(&base, "client_deployment:ingress-nginx%20server_service:frontend")?;
    let (products, _) = requests(&base, "client_deployment:frontend%20server_service:catalog")?;
    ensure!(products.abs_diff(pages) <= pages / 5 + 10, "{pages} pages, {products} products");
    lab.signal(rustix::process::Signal::INT)?;
    let status = lab.wait(PATIENCE)?;
    ensure!(status.success(), "the lab ended with {status}: {}", lab.stderr());
    let left = std::fs::read_dir("/run/netns")?.flatten().map(|entry| entry.file_name());
    let prefix = format!("weirlab-{pid}-");
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(&prefix)).collect();
    ensure!(left.is_empty(), "left behind: {left:?}; {}", lab.stderr());
    Ok(())
}
