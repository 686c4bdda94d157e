//! The HTTP API: routes, their OpenAPI description, and the layers around them.

mod cluster_changes;
mod connections;
mod entity;
mod entity_filter;
mod entity_live;
mod entity_types;
mod facets;
mod fallback;
mod flow_row;
mod flows;
mod health;
mod ingest;
mod layer;
mod map;
mod metric_values;
mod params;
mod provider;
mod read;
mod requests;
mod schema;
mod scope;
mod series;
mod session;
mod status;
mod status_types;
mod summary;
pub mod types;

use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use utoipa::openapi::OpenApi as Description;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::{COOKIE, guard};
use crate::state::AppState;
use crate::{metrics, problem};

/// Answers below this size are not worth compressing.
const COMPRESS_BYTES_MIN: u64 = 1_024;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; \
    worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Weir",
        description = "Who talks to whom, how well, and what it costs. Times are Unix \
            milliseconds; errors are RFC 9457 problem documents.",
    ),
    security((), ("token" = []), ("session" = [])),
    modifiers(&Security),
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, description: &mut Description) {
        let components = description.components.get_or_insert_default();
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("the token that was shown at the first start".to_owned());
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description(COOKIE, "made by POST /api/v1/session");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(summary::summary))
        .routes(routes!(series::series))
        .routes(routes!(facets::facets))
        .routes(routes!(flows::flows))
        .routes(routes!(flows::histogram))
        .routes(routes!(requests::requests))
        .routes(routes!(requests::histogram))
        .routes(routes!(connections::connections))
        .routes(routes!(map::map))
        .routes(routes!(entity::entity))
        .routes(routes!(entity::events))
        .routes(routes!(entity_live::logs))
        .routes(routes!(status::status))
        .routes(routes!(schema::schema))
        .routes(routes!(ingest::ingest))
        .routes(routes!(cluster_changes::changes))
        .routes(routes!(session::open, session::close))
}

fn description() -> Description {
    routes().into_openapi()
}

/// The OpenAPI description as it is committed in docs/reference.
pub fn openapi_json() -> String {
    // A description is made of strings and lists only.
    let mut text = description().to_pretty_json().expect("an OpenAPI description is plain JSON");
    text.push('\n');
    text
}

/// Everything that is served.
pub fn router(state: AppState) -> Router {
    let (api, description) = routes().split_for_parts();
    let paths: Vec<String> = description.paths.paths.keys().cloned().collect();
    let compress = SizeAbove::new(COMPRESS_BYTES_MIN)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::const_new("font/"))
        // A log is looked at while it is written.
        .and(NotForContentType::const_new(entity_live::LOG_TYPE));
    Router::new()
        .merge(api)
        .route("/api/v1/openapi.json", get(move || std::future::ready(Json(description.clone()))))
        .route("/metrics", get(metrics::serve))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(move |request| fallback::unknown(request, paths.clone()))
        .method_not_allowed_fallback(fallback::wrong_method)
        .layer(from_fn_with_state(state.clone(), guard))
        .layer(from_fn_with_state(state.clone(), metrics::count))
        .layer(from_fn(problem::render))
        .layer(CompressionLayer::new().compress_when(compress))
        .layer(map_response(protect))
        .with_state(state)
}

/// Headers that keep a browser from doing more with an answer than it should.
async fn protect(mut response: Response) -> Response {
    const HEADERS: [(HeaderName, &str); 6] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
