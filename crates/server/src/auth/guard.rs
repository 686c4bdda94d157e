//! The guard: what a request must carry before a handler sees it.
//!
//! On an open loopback address the danger is a web page in the user's own browser: one that made
//! its name resolve to 127.0.0.1 (DNS rebinding, stopped by the Host header) or one that posts
//! across sites (stopped by the Origin header). With a token, it is anyone at all.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::options::AuthMode;
use crate::problem::Problem;
use crate::state::AppState;

/// What may be seen without a token: whether the server lives, and the UI's own files, which hold
/// no data and ask for the token.
fn is_public(method: &Method, path: &str) -> bool {
    let is_session = path == "/api/v1/session";
    let is_guarded = path == "/metrics" || path == "/api" || path.starts_with("/api/");
    (is_session && method == Method::POST) || !is_guarded
}

/// Lets the request through or answers 401 or 403.
pub async fn guard(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match check(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(state: &AppState, request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    let authority = authority(request);
    match &state.options.auth {
        AuthMode::LoopbackOpen => {
            check_host(authority)?;
            check_origin(request.method(), headers, authority)
        }
        AuthMode::Token(_) if is_public(request.method(), request.uri().path()) => {
            check_origin(request.method(), headers, authority)
        }
        AuthMode::Token(hash) => {
            if let Some(token) = bearer(headers) {
                return if hash.is_of(token) { Ok(()) } else { Err(unauthorized(true)) };
            }
            if state.sessions.is_open(headers, state.now_ms()) {
                return check_origin(request.method(), headers, authority);
            }
            Err(unauthorized(false))
        }
    }
}

fn unauthorized(has_token: bool) -> Problem {
    let detail = if has_token {
        "the token is not the one of this server"
    } else {
        "this server listens beyond loopback and demands its token"
    };
    let title = "A token is needed";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", title, detail)
        .expected("`Authorization: Bearer TOKEN` with the token that was shown at the first start")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `host:port` as the client addressed it: HTTP/2 puts it into the URI.
fn authority(request: &Request) -> Option<&str> {
    match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(header::HOST)?.to_str().ok(),
    }
}

fn check_host(authority: Option<&str>) -> Result<(), Problem> {
    let host = authority.map(host_of).unwrap_or_default();
    let is_loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if is_loopback {
        return Ok(());
    }
    let title = "The server was addressed by a foreign name";
    let detail = format!("this server is open on loopback only and was addressed as `{host}`");
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign-host", title, detail)
        .expected("a Host header of localhost, 127.0.0.1 or [::1]"))
}

/// `host` of `host:port` and `[v6]:port`.
fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    match authority.rsplit_once(':') {
        Some((host, _)) => host,
        None => authority,
    }
}

/// A request that changes something must come from a page of this server, or from no page.
fn check_origin(
    method: &Method,
    headers: &HeaderMap,
    authority: Option<&str>,
) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("(not text)"));
    let origin = text("origin");
    let site = text("sec-fetch-site");
    let is_own_origin = origin.is_none_or(|origin| {
        origin.split_once("://").is_some_and(|(_, from)| Some(from) == authority)
    });
    let is_own_site = site.is_none_or(|site| site == "same-origin" || site == "none");
    if is_own_origin && is_own_site {
        return Ok(());
    }
    let title = "The request comes from another site";
    let detail =
        format!("a page of {} tried to change something", origin.unwrap_or("another site"));
    Err(Problem::new(StatusCode::FORBIDDEN, "foreign-origin", title, detail)
        .expected("a request from this server's own pages, or one without an Origin header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_pass() {
        for good in ["localhost", "LOCALHOST:80", "127.0.0.1:9347", "127.8.8.8", "[::1]:9347"] {
            assert!(check_host(Some(good)).is_ok(), "{good}");
        }
        let bad = ["evil.example:9347", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil", ""];
        for bad in bad {
            assert!(check_host(Some(bad)).is_err(), "{bad}");
        }
        assert!(check_host(None).is_err());
    }

    #[test]
    fn changes_come_from_own_pages_or_from_none() {
        let check = |method: &Method, origin: Option<&str>, site: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            check_origin(method, &headers, Some("localhost:9347")).is_ok()
        };
        let post = &Method::POST;
        assert!(check(post, None, None));
        assert!(check(post, Some("http://localhost:9347"), Some("same-origin")));
        assert!(!check(post, Some("http://localhost:1234"), None));
        assert!(!check(post, Some("https://evil.example"), None));
        assert!(!check(post, Some("null"), None));
        assert!(!check(post, None, Some("cross-site")));
        assert!(check(&Method::GET, Some("https://evil.example"), Some("cross-site")));
    }

    #[test]
    fn data_are_never_public() {
        for path in ["/api/v1/summary", "/api/v1/ingest", "/api", "/api/nothing", "/metrics"] {
            assert!(!is_public(&Method::GET, path), "{path}");
        }
        assert!(is_public(&Method::POST, "/api/v1/session"));
        assert!(!is_public(&Method::DELETE, "/api/v1/session"));
        for path in ["/", "/summary", "/assets/app.js", "/healthz", "/readyz"] {
            assert!(is_public(&Method::GET, path), "{path}");
        }
    }
}
