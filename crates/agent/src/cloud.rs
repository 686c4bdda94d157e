//! The thread that learns where this host is.
//!
//! Owns when a cloud's metadata service is asked and how long that may take. What it is asked is
//! `weir_identity::Cloud`'s. Nothing waits for this thread: batches carry what is known by then.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use weir_identity::{Cloud, Dmi, MetadataReply, MetadataRequest, MetadataService, Method};
use weir_model::Place;

use crate::watch::StopSignal;

/// For one whole request. The service answers from the same rack, or it is not there.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);
/// The longest answer by far is OpenStack's document, with the keys of its users.
const BODY_BYTES_MAX: u64 = 65_536;
/// A machine that was moved or resized without a new start is noticed a day later.
const ASK_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// Waits after failures; the last one is repeated.
const ASK_AGAIN: [Duration; 4] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
    Duration::from_secs(3_600),
];

/// How the host's place is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudOptions {
    /// Without it nothing is read or asked.
    pub is_on: bool,
    /// Where the firmware's tables are seen.
    pub dmi_root: PathBuf,
    /// Address of the metadata service instead of the cloud's own, `http://HOST:PORT`.
    pub service_url: Option<String>,
}

impl Default for CloudOptions {
    fn default() -> Self {
        Self { is_on: true, dmi_root: PathBuf::from("/sys/class/dmi/id"), service_url: None }
    }
}

/// What is known of the host's place; written by one thread, read for every batch.
#[derive(Debug, Default)]
pub struct Whereabouts(Mutex<Option<Place>>);

impl Whereabouts {
    pub fn place(&self) -> Option<Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, place: Place) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref() == Some(&place) {
            return;
        }
        tracing::info!(
            provider = place.provider,
            instance = place.instance,
            instance_type = place.instance_type,
            zone = place.zone,
            region = place.region,
            "this host is in a cloud"
        );
        *known = Some(place);
    }
}

/// Finds the host's place and looks again once a day, until `stop` is set. Returns at once where
/// no cloud is named.
pub fn watch_place(options: &CloudOptions, known: &Whereabouts, stop: &StopSignal) {
    if !options.is_on {
        return;
    }
    let Some(cloud) = Cloud::of(&Dmi::read(&options.dmi_root)) else { return };
    let url = options.service_url.as_deref().unwrap_or(cloud.service_url());
    let service = HttpService::new(url, stop);
    let mut failures = 0;
    while !stop.is_set() {
        let wait = match cloud.place(&service) {
            Ok(place) => {
                failures = 0;
                known.set(place);
                ASK_EVERY
            }
            Err(err) => {
                // the firmware's word stands for itself
                if known.place().is_none() {
                    let provider = Some(cloud.as_str().to_owned());
                    known.set(Place { provider, ..Place::default() });
                }
                let wait = ASK_AGAIN[failures.min(ASK_AGAIN.len() - 1)];
                let again_s = wait.as_secs();
                match failures {
                    0 => tracing::warn!(%err, again_s, "zone and region are not known yet"),
                    _ => tracing::debug!(%err, again_s, "zone and region are not known yet"),
                }
                failures += 1;
                wait
            }
        };
        stop.sleep(wait);
    }
}

/// A metadata service over HTTP.
struct HttpService<'a> {
    agent: ureq::Agent,
    url: &'a str,
    stop: &'a StopSignal,
}

impl<'a> HttpService<'a> {
    fn new(url: &'a str, stop: &'a StopSignal) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // the services refuse what came through a proxy, and a proxy is on another machine
            .proxy(None)
            .timeout_global(Some(CALL_TIMEOUT))
            .max_idle_connections(0)
            .user_agent(concat!("weir-agent/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.new_agent(), url, stop }
    }
}

impl MetadataService for HttpService<'_> {
    fn call(&self, request: MetadataRequest<'_>) -> Result<MetadataReply, String> {
        if self.stop.is_set() {
            return Err("the agent stops".to_owned());
        }
        let url = format!("{}{}", self.url, request.target);
        let response = match (request.method, request.header) {
            (Method::Get, None) => self.agent.get(url).call(),
            (Method::Get, Some((name, value))) => self.agent.get(url).header(name, value).call(),
            (Method::Put, None) => self.agent.put(url).send_empty(),
            (Method::Put, Some((name, value))) => {
                self.agent.put(url).header(name, value).send_empty()
            }
        };
        let mut response = response.map_err(|err| err.to_string())?;
        let flavor = response.headers().get("metadata-flavor");
        let flavor = flavor.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = response.body_mut().with_config().limit(BODY_BYTES_MAX).read_to_string();
        let body = body.map_err(|err| err.to_string())?;
        Ok(MetadataReply { status: response.status().as_u16(), flavor, body })
    }
}

#[cfg(test)]
#[path = "cloud_tests.rs"]
mod tests;
