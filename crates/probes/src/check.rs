//! What this kernel gives, hook by hook: the data of `weir check`.
//!
//! Owns the report's shape and how it is made: facts first, then each probe is really started and
//! stopped again, because only that tells whether its programs may be loaded and attached.

use serde::Serialize;

use crate::collector::Options;
use crate::error::ProbeError;
use crate::kernel::{Capability, Kernel};
use crate::nat::NatProbe;
use crate::object;
use crate::payload::{self, PayloadProbe};
use crate::tcp::{TcpProbe, support as tcp};
use crate::udp::{self, UdpProbe};

/// What this kernel offers to the probes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// As `uname -r` prints it.
    pub kernel: String,
    /// Whether the collector can start here.
    pub is_usable: bool,
    /// What keeps it from starting, and what would be right.
    pub obstacle: Option<String>,
    pub hooks: Vec<HookReport>,
}

/// One hook, or something that hooks need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookReport {
    /// As libbpf names it, or the name of what is needed.
    pub name: String,
    /// `system`, `tcp`, `udp`, `dns`, `nat` or `payload`.
    pub probe: String,
    pub is_available: bool,
    pub is_used: bool,
    /// Why it is not available, or not used.
    pub reason: Option<String>,
    /// What is used in its place.
    pub chosen: Option<String>,
    /// What cannot be seen because of that; none if nothing is missing.
    pub lost: Option<String>,
}

impl HookReport {
    fn new(probe: &str, name: impl Into<String>, is_available: bool) -> Self {
        Self {
            name: name.into(),
            probe: probe.to_owned(),
            is_available,
            is_used: is_available,
            reason: None,
            chosen: None,
            lost: None,
        }
    }
}

/// An error with its sources, on one line.
pub(crate) fn chain(err: &ProbeError) -> String {
    let mut text = err.to_string();
    let mut source = std::error::Error::source(err);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

pub(crate) fn report(options: &Options) -> Report {
    object::take_libbpf_log();
    let kernel = match Kernel::read(&tcp::tracepoints(), &tcp::iterators()) {
        Ok(kernel) => kernel,
        Err(err) => {
            return Report {
                kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
                is_usable: false,
                obstacle: Some(chain(&err)),
                hooks: Vec::new(),
            };
        }
    };
    let mut hooks = system_hooks(&kernel);
    let mut obstacle = kernel.obstacle().map(|err| chain(&err));
    let (mut tcp, mut udp) = (None, None);
    if obstacle.is_none() {
        tcp = TcpProbe::start(options, None).map_err(|err| chain(&err)).err();
        if options.udp {
            udp = Some(UdpProbe::start(options).map_err(|err| chain(&err)));
        }
        obstacle = tcp.clone();
    }
    let tcp_failure = tcp.as_deref().or(obstacle.as_deref());
    hooks.extend(tcp_hooks(&kernel, tcp_failure));
    match udp {
        Some(Ok(probe)) => hooks.extend(udp_hooks(&probe, options)),
        Some(Err(err)) => hooks.extend(udp_absence(&err, false)),
        None if !options.udp => hooks.extend(udp_absence("agent.udp is off", true)),
        None => hooks.extend(udp_absence(obstacle.as_deref().unwrap_or_default(), false)),
    }
    hooks.push(nat_hook(options, obstacle.as_deref()));
    hooks.extend(payload_hooks(options, obstacle.as_deref()));
    Report { kernel: kernel.release, is_usable: obstacle.is_none(), obstacle, hooks }
}

fn system_hooks(kernel: &Kernel) -> Vec<HookReport> {
    let mut hooks = vec![HookReport::new("system", "kernel BTF", kernel.has_btf)];
    for (capability, name, purpose) in Capability::ALL {
        let mut hook = HookReport::new("system", name, kernel.has(capability));
        if !hook.is_available {
            hook.reason = Some("this process does not have it: run as root".to_owned());
            hook.lost = Some(purpose.to_owned());
        }
        hooks.push(hook);
    }
    hooks
}

/// Every hook of TCP; none of them has a substitute.
fn tcp_hooks(kernel: &Kernel, failure: Option<&str>) -> Vec<HookReport> {
    let report = |hook: &tcp::Hook| {
        let mut report = HookReport::new("tcp", hook.name(), hook.is_available(kernel));
        report.is_used = report.is_available && failure.is_none();
        if !report.is_available {
            report.reason = Some("this kernel does not have it".to_owned());
        } else if let Some(failure) = failure {
            report.reason = Some(failure.to_owned());
        }
        report.lost = (!report.is_used).then(|| hook.lost.to_owned());
        report
    };
    tcp::HOOKS.iter().map(report).collect()
}

/// Sets of hooks of which one is used, best first: each by its name and what it does not see.
fn choice_hooks(
    probe: &str,
    sets: &[(&str, &str)],
    used: &str,
    refusals: &[String],
) -> Vec<HookReport> {
    let mut refusals = refusals.iter();
    let report = |(name, loses): &(&str, &str)| {
        let mut hook = HookReport::new(probe, *name, true);
        if *name == used {
            hook.lost = Some((*loses).to_owned()).filter(|lost| !lost.is_empty());
            return hook;
        }
        hook.is_used = false;
        hook.chosen = Some(used.to_owned());
        let refusal = refusals.next();
        hook.is_available = refusal.is_none();
        hook.reason = Some(refusal.cloned().unwrap_or_else(|| format!("{used} is better")));
        hook
    };
    sets.iter().map(report).collect()
}

fn udp_hooks(probe: &UdpProbe, options: &Options) -> Vec<HookReport> {
    let sets = udp::HookSet::ALL.map(|set| (set.name(), set.loses()));
    let mut hooks = choice_hooks("udp", &sets, probe.hook_set().name(), probe.refusals());
    hooks.extend(dns_hooks(probe.has_dns_over_tcp(), options));
    hooks
}

/// What is read of DNS where UDP is watched.
fn dns_hooks(has_tcp: bool, options: &Options) -> [HookReport; 2] {
    let mut udp = HookReport::new("dns", "over UDP", true);
    let mut tcp = HookReport::new("dns", "over TCP", has_tcp || !options.dns);
    if !options.dns {
        let lost = ["lookups, and the names of remote addresses", "lookups over TCP"];
        for (hook, lost) in [&mut udp, &mut tcp].into_iter().zip(lost) {
            hook.is_used = false;
            hook.reason = Some("agent.dns is off".to_owned());
            hook.lost = Some(lost.to_owned());
        }
    } else if !has_tcp {
        tcp.reason = Some("this kernel does not let TCP's functions be hooked".to_owned());
        tcp.lost = Some("lookups over TCP".to_owned());
    }
    [udp, tcp]
}

/// Listens to connection tracking for a moment, if that is wanted and nothing is in the way.
fn nat_hook(options: &Options, obstacle: Option<&str>) -> HookReport {
    let mut hook = HookReport::new("nat", "connection tracking", obstacle.is_none());
    let refusal = match obstacle {
        Some(obstacle) => Some(obstacle.to_owned()),
        None if !options.nat => Some("agent.nat is off".to_owned()),
        None => {
            let refusal = NatProbe::start(options).map_err(|err| chain(&err)).err();
            hook.is_available = refusal.is_none();
            refusal
        }
    };
    if refusal.is_some() {
        hook.is_used = false;
        hook.lost = Some("who answers for a translated address (NAT)".to_owned());
        hook.reason = refusal;
    }
    hook
}

/// Starts the payload probe, if that is wanted and nothing is in the way.
fn payload_hooks(options: &Options, obstacle: Option<&str>) -> Vec<HookReport> {
    let absence = |reason: String, is_available| {
        vec![HookReport {
            is_used: false,
            reason: Some(reason),
            lost: Some("all requests".to_owned()),
            ..HookReport::new("payload", "send and receive", is_available)
        }]
    };
    if !options.payload.is_on {
        return absence("reading payload is off".to_owned(), true);
    }
    if let Some(obstacle) = obstacle {
        return absence(obstacle.to_owned(), false);
    }
    match PayloadProbe::start(options, None) {
        Ok(probe) => {
            let sets = payload::HookSet::ALL.map(|set| (set.name(), set.loses()));
            let used = probe.hook_set().name();
            let mut hooks = choice_hooks("payload", &sets, used, probe.refusals());
            hooks.push(tls_hook(&probe, options));
            hooks
        }
        Err(err) => absence(chain(&err), false),
    }
}

/// Nothing of UDP is watched, because it cannot be or is not wanted.
fn udp_absence(reason: &str, is_available: bool) -> Vec<HookReport> {
    let lost = [("udp", "all of UDP"), ("dns", "lookups, and the names of remote addresses")];
    lost.map(|(probe, lost)| HookReport {
        is_used: false,
        reason: Some(reason.to_owned()),
        lost: Some(lost.to_owned()),
        ..HookReport::new(probe, "send and receive", is_available)
    })
    .into()
}

/// The functions of TLS libraries.
fn tls_hook(probe: &PayloadProbe, options: &Options) -> HookReport {
    let mut hook = HookReport::new("payload", "uprobe", true);
    if probe.reads_tls() {
        return hook;
    }
    hook.is_used = false;
    hook.is_available = !options.payload.tls;
    hook.lost = Some("requests inside TLS".to_owned());
    hook.reason = Some(match hook.is_available {
        true => "reading TLS is off".to_owned(),
        false => "this kernel does not have it".to_owned(),
    });
    hook
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_lacks_is_reported_with_its_price() {
        let mut kernel = Kernel {
            tracepoints: tcp::tracepoints().into_iter().map(str::to_owned).collect(),
            iterators: tcp::iterators().into_iter().map(str::to_owned).collect(),
            ..Kernel::default()
        };
        assert!(tcp_hooks(&kernel, None).iter().all(|hook| hook.is_used && hook.lost.is_none()));

        kernel.tracepoints.remove("tcp_send_reset");
        let hooks = tcp_hooks(&kernel, None);
        let lost: Vec<_> = hooks.iter().filter_map(|hook| hook.lost.as_deref()).collect();
        assert_eq!(lost, ["resets sent"]);

        let hooks = tcp_hooks(&kernel, Some("not permitted"));
        assert!(hooks.iter().all(|hook| !hook.is_used && hook.reason.is_some()));
    }

    #[test]
    fn dns_that_is_not_read_is_reported_with_its_price() {
        let used = |dns, has_tcp| {
            let hooks = dns_hooks(has_tcp, &Options { dns, ..Options::default() });
            hooks.map(|hook| {
                assert_eq!(hook.is_used, hook.reason.is_none(), "{hook:?}");
                assert_eq!(hook.is_used, hook.lost.is_none(), "{hook:?}");
                (hook.is_available, hook.is_used)
            })
        };
        assert_eq!(used(true, true), [(true, true), (true, true)]);
        assert_eq!(used(true, false), [(true, true), (false, false)]);
        assert_eq!(used(false, false), [(true, false), (true, false)]);
    }

    #[test]
    fn missing_capabilities_are_named_one_by_one() {
        let hooks = system_hooks(&Kernel { capabilities: 1 << 39, ..Kernel::default() });
        let missing: Vec<_> =
            hooks.iter().filter(|hook| !hook.is_available).map(|hook| &*hook.name).collect();
        let expected =
            ["kernel BTF", "CAP_PERFMON", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"];
        assert_eq!(missing, expected);
    }
}
