//! The tokens of agents as a running server knows them.
//!
//! Owns which of them a request has, and when each was last used. They are read again when a file
//! changed, which is looked at with every request that brings such a token: what `weir token` or an
//! operator's own file says holds at once, with no restart and no call. A file that cannot be read
//! any more changes nothing: what was known stays good, and the log says so.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::enrolment::{self, EnrolmentError, Standing};
use super::private_file::{self, Stamp};
use super::token::{TokenHash, read};
use crate::problem::chain;

const USED_FILE_NAME: &str = "agent-tokens.used.json";

/// Where tokens of agents come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentTokenSources {
    /// The data folder, for what `weir token` makes; `None`: nothing is kept.
    pub dir: Option<PathBuf>,
    pub files: Vec<AgentTokenFile>,
}

/// A token in a file of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentTokenFile {
    pub cluster: Option<String>,
    pub path: PathBuf,
}

/// A token that lets agents send.
#[derive(Debug)]
pub struct AgentToken {
    pub id: Arc<str>,
    /// Cluster that whatever comes with it belongs to.
    pub cluster: Option<Arc<str>>,
    pub note: Option<String>,
    /// `None` for an operator's own.
    pub created_ms: Option<i64>,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    hash: TokenHash,
}

impl AgentToken {
    pub fn standing(&self, now_ms: i64) -> Standing {
        match (self.revoked_ms, self.expires_ms) {
            (Some(_), _) => Standing::Revoked,
            (None, Some(expires_ms)) if expires_ms <= now_ms => Standing::Expired,
            _ => Standing::Good,
        }
    }
}

/// How a token is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    pub last_used_ms: i64,
    /// Agents that came with it last, as far as the server remembers them.
    pub agents: u64,
}

/// All tokens of agents.
pub struct AgentTokens {
    sources: AgentTokenSources,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    tokens: Vec<Arc<AgentToken>>,
    /// Of each source as it was read last, the data folder's first.
    stamps: Vec<Option<Stamp>>,
    /// What was wrong when they were read last, so that it is logged once.
    problem: Option<String>,
    used: HashMap<Arc<str>, Use>,
    is_used_saved: bool,
}

impl AgentTokens {
    /// Reads them for the first time; then what is wrong with a source is an error.
    pub fn open(sources: AgentTokenSources) -> Result<Self, EnrolmentError> {
        let (stamps, tokens) = (sources.stamps(), sources.read()?);
        let used = sources.dir.as_deref().map(uses).unwrap_or_default();
        let used = used.into_iter().map(|(id, used)| (Arc::from(id), used)).collect();
        let known = Known { tokens, stamps, problem: None, used, is_used_saved: true };
        Ok(Self { sources, known: Mutex::new(known) })
    }

    /// The token that this text is, and whether it is good.
    pub fn judge(&self, text: &str, now_ms: i64) -> Option<(Arc<AgentToken>, Standing)> {
        let mut known = self.fresh();
        // All are looked at, so that the time does not tell which one it was.
        let mut found = None;
        for token in &known.tokens {
            if token.hash.is_of(text) {
                found = Some(token.clone());
            }
        }
        let token = found?;
        let standing = token.standing(now_ms);
        if standing == Standing::Good {
            known.used.entry(token.id.clone()).or_default().last_used_ms = now_ms;
            known.is_used_saved = false;
        }
        Some((token, standing))
    }

    /// All tokens and how each is used.
    pub fn all(&self) -> Vec<(Arc<AgentToken>, Option<Use>)> {
        let known = self.fresh();
        let with_use =
            |token: &Arc<AgentToken>| (token.clone(), known.used.get(&token.id).copied());
        known.tokens.iter().map(with_use).collect()
    }

    /// Writes down how they are used, for `weir token list` and for after a restart. `agents` are
    /// those that came with each.
    pub fn save_used(&self, agents: &HashMap<String, u64>) {
        let Some(dir) = &self.sources.dir else { return };
        let used: HashMap<String, Use> = {
            let mut known = self.lock();
            if std::mem::replace(&mut known.is_used_saved, true) {
                return;
            }
            let ids: Vec<Arc<str>> = known.tokens.iter().map(|token| token.id.clone()).collect();
            known.used.retain(|id, _| ids.contains(id));
            for (id, used) in &mut known.used {
                used.agents = agents.get(&**id).copied().unwrap_or_default();
            }
            known.used.iter().map(|(id, used)| (id.to_string(), *used)).collect()
        };
        // Numbers and ids are always JSON.
        let text = serde_json::to_string(&used).unwrap_or_default();
        if let Err(error) = private_file::write(dir, USED_FILE_NAME, &text) {
            tracing::warn!(%error, "how the agents' tokens are used could not be written down");
        }
    }

    /// What is known, read again where a file changed.
    fn fresh(&self) -> MutexGuard<'_, Known> {
        let mut known = self.lock();
        let stamps = self.sources.stamps();
        if stamps == known.stamps {
            return known;
        }
        known.stamps = stamps;
        match self.sources.read() {
            Ok(tokens) => {
                tracing::info!(tokens = tokens.len(), "the agents' tokens were read again");
                known.tokens = tokens;
                known.problem = None;
            }
            Err(error) => {
                let problem = chain(&error);
                if known.problem.as_ref() != Some(&problem) {
                    tracing::error!(error = problem, "the agents' tokens stay as they were");
                    known.problem = Some(problem);
                }
            }
        }
        known
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AgentTokenSources {
    fn stamps(&self) -> Vec<Option<Stamp>> {
        let kept = self.dir.as_ref().map(|dir| Stamp::of(&dir.join(enrolment::FILE_NAME)));
        let files = self.files.iter().map(|file| Stamp::of(&file.path));
        kept.into_iter().chain(files).collect()
    }

    fn read(&self) -> Result<Vec<Arc<AgentToken>>, EnrolmentError> {
        let mut tokens = Vec::new();
        for kept in self.dir.as_deref().map(enrolment::list).transpose()?.unwrap_or_default() {
            // `list` gives none without a hash.
            let Some(hash) = kept.hash() else { continue };
            tokens.push(Arc::new(AgentToken {
                id: kept.id.into(),
                cluster: kept.cluster.map(Arc::from),
                note: kept.note,
                created_ms: Some(kept.created_ms),
                expires_ms: kept.expires_ms,
                revoked_ms: kept.revoked_ms,
                hash,
            }));
        }
        for file in &self.files {
            tokens.push(Arc::new(AgentToken {
                id: format!("file:{}", file.path.display()).into(),
                cluster: file.cluster.as_deref().map(Arc::from),
                note: None,
                created_ms: None,
                expires_ms: None,
                revoked_ms: None,
                hash: read(&file.path)?,
            }));
        }
        Ok(tokens)
    }
}

/// How the tokens of a data folder were used when the server wrote it down last, by id. What
/// cannot be read counts as nothing: it only informs.
pub fn uses(dir: &Path) -> HashMap<String, Use> {
    let text = fs::read_to_string(dir.join(USED_FILE_NAME)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::enrolment::{NewEnrolment, create, revoke};
    use super::*;

    fn sources(dir: &Path) -> AgentTokenSources {
        AgentTokenSources { dir: Some(dir.to_owned()), files: Vec::new() }
    }

    fn standing(tokens: &AgentTokens, text: &str) -> Option<Standing> {
        tokens.judge(text, 10_000).map(|(_, standing)| standing)
    }

    #[test]
    fn changes_hold_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = AgentTokens::open(sources(dir.path())).unwrap();
        let new = |expires_ms| NewEnrolment { expires_ms, ..NewEnrolment::default() };
        let (_, good) = create(dir.path(), new(None), 1).unwrap();
        let (_, short) = create(dir.path(), new(Some(10_000)), 1).unwrap();
        assert_eq!(standing(&tokens, good.reveal()), Some(Standing::Good));
        assert_eq!(standing(&tokens, short.reveal()), Some(Standing::Expired));
        assert_eq!(standing(&tokens, "weir_agent_00"), None);
        let id = tokens.all()[0].0.id.to_string();
        revoke(dir.path(), &id, 2).unwrap();
        assert_eq!(standing(&tokens, good.reveal()), Some(Standing::Revoked));
    }

    #[test]
    fn a_file_that_is_damaged_later_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (_, token) = create(dir.path(), NewEnrolment::default(), 1).unwrap();
        let tokens = AgentTokens::open(sources(dir.path())).unwrap();
        fs::write(dir.path().join(enrolment::FILE_NAME), "{").unwrap();
        assert_eq!(standing(&tokens, token.reveal()), Some(Standing::Good));
        assert!(AgentTokens::open(sources(dir.path())).is_err(), "at a start it is an error");
    }

    #[test]
    fn an_operators_file_may_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("east");
        fs::write(&path, "first-token-of-east\n").unwrap();
        let file = AgentTokenFile { cluster: Some("east".to_owned()), path: path.clone() };
        let sources = AgentTokenSources { dir: None, files: vec![file] };
        let tokens = AgentTokens::open(sources).unwrap();
        let (token, _) = tokens.judge("first-token-of-east", 0).unwrap();
        assert_eq!(token.cluster.as_deref(), Some("east"));
        private_file::write(dir.path(), "east", "second-token-of-east").unwrap();
        assert_eq!(standing(&tokens, "first-token-of-east"), None);
        assert_eq!(standing(&tokens, "second-token-of-east"), Some(Standing::Good));
    }

    #[test]
    fn use_outlives_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let (made, token) = create(dir.path(), NewEnrolment::default(), 1).unwrap();
        let tokens = AgentTokens::open(sources(dir.path())).unwrap();
        standing(&tokens, token.reveal());
        tokens.save_used(&HashMap::from([(made.id.clone(), 3)]));
        let expected = Use { last_used_ms: 10_000, agents: 3 };
        assert_eq!(uses(dir.path())[&made.id], expected);
        let again = AgentTokens::open(sources(dir.path())).unwrap();
        assert_eq!(again.all()[0].1, Some(expected));
    }
}
