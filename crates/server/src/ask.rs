//! Asking the store from a handler: on a blocking thread, a bounded number at a time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use axum::http::StatusCode;
use tokio::time::timeout;
use weir_model::{Loss, LossKind};
use weir_query::{Answer, Facet, Groups, Question, Rows, Series, TimeWindow};
use weir_store::{Store, StoreError};

use crate::api::types::Incomplete;
use crate::problem::Problem;
use crate::state::AppState;

/// Agents that a message names; more are counted.
const NAMED_AGENTS_MAX: usize = 3;

impl AppState {
    /// Runs `work` with the store when its turn comes.
    pub async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let wait = self.options.limits.question_wait_max;
        let turn = timeout(wait, self.questions.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = turn else {
            let detail =
                format!("{} questions wait for the store", self.options.limits.questions_max);
            return Err(Problem::busy(StatusCode::SERVICE_UNAVAILABLE, detail, 2));
        };
        let store = self.store.clone();
        // The permit goes along: a client that hangs up does not free the turn before its work ends.
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(store.as_ref())
        });
        match task.await {
            Ok(answer) => Ok(answer?),
            Err(error) => {
                tracing::error!(%error, "a question ended without an answer");
                Err(Problem::internal("a question ended without an answer; the log says why"))
            }
        }
    }

    /// Asks several questions about one time range, and what is missing in it.
    pub async fn ask(
        &self,
        window: TimeWindow,
        questions: Vec<Question>,
    ) -> Result<(Vec<Answer>, Vec<Incomplete>), Problem> {
        let (answers, losses) = self
            .with_store(move |store| {
                let answers: Result<Vec<Answer>, StoreError> =
                    questions.iter().map(|question| store.ask(question)).collect();
                Ok((answers?, store.losses(window.from_ms, window.to_ms)?))
            })
            .await?;
        let mut incomplete = losses_of(losses);
        incomplete.extend(self.silent_agents(window));
        Ok((answers, incomplete))
    }

    /// Agents whose silence leaves a hole in the time range.
    fn silent_agents(&self, window: TimeWindow) -> Option<Incomplete> {
        let agents = self.registry.silent(self.now_ms(), window);
        if agents.is_empty() {
            return None;
        }
        let names = name_some(&agents);
        let silence_s = self.options.limits.agent_silence_max.as_secs();
        Some(Incomplete {
            kind: "stale".to_owned(),
            component: "agent".to_owned(),
            reason: "silent".to_owned(),
            count: agents.len() as u64,
            message: format!("nothing came for more than {silence_s} s from {names}"),
        })
    }
}

/// Losses of all agents, one entry per kind, component and reason.
pub fn losses_of(losses: Vec<(String, Loss)>) -> Vec<Incomplete> {
    let mut merged: BTreeMap<(LossKind, String, String), (u64, Vec<String>)> = BTreeMap::new();
    for (agent, loss) in losses.into_iter().filter(|(_, loss)| loss.count > 0) {
        match merged.entry((loss.kind, loss.component, loss.reason)) {
            Entry::Vacant(entry) => {
                entry.insert((loss.count, vec![agent]));
            }
            Entry::Occupied(mut entry) => {
                let (count, agents) = entry.get_mut();
                *count = count.saturating_add(loss.count);
                if !agents.contains(&agent) {
                    agents.push(agent);
                }
            }
        }
    }
    let entry =
        |((kind, component, reason), (count, agents)): ((_, String, String), (_, Vec<_>))| {
            let kind = match kind {
                LossKind::Lost => "lost",
                LossKind::Dropped => "dropped",
                LossKind::Discarded => "discarded",
                LossKind::Sampled => "sampled",
            };
            let names = name_some(&agents);
            let message = match weir_schema::loss_meaning(&component, &reason) {
                Some(meaning) => format!("{meaning} ({names})"),
                None => format!("{count} {kind} by {component} on {names}: {reason}"),
            };
            Incomplete { kind: kind.to_owned(), component, reason, count, message }
        };
    merged.into_iter().map(entry).collect()
}

fn name_some(agents: &[String]) -> String {
    let named = agents.iter().take(NAMED_AGENTS_MAX).map(String::as_str);
    let names = named.collect::<Vec<_>>().join(", ");
    match agents.len().saturating_sub(NAMED_AGENTS_MAX) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn mismatch() -> Problem {
    Problem::internal("the store answered in another shape than it was asked for")
}

/// Takes an answer apart, or fails when the store answered something else.
pub fn groups(answer: Option<Answer>) -> Result<Groups, Problem> {
    match answer {
        Some(Answer::Groups(groups)) => Ok(groups),
        _ => Err(mismatch()),
    }
}

/// See [`groups`].
pub fn series(answer: Option<Answer>) -> Result<Series, Problem> {
    match answer {
        Some(Answer::Series(series)) => Ok(series),
        _ => Err(mismatch()),
    }
}

/// See [`groups`].
pub fn facets(answer: Option<Answer>) -> Result<Vec<Facet>, Problem> {
    match answer {
        Some(Answer::Facets(facets)) => Ok(facets),
        _ => Err(mismatch()),
    }
}

/// See [`groups`].
pub fn rows(answer: Option<Answer>) -> Result<Rows, Problem> {
    match answer {
        Some(Answer::Rows(rows)) => Ok(rows),
        _ => Err(mismatch()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_several_agents_are_one_entry_that_names_them() {
        let loss = |agent: &str, reason: &str, count| {
            let component = "probe_tcp".to_owned();
            let loss = Loss { kind: LossKind::Lost, component, reason: reason.to_owned(), count };
            (agent.to_owned(), loss)
        };
        let merged = losses_of(vec![
            loss("a", "map_full", 2),
            loss("b", "map_full", 3),
            loss("a", "map_full", 1),
            loss("a", "storage", 0),
            loss("a", "busy", 1),
        ]);
        let texts: Vec<_> = merged.iter().map(|entry| entry.message.as_str()).collect();
        assert_eq!(
            texts,
            ["1 lost by probe_tcp on a: busy", "6 lost by probe_tcp on a, b: map_full"],
            "what a newer agent counts"
        );
        assert_eq!(merged[1].count, 6);
        let known = losses_of(vec![loss("a", "close_missed", 4)]);
        assert_eq!(
            known[0].message,
            "connections whose last reading is missing: they went away unseen (a)"
        );
    }

    #[test]
    fn many_agents_are_counted() {
        let agents: Vec<String> = ('a'..='e').map(String::from).collect();
        assert_eq!(name_some(&agents), "a, b, c and 2 more");
    }
}
