//! The embedded web UI: files of `web/dist`, with every other path answered by `index.html`.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::Problem;

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../web/dist"]
struct Dist;

/// Vite names what lies here after its content.
const HASHED_PREFIX: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<title>Weir</title><h1>The web UI is not part of this build</h1>\
<p>Run <code>make ui</code> and build weir again. The API works: \
<a href=\"/api/v1/status\">status</a>, <a href=\"/api/v1/openapi.json\">its description</a>.</p>";

/// Answers whatever is not a route: a file, or the page that finds its way by the path itself.
pub async fn serve(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Problem::method_not_allowed(request.method(), "GET").into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(found) = Dist::get(path) {
        return file(path, found);
    }
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let is_page = path.is_empty() || accepts.is_some_and(|kinds| kinds.contains("text/html"));
    if !is_page || path.starts_with(HASHED_PREFIX) {
        let detail = format!("there is no file `/{path}`");
        let title = "No such file";
        return Problem::new(StatusCode::NOT_FOUND, "not-found", title, detail).into_response();
    }
    match Dist::get("index.html") {
        Some(found) => file("index.html", found),
        None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
    }
}

fn file(path: &str, found: EmbeddedFile) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let mut response = Response::new(Body::from(found.data));
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(kind.as_ref()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    let cache = if path.starts_with(HASHED_PREFIX) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}
