//! `weir-lab`: a small cluster with a shop in it and Weir on top, until Ctrl-C.
//!
//! Owns the command line and the end of it all. The cluster is `weir_testkit::cluster`, the shop
//! is `shop`, what runs in its Pods is `app`.

mod app;
mod shop;

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use weir_testkit::cluster::Observed;
use weir_testkit::{Need, missing};

/// Lays out a small cluster on this machine, with a shop in it and Weir on top.
#[derive(Parser)]
struct Args {
    /// Where Weir's pages and API are served.
    #[arg(long, default_value = "127.0.0.1:9347")]
    listen: String,
    /// Ends after so many seconds; 0: at Ctrl-C.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

/// What runs in the Pods.
#[derive(Subcommand)]
enum Part {
    #[command(hide = true)]
    Serve(app::Serve),
    #[command(hide = true)]
    Visit(app::Visit),
}

const NEEDS: [Need; 7] = [
    Need::Root,
    Need::Btf,
    Need::Program("ip"),
    Need::Program("nft"),
    Need::Program("unshare"),
    Need::Program("dnsmasq"),
    Need::Program("nginx"),
];

fn main() -> Result<()> {
    let Args { listen, seconds, part } = Args::parse();
    match part {
        Some(Part::Serve(serve)) => app::serve(serve),
        Some(Part::Visit(visit)) => app::visit(&visit),
        None => run(&listen, seconds),
    }
}

fn run(listen: &str, seconds: u64) -> Result<()> {
    if missing("weir-lab", &NEEDS) {
        bail!("this machine lacks what the lab needs");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From here on Ctrl-C ends the lab in its order, and not in the middle of something.
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    eprintln!("lab: laying out three nodes and a shop");
    let mut shop = shop::Shop::open().context("open the shop")?;
    let observed = Observed::start(&shop.cluster, &[0, 1, 2], listen).context("start Weir")?;
    println!("ready {}", observed.weir.base());
    std::io::stdout().flush()?;
    eprintln!(
        "lab: open {} in a browser; Ctrl-C ends it and removes everything",
        observed.weir.base()
    );
    let ended = runtime.block_on(async {
        let limit = Duration::from_secs(if seconds == 0 { u64::MAX / 4 } else { seconds });
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        let end = tokio::time::sleep(limit);
        tokio::pin!(end);
        loop {
            tokio::select! {
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
                () = &mut end => return Ok(()),
                _ = tick.tick() => shop.tend()?,
            }
        }
    });
    eprintln!("lab: removing everything");
    drop(observed);
    drop(shop);
    ended
}
