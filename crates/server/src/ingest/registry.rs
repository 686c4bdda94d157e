//! The agents: when each was last heard, and what it said about itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_model::{Loss, LossKind, Place};
use weir_query::TimeWindow;
use weir_wire::BatchHeader;

use super::names::Home;
use super::skew::Skew;

/// Different losses remembered per agent; further ones are not shown, only counted in `/metrics`.
const LOSSES_MAX: usize = 256;
/// An agent that was silent for longer before a question's range is not missed in it: it was
/// taken away.
const MISSED_MS_MAX: i64 = 3_600_000;

type LossKey = (LossKind, String, String);

#[derive(Clone, Debug, Default)]
struct Agent {
    host: Option<String>,
    version: Option<String>,
    schema_version: Option<u32>,
    last_seen_ms: i64,
    last_window_ms: Option<i64>,
    sequence: Option<u64>,
    skew: Skew,
    home: Home,
    place: Option<Place>,
    token: Option<Arc<str>>,
    rows: u64,
    losses: BTreeMap<LossKey, u64>,
    last_lost_ms: Option<i64>,
}

/// What a batch says of its agent beside its header.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub now_ms: i64,
    /// End of its last window, put right.
    pub to_ms: i64,
    pub rows: u64,
    /// It was not stored before, so its rows and losses count.
    pub is_new: bool,
    pub skew: Skew,
    pub home: Home,
    pub token: Option<Arc<str>>,
}

/// One agent, for `/status`.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentView {
    pub agent: String,
    pub host: Option<String>,
    pub version: Option<String>,
    pub schema_version: Option<u32>,
    pub last_seen_ms: i64,
    pub last_window_ms: Option<i64>,
    pub sequence: Option<u64>,
    pub skew: Skew,
    pub home: Home,
    pub place: Option<Place>,
    pub token: Option<Arc<str>>,
    pub is_stale: bool,
    pub rows: u64,
    pub losses: Vec<Loss>,
    /// When something was lost last.
    pub last_lost_ms: Option<i64>,
}

/// All agents, a bounded number: the longest silent one is forgotten for a new one.
pub struct Registry {
    agents: Mutex<HashMap<String, Agent>>,
    agents_max: usize,
    silence_ms_max: i64,
}

impl Registry {
    pub fn new(agents_max: usize, silence_max: Duration) -> Self {
        let silence_ms_max = silence_max.as_millis() as i64;
        Self { agents: Mutex::new(HashMap::new()), agents_max, silence_ms_max }
    }

    pub fn len(&self) -> usize {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A batch arrived.
    pub fn heard(&self, header: &BatchHeader, heard: Heard) {
        self.with_agent(&header.agent, |agent| {
            agent.host = Some(header.host.clone());
            agent.version = Some(header.agent_version.clone());
            agent.schema_version = Some(header.schema_version);
            agent.last_seen_ms = agent.last_seen_ms.max(heard.now_ms);
            agent.last_window_ms = agent.last_window_ms.max(Some(heard.to_ms));
            agent.sequence = agent.sequence.max(Some(header.sequence));
            agent.skew = heard.skew;
            agent.home = heard.home;
            agent.place = header.place.clone();
            agent.token = heard.token;
            if !heard.is_new {
                return;
            }
            agent.rows = agent.rows.saturating_add(heard.rows);
            for loss in &header.losses {
                let key = (loss.kind, loss.component.clone(), loss.reason.clone());
                if agent.losses.len() < LOSSES_MAX || agent.losses.contains_key(&key) {
                    let count = agent.losses.entry(key).or_default();
                    *count = count.saturating_add(loss.count);
                }
                if loss.kind == LossKind::Lost && loss.count > 0 {
                    agent.last_lost_ms = Some(heard.now_ms);
                }
            }
        });
    }

    /// How many agents came with each token last.
    pub fn agents_by_token(&self) -> HashMap<String, u64> {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = HashMap::new();
        for token in agents.values().filter_map(|agent| agent.token.as_deref()) {
            *counts.entry(token.to_owned()).or_default() += 1;
        }
        counts
    }

    /// The store holds rows of an agent up to `last_window_ms`; nothing was heard of it yet.
    pub fn remember(&self, name: &str, last_window_ms: i64) {
        self.with_agent(name, |agent| {
            agent.last_seen_ms = agent.last_seen_ms.max(last_window_ms);
            agent.last_window_ms = agent.last_window_ms.max(Some(last_window_ms));
        });
    }

    fn with_agent(&self, name: &str, change: impl FnOnce(&mut Agent)) {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get_mut(name) {
            return change(agent);
        }
        while agents.len() >= self.agents_max.max(1) {
            let silent = agents.iter().min_by_key(|(_, agent)| agent.last_seen_ms);
            let Some(silent) = silent.map(|(name, _)| name.clone()) else { break };
            agents.remove(&silent);
        }
        change(agents.entry(name.to_owned()).or_default());
    }

    fn is_stale(&self, agent: &Agent, now_ms: i64) -> bool {
        now_ms.saturating_sub(agent.last_seen_ms) > self.silence_ms_max
    }

    /// All agents by name.
    pub fn view(&self, now_ms: i64) -> Vec<AgentView> {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let view = |(name, agent): (&String, &Agent)| AgentView {
            agent: name.clone(),
            host: agent.host.clone(),
            version: agent.version.clone(),
            schema_version: agent.schema_version,
            last_seen_ms: agent.last_seen_ms,
            last_window_ms: agent.last_window_ms,
            sequence: agent.sequence,
            skew: agent.skew,
            home: agent.home.clone(),
            place: agent.place.clone(),
            token: agent.token.clone(),
            is_stale: self.is_stale(agent, now_ms),
            rows: agent.rows,
            last_lost_ms: agent.last_lost_ms,
            losses: agent.losses.iter().map(|(key, count)| loss(key, *count)).collect(),
        };
        let mut views: Vec<AgentView> = agents.iter().map(view).collect();
        views.sort_by(|a, b| a.agent.cmp(&b.agent));
        views
    }

    /// Names of agents that fell silent, so that their data lack in the time range.
    pub fn silent(&self, now_ms: i64, window: TimeWindow) -> Vec<String> {
        let agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missed = |agent: &Agent| {
            let last_ms = agent.last_window_ms.unwrap_or(agent.last_seen_ms);
            self.is_stale(agent, now_ms)
                && last_ms < window.to_ms
                && last_ms > window.from_ms.saturating_sub(MISSED_MS_MAX)
        };
        let missed = agents.iter().filter(|(_, agent)| is_missed(agent));
        let mut names: Vec<String> = missed.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

fn loss((kind, component, reason): &LossKey, count: u64) -> Loss {
    Loss { kind: *kind, component: component.clone(), reason: reason.clone(), count }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(agent: &str, sequence: u64) -> BatchHeader {
        BatchHeader {
            format: weir_wire::FORMAT,
            schema_version: weir_schema::FORMAT_VERSION,
            agent: agent.to_owned(),
            host: format!("host-{agent}"),
            boot_id: String::new(),
            agent_version: "0.1.0".to_owned(),
            sequence,
            window_ms: 10_000,
            from_ms: 0,
            to_ms: 10_000,
            created_unix_ms: 10_000,
            cluster: None,
            place: None,
            losses: vec![Loss {
                kind: LossKind::Lost,
                component: "probe_tcp".to_owned(),
                reason: "map_full".to_owned(),
                count: 2,
            }],
        }
    }

    fn registry(agents_max: usize) -> Registry {
        Registry::new(agents_max, Duration::from_secs(60))
    }

    #[test]
    fn a_duplicate_is_heard_but_counts_nothing() {
        let registry = registry(10);
        let token = Some(Arc::from("1a2b"));
        let heard = |now_ms, is_new| Heard {
            now_ms,
            to_ms: 10_000,
            rows: 5,
            is_new,
            skew: Skew { ahead_ms: Some(500), corrected_ms: 0 },
            token: token.clone(),
            ..Heard::default()
        };
        registry.heard(&header("a", 7), heard(11_000, true));
        registry.heard(&header("a", 7), heard(12_000, false));
        let view = registry.view(12_000);
        assert_eq!((view[0].rows, view[0].losses[0].count), (5, 2));
        assert_eq!((view[0].last_seen_ms, view[0].sequence), (12_000, Some(7)));
        assert_eq!((view[0].skew.ahead_ms, view[0].last_lost_ms), (Some(500), Some(11_000)));
        assert_eq!(registry.agents_by_token(), HashMap::from([("1a2b".to_owned(), 1)]));
    }

    #[test]
    fn silence_is_missed_in_the_ranges_that_it_touches() {
        let registry = registry(10);
        let hour = 3_600_000;
        registry.remember("a", 10 * hour);
        let silent = |now_ms, from_ms, to_ms| {
            registry.silent(now_ms, TimeWindow { from_ms, to_ms }) == ["a"]
        };
        assert!(!silent(10 * hour + 60_000, 9 * hour, 11 * hour), "not silent for long enough");
        assert!(silent(10 * hour + 60_001, 9 * hour, 11 * hour));
        assert!(!silent(20 * hour, 9 * hour, 10 * hour), "the range ended before");
        assert!(!silent(20 * hour, 19 * hour, 20 * hour), "gone for good");
    }

    #[test]
    fn the_longest_silent_agent_is_forgotten_for_a_new_one() {
        let registry = registry(2);
        for (name, ms) in [("a", 1), ("b", 2), ("c", 3)] {
            registry.remember(name, ms);
        }
        let names: Vec<_> = registry.view(3).into_iter().map(|view| view.agent).collect();
        assert_eq!(names, ["b", "c"]);
    }
}
