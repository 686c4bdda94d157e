//! `/healthz` and `/readyz`.

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;

use crate::problem::Problem;
use crate::state::AppState;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// The store answers too.
pub async fn readyz(State(state): State<AppState>) -> Result<&'static str, Problem> {
    let not_ready = |detail: String| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail)
    };
    if !state.is_store_well.load(Ordering::Relaxed) {
        return Err(not_ready("the store's background work fails; the log says why".to_owned()));
    }
    let status = state.with_store(|store| store.status()).await;
    status.map(|_| "ready\n").map_err(|problem| not_ready(problem.detail.clone()))
}
