//! Feeds the parsers with inputs that nobody would send, on the stable compiler:
//! `cargo run --release -p weir-l7 --example fuzz -- http1 --seconds 600`.
//!
//! It begins with the corpus in `crates/l7/fuzz/corpus`, changes inputs at random, and goes on
//! with those that led to something new (another kind of exchange, another loss). What panics,
//! takes too long or holds too much is written to `crates/l7/fuzz/findings`.

mod mutate;
mod targets;

use std::collections::HashSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use mutate::{Random, mutate};
use targets::{TARGETS, Target};

const SECONDS_DEFAULT: u64 = 60;
/// Longest time for one input. Inputs are small: a parser that takes longer is not linear.
const INPUT_TIME_MAX: Duration = Duration::from_millis(500);
const TRIES: u32 = 3;
/// Most inputs that are gone on with.
const INPUTS_MAX: usize = 20_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = arguments.first().map_or("", String::as_str);
    let value = |flag: &str| {
        let at = arguments.iter().position(|argument| argument == flag)?;
        arguments.get(at + 1)
    };
    let number = |flag| value(flag)?.parse().ok();
    let Some((name, target)) = TARGETS.iter().find(|(name, _)| *name == named) else {
        let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        eprintln!("usage: fuzz {} [--seconds N] [--seed N] [--input FILE]", names.join("|"));
        return ExitCode::FAILURE;
    };
    if let Some(path) = value("--input") {
        return replay(*target, path);
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = number("--seed").unwrap_or(now.as_nanos() as u64);
    let seconds = Duration::from_secs(number("--seconds").unwrap_or(SECONDS_DEFAULT));
    run(name, *target, seconds, seed)
}

fn run(name: &str, target: Target, time: Duration, seed: u64) -> ExitCode {
    let mut inputs = corpus(name);
    if inputs.is_empty() {
        eprintln!("no corpus for {name} in {}", room().join("corpus").display());
        return ExitCode::FAILURE;
    }
    println!("{name}: {} inputs to begin with, seed {seed}", inputs.len());
    let mut random = Random::new(seed);
    let mut seen = HashSet::new();
    let (began, mut runs, mut slowest) = (Instant::now(), 0u64, Duration::ZERO);
    // The corpus is run as it is, first.
    let mut as_is = inputs.clone().into_iter();
    while began.elapsed() < time {
        let input = as_is.next().unwrap_or_else(|| {
            let mut input = inputs[random.below(inputs.len())].clone();
            mutate(&mut input, &inputs[random.below(inputs.len())], &mut random);
            input
        });
        let (result, took) = best_of(target, &input);
        slowest = slowest.max(took);
        runs += 1;
        let problem = match result {
            Err(_) => "panics",
            Ok(_) if took > INPUT_TIME_MAX => "takes too long",
            Ok(led_to) => {
                if seen.insert(led_to) && inputs.len() < INPUTS_MAX {
                    inputs.push(input);
                }
                continue;
            }
        };
        let at = keep(name, seed, runs, &input);
        eprintln!("{name} {problem} on {}, seed {seed}, run {runs}", at.display());
        return ExitCode::FAILURE;
    }
    println!(
        "{name}: {runs} runs, {} ways to end, slowest {} us, no finding",
        seen.len(),
        slowest.as_micros()
    );
    ExitCode::SUCCESS
}

/// Runs one input, a finding, alone.
fn replay(target: Target, path: &str) -> ExitCode {
    let input = match fs::read(path) {
        Ok(input) => input,
        Err(error) => {
            eprintln!("cannot read {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (result, took) = best_of(target, &input);
    println!("{} bytes, {} us", input.len(), took.as_micros());
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs an input; again where it took long, which may be the machine's fault.
fn best_of(target: Target, input: &[u8]) -> (std::thread::Result<u64>, Duration) {
    let mut best = Duration::MAX;
    let mut tries = 0;
    loop {
        let before = Instant::now();
        let result = catch_unwind(|| target(input));
        best = best.min(before.elapsed());
        tries += 1;
        if result.is_err() || best <= INPUT_TIME_MAX || tries == TRIES {
            return (result, best);
        }
    }
}

fn room() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(room().join("corpus").join(name)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn keep(name: &str, seed: u64, runs: u64, input: &[u8]) -> PathBuf {
    let at = room().join("findings").join(format!("{name}-{seed}-{runs}"));
    let kept = fs::create_dir_all(room().join("findings")).and_then(|()| fs::write(&at, input));
    if let Err(error) = kept {
        eprintln!("cannot write {}: {error}", at.display());
    }
    at
}
