//! Batches to a server over HTTP.

use std::io::Read;
use std::time::Duration;

use serde::Deserialize;

use weir_wire::{CONTENT_TYPE, INGEST_PATH, SENT_UNIX_MS_HEADER};

use crate::clock::Moment;
use crate::transport::{Transport, TransportError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one whole call, so that a stop never waits longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How much of a problem document is read.
const PROBLEM_BYTES_MAX: u64 = 8192;

/// `POST {server}/api/v1/ingest` with a bearer token.
pub struct HttpTransport {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

impl HttpTransport {
    /// `server` is the server's address, `http://127.0.0.1:4400` or `https://weir.example`.
    pub fn new(server: &str, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(CALL_TIMEOUT))
            .user_agent(concat!("weir-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        let url = format!("{}{INGEST_PATH}", server.trim_end_matches('/'));
        Self { agent: config.new_agent(), url, token }
    }
}

impl Transport for HttpTransport {
    fn send(&self, batch: &[u8]) -> Result<(), TransportError> {
        let mut request = self
            .agent
            .post(&self.url)
            .content_type(CONTENT_TYPE)
            .header(SENT_UNIX_MS_HEADER, Moment::now().unix_ms.to_string());
        if let Some(token) = &self.token {
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
        // the status alone decides; the body only says why
        let _ = reader.take(PROBLEM_BYTES_MAX).read_to_end(&mut body);
        let detail = format!("POST {}: status {status}: {}", self.url, problem_text(&body));
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

/// The gist of a problem document (RFC 9457), or the beginning of whatever came instead.
fn problem_text(body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    struct Problem {
        title: Option<String>,
        detail: Option<String>,
    }
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let texts: Vec<String> = [problem.title, problem.detail].into_iter().flatten().collect();
    if texts.is_empty() {
        return String::from_utf8_lossy(body).chars().take(200).collect();
    }
    texts.join(": ")
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
        let body = br#"{"title": "batch refused", "detail": "unknown table", "status": 422}"#;
        assert_eq!(problem_text(body), "batch refused: unknown table");
        assert_eq!(problem_text(b"<html>bad gateway</html>"), "<html>bad gateway</html>");
        assert_eq!(problem_text(&[0xff; 900]).chars().count(), 200);
    }
}
