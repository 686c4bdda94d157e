//! Where records come from, as the agent sees it.

use std::time::Duration;

use thiserror::Error;

use weir_model::{DnsMessage, Loss, SignalSet, Transport};
use weir_probes::{Collector, PayloadSink, Sink};

/// A source could not be read; the agent counts it and goes on.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// The kernel's probes, or anything that gives the same records.
pub trait RecordSource: Send {
    /// Hands over everything that changed since the last call.
    fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), SourceError>;

    /// Waits up to `timeout` for DNS messages and hands over those that came.
    fn poll_dns(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(DnsMessage),
    ) -> Result<(), SourceError>;

    /// Whether [`Self::poll_payload`] gives anything.
    fn reads_payload(&self) -> bool;

    /// Waits up to `timeout`, less if much has come, and hands over what connections passed that
    /// carry requests.
    fn poll_payload(
        &mut self,
        timeout: Duration,
        sink: &mut dyn PayloadSink,
    ) -> Result<(), SourceError>;

    /// Hands over no more payload of a connection. What is handed over until then is left out by
    /// whoever asked for this.
    fn ignore_payload(&mut self, _id: u64) {}

    /// Reads no payload of connections that a control group opens from now on.
    fn exclude_cgroup(&self, _cgroup_id: u64) -> Result<(), SourceError> {
        Ok(())
    }

    /// What the source can tell of a transport on this kernel.
    fn signals(&self, transport: Transport) -> SignalSet;

    /// What was lost since the last call.
    fn losses(&mut self) -> Vec<Loss>;

    /// Run time of the programs in the kernel, as far as the kernel counts it.
    fn kernel_run_time(&self) -> Duration {
        Duration::ZERO
    }
}

impl RecordSource for Collector {
    fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), SourceError> {
        Collector::drain(self, sink).map_err(|err| SourceError(chain(&err)))
    }

    fn poll_dns(
        &mut self,
        timeout: Duration,
        sink: &mut dyn FnMut(DnsMessage),
    ) -> Result<(), SourceError> {
        Collector::poll_dns(self, timeout, sink);
        Ok(())
    }

    fn reads_payload(&self) -> bool {
        Collector::reads_payload(self)
    }

    fn poll_payload(
        &mut self,
        timeout: Duration,
        sink: &mut dyn PayloadSink,
    ) -> Result<(), SourceError> {
        Collector::poll_payload(self, timeout, sink);
        Ok(())
    }

    fn ignore_payload(&mut self, id: u64) {
        Collector::ignore_payload(self, id);
    }

    fn exclude_cgroup(&self, cgroup_id: u64) -> Result<(), SourceError> {
        Collector::exclude_cgroup(self, cgroup_id, true).map_err(|err| SourceError(chain(&err)))
    }

    fn signals(&self, transport: Transport) -> SignalSet {
        Collector::signals(self, transport)
    }

    fn losses(&mut self) -> Vec<Loss> {
        Collector::losses(self)
    }

    fn kernel_run_time(&self) -> Duration {
        Duration::from_nanos(self.bpf_run_time().iter().map(|program| program.run_time_ns).sum())
    }
}

/// An error with its causes in one line.
fn chain(err: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(err.source(), |cause| cause.source());
    causes.fold(err.to_string(), |text, cause| format!("{text}: {cause}"))
}
