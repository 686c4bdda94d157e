//! What the running kernel offers, as facts that can be written down in a test.
//!
//! Owns reading them (`Kernel::read`) and what is needed before any probe can start
//! (`Kernel::obstacle`). Which hooks a probe makes of them is in the probe's `support.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libbpf_rs::btf::{Btf, types};

use crate::error::{ProbeError, ProbeErrorKind};

const BTF: &str = "/sys/kernel/btf/vmlinux";

/// The oldest kernel with all that the programs are built on: typed pointers to tasks (5.11),
/// cookies of sockets in tracing programs (5.12), one kind of cgroup pointer in sockets (5.15).
const OLDEST: (u32, u32) = (5, 15);

/// Capabilities by their number in `include/uapi/linux/capability.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capability {
    NetAdmin = 12,
    SysPtrace = 19,
    SysAdmin = 21,
    Perfmon = 38,
    Bpf = 39,
}

impl Capability {
    /// What [`crate::Collector::start`] needs, and what for.
    pub(crate) const ALL: [(Self, &str, &str); 5] = [
        (Self::Bpf, "CAP_BPF", "loading programs and reading their maps"),
        (Self::Perfmon, "CAP_PERFMON", "hooking the kernel and reading its memory"),
        (Self::NetAdmin, "CAP_NET_ADMIN", "hooking UDP calls by control group"),
        (Self::SysAdmin, "CAP_SYS_ADMIN", "looking into other network namespaces, at start"),
        (Self::SysPtrace, "CAP_SYS_PTRACE", "finding the namespaces of other users, at start"),
    ];
}

/// Facts about a kernel and what this process may do with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kernel {
    /// As `uname -r` prints it.
    pub(crate) release: String,
    pub(crate) has_btf: bool,
    /// The mode in brackets in `/sys/kernel/security/lockdown`, where that can be read.
    pub(crate) lockdown: Option<String>,
    /// The effective set, as in `/proc/self/status`.
    pub(crate) capabilities: u64,
    /// Of the names asked for, those that are there.
    pub(crate) tracepoints: BTreeSet<String>,
    pub(crate) iterators: BTreeSet<String>,
}

impl Kernel {
    /// Reads the facts; of tracepoints and iterators, those named.
    pub(crate) fn read(tracepoints: &[&str], iterators: &[&str]) -> Result<Self, ProbeError> {
        let status = fs::read_to_string("/proc/self/status")
            .map_err(|err| ProbeError::io("cannot read /proc/self/status", err))?;
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").ok();
        let mut kernel = Self {
            release: rustix::system::uname().release().to_string_lossy().into_owned(),
            has_btf: Path::new(BTF).exists(),
            lockdown: lockdown.as_deref().and_then(lockdown_mode),
            capabilities: effective_capabilities(&status),
            ..Self::default()
        };
        if kernel.has_btf {
            let btf = Btf::from_vmlinux()
                .map_err(|err| ProbeError::libbpf(format!("cannot read {BTF}"), err))?;
            let is_there = |name: &&str| {
                btf.type_by_name::<types::Typedef<'_>>(&format!("btf_trace_{name}")).is_some()
            };
            kernel.tracepoints = tracepoints.iter().filter(|n| is_there(n)).map(own).collect();
            let is_there =
                |name: &&str| btf.type_by_name::<types::Func<'_>>(&iterator_type(name)).is_some();
            kernel.iterators = iterators.iter().filter(|n| is_there(n)).map(own).collect();
        }
        Ok(kernel)
    }

    pub(crate) fn has(&self, capability: Capability) -> bool {
        // Before 5.8, and still, CAP_SYS_ADMIN includes the two that were split off from it.
        let stands_in = matches!(capability, Capability::Bpf | Capability::Perfmon)
            && self.capabilities & (1 << Capability::SysAdmin as u32) != 0;
        stands_in || self.capabilities & (1 << capability as u32) != 0
    }

    /// What keeps every probe from starting: what is wrong, and what would be right.
    pub(crate) fn obstacle(&self) -> Option<ProbeError> {
        let missing: Vec<_> = Capability::ALL
            .iter()
            .filter(|(capability, ..)| !self.has(*capability))
            .map(|(_, name, purpose)| format!("{name} ({purpose})"))
            .collect();
        if !missing.is_empty() {
            let what = format!("missing {}: run as root", missing.join(", "));
            return Some(ProbeError::new(ProbeErrorKind::NotPermitted, what));
        }
        if let Some(version) = version(&self.release).filter(|version| *version < OLDEST) {
            let ((major, minor), (least_major, least_minor)) = (version, OLDEST);
            let what = format!(
                "kernel {major}.{minor} is too old: {least_major}.{least_minor} or newer is needed"
            );
            return Some(ProbeError::new(ProbeErrorKind::Unsupported, what));
        }
        if !self.has_btf {
            let what = format!(
                "the kernel does not describe its types: {BTF} is missing; a kernel built with \
                 CONFIG_DEBUG_INFO_BTF is needed, as distributions build theirs"
            );
            return Some(ProbeError::new(ProbeErrorKind::NoBtf, what));
        }
        if self.lockdown.as_deref() == Some("confidentiality") {
            let what = "kernel lockdown is 'confidentiality', which keeps BPF from reading kernel \
                        memory: 'integrity' or 'none' is needed";
            return Some(ProbeError::new(ProbeErrorKind::NotPermitted, what));
        }
        None
    }
}

fn own(name: &&str) -> String {
    (*name).to_owned()
}

/// The kernel describes each kind of iterator by a function (`DEFINE_BPF_ITER_FUNC`).
fn iterator_type(name: &str) -> String {
    format!("bpf_iter_{name}")
}

/// Major and minor of `6.1.0-27-cloud-amd64`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// `integrity` of `none [integrity] confidentiality`.
fn lockdown_mode(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    let (mode, _) = rest.split_once(']')?;
    Some(mode.to_owned())
}

fn effective_capabilities(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: u64 = 0x1ff_ffff_ffff;

    fn fit() -> Kernel {
        Kernel {
            release: "6.1.0-27-cloud-amd64".to_owned(),
            has_btf: true,
            capabilities: ROOT,
            ..Kernel::default()
        }
    }

    #[test]
    fn an_obstacle_says_what_would_be_right() {
        use ProbeErrorKind::{NoBtf, NotPermitted, Unsupported};
        let cases = [
            (Kernel { capabilities: 0, ..fit() }, NotPermitted, "run as root"),
            (Kernel { capabilities: ROOT & !(1 << 12), ..fit() }, NotPermitted, "CAP_NET_ADMIN"),
            (Kernel { release: "5.10.0-33-amd64".into(), ..fit() }, Unsupported, "5.15 or newer"),
            (Kernel { has_btf: false, ..fit() }, NoBtf, "CONFIG_DEBUG_INFO_BTF"),
            (
                Kernel { lockdown: Some("confidentiality".into()), ..fit() },
                NotPermitted,
                "'integrity' or 'none'",
            ),
        ];
        for (kernel, kind, words) in cases {
            let err = kernel.obstacle().expect("an obstacle");
            assert_eq!(err.kind(), kind, "{err}");
            assert!(err.to_string().contains(words), "{err}");
        }
    }

    #[test]
    fn a_fit_kernel_has_no_obstacle() {
        let integrity = Kernel { lockdown: Some("integrity".to_owned()), ..fit() };
        // A kernel older than CAP_BPF, or a container that was given CAP_SYS_ADMIN only.
        let split = Kernel { capabilities: ROOT & !(1 << 38 | 1 << 39), ..fit() };
        let unreadable = Kernel { release: "custom".to_owned(), ..fit() };
        for kernel in [fit(), integrity, split, unreadable] {
            assert!(kernel.obstacle().is_none(), "{kernel:?}");
        }
    }

    #[test]
    fn facts_are_read_from_the_kernels_own_words() {
        let releases = [
            ("6.1.0-27-cloud-amd64", Some((6, 1))),
            ("6.18.44-fc-v595", Some((6, 18))),
            ("5.15", Some((5, 15))),
            ("5.4-rc1", Some((5, 4))),
            ("next", None),
        ];
        for (release, expected) in releases {
            assert_eq!(version(release), expected, "{release}");
        }
        let lockdown = "none [integrity] confidentiality\n";
        assert_eq!(lockdown_mode(lockdown).as_deref(), Some("integrity"));
        assert_eq!(lockdown_mode(""), None);
        assert_eq!(effective_capabilities("Name:\tx\nCapEff:\t000001ffffffffff\n"), ROOT);
        assert_eq!(effective_capabilities("nothing"), 0);
    }
}
