//! All BPF of Weir: the C programs, their record headers, the loader and the decoders.
//!
//! Owns the kernel side: which hooks are used on this kernel, what is lost without each, and how
//! records become [`weir_model`] values. Knows nothing of windows, names or storage. The only
//! room with libbpf and `unsafe`.
//!
//! Capabilities: [`Collector::start`] needs `CAP_BPF`, `CAP_PERFMON`, `CAP_NET_ADMIN` and, to look
//! into other network namespaces and processes once, `CAP_SYS_ADMIN`, `CAP_SYS_PTRACE` and
//! `CAP_DAC_READ_SEARCH` (root has all). Afterwards `CAP_BPF` and `CAP_PERFMON` are enough, unless
//! payload inside TLS is read ([`Collector::reads_tls`]).

mod batch;
mod check;
mod collector;
mod dns;
mod error;
mod grace;
mod kernel;
mod nat;
mod netns;
mod object;
mod payload;
mod record;
mod ring;
mod tcp;
mod udp;

pub use check::{HookReport, Report};
pub use collector::{Collector, Options, Sink};
pub use error::{ProbeError, ProbeErrorKind};
pub use object::ProgramStats;
pub use payload::{PayloadOptions, PayloadSink, Processes};

/// Every component and reason under which the probes count a loss.
pub fn loss_reasons() -> impl Iterator<Item = (&'static str, &'static str)> {
    let dns = udp::REASONS.into_iter().chain(dns::loss_reasons());
    tcp::loss_reasons().chain(nat::loss_reasons()).chain(dns).chain(payload::loss_reasons())
}
