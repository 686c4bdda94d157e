//! What a server's log says, and whether the rows say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use crate::watch::{Count, Key, Told, Watch, in_time};

/// One request in a log.
#[derive(Clone, Debug)]
pub struct Line {
    pub key: Key,
    pub outcome: String,
    /// Microseconds between which the wait for the answer's first byte was.
    pub us: Option<[u64; 2]>,
}

/// A server's log.
pub struct Log(pub Vec<Line>);

/// Nothing but numbers names single things in the paths of these tests.
fn template(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let is_id = |segment: &str| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
    let fold = |segment| if is_id(segment) { "{id}" } else { segment };
    path.split('/').map(fold).collect::<Vec<_>>().join("/")
}

impl Line {
    /// A line that our own servers write.
    pub fn of(line: &str, is_tls: bool) -> Self {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"));
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let us = value["us"].as_array().map(|pair| {
            [0, 1].map(|at| pair.get(at).and_then(Value::as_u64).expect("a time in microseconds"))
        });
        Self {
            key: Key {
                protocol: text("protocol"),
                is_tls,
                method: text("method"),
                path: template(&text("path")),
                status: value["status"].as_u64(),
                grpc_status: value["grpc_status"].as_u64(),
            },
            outcome: text("outcome"),
            us,
        }
    }

    fn is_error(&self) -> bool {
        self.outcome != "answered"
            || self.key.status.is_some_and(|status| status >= 400)
            || self.key.grpc_status.is_some_and(|status| status != 0)
    }
}

impl Log {
    /// The log of one of our own servers.
    pub fn read(watch: &Watch, name: &str, is_tls: bool) -> Self {
        let text = std::fs::read_to_string(watch.path(name)).expect("a log");
        Self(text.lines().map(|line| Line::of(line, is_tls)).collect())
    }

    fn counts(&self) -> BTreeMap<Key, Count> {
        let mut counts: BTreeMap<Key, Count> = BTreeMap::new();
        for line in &self.0 {
            let count = counts.entry(line.key.clone()).or_default();
            count.requests += 1;
            count.errors += u64::from(line.is_error());
            count.unanswered += u64::from(line.outcome == "unanswered");
            count.aborted += u64::from(line.outcome == "aborted");
            count.responses += u64::from(line.us.is_some());
        }
        counts
    }

    /// The rows of both ends must say what this log says.
    pub fn judge(&self, watch: &Watch, port: u64) {
        assert!(!self.0.is_empty(), "a log of nothing proves nothing");
        watch.settle();
        for direction in ["incoming", "outgoing"] {
            in_time(|| {
                same_counts(direction, &self.counts(), &watch.told(direction, port))
                    .map_err(|wrong| format!("{wrong}\nlost: {:?}", watch.lost()))
            });
        }
        self.judge_latencies(&watch.told("incoming", port));
    }

    fn judge_latencies(&self, told: &Told) {
        for (key, (_, latency)) in told {
            let of_key = self.0.iter().filter(|line| line.key == *key);
            let (mut lows, mut highs): (Vec<_>, Vec<_>) =
                of_key.filter_map(|line| line.us).map(|[low, high]| (low, high)).unzip();
            if lows.is_empty() {
                continue;
            }
            lows.sort_unstable();
            highs.sort_unstable();
            let within = |what: &str, value: u64, low: u64, high: u64| {
                let says = format!("{key:?}: {what} is {value} us");
                assert!((low..=high).contains(&value), "{says}, not {low} to {high}");
            };
            // each is told in whole microseconds
            let samples = lows.len() as u64;
            let (low, high) = (lows.iter().sum::<u64>(), highs.iter().sum());
            within("the sum", latency.sum, low.saturating_sub(samples), high);
            let (least, most) = (latency.min.expect("a minimum"), latency.max.expect("a maximum"));
            within("the least", least, lows[0].saturating_sub(1), highs[0]);
            within("the most", most, lows[lows.len() - 1].saturating_sub(1), highs[lows.len() - 1]);
            for q in [0.5, 0.9, 0.99] {
                let rank = ((q * samples as f64).ceil() as usize).max(1) - 1;
                let estimate = latency.sketch.quantile(q).expect("a quantile");
                // the sketch's own error, and one microsecond for what is told in whole ones
                let (low, high) = ((lows[rank] as f64 - 1.0) * 0.961, highs[rank] as f64 * 1.039);
                let is_within = (low..=high.max(1.0)).contains(&estimate);
                assert!(is_within, "{key:?}: q{q} is {estimate}, not {low} to {high}");
            }
        }
    }
}

fn same_counts(what: &str, log: &BTreeMap<Key, Count>, told: &Told) -> Result<(), String> {
    let mut wrong = String::new();
    for key in log.keys().chain(told.keys()).collect::<BTreeSet<_>>() {
        let (logged, told) = (log.get(key), told.get(key).map(|(count, _)| count));
        if logged != told {
            let _ = write!(wrong, "\n{what} {key:?}:\n  log  {logged:?}\n  rows {told:?}");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
