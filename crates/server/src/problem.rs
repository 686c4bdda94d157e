//! Errors as RFC 9457 problem documents: what was wrong and what would be right.
//!
//! Owns the document and its kinds. Handlers return a [`Problem`]; the [`render`] layer writes it,
//! because only there the request's path is known.

use std::ops::{Deref, DerefMut};

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use weir_query::{FilterError, TimeError};
use weir_store::{StoreError, StoreErrorKind};

/// A problem, on the heap: answers are returned far more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(Box<Document>);

/// A problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Document {
    /// `urn:weir:problem:` and a word per kind of problem; docs/reference/api.md lists them.
    #[serde(rename = "type")]
    #[schema(example = "urn:weir:problem:invalid-parameter")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    /// What was wrong this time.
    pub detail: String,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The query parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What would be right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// The first wrong character of the parameter's value, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// How many characters are wrong; 0 at the end of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The nearest known name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
    #[serde(skip)]
    retry_after_s: Option<u32>,
}

/// Content type of a problem document.
pub const CONTENT_TYPE: &str = "application/problem+json";

impl Problem {
    pub fn new(
        status: StatusCode,
        word: &str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self(Box::new(Document {
            kind: format!("urn:weir:problem:{word}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            instance: None,
            parameter: None,
            expected: None,
            position: None,
            length: None,
            did_you_mean: None,
            retry_after_s: None,
        }))
    }

    /// A query parameter with a wrong value.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid-parameter",
            "A parameter has a wrong value",
            detail,
        )
        .of(name)
    }

    fn of(mut self, name: &str) -> Self {
        self.parameter = Some(name.to_owned());
        self
    }

    pub fn filter(error: &FilterError) -> Self {
        let title = "The filter cannot be understood";
        let mut problem =
            Self::new(StatusCode::BAD_REQUEST, "invalid-filter", title, error.to_string())
                .of("filter")
                .expected(error.expected.clone());
        problem.position = Some(error.position);
        problem.length = Some(error.length);
        problem.did_you_mean = error.did_you_mean.clone();
        problem
    }

    pub fn time(name: &str, error: &TimeError) -> Self {
        Self::parameter(name, format!("`{}` is not a {}", error.text, error.what))
            .expected(error.expected)
    }

    /// A path that exists, asked with a method that it does not have.
    pub fn method_not_allowed(method: &Method, allowed: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "The path does not have this method",
            format!("{method} is not a method of this path"),
        )
        .expected(allowed)
    }

    /// Something failed in the server; `detail` says what, for whoever runs it.
    pub fn internal(detail: impl Into<String>) -> Self {
        let title = "The server failed";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", title, detail)
    }

    /// Too much at once.
    pub fn busy(status: StatusCode, detail: impl Into<String>, retry_after_s: u32) -> Self {
        let mut problem = Self::new(status, "busy", "The server is busy", detail)
            .expected(format!("the same request again after {retry_after_s} s"));
        problem.retry_after_s = Some(retry_after_s);
        problem
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub fn did_you_mean(mut self, nearest: Option<impl Into<String>>) -> Self {
        self.did_you_mean = nearest.map(Into::into);
        self
    }
}

impl Deref for Problem {
    type Target = Document;

    fn deref(&self) -> &Document {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.0
    }
}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Document::schema()
    }
}

impl ToSchema for Problem {}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error.kind {
            StoreErrorKind::Invalid => Self::new(
                StatusCode::BAD_REQUEST,
                "invalid-question",
                "The store cannot answer this question",
                error.to_string(),
            ),
            StoreErrorKind::Busy => {
                Self::busy(StatusCode::SERVICE_UNAVAILABLE, error.to_string(), 1)
            }
            StoreErrorKind::Io | StoreErrorKind::Corrupt | StoreErrorKind::TooNew => {
                tracing::error!(kind = ?error.kind, error = %chain(&error), "the store failed");
                Self::internal(format!("the store failed: {error}"))
            }
        }
    }
}

/// An error and its sources on one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the problem document of a response that carries one.
pub async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let Some(mut problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    problem.instance = Some(path);
    let body = match serde_json::to_vec(&*problem) {
        Ok(body) => body,
        Err(error) => error.to_string().into_bytes(),
    };
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    if let Some(seconds) = problem.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.status == StatusCode::UNAUTHORIZED.as_u16() {
        let scheme = HeaderValue::from_static("Bearer realm=\"weir\"");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    *response.body_mut() = body.into();
    response
}
