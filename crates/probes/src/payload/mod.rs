//! The payload probe: what TCP connections pass that speak HTTP/1 or HTTP/2, in clear or inside
//! TLS, call by call: of HTTP/1 the first bytes of each, of HTTP/2 all but long bodies.
//!
//! Owns the payload programs' life: which hooks are used, load, attach, and taking what was handed
//! over. What the programs do is in `payload.bpf.c`, what crosses in `payload.record.h`. Does not
//! parse HTTP (`weir-l7`) and does not count traffic (`tcp`).

mod decode;
mod finder;
mod go;
mod libraries;
mod options;
mod pairs;
mod support;
mod symbols;
#[cfg(test)]
mod tests;

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use libbpf_rs::btf::{Btf, types};
use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, MapFlags, OpenObject, ProgramAttachType};
use weir_model::{L7Ends, Loss, LossKind, Payload, Way};

use self::decode::{Closed, Decoder, Event, raw};
use self::libraries::Libraries;
pub use self::options::{PayloadOptions, Processes};
use self::pairs::{Opening, Pairs};
pub(crate) use self::support::HookSet;
use self::support::Kernel;
use crate::check::chain;
use crate::collector::Options;
use crate::error::{ProbeError, ProbeErrorKind};
use crate::nat::NatProbe;
use crate::object::ProgramStats;
use crate::ring::Ring;
use crate::{netns, object};

#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/payload.skel.rs"));
}

const COMPONENT: &str = "probe_l7";

/// Reasons in the order of `enum payload_loss`.
const REASONS: [&str; raw::PAYLOAD_LOSS_REASONS as usize] =
    ["ring_full", "socket_state", "unreadable", "busy"];

/// A call for which the kernel did not run the program.
const NOT_RUN: &str = "call_missed";
/// A process that speaks TLS, or a file, that could not be looked into.
const NOT_ATTACHED: &str = "tls_library";

pub(crate) fn loss_reasons() -> impl Iterator<Item = (&'static str, &'static str)> {
    REASONS.into_iter().chain([NOT_RUN, NOT_ATTACHED]).map(|reason| (COMPONENT, reason))
}

/// Takes what the payload probe hands over, connection by connection in the order in which it was
/// passed. Where records were lost, an `id` may come that was never opened, or never closes.
pub trait PayloadSink {
    /// A connection turned out to speak HTTP.
    fn opened(&mut self, id: u64, ends: L7Ends);
    /// What a call passed, or a stretch of it. `position` counts the bytes that passed that way
    /// before: what lies between the end of one and the position of the next was not seen.
    fn payload(&mut self, id: u64, position: u64, payload: &Payload<'_>);
    fn closed(&mut self, id: u64, mono_ns: u64, reset: bool);
    /// A client's end of which the other end, `server`, is told as well: that is enough, and
    /// nothing more is told of this one.
    fn withdrawn(&mut self, id: u64, server: u64);
}

pub(crate) struct PayloadProbe {
    // Fields are dropped in this order: links before the programs they hold.
    _hooks: Vec<Link>,
    ring: Ring,
    skel: skel::PayloadSkel<'static>,
    hook_set: HookSet,
    refusals: Vec<String>,
    decoder: Decoder,
    pairs: Pairs,
    /// None if TLS is not read.
    libraries: Option<Libraries>,
    told: Vec<u64>,
}

/// What the running kernel has, for [`support`] to judge.
fn kernel() -> Result<Kernel, ProbeError> {
    let btf = Btf::from_vmlinux()
        .map_err(|err| ProbeError::libbpf("cannot read the kernel's own types", err))?;
    let parameters = |name: &str| {
        let function = btf.type_by_name::<types::Func<'_>>(name)?;
        let prototype = types::FuncProto::try_from(function.next_type()?).ok()?;
        Some((name.to_owned(), prototype.len()))
    };
    let is_there = |name: &&str| {
        btf.type_by_name::<types::Typedef<'_>>(&format!("btf_trace_{name}")).is_some()
    };
    Ok(Kernel {
        functions: support::functions().filter_map(parameters).collect(),
        tracepoints: support::tracepoints().filter(is_there).map(str::to_owned).collect(),
        has_uprobe_multi: btf.type_by_name::<types::Struct<'_>>("bpf_uprobe_multi_link").is_some(),
    })
}

fn is_of_user_space(section: &str) -> bool {
    section.starts_with("uprobe") || section.starts_with("uretprobe")
}

fn load(
    options: &Options,
    set: HookSet,
    kernel: &Kernel,
    nat: Option<&NatProbe>,
) -> Result<skel::PayloadSkel<'static>, ProbeError> {
    let failed = |what: &str| {
        let what = format!("cannot {what} the payload programs");
        move |err| ProbeError::libbpf(what, err)
    };
    // The skeleton borrows this for as long as it lives; it is one pointer.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = skel::PayloadSkelBuilder::default().open(storage).map_err(failed("open"))?;
    for mut program in open.open_object_mut().progs_mut() {
        let section = program.section().to_string_lossy().into_owned();
        program.set_autoload(support::is_wanted(&section, set, kernel));
        if kernel.has_uprobe_multi && is_of_user_space(&section) {
            program.set_attach_type(ProgramAttachType::TraceUprobeMulti);
        }
    }
    let payload = &options.payload;
    let ring_bytes = payload.ring_bytes_max.next_power_of_two();
    let (Processes::AllBut(processes) | Processes::Only(processes)) = &payload.processes;
    let maps = &mut open.maps;
    let sizes = [
        (&mut maps.payloads, ring_bytes),
        (&mut maps.ports, payload.excluded_ports.len().max(1) as u32),
        (&mut maps.processes, processes.len().max(1) as u32),
        (&mut maps.cgroups, payload.excluded_cgroups_max),
        (&mut maps.tls_sockets, payload.tls_sockets_max),
        (&mut maps.tls_sessions, payload.tls_sockets_max),
    ];
    for (map, elements_max) in sizes {
        map.set_max_entries(elements_max).map_err(failed("size the maps of"))?;
    }
    if let Some(nat) = nat {
        maps.translations.reuse_fd(nat.table()).map_err(failed("share the table of NAT with"))?;
    }
    if let Some(constants) = maps.rodata_data.as_deref_mut() {
        constants.receive_has_nonblock = kernel.receive_has_nonblock();
        constants.processes_are_let_in = matches!(payload.processes, Processes::Only(_));
        constants.count_loopback = options.loopback;
        constants.one_end = payload.one_end;
        constants.reads_nat = nat.is_some();
        constants.read_tls = payload.tls && libraries::can_attach();
        constants.head_bytes_max = payload.head_bytes_max;
        constants.frame_bytes_max = payload.frame_bytes_max;
        constants.wake_bytes = ring_bytes / 4;
    }
    let skel = open.load().map_err(failed("load"))?;
    let fill = |map: &dyn MapCore, key: &[u8]| {
        map.update(key, &[1], MapFlags::ANY).map_err(failed("fill the lists of"))
    };
    for port in &payload.excluded_ports {
        fill(&skel.maps.ports, &port.to_ne_bytes())?;
    }
    for name in processes {
        fill(&skel.maps.processes, &options::comm(name))?;
    }
    Ok(skel)
}

/// Attaches the hooks of the set that is loaded. The end of sockets comes last in the file and
/// is attached first, so that none ends unseen.
fn attach(skel: &mut skel::PayloadSkel<'static>) -> Result<Vec<Link>, ProbeError> {
    let mut programs: Vec<_> =
        skel.object_mut().progs_mut().filter(|program| program.autoload()).collect();
    programs.reverse();
    let mut links = Vec::new();
    for program in programs {
        let section = program.section().to_string_lossy().into_owned();
        // Iterators are run when needed, TLS libraries are looked for.
        if section.starts_with("iter/") || is_of_user_space(&section) {
            continue;
        }
        let failed = |err| ProbeError::libbpf(format!("cannot attach to {section}"), err);
        links.push(program.attach().map_err(failed)?);
    }
    Ok(links)
}

impl PayloadProbe {
    /// Uses the best set of hooks that this kernel lets be loaded and attached.
    /// With `nat`, connections are marked whose other end is a translated address.
    pub(crate) fn start(options: &Options, nat: Option<&NatProbe>) -> Result<Self, ProbeError> {
        let kernel = kernel()?;
        let mut refusals = Vec::new();
        for set in HookSet::ALL {
            let missing = support::missing(set, &kernel);
            if !missing.is_empty() {
                refusals.push(format!("{}: no {}", set.name(), missing.join(", no ")));
                continue;
            }
            match Self::start_with(options, set, &kernel, nat) {
                Ok(mut probe) => {
                    for refusal in &refusals {
                        tracing::info!(%refusal, used = set.name(), "payload: a fallback is used");
                    }
                    probe.refusals = refusals;
                    return Ok(probe);
                }
                Err(err) => refusals.push(format!("{}: {}", set.name(), chain(&err))),
            }
        }
        let what = format!("cannot read payload: {}", refusals.join("; "));
        Err(ProbeError::new(ProbeErrorKind::Unsupported, what))
    }

    fn start_with(
        options: &Options,
        hook_set: HookSet,
        kernel: &Kernel,
        nat: Option<&NatProbe>,
    ) -> Result<Self, ProbeError> {
        let mut skel = load(options, hook_set, kernel, nat)?;
        let reads_tls = options.payload.tls && libraries::can_attach();
        let libraries = reads_tls
            .then(|| Libraries::start(&skel.progs, kernel.has_uprobe_multi))
            .transpose()?;
        let hooks = attach(&mut skel)?;
        adopt(&skel)?;
        let ring = Ring::new(&skel.maps.payloads)?;
        if let Some(libraries) = &libraries {
            ring.wake_by(libraries.waker())?;
        }
        let probe = Self {
            _hooks: hooks,
            ring,
            hook_set,
            refusals: Vec::new(),
            decoder: Decoder::default(),
            pairs: Pairs::new(options.payload.one_end),
            libraries,
            told: vec![0; REASONS.len() + 2],
            skel,
        };
        probe.is_adoption_complete().store(true, Ordering::Release);
        Ok(probe)
    }

    /// Hands over what has been passed, after a sleep of at most `timeout`; it is shorter if a
    /// quarter of the ring is full. Translated ends are given to `translate` first.
    pub(crate) fn poll(
        &mut self,
        timeout: Duration,
        sink: &mut dyn PayloadSink,
        translate: &dyn Fn(&mut L7Ends),
    ) {
        if !timeout.is_zero() {
            self.is_asleep().store(1, Ordering::SeqCst);
            if self.ring.waiting_bytes() < self.ring.bytes() / 4 {
                self.ring.wait(timeout);
            }
            self.is_asleep().store(0, Ordering::Relaxed);
        }
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let ignored = Ignored { ids: &bss.ignored, changes: &bss.ignored_changes };
        let pairs = &mut self.pairs;
        let mut taker = Taker { pairs, ignored, sink, translate, processes: Vec::new() };
        let decoder = &mut self.decoder;
        self.ring.read(|record| {
            if let Some(event) = decoder.event(record) {
                taker.take(event);
            }
        });
        let processes = taker.processes;
        if let Some(libraries) = &mut self.libraries {
            libraries.attach_found(&self.skel.progs);
            for (pid, is_new) in processes {
                libraries.look_at(pid, is_new);
            }
        }
    }

    /// Hands over nothing more of a connection, not even its end.
    pub(crate) fn ignore(&mut self, id: u64) {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        self.pairs.mute(id);
        Ignored { ids: &bss.ignored, changes: &bss.ignored_changes }.put(id);
    }

    /// Leaves out connections of a control group that are opened from now on, or lets them in
    /// again.
    pub(crate) fn exclude_cgroup(&self, cgroup_id: u64, out: bool) -> Result<(), ProbeError> {
        let (cgroups, key) = (&self.skel.maps.cgroups, cgroup_id.to_ne_bytes());
        if out {
            let failed = |err| ProbeError::libbpf("cannot leave out a control group", err);
            return cgroups.update(&key, &[1], MapFlags::ANY).map_err(failed);
        }
        match cgroups.delete(&key) {
            Err(err) if err.kind() != libbpf_rs::ErrorKind::NotFound => {
                Err(ProbeError::libbpf("cannot let in a control group again", err))
            }
            _ => Ok(()),
        }
    }

    fn is_adoption_complete(&self) -> &AtomicBool {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: the kernel maps .bss for as long as the skeleton lives, the field is one byte
        // that is 0 or 1, and programs only read it.
        unsafe {
            AtomicBool::from_ptr((&raw const bss.is_adoption_complete).cast::<bool>().cast_mut())
        }
    }

    fn is_asleep(&self) -> &AtomicU32 {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: as above; the field is aligned, and written whole by both sides.
        unsafe { AtomicU32::from_ptr((&raw const bss.is_asleep).cast_mut()) }
    }

    /// The programs' own counters, and what the kernel did not run at all.
    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let count = |lost: &u64| shared(lost).load(Ordering::Relaxed);
        let mut counted: Vec<u64> = bss.losses.iter().map(count).collect();
        counted.push(self.program_stats().iter().map(|stats| stats.recursion_misses).sum());
        counted.push(self.libraries.as_ref().map_or(0, Libraries::failures));
        let mut losses = Vec::new();
        for (((component, reason), counted), told) in
            loss_reasons().zip(counted).zip(&mut self.told)
        {
            if counted > *told {
                losses.push(Loss {
                    kind: LossKind::Lost,
                    component: component.to_owned(),
                    reason: reason.to_owned(),
                    count: counted - *told,
                });
                *told = counted;
            }
        }
        losses
    }

    /// Whether attaching to what is found later needs `CAP_SYS_ADMIN`.
    pub(crate) fn needs_admin(&self) -> bool {
        self.libraries.as_ref().is_some_and(Libraries::needs_admin)
    }

    /// Whether TLS libraries are read.
    pub(crate) fn reads_tls(&self) -> bool {
        self.libraries.is_some()
    }

    /// Why better sets than the one in use are not, best first.
    pub(crate) fn refusals(&self) -> &[String] {
        &self.refusals
    }

    /// Where a program of another probe is put that a tracepoint's own program is to go on with, by
    /// the section of both.
    pub(crate) fn next_programs(&self) -> Vec<(&'static str, &dyn MapCore)> {
        if self.hook_set != HookSet::Calls {
            return Vec::new();
        }
        let maps = &self.skel.maps;
        vec![
            ("tp_btf/sock_send_length", &maps.next_of_send as &dyn MapCore),
            ("tp_btf/sock_recv_length", &maps.next_of_receive),
        ]
    }

    /// The hooks in use.
    pub(crate) fn hook_set(&self) -> HookSet {
        self.hook_set
    }

    pub(crate) fn program_stats(&self) -> Vec<ProgramStats> {
        object::program_stats(self.skel.object())
    }
}

/// From records to the sink.
struct Taker<'a> {
    pairs: &'a mut Pairs,
    ignored: Ignored<'a>,
    sink: &'a mut dyn PayloadSink,
    translate: &'a dyn Fn(&mut L7Ends),
    /// Processes to look into, and whether each has just begun.
    processes: Vec<(u32, bool)>,
}

impl Taker<'_> {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Passed(id, ..) if self.pairs.is_mute(id) => self.ignored.put(id),
            Event::Passed(id, position, payload) => self.sink.payload(id, position, &payload),
            Event::Opened(id, ends, is_translated) => self.opened(id, ends, is_translated),
            Event::Closed(closed) => self.closed(closed),
            Event::Process { pid, is_new } => self.processes.push((pid, is_new)),
        }
    }

    fn opened(&mut self, id: u64, mut ends: L7Ends, is_translated: bool) {
        // two ends of one conversation are told from what their sockets see
        let opening = self.pairs.opened(id, &ends);
        if is_translated {
            (self.translate)(&mut ends);
        }
        match opening {
            Opening::Mute(other) => {
                self.ignored.put(id);
                self.sink.opened(id, ends);
                self.sink.withdrawn(id, other);
            }
            Opening::Told => self.sink.opened(id, ends),
            Opening::Instead(other) => {
                self.ignored.put(other);
                self.sink.opened(id, ends);
                self.sink.withdrawn(other, id);
            }
        }
    }

    /// What passed since the last record is told by two calls of no bytes.
    fn closed(&mut self, closed: Closed) {
        let Closed { id, mono_ns, is_reset, .. } = closed;
        if !self.pairs.closed(id) {
            return;
        }
        if closed.is_ignored {
            self.sink.closed(id, mono_ns, is_reset);
            return;
        }
        for (way, position) in [Way::Sent, Way::Received].into_iter().zip(closed.positions) {
            let nothing = Payload { way, mono_ns, length: 0, bytes: &[] };
            self.sink.payload(id, position, &nothing);
        }
        self.sink.closed(id, mono_ns, is_reset);
    }
}

/// The programs' table of connections that they are to give up.
struct Ignored<'a> {
    ids: &'a [u64],
    changes: &'a u32,
}

impl Ignored<'_> {
    /// Another connection may take the place in the table before the programs have looked; then
    /// they are asked again with the next record.
    fn put(&self, id: u64) {
        let Some(place) = self.ids.get(id as usize & (self.ids.len() - 1)) else { return };
        shared(place).store(id, Ordering::Relaxed);
        // SAFETY: as for `shared`, with 32 bits.
        let changes = unsafe { AtomicU32::from_ptr((&raw const *self.changes).cast_mut()) };
        changes.fetch_add(1, Ordering::Release);
    }
}

fn shared(counter: &u64) -> &AtomicU64 {
    // SAFETY: a field of .bss, aligned and mapped while the skeleton lives; programs and user space
    // write it whole.
    unsafe { AtomicU64::from_ptr((&raw const *counter).cast_mut()) }
}

/// Finds the connections that exist already, in every network namespace: they may be in the
/// middle of anything. Those of a namespace that cannot be entered are not read.
fn adopt(skel: &skel::PayloadSkel<'static>) -> Result<(), ProbeError> {
    let sockets = skel
        .progs
        .payload_adopt
        .attach()
        .map_err(|err| ProbeError::libbpf("cannot walk the TCP sockets that exist", err))?;
    for (inode, namespace) in netns::discover() {
        let walk = || object::run_iterator(&sockets, "the walk over TCP sockets");
        if let Err(err) = netns::run_in(&namespace, walk) {
            tracing::warn!(
                netns = inode,
                error = %chain(&err),
                "connections that exist in this network namespace are not read"
            );
        }
    }
    Ok(())
}
