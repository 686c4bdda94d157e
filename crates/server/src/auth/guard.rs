//! The guard: what a request must carry before a handler sees it.
//!
//! On an open loopback address the danger is a web page in the user's own browser: one that made
//! its name resolve to 127.0.0.1 (DNS rebinding, stopped by the Host header) or one that posts
//! across sites (stopped by the Origin header). With a token, it is anyone at all.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use weir_wire::INGEST_PATH;

use super::agent_tokens::AgentToken;
use super::enrolment::Standing;
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

/// What agents may do with a token of theirs: send what they saw, and what they know of their
/// cluster.
fn is_for_agents(method: &Method, path: &str) -> bool {
    *method == Method::POST && (path == INGEST_PATH || path.starts_with("/api/v1/clusters/"))
}

/// Who asks; handlers find it among the request's extensions.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Someone who may do everything.
    Operator,
    /// Someone with a token of agents.
    Agent(Arc<AgentToken>),
}

/// Lets the request through or answers 401 or 403.
pub async fn guard(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match check(&state, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn check(state: &AppState, request: &Request) -> Result<Caller, Problem> {
    let (method, path, headers) = (request.method(), request.uri().path(), request.headers());
    let authority = authority(request);
    let of_agents = || agents_token(state, bearer(headers)?);
    match &state.options.auth {
        AuthMode::LoopbackOpen => {
            check_host(authority)?;
            check_origin(method, headers, authority)?;
            // Nobody needs a token here; who has one all the same is of its cluster.
            let of_agents = if is_for_agents(method, path) { of_agents() } else { None };
            of_agents.map_or(Ok(Caller::Operator), |agent| agent.map(Caller::Agent))
        }
        AuthMode::Token(_) if is_public(method, path) => {
            check_origin(method, headers, authority).map(|()| Caller::Operator)
        }
        AuthMode::Token(hash) => {
            let Some(token) = bearer(headers) else {
                if state.sessions.is_open(headers, state.now_ms()) {
                    return check_origin(method, headers, authority).map(|()| Caller::Operator);
                }
                return Err(unauthorized(false));
            };
            if hash.is_of(token) {
                return Ok(Caller::Operator);
            }
            let token = of_agents().unwrap_or_else(|| Err(unauthorized(true)))?;
            if is_for_agents(method, path) { Ok(Caller::Agent(token)) } else { Err(agents_only()) }
        }
    }
}

/// The token of agents that this text is, if it is good; `None`: it is none.
fn agents_token(state: &AppState, text: &str) -> Option<Result<Arc<AgentToken>, Problem>> {
    let (token, standing) = state.agent_tokens.judge(text, state.now_ms())?;
    Some(match standing {
        Standing::Good => Ok(token),
        Standing::Expired | Standing::Revoked => Err(ended(&token, standing)),
    })
}

fn ended(token: &AgentToken, standing: Standing) -> Problem {
    let ended_ms = token.revoked_ms.or(token.expires_ms).unwrap_or_default();
    let of = token.cluster.as_ref().map(|cluster| format!(" of cluster {cluster}"));
    let (word, title, how) = match standing {
        Standing::Revoked => ("revoked-token", "The token was revoked", "was revoked"),
        _ => ("expired-token", "The token has expired", "expired"),
    };
    let (id, of) = (&token.id, of.unwrap_or_default());
    let detail = format!("token {id}{of} {how} at {}", weir_query::format_time(ended_ms));
    Problem::new(StatusCode::UNAUTHORIZED, word, title, detail)
        .expected("a token that `weir token create` makes, in the file that the agent reads")
}

fn agents_only() -> Problem {
    let title = "The token is for agents";
    let detail = "with this token flows may be sent, nothing else";
    Problem::new(StatusCode::FORBIDDEN, "agents-only", title, detail)
        .expected("the operator's token, which was shown at the first start")
}

fn unauthorized(has_token: bool) -> Problem {
    let detail = if has_token {
        "the token is not the one of this server, nor one of its agents'"
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
    fn agents_may_send_and_nothing_else() {
        for path in ["/api/v1/ingest", "/api/v1/clusters/east/objects"] {
            assert!(is_for_agents(&Method::POST, path), "{path}");
            assert!(!is_for_agents(&Method::GET, path), "{path}");
        }
        for path in ["/api/v1/session", "/api/v1/ingest/", "/api/v1/clusters", "/metrics"] {
            assert!(!is_for_agents(&Method::POST, path), "{path}");
        }
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
