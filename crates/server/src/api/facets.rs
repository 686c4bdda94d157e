//! `GET /facets`: most frequent values of fields, for quick filters and completion.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use weir_query::Shape;

use super::params::{Asked, ScopeParams};
use super::read;
use super::scope::Scope;
use super::types::{Facet, FacetValue, Facets};
use crate::ask;
use crate::problem::Problem;
use crate::state::AppState;

const FIELDS_MAX: usize = 50;
const VALUES_MAX: usize = 1_000;

/// Parameters of `GET /facets`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FacetsParams {
    /// Key fields of the layer's filter language, separated by commas; at most 50.
    #[param(required, example = "server_process,transport")]
    fields: Option<String>,
    /// Values per field. Default 20, at most 1,000.
    #[param(value_type = Option<u32>)]
    limit: Option<String>,
}

/// Most frequent values of fields, with the number of rows that have each. At layer l7 the rows are
/// those of summed-up requests, or single requests where the filter or a field is of these only.
#[utoipa::path(
    get,
    path = "/api/v1/facets",
    params(ScopeParams, FacetsParams),
    responses(
        (status = OK, body = Facets),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn facets(
    State(state): State<AppState>,
    Asked(scope, params): Asked<FacetsParams>,
) -> Result<Json<Facets>, Problem> {
    let names = read::list(params.fields.as_deref());
    if names.is_empty() || names.len() > FIELDS_MAX {
        return Err(Problem::parameter("fields", format!("{} fields are given", names.len()))
            .expected(format!("1 to {FIELDS_MAX} key fields, such as server_process,transport")));
    }
    let (scope, fields) = Scope::either(&scope, state.now_ms(), |scope| {
        let field = |name: &&str| read::key_field(scope.table, "fields", name, false);
        names.iter().map(|name| Ok(field(name)?.name)).collect::<Result<Vec<_>, Problem>>()
    })?;
    let limit = read::whole("limit", params.limit.as_deref(), 1..=VALUES_MAX, 20)?;
    let question = scope.question(Shape::Facets { fields, limit });
    let (answers, incomplete) = state.ask(scope.window, vec![question]).await?;
    let value =
        |value: weir_query::FacetValue| FacetValue { value: value.value, count: value.count };
    let facet = |facet: weir_query::Facet| Facet {
        field: facet.field,
        values: facet.values.into_iter().map(value).collect(),
        left: facet.left_out,
    };
    Ok(Json(Facets {
        window: scope.window(state.options.window.as_millis() as i64),
        facets: ask::facets(answers.into_iter().next())?.into_iter().map(facet).collect(),
        incomplete,
    }))
}
