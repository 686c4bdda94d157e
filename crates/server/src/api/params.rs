//! Query parameters: the names that exist, and nothing else.
//!
//! A parameter struct names its parameters once, with their documentation; the OpenAPI description
//! and the check for unknown names are both made from it. Values stay text here: `read` and
//! `scope` give them meaning.

use axum::extract::{FromRequestParts, Query};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;
use weir_model::{Layer, Level, Perspective};

use super::types::described;
use crate::problem::Problem;
use crate::suggest::nearest;

/// Parameters of a question that `T` adds to those of its scope.
pub struct Asked<T>(pub ScopeParams, pub T);

impl<S: Sync, T: IntoParams + DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut known = names::<ScopeParams>();
        known.extend(names::<T>());
        let given = read(parts, &known)?;
        Ok(Self(fill(&given)?, fill(&given)?))
    }
}

/// Parameters of a call that is about no part of the data.
pub struct Only<T>(pub T);

impl<S: Sync, T: IntoParams + DeserializeOwned> FromRequestParts<S> for Only<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let given = read(parts, &names::<T>())?;
        for parameter in T::into_params(|| None) {
            let is_required = parameter.required == utoipa::openapi::Required::True;
            if is_required && !given.contains_key(&parameter.name) {
                let name = &parameter.name;
                return Err(Problem::parameter(name, format!("`{name}` is missing"))
                    .expected(parameter.description.unwrap_or_default()));
            }
        }
        Ok(Self(fill(&given)?))
    }
}

/// A call without parameters.
pub struct NoParams;

impl<S: Sync> FromRequestParts<S> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts, &[]).map(|_| Self)
    }
}

fn names<T: IntoParams>() -> Vec<String> {
    T::into_params(|| None).into_iter().map(|parameter| parameter.name).collect()
}

fn read(parts: &Parts, known: &[String]) -> Result<Map<String, Value>, Problem> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|error| {
        let title = "The query string cannot be read";
        Problem::new(StatusCode::BAD_REQUEST, "invalid-query", title, error.body_text())
    })?;
    let mut given = Map::new();
    for (name, value) in pairs.0 {
        if !known.contains(&name) {
            return Err(unknown(&name, known));
        }
        if given.contains_key(&name) {
            return Err(Problem::parameter(&name, format!("`{name}` is given twice"))
                .expected("every parameter at most once"));
        }
        // An empty value is no value: forms send them for what was left blank.
        if !value.is_empty() {
            given.insert(name, Value::String(value));
        }
    }
    Ok(given)
}

fn unknown(name: &str, known: &[String]) -> Problem {
    let title = "There is no such parameter";
    let detail = format!("this call has no parameter `{name}`");
    let expected = match known {
        [] => "no parameters".to_owned(),
        known => known.join(", "),
    };
    let mut problem = Problem::new(StatusCode::BAD_REQUEST, "unknown-parameter", title, detail)
        .expected(expected)
        .did_you_mean(nearest(name, known.iter().map(String::as_str)));
    problem.parameter = Some(name.to_owned());
    problem
}

fn fill<T: DeserializeOwned>(given: &Map<String, Value>) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(given.clone()))
        .map_err(|error| Problem::internal(format!("parameters cannot be read: {error}")))
}

fn levels() -> Object {
    described(
        "entity kind to group by; default `process`",
        Level::ALL.iter().map(|level| level.as_str()),
    )
}

fn layers() -> Object {
    described(
        "`l4`: transport, the default; `l7`: requests of HTTP and gRPC; `dns`: name lookups",
        Layer::ALL.iter().map(|layer| layer.as_str()),
    )
}

fn perspectives() -> Object {
    const DOC: &str = "whose observation is read; `merged` takes each conversation once and is the default, \
         unless the filter names `local_*`, `remote_*` or `direction`: those speak of rows as they \
         were observed, so the default is `both` then";
    described(DOC, Perspective::ALL.iter().map(|perspective| perspective.as_str()))
}

/// What part of the data a question is about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ScopeParams {
    /// Begin of the range: Unix milliseconds, RFC 3339, or `now-15m`. Default: 15 minutes before
    /// `to`.
    #[param(example = "now-15m")]
    pub from: Option<String>,
    /// End of the range, not included. Default: `now`.
    #[param(example = "now")]
    pub to: Option<String>,
    #[param(schema_with = levels)]
    pub level: Option<String>,
    #[param(schema_with = layers)]
    pub layer: Option<String>,
    /// Filter language with the fields of the layer, for example `server_port:443 -client_process:curl`.
    pub filter: Option<String>,
    #[param(schema_with = perspectives)]
    pub perspective: Option<String>,
}
