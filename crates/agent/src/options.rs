//! What an agent can be told, with defaults and limits.

use std::path::PathBuf;

use thiserror::Error;

use weir_identity::{DnsLimits, OwnersLimits};
use weir_l7::Headers;

use crate::cloud::CloudOptions;
use crate::lookups::LookupLimits;
use crate::requests::{ContainerNames, RequestLimits};

/// Windows are aligned to multiples of their length since 1970-01-01 UTC.
pub const WINDOW_MS_MIN: u32 = 1_000;
pub const WINDOW_MS_MAX: u32 = 3_600_000;

/// Settings of an agent.
#[derive(Clone, Debug)]
pub struct AgentOptions {
    /// Directory of the agent's id and spool; it must exist and belong to this agent alone.
    pub data_dir: PathBuf,
    /// Id to use instead of the one kept in `data_dir`: for two agents on one host.
    pub agent_id: Option<String>,
    /// Host name to report instead of the kernel's.
    pub host_name: Option<String>,
    /// Cluster that the host is a node of, where it must be said.
    pub cluster: Option<String>,
    /// Length of a window, milliseconds: 1,000 to 3,600,000.
    pub window_ms: u32,
    /// Whether connections of one client to one server count as one flow, whatever port they
    /// came from. Without it every connection is a row.
    pub fold_client_port: bool,
    /// Directory of the control group outside of which nothing is observed; without it all is.
    pub cgroup: Option<PathBuf>,
    /// Where the host's `/proc` and `/etc` are seen.
    pub proc_root: PathBuf,
    pub etc_root: PathBuf,
    /// How the host's place in a cloud is found.
    pub cloud: CloudOptions,
    /// Sockets of container runtimes, for the names of containers.
    pub container_sockets: Vec<PathBuf>,
    /// CPU that the agent should need, in per cent of one core. Past it requests are sampled.
    pub cpu_max_percent: u32,
    pub limits: AgentLimits,
    pub owners: OwnersLimits,
    pub dns: DnsLimits,
    pub requests: RequestLimits,
    /// Headers of requests that are read, and nothing beyond them.
    pub headers: Headers,
    /// Containers whose payload is not read.
    pub excluded_containers: ContainerNames,
    pub lookups: LookupLimits,
}

impl AgentOptions {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            agent_id: None,
            host_name: None,
            cluster: None,
            window_ms: 10_000,
            fold_client_port: true,
            cgroup: None,
            proc_root: PathBuf::from("/proc"),
            etc_root: PathBuf::from("/etc"),
            cloud: CloudOptions::default(),
            container_sockets: Vec::new(),
            cpu_max_percent: 50,
            limits: AgentLimits::default(),
            owners: OwnersLimits::default(),
            dns: DnsLimits::default(),
            requests: RequestLimits::default(),
            headers: Headers::standard().clone(),
            excluded_containers: ContainerNames::default(),
            lookups: LookupLimits::default(),
        }
    }

    /// Says what is wrong with the settings, if anything is.
    pub fn check(&self) -> Result<(), OptionsError> {
        if !(WINDOW_MS_MIN..=WINDOW_MS_MAX).contains(&self.window_ms) {
            return Err(OptionsError::Window(self.window_ms));
        }
        if self.cpu_max_percent == 0 {
            return Err(OptionsError::CpuMax);
        }
        let rows_max = weir_wire::Limits::default().rows_max;
        if !(1..=rows_max).contains(&self.limits.batch_rows_max) {
            return Err(OptionsError::BatchRows { asked: self.limits.batch_rows_max, rows_max });
        }
        Ok(())
    }
}

/// A setting that cannot be.
#[derive(Debug, Error)]
pub enum OptionsError {
    #[error("a window of {0} ms: expected {WINDOW_MS_MIN} to {WINDOW_MS_MAX}")]
    Window(u32),
    #[error("cpu_max_percent 0: expected 1 or more")]
    CpuMax,
    #[error("batch_rows_max {asked}: expected 1 to {rows_max}")]
    BatchRows { asked: usize, rows_max: usize },
}

/// Maxima of the agent, each with what happens when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgentLimits {
    /// Flows in one window. Past it the remote ends of new flows are folded into one (address
    /// unspecified, no port), then everything but direction, transport and family: sums stay
    /// right, detail is discarded and counted.
    pub flows_max: usize,
    /// Rows in one batch; a window with more makes several.
    pub batch_rows_max: usize,
    /// Bytes of batches that wait for a server. Past it the oldest are dropped and counted.
    pub spool_bytes_max: u64,
    /// Bytes of batches kept in memory while the disk cannot be written; the oldest are dropped.
    pub spool_memory_bytes_max: u64,
    /// Batches between closing a window and the spool. Past it the newest is lost and counted.
    pub queue_batches_max: usize,
    /// Addresses of this host, conversations with both ends here, and listening sockets that are
    /// remembered; the least used are forgotten.
    pub addresses_max: usize,
    pub conversations_max: usize,
    pub listeners_max: usize,
}

impl Default for AgentLimits {
    fn default() -> Self {
        Self {
            flows_max: 65_536,
            batch_rows_max: 50_000,
            spool_bytes_max: 256 << 20,
            spool_memory_bytes_max: 16 << 20,
            queue_batches_max: 8,
            addresses_max: 16_384,
            conversations_max: 16_384,
            listeners_max: 16_384,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_settings_are_named() {
        let with = |change: fn(&mut AgentOptions)| {
            let mut options = AgentOptions::new("data");
            change(&mut options);
            options.check().map_err(|err| err.to_string())
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|o| o.window_ms = 1_000), Ok(()));
        for (change, part) in [
            ((|o| o.window_ms = 999) as fn(&mut AgentOptions), "a window of 999 ms"),
            (|o| o.window_ms = 3_600_001, "expected 1000 to 3600000"),
            (|o| o.cpu_max_percent = 0, "cpu_max_percent 0"),
            (|o| o.limits.batch_rows_max = 0, "batch_rows_max 0"),
            (|o| o.limits.batch_rows_max = 10_000_000, "batch_rows_max 10000000"),
        ] {
            let err = with(change).expect_err("refused");
            assert!(err.contains(part), "{err:?} does not say {part:?}");
        }
    }
}
