//! The UDP probe: payload bytes and datagrams per socket and remote, at both ends.
//!
//! Owns the UDP programs' life: which hooks are used, load, attach, and taking what changed. What
//! the programs do is in `udp.bpf.c`, what crosses in `udp.record.h`. Does not own DNS payload
//! (`dns`, which the same programs copy), TCP (`tcp`), names (`weir-identity`) or windows
//! (`weir-agent`).
//!
//! # Why these hooks
//!
//! UDP sockets have no byte counters, so something must run for each datagram. What was looked
//! at, in nanoseconds a run as `kernel.bpf_stats_enabled` counts them on 6.18 (2 shared virtual
//! cores, 200-byte datagrams of iperf3 through a veth pair; the least of several runs, of which
//! others on the busy machine come to half as much again):
//!
//! | hooks | send | receive | TCP pays | exact |
//! |---|---|---|---|---|
//! | `functions`: fentry, fexit of UDP's own | - | - | nothing | yes |
//! | `calls`: `sock_{send,recv}_length`, a program that does nothing | 44 | 41 | 44 a call | - |
//! | the same, busy connected socket (`udp_hot.bpf.h`) | 64 | 52 | 31 to 48 a call | bytes |
//! | the same, connected socket, counted in its storage | 97 | 96 | the same | bytes |
//! | and `cgroup/{send,recv}msg{4,6}`, not connected | 129 + 62 | 92 + 56 | the same | bytes |
//! | `cgroup_skb`, leaving early when it is not UDP | - | - | 32 to 38 a packet | see below |
//! | `tc`: the minimal counter of `make bench` | 92 | 92 | 82 a packet | no process |
//!
//! (`functions` cannot be attached on the machine that was measured; what is not connected was
//! measured with a Python loop, which leaves less in the caches.)
//!
//! The floor of `calls` is two empty programs a datagram, 85 of the 184 that the `tc` counter costs
//! at both ends: less than half of its price leaves 7 for all the work, and one program sees one
//! end only. Above the floor, finding the slot takes 3 to 6, comparing the remote end and adding
//! 8 to 11, asking whether datagrams are corked, segmented or merged 3, and on sending the number
//! of the system call, which tells whether to look for a message that asks for segments, 3 to 6.
//! bpf_sk_storage_get() alone would be 20 to 25. With bulk TCP, whose packets are 64 KiB there,
//! `calls` takes 1.1 to 1.5 ms per GB, the `tc` counter 5 ms.
//!
//! `functions` is the choice wherever the kernel lets functions be hooked, as those of
//! distributions do: each runs for UDP alone and has the packet at hand, so that segmentation,
//! merging, truncated reads, corking, v4-mapped addresses and the address of sockets bound to none
//! are right without a special case. `calls` is for kernels without (no ftrace, as in many
//! microVMs). It looks at the results of calls, of which TCP's are most, so it costs each of them
//! something, unless UDP is off (`Options::udp`). Where payload is read at the ends of calls, too,
//! its programs go on with these ([`UdpProbe::run_behind`]): one program a call then, not two.
//! `cgroup_skb` would cost each TCP packet something, which is as much for the largest packets and
//! forty times as much for those of 1500 bytes; it counts what the socket then drops for want of
//! room, sees translated addresses, and knows no process. Nothing that runs for UDP alone is exact
//! there: the cgroup hooks do not tell lengths, and connected sends do not reach them.
//!
//! With `calls`, a datagram cut by a small buffer counts with the bytes that were delivered. What
//! is not known at all is in [`HookSet::loses`]. Neither set counts datagrams that the kernel
//! itself wraps into UDP (tunnels): no socket sends or receives those.

mod decode;
mod support;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use libbpf_rs::btf::{Btf, types};
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags, OpenObject};
use weir_model::{Loss, LossKind, Signal, SignalSet};

use self::decode::{Decoder, raw};
pub(crate) use self::support::HookSet;
use self::support::{Kernel, Need};
use crate::check::chain;
use crate::collector::{Options, Sink};
use crate::dns::{self, DnsProbe};
use crate::error::{ProbeError, ProbeErrorKind};
use crate::grace::Grace;
use crate::object::ProgramStats;
use crate::{batch, netns, object};

#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/udp.skel.rs"));
}

/// Component and reason, in the order of `enum udp_loss`.
pub(crate) const REASONS: [(&str, &str); raw::UDP_LOSS_REASONS as usize] = [
    ("probe_udp", "socket_state"),
    ("probe_udp", "sums_full"),
    ("probe_udp", "remote_unknown"),
    ("probe_udp", "listeners_full"),
    ("probe_dns", "dns_ring_full"),
    ("probe_dns", "dns_unreadable"),
];

pub(crate) struct UdpProbe {
    // Fields are dropped in this order: links before the programs they hold.
    /// By section.
    hooks: Vec<(String, Link)>,
    read_sockets: Link,
    skel: skel::UdpSkel<'static>,
    hook_set: HookSet,
    refusals: Vec<String>,
    grace: Grace,
    listener_changes_seen: u64,
    decoder: Decoder,
    told: Vec<u64>,
}

/// What the running kernel has, for [`support`] to judge.
fn kernel() -> Result<Kernel, ProbeError> {
    let btf = Btf::from_vmlinux()
        .map_err(|err| ProbeError::libbpf("cannot read the kernel's own types", err))?;
    let mut kernel = Kernel::default();
    for need in HookSet::ALL.iter().flat_map(|set| set.needs().iter().chain(set.likes())) {
        match need {
            Need::Function(name) => {
                let Some(function) = btf.type_by_name::<types::Func<'_>>(name) else { continue };
                kernel.functions.push((*name).to_owned());
                if *name == "tcp_recvmsg" {
                    kernel.receive_has_nonblock = parameters(&function) == Some(6);
                }
            }
            Need::Tracepoint(name) => {
                let typedef = format!("btf_trace_{name}");
                if btf.type_by_name::<types::Typedef<'_>>(&typedef).is_some() {
                    kernel.tracepoints.push((*name).to_owned());
                }
            }
            Need::CgroupV2 => {}
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    kernel.cgroup_v2 = support::cgroup_v2_mount(&mounts);
    Ok(kernel)
}

fn parameters(function: &types::Func<'_>) -> Option<usize> {
    types::FuncProto::try_from(function.next_type()?).ok().map(|prototype| prototype.len())
}

fn load(
    options: &Options,
    set: HookSet,
    kernel: &Kernel,
) -> Result<skel::UdpSkel<'static>, ProbeError> {
    let failed = |what: &str| {
        let what = format!("cannot {what} the UDP programs");
        move |err| ProbeError::libbpf(what, err)
    };
    // The skeleton borrows this for as long as it lives; it is one pointer.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = skel::UdpSkelBuilder::default().open(storage).map_err(failed("open"))?;
    for mut program in open.open_object_mut().progs_mut() {
        let section = program.section().to_string_lossy().into_owned();
        let is_wanted = support::is_wanted(&section, set, kernel);
        program.set_autoload(is_wanted && (options.dns || !support::is_for_dns(&section)));
    }
    let maps = &mut open.maps;
    let sizes = [
        (&mut maps.sums_0, options.sums_max),
        (&mut maps.sums_1, options.sums_max),
        (&mut maps.listeners, options.listeners_max),
        (&mut maps.dns_messages, dns::RING_BYTES_MAX),
    ];
    for (map, elements_max) in sizes {
        map.set_max_entries(elements_max).map_err(failed("size the maps of"))?;
    }
    if let Some(constants) = maps.rodata_data.as_deref_mut() {
        constants.count_loopback = options.loopback;
        constants.reads_dns = options.dns;
        constants.receive_has_nonblock = kernel.receive_has_nonblock;
        constants.fold_client_port = options.fold_client_port;
        constants.guesses_local = set == HookSet::Calls;
    }
    open.load().map_err(failed("load"))
}

/// Attaches the hooks of the set that is loaded. The end of sockets comes last in the file and
/// is attached first, so that none ends unseen.
fn attach(
    skel: &mut skel::UdpSkel<'static>,
    kernel: &Kernel,
) -> Result<Vec<(String, Link)>, ProbeError> {
    let cgroup = kernel
        .cgroup_v2
        .as_ref()
        .map(|path| {
            let what = || format!("cannot open the cgroup v2 hierarchy at {}", path.display());
            File::open(path).map_err(|err| ProbeError::io(what(), err))
        })
        .transpose()?;
    let mut programs: Vec<_> =
        skel.object_mut().progs_mut().filter(|program| program.autoload()).collect();
    programs.reverse();
    let mut links = Vec::new();
    for program in programs {
        let section = program.section().to_string_lossy().into_owned();
        let link = match (section.split('/').next(), &cgroup) {
            (Some("iter"), _) => continue,
            (Some("cgroup"), Some(cgroup)) => program.attach_cgroup(cgroup.as_raw_fd()),
            _ => program.attach(),
        };
        let failed = |err| ProbeError::libbpf(format!("cannot attach to {section}"), err);
        let link = link.map_err(failed)?;
        links.push((section, link));
    }
    Ok(links)
}

impl UdpProbe {
    /// Uses the best set of hooks that this kernel lets be loaded and attached.
    pub(crate) fn start(options: &Options) -> Result<Self, ProbeError> {
        let kernel = kernel()?;
        let mut refusals = Vec::new();
        for set in HookSet::ALL {
            let missing = support::missing(set, &kernel);
            if !missing.is_empty() {
                refusals.push(format!("{}: no {}", set.name(), missing.join(", no ")));
                continue;
            }
            match Self::start_with(options, set, &kernel) {
                Ok(mut probe) => {
                    for refusal in &refusals {
                        tracing::info!(%refusal, used = set.name(), "udp: a fallback is used");
                    }
                    probe.refusals = refusals;
                    return Ok(probe);
                }
                Err(err) => refusals.push(format!("{}: {}", set.name(), chain(&err))),
            }
        }
        let what = format!("cannot count UDP: {}", refusals.join("; "));
        Err(ProbeError::new(ProbeErrorKind::Unsupported, what))
    }

    pub(crate) fn start_with(
        options: &Options,
        hook_set: HookSet,
        kernel: &Kernel,
    ) -> Result<Self, ProbeError> {
        let mut skel = load(options, hook_set, kernel)?;
        let sockets = skel.maps.sockets.as_fd();
        let read_sockets = skel
            .progs
            .udp_read_sockets
            .attach_iter(sockets)
            .map_err(|err| ProbeError::libbpf("cannot attach to the table of sockets", err))?;
        adopt(&skel)?;
        Ok(Self {
            hooks: attach(&mut skel, kernel)?,
            read_sockets,
            hook_set,
            refusals: Vec::new(),
            grace: Grace::new()?,
            listener_changes_seen: 0,
            decoder: Decoder::default(),
            told: vec![0; REASONS.len()],
            skel,
        })
    }

    /// Has programs run behind those of another probe at the same hook, which is cheaper than
    /// beside them: each is put where `next` says. What passes in between is not seen, as what
    /// passed before the start.
    pub(crate) fn run_behind(
        &mut self,
        next: &[(&'static str, &dyn MapCore)],
    ) -> Result<(), ProbeError> {
        for (section, array) in next {
            let Some(at) = self.hooks.iter().position(|(known, _)| known == section) else {
                continue;
            };
            let mut programs = self.skel.object_mut().progs_mut();
            let Some(program) = programs.find(|program| program.section() == *section) else {
                continue;
            };
            let failed = |err| ProbeError::libbpf(format!("cannot attach to {section}"), err);
            let file = program.as_fd().as_raw_fd().to_ne_bytes();
            drop(self.hooks.swap_remove(at));
            if let Err(err) = array.update(&[0; 4], &file, MapFlags::ANY) {
                tracing::debug!(%err, section, "two programs run where one would do");
                self.hooks.push(((*section).to_owned(), program.attach().map_err(failed)?));
            }
        }
        Ok(())
    }

    /// The reader of the DNS messages that the programs copy.
    pub(crate) fn dns(&self) -> Result<DnsProbe, ProbeError> {
        DnsProbe::new(&self.skel.maps.dns_messages)
    }

    /// Whether TCP connections of port 53 are looked at too.
    pub(crate) fn has_dns_over_tcp(&self) -> bool {
        match self.hook_set {
            HookSet::Calls => true,
            HookSet::Functions => ["dns_tcp_sent", "dns_tcp_received"].iter().all(|wanted| {
                let mut programs = self.skel.object().progs();
                programs.any(|program| program.autoload() && program.name() == *wanted)
            }),
        }
    }

    /// Hands over everything that changed since the last call.
    pub(crate) fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), ProbeError> {
        object::run_iterator(&self.read_sockets, "the reading of UDP sockets")?;
        let full = self.swap_sums()?;
        self.take_listeners(sink)?;
        let table = if full == 0 { &self.skel.maps.sums_0 } else { &self.skel.maps.sums_1 };
        let decoder = &mut self.decoder;
        batch::drain(table, |key: raw::udp_key, sum: raw::udp_sum| {
            sink.l4(decoder.record(&key, &sum));
        })
    }

    /// Turns the programs to the other table and returns the one that nobody writes any more.
    fn swap_sums(&mut self) -> Result<u32, ProbeError> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: the kernel maps .bss for as long as the skeleton lives, the field is aligned,
        // and programs only read it.
        let in_use = unsafe { AtomicU32::from_ptr((&raw const bss.sums_in_use).cast_mut()) };
        let full = in_use.load(Ordering::Relaxed);
        in_use.store(1 - full, Ordering::SeqCst);
        self.grace.wait()?;
        Ok(full)
    }

    fn take_listeners(&mut self, sink: &mut dyn Sink) -> Result<(), ProbeError> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let changes = counter(&bss.listener_changes);
        if changes == self.listener_changes_seen {
            return Ok(());
        }
        self.listener_changes_seen = changes;
        let decoder = &mut self.decoder;
        batch::drain(&self.skel.maps.listeners, |_: u64, listener: raw::udp_listener| {
            sink.listen(decoder.listener(&listener));
        })
    }

    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let mut losses = Vec::new();
        for (((component, reason), lost), told) in
            REASONS.iter().zip(&bss.losses).zip(&mut self.told)
        {
            let counted = counter(lost);
            if counted > *told {
                losses.push(Loss {
                    kind: LossKind::Lost,
                    component: (*component).to_owned(),
                    reason: (*reason).to_owned(),
                    count: counted - *told,
                });
                *told = counted;
            }
        }
        losses
    }

    pub(crate) fn signals(&self) -> SignalSet {
        [Signal::Bytes, Signal::Packets].into_iter().collect()
    }

    /// Why better sets than the one in use are not, best first.
    pub(crate) fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// The hooks in use, and what they do not see.
    pub(crate) fn hook_set(&self) -> HookSet {
        self.hook_set
    }

    pub(crate) fn program_stats(&self) -> Vec<ProgramStats> {
        object::program_stats(self.skel.object())
    }
}

/// Finds the sockets that exist already, in every network namespace: who of their ends spoke first
/// was not seen. A namespace that cannot be entered costs roles, not counts.
fn adopt(skel: &skel::UdpSkel<'static>) -> Result<(), ProbeError> {
    let sockets = skel
        .progs
        .udp_adopt_sockets
        .attach()
        .map_err(|err| ProbeError::libbpf("cannot walk the UDP sockets that exist", err))?;
    for (inode, namespace) in netns::discover() {
        let walk = || object::run_iterator(&sockets, "the walk over UDP sockets");
        if let Err(err) = netns::run_in(&namespace, walk) {
            tracing::warn!(
                netns = inode,
                error = %chain(&err),
                "who is client on UDP sockets that exist in this network namespace is not known"
            );
        }
    }
    Ok(())
}

fn counter(counter: &u64) -> u64 {
    // SAFETY: a counter in .bss, aligned and mapped while the skeleton lives; programs add to it
    // atomically.
    unsafe { AtomicU64::from_ptr((&raw const *counter).cast_mut()) }.load(Ordering::Relaxed)
}
