//! The token: made at first start, shown once, kept as a hash.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::private_file;

/// Name of the file in the data directory that holds the hash.
const FILE_NAME: &str = "token.sha256";
const PREFIX: &str = "weir_";
/// What the tokens of agents begin with, so that a lost one shows what it opens.
const AGENT_PREFIX: &str = "weir_agent_";
const RANDOM_BYTES: usize = 32;
/// A given token is as good as its maker; less than this can be guessed by trying.
const CHARS_MIN: usize = 16;
/// Longer ones would be most of the head of a request.
const CHARS_MAX: usize = 1024;

/// A token as its owner knows it. It is random with 256 bits, so a plain hash is enough to keep.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A new random token of the operator.
    pub fn generate() -> Result<Self, TokenError> {
        Self::random(PREFIX)
    }

    /// A new random token of agents.
    pub fn generate_for_agents() -> Result<Self, TokenError> {
        Self::random(AGENT_PREFIX)
    }

    fn random(prefix: &str) -> Result<Self, TokenError> {
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(TokenError::Random)?;
        Ok(Self(format!("{prefix}{}", HEXLOWER.encode(&random))))
    }

    /// The text to show to the operator, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// SHA-256 of a token.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Of 64 hexadecimal digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.trim().as_bytes()).ok()?;
        <[u8; 32]>::try_from(bytes).ok().map(Self)
    }

    pub(super) fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Whether `text` is the token, in a time that does not depend on where it differs.
    pub fn is_of(&self, text: &str) -> bool {
        self.0.ct_eq(&Self::of(text).0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the system gave no random bytes for a token")]
    Random(#[source] getrandom::Error),
    #[error("cannot {action} the token file {path}")]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "the token file {path} does not hold a SHA-256 hash of 64 hexadecimal digits; remove it to \
         have a new token made"
    )]
    Damaged { path: PathBuf },
    #[error(
        "the token file {path} must hold one word of {CHARS_MIN} to {CHARS_MAX} characters, such as \
         `openssl rand -hex 32` prints"
    )]
    Unfit { path: PathBuf },
}

/// The token of a data directory.
#[derive(Clone, Debug)]
pub struct TokenState {
    pub hash: TokenHash,
    /// Present when this call made the token: the only time that it can be shown.
    pub created: Option<Token>,
}

/// Reads the hash from the data directory; makes a token where there is none yet.
pub fn load_or_create(data_dir: &Path) -> Result<TokenState, TokenError> {
    let path = data_dir.join(FILE_NAME);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let hash = TokenHash::from_hex(&text).ok_or(TokenError::Damaged { path })?;
            Ok(TokenState { hash, created: None })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = create(data_dir, &path)?;
            Ok(TokenState { hash: token.hash(), created: Some(token) })
        }
        Err(source) => Err(TokenError::File { action: "read", path, source }),
    }
}

/// The token that an operator put into a file of their own; of that, too, only the hash is kept.
pub fn read(path: &Path) -> Result<TokenHash, TokenError> {
    let failed = |source| TokenError::File { action: "read", path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    let token = text.trim();
    let is_word = token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word && (CHARS_MIN..=CHARS_MAX).contains(&token.len()) {
        Ok(TokenHash::of(token))
    } else {
        Err(TokenError::Unfit { path: path.to_owned() })
    }
}

/// Makes a new token in place of the one that the data directory has, if any.
pub fn replace(data_dir: &Path) -> Result<Token, TokenError> {
    create(data_dir, &data_dir.join(FILE_NAME))
}

fn create(data_dir: &Path, path: &Path) -> Result<Token, TokenError> {
    let token = Token::generate()?;
    let written = private_file::write(data_dir, FILE_NAME, &token.hash().to_hex());
    let failed = |source| TokenError::File { action: "write", path: path.to_owned(), source };
    written.map(|()| token).map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_shown_once_and_kept_as_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap();
        let token = first.created.expect("the first start makes it");
        let second = load_or_create(dir.path()).unwrap();
        assert!(second.created.is_none());
        assert!(second.hash.is_of(token.reveal()));
        assert!(!second.hash.is_of("weir_"));
        assert!(token.reveal().starts_with(PREFIX) && token.reveal().len() == 5 + 64);

        let file = dir.path().join(FILE_NAME);
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains(&token.reveal()[5..]));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_replaced_token_stops_working() {
        let dir = tempfile::tempdir().unwrap();
        let first = load_or_create(dir.path()).unwrap().created.unwrap();
        let second = replace(dir.path()).unwrap();
        let kept = load_or_create(dir.path()).unwrap();
        assert!(kept.hash.is_of(second.reveal()) && !kept.hash.is_of(first.reveal()));
    }

    #[test]
    fn two_tokens_differ() {
        assert_ne!(Token::generate().unwrap(), Token::generate().unwrap());
    }

    #[test]
    fn a_damaged_file_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(FILE_NAME);
        for text in ["", "secret", "00ff", &"g".repeat(64), &"0".repeat(63)] {
            fs::write(&file, text).unwrap();
            let error = load_or_create(dir.path()).unwrap_err();
            assert!(matches!(error, TokenError::Damaged { .. }), "{text}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn a_given_token_is_one_word_that_cannot_be_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        let given = "correct-horse-battery-staple";
        for text in [given.to_owned(), format!("{given}\n"), format!(" {given} \r\n")] {
            fs::write(&file, text).unwrap();
            assert!(read(&file).unwrap().is_of(given));
        }
        let unfit =
            ["", "\n", "fifteen-letters", "two words of enough length", "töken-töken-töken"];
        for text in unfit.map(str::to_owned).into_iter().chain(["x".repeat(CHARS_MAX + 1)]) {
            fs::write(&file, &text).unwrap();
            let error = read(&file).unwrap_err();
            assert!(matches!(error, TokenError::Unfit { .. }), "{text}");
            assert!(text.is_empty() || !error.to_string().contains(&text), "it is a secret");
        }
        let error = read(&dir.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("cannot read the token file"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is made");
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = load_or_create(Path::new("/nonexistent/weir")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/weir/token.sha256"), "{error}");
    }

    #[test]
    fn debug_output_keeps_the_secret() {
        let token = Token::generate().unwrap();
        assert!(!format!("{token:?} {:?}", token.hash()).contains(&token.reveal()[5..]));
    }
}
