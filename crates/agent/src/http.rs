//! Batches to a server over HTTP.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use weir_wire::{CONTENT_TYPE, FOREIGN_CLUSTER, INGEST_PATH, Limits, SENT_UNIX_MS_HEADER, decode};

use crate::clock::Moment;
use crate::transport::{Transport, TransportError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one whole call, so that a stop never waits longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a problem document is read.
const PROBLEM_BYTES_MAX: u64 = 8192;

/// A file that is longer holds no token.
const TOKEN_BYTES_MAX: u64 = 4096;

/// What the agent shows to the server.
#[derive(Clone)]
pub enum Credential {
    Nothing,
    Token(String),
    /// Read again for each batch: a new token holds at once.
    TokenFile(PathBuf),
}

impl Credential {
    fn token(&self) -> Result<Option<String>, TransportError> {
        let path = match self {
            Credential::Nothing => return Ok(None),
            Credential::Token(token) => return Ok(Some(token.clone())),
            Credential::TokenFile(path) => path,
        };
        let unusable = |why: String| TransportError::Unauthorized {
            detail: format!("the token file {} cannot be used: {why}", path.display()),
        };
        let mut text = String::new();
        let file = File::open(path).map_err(|err| unusable(err.to_string()))?;
        let read = file.take(TOKEN_BYTES_MAX).read_to_string(&mut text);
        read.map_err(|err| unusable(err.to_string()))?;
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable("it does not hold one word".to_owned()));
        }
        Ok(Some(token.to_owned()))
    }
}

/// `POST {server}/api/v1/ingest` with a bearer token.
pub struct HttpTransport {
    agent: ureq::Agent,
    url: String,
    credential: Credential,
    cluster: Option<String>,
}

impl HttpTransport {
    /// `server` is the server's address, `http://127.0.0.1:4400` or `https://weir.example`;
    /// `cluster` what the agent says of itself in its batches.
    pub fn new(server: &str, credential: Credential, cluster: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .user_agent(concat!("weir-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        let url = format!("{}{INGEST_PATH}", server.trim_end_matches('/'));
        Self { agent: config.new_agent(), url, credential, cluster }
    }

    /// Whether the batch says another cluster than the agent says now: it waited while that was
    /// put right, and would hold up everything behind it for ever.
    fn is_outdated(&self, batch: &[u8]) -> bool {
        decode(batch, &Limits::default()).is_ok_and(|batch| batch.header.cluster != self.cluster)
    }
}

impl Transport for HttpTransport {
    fn send(&self, batch: &[u8]) -> Result<(), TransportError> {
        let token = self.credential.token()?;
        let mut request = self
            .agent
            .post(&self.url)
            .content_type(CONTENT_TYPE)
            .header(SENT_UNIX_MS_HEADER, Moment::now().unix_ms.to_string());
        if let Some(token) = &token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(batch).map_err(|err| TransportError::Unavailable {
            detail: format!("POST {}: {err}", self.url),
            retry_after: None,
        })?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(());
        }
        let retry_after = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        // the status alone decides, but for one kind of problem; the body says why
        let _ = reader.take(PROBLEM_BYTES_MAX).read_to_end(&mut body);
        let problem = Problem::read(&body);
        let detail = format!("POST {}: status {status}: {}", self.url, problem.text);
        if status == 403 && problem.word == FOREIGN_CLUSTER && self.is_outdated(batch) {
            return Err(TransportError::Rejected { detail });
        }
        Err(judge(status, detail, retry_after))
    }
}

/// What a status means for the batch. 404, 405 and 3xx say that somebody other than a Weir server
/// answered, who cannot have judged the batch.
fn judge(status: u16, detail: String, retry_after: Option<Duration>) -> TransportError {
    match status {
        401 | 403 | 407 => TransportError::Unauthorized { detail },
        404 | 405 | 408 | 425 | 429 => TransportError::Unavailable { detail, retry_after },
        400..500 => TransportError::Rejected { detail },
        _ => TransportError::Unavailable { detail, retry_after },
    }
}

/// The gist of a problem document (RFC 9457).
struct Problem {
    /// The last part of its type; empty where something else came.
    word: String,
    /// Title and detail, or the beginning of whatever came instead.
    text: String,
}

impl Problem {
    fn read(body: &[u8]) -> Self {
        #[derive(Default, Deserialize)]
        struct Document {
            r#type: Option<String>,
            title: Option<String>,
            detail: Option<String>,
        }
        let Document { r#type, title, detail } = serde_json::from_slice(body).unwrap_or_default();
        let word = r#type.unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned();
        let texts: Vec<String> = [title, detail].into_iter().flatten().collect();
        let text = match texts.is_empty() {
            true => String::from_utf8_lossy(body).chars().take(200).collect(),
            false => texts.join(": "),
        };
        Self { word, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16) -> &'static str {
        match judge(status, String::new(), None) {
            TransportError::Unavailable { .. } => "again",
            TransportError::Unauthorized { .. } => "token",
            TransportError::Rejected { .. } => "never",
        }
    }

    #[test]
    fn statuses_are_judged() {
        for (status, expected) in [
            (301, "again"),
            (400, "never"),
            (401, "token"),
            (403, "token"),
            (404, "again"),
            (409, "never"),
            (413, "never"),
            (415, "never"),
            (422, "never"),
            (429, "again"),
            (500, "again"),
            (503, "again"),
        ] {
            assert_eq!(kind(status), expected, "{status}");
        }
    }

    #[test]
    fn problems_are_told() {
        let body = br#"{"type": "urn:weir:problem:foreign-cluster", "title": "batch refused",
            "detail": "unknown table", "status": 422}"#;
        let problem = Problem::read(body);
        assert_eq!(problem.text, "batch refused: unknown table");
        assert_eq!(problem.word, FOREIGN_CLUSTER);
        assert_eq!(Problem::read(b"<html>bad gateway</html>").text, "<html>bad gateway</html>");
        assert_eq!(Problem::read(&[0xff; 900]).text.chars().count(), 200);
    }

    #[test]
    fn a_token_file_is_read_each_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("token");
        let credential = Credential::TokenFile(path.clone());
        let unusable = |part: &str| match credential.token() {
            Err(TransportError::Unauthorized { detail }) => {
                assert!(detail.contains(part) && detail.contains("token file"), "{detail}");
            }
            other => panic!("{other:?}"),
        };
        unusable("No such file");
        for text in ["", "\n", "two words", "t\u{f6}ken"] {
            std::fs::write(&path, text).expect("written");
            unusable("one word");
        }
        for token in ["first", "second"] {
            std::fs::write(&path, format!("{token}\n")).expect("written");
            assert_eq!(credential.token().expect("a token").as_deref(), Some(token));
        }
    }
}
