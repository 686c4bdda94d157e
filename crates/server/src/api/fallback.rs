//! What is no route: an unknown API path, a wrong method, or a page of the UI.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::problem::Problem;
use crate::suggest::nearest;
use crate::ui;

/// `paths`: those of the API.
pub async fn unknown(request: Request, paths: Vec<String>) -> Response {
    let path = request.uri().path();
    if path != "/api" && !path.starts_with("/api/") {
        return ui::serve(request).await;
    }
    let detail = format!("the API has no path `{path}`");
    Problem::new(StatusCode::NOT_FOUND, "not-found", "No such path", detail)
        .expected("one of the paths of /api/v1/openapi.json")
        .did_you_mean(nearest(path, paths.iter().map(String::as_str)))
        .into_response()
}

/// The `Allow` header is added by the router.
pub async fn wrong_method(request: Request) -> Response {
    let expected = "one of the methods in the Allow header";
    Problem::method_not_allowed(request.method(), expected).into_response()
}
