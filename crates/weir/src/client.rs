//! Asks a running server's API; turns its problem documents into errors.

use anyhow::{Context, Result, anyhow, bail};
use clap::ArgMatches;
use serde_json::Value;

use crate::{discover, usage};

/// Where a server is expected when nothing says otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:9347";

/// A server's API.
pub struct Client {
    base: String,
    token: Option<String>,
    http: ureq::Agent,
}

impl Client {
    /// From `--url`, else the server that runs on this host, else the default address.
    pub fn new(matches: &ArgMatches) -> Result<Self> {
        let url = matches.get_one::<String>("url").cloned();
        let base = url
            .or_else(discover::running_server)
            .unwrap_or_else(|| DEFAULT_URL.to_owned())
            .trim_end_matches('/')
            .to_owned();
        let token = match matches.get_one::<String>("token-file") {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the token file {path}"))
                    .map_err(usage)?,
            ),
            None => std::env::var("WEIR_TOKEN").ok(),
        };
        let http = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        Ok(Self { base, token, http })
    }

    /// `GET {base}/api/v1/{path}` with query parameters.
    pub fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value> {
        let url = format!("{}/api/v1/{path}", self.base);
        let mut request = self.http.get(&url);
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {}", token.trim()));
        }
        let mut response = request.call().with_context(|| {
            format!("cannot ask {}; is `weir up` or `weir server` running there?", self.base)
        })?;
        let status = response.status();
        let body: Value = response
            .body_mut()
            .read_json()
            .with_context(|| format!("{url} answered {status} with something that is not JSON"))?;
        if status.is_success() {
            return Ok(body);
        }
        let detail = body["detail"].as_str().or(body["title"].as_str()).unwrap_or("no detail");
        match status.as_u16() {
            400 => Err(usage(anyhow!("{detail}"))),
            401 => bail!("{detail}; give it with --token-file or WEIR_TOKEN"),
            _ => bail!("the server answered {status}: {detail}"),
        }
    }
}
