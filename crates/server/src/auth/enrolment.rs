//! The tokens that let agents send and nothing else, as they are kept in the data folder.
//!
//! Owns the file: what is in it, making and revoking tokens. Whether a request's token is good is
//! `agent_tokens`'s. A token is bound to a cluster or to none and is shown once; of it only a hash
//! is kept. A revoked token stays in the list, so that an agent that still has it is told why it is
//! refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::private_file;
use super::token::{Token, TokenError, TokenHash};

/// Name of the file in the data directory.
pub(super) const FILE_NAME: &str = "agent-tokens.json";
/// Version of the file; a newer one is refused.
const VERSION: u32 = 1;
/// Tokens that are kept. Past it the one that was revoked or expired first is forgotten; where all
/// are good no further one is made.
const TOKENS_MAX: usize = 1_000;
const ID_BYTES: usize = 4;
/// Longest name of a cluster, and longest note.
const CLUSTER_CHARS_MAX: usize = 128;
const NOTE_CHARS_MAX: usize = 200;

/// One token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Names the token without giving it away.
    pub id: String,
    /// Cluster that whatever comes with this token belongs to.
    pub cluster: Option<String>,
    pub note: Option<String>,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    sha256: String,
}

/// What a token is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEnrolment {
    pub cluster: Option<String>,
    pub note: Option<String>,
    pub expires_ms: Option<i64>,
}

/// Whether a token is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    Expired,
    Revoked,
}

impl Standing {
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Good => "good",
            Standing::Expired => "expired",
            Standing::Revoked => "revoked",
        }
    }
}

impl Enrolment {
    pub fn standing(&self, now_ms: i64) -> Standing {
        if self.revoked_ms.is_some() {
            Standing::Revoked
        } else if self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms) {
            Standing::Expired
        } else {
            Standing::Good
        }
    }

    /// When it stopped being good, where it did.
    fn ended_ms(&self, now_ms: i64) -> Option<i64> {
        self.revoked_ms.or(self.expires_ms.filter(|expires_ms| *expires_ms <= now_ms))
    }

    pub(super) fn hash(&self) -> Option<TokenHash> {
        TokenHash::from_hex(&self.sha256)
    }
}

/// Why tokens of agents cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("cannot {action} the agents' tokens in {path}")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{path} does not hold agents' tokens of version {VERSION} or older ({reason}); it was left \
         as it is"
    )]
    Damaged { path: PathBuf, reason: String },
    #[error("there are {TOKENS_MAX} good tokens already; revoke those that are not used any more")]
    Full,
    #[error("no token has the id {id:?}; `weir token list` shows all")]
    Unknown { id: String },
    #[error("{what} must have 1 to {max} characters without control characters")]
    Unfit { what: &'static str, max: usize },
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    tokens: Vec<Enrolment>,
}

/// All tokens, in the order in which they were made. Where there is no file there are none.
pub fn list(dir: &Path) -> Result<Vec<Enrolment>, EnrolmentError> {
    let path = dir.join(FILE_NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(EnrolmentError::File { action: "read", path, source }),
    };
    let damaged = |reason: String| EnrolmentError::Damaged { path: path.clone(), reason };
    let document: Document =
        serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    if document.version > VERSION {
        return Err(damaged(format!("it is of version {}", document.version)));
    }
    match document.tokens.iter().find(|token| token.hash().is_none()) {
        Some(token) => Err(damaged(format!("token {} has no hash", token.id))),
        None => Ok(document.tokens),
    }
}

/// Makes a token. Whoever calls keeps others from changing the file meanwhile.
pub fn create(
    dir: &Path,
    new: NewEnrolment,
    now_ms: i64,
) -> Result<(Enrolment, Token), EnrolmentError> {
    check("the cluster's name", new.cluster.as_deref(), CLUSTER_CHARS_MAX)?;
    check("the note", new.note.as_deref(), NOTE_CHARS_MAX)?;
    let mut tokens = list(dir)?;
    while tokens.len() >= TOKENS_MAX {
        let ended = tokens.iter().enumerate();
        let ended = ended.filter_map(|(at, token)| Some((token.ended_ms(now_ms)?, at)));
        let (_, first) = ended.min().ok_or(EnrolmentError::Full)?;
        tokens.remove(first);
    }
    let token = Token::generate_for_agents()?;
    let mut id = [0; ID_BYTES];
    getrandom::fill(&mut id).map_err(TokenError::Random)?;
    let made = Enrolment {
        id: HEXLOWER.encode(&id),
        cluster: new.cluster,
        note: new.note,
        created_ms: now_ms,
        expires_ms: new.expires_ms,
        revoked_ms: None,
        sha256: token.hash().to_hex(),
    };
    tokens.push(made.clone());
    save(dir, tokens)?;
    Ok((made, token))
}

/// Ends a token; one that was revoked already stays as it is.
pub fn revoke(dir: &Path, id: &str, now_ms: i64) -> Result<Enrolment, EnrolmentError> {
    let mut tokens = list(dir)?;
    let token = tokens.iter_mut().find(|token| token.id == id);
    let token = token.ok_or_else(|| EnrolmentError::Unknown { id: id.to_owned() })?;
    token.revoked_ms.get_or_insert(now_ms);
    let revoked = token.clone();
    save(dir, tokens)?;
    Ok(revoked)
}

fn save(dir: &Path, tokens: Vec<Enrolment>) -> Result<(), EnrolmentError> {
    let failed =
        |source| EnrolmentError::File { action: "write", path: dir.join(FILE_NAME), source };
    let document = Document { version: VERSION, tokens };
    let text = serde_json::to_string_pretty(&document).map_err(|error| failed(error.into()))?;
    private_file::write(dir, FILE_NAME, &text).map_err(failed)
}

fn check(what: &'static str, text: Option<&str>, max: usize) -> Result<(), EnrolmentError> {
    let is_fit = |text: &str| {
        let chars = text.chars().count();
        (1..=max).contains(&chars) && !text.chars().any(char::is_control)
    };
    if text.is_none_or(is_fit) { Ok(()) } else { Err(EnrolmentError::Unfit { what, max }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(cluster: &str) -> NewEnrolment {
        NewEnrolment { cluster: Some(cluster.to_owned()), ..NewEnrolment::default() }
    }

    #[test]
    fn a_token_is_made_shown_once_and_revoked() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list(dir.path()).unwrap(), []);
        let (made, token) = create(dir.path(), new("east"), 1_000).unwrap();
        assert_eq!(made.standing(2_000), Standing::Good);
        assert!(made.hash().unwrap().is_of(token.reveal()));
        assert!(token.reveal().starts_with("weir_agent_"));
        let text = fs::read_to_string(dir.path().join(FILE_NAME)).unwrap();
        assert!(!text.contains(&token.reveal()["weir_agent_".len()..]), "only its hash is kept");
        let revoked = revoke(dir.path(), &made.id, 2_000).unwrap();
        assert_eq!(revoked.standing(2_000), Standing::Revoked);
        assert_eq!(revoke(dir.path(), &made.id, 3_000).unwrap().revoked_ms, Some(2_000));
        assert_eq!(list(dir.path()).unwrap(), [revoked]);
        let error = revoke(dir.path(), "00", 0).unwrap_err();
        assert!(error.to_string().contains("weir token list"), "{error}");
    }

    #[test]
    fn a_token_expires_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let new = NewEnrolment { expires_ms: Some(5_000), ..new("east") };
        let (made, _) = create(dir.path(), new, 1_000).unwrap();
        let standings = [4_999, 5_000].map(|now_ms| made.standing(now_ms));
        assert_eq!(standings, [Standing::Good, Standing::Expired]);
    }

    #[test]
    fn their_number_is_bounded_and_good_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let (first, _) = create(dir.path(), new("east"), 0).unwrap();
        let many = |n: usize| Enrolment { id: format!("{n:08x}"), ..first.clone() };
        save(dir.path(), (0..TOKENS_MAX).map(many).collect()).unwrap();
        let error = create(dir.path(), new("east"), 1).unwrap_err();
        assert!(matches!(error, EnrolmentError::Full), "{error}");
        revoke(dir.path(), "00000007", 1).unwrap();
        create(dir.path(), new("east"), 2).unwrap();
        let kept = list(dir.path()).unwrap();
        assert_eq!(kept.len(), TOKENS_MAX);
        assert!(kept.iter().all(|token| token.id != "00000007"));
    }

    #[test]
    fn what_is_unfit_or_damaged_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        for cluster in ["", "a\nb", &"x".repeat(CLUSTER_CHARS_MAX + 1)] {
            let error = create(dir.path(), new(cluster), 0).unwrap_err();
            assert!(matches!(error, EnrolmentError::Unfit { .. }), "{error}");
        }
        let file = dir.path().join(FILE_NAME);
        let no_hash = r#"{"version":1,"tokens":[{"id":"a","created_ms":0,"sha256":"00"}]}"#;
        for text in ["", "[]", r#"{"version":2,"tokens":[]}"#, no_hash] {
            fs::write(&file, text).unwrap();
            let error = create(dir.path(), new("east"), 0).unwrap_err();
            assert!(matches!(error, EnrolmentError::Damaged { .. }), "{text}: {error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }
}
