//! TCP, accounted per connection: load, attach, and take what changed.
//!
//! Owns the TCP programs' life. Nothing of it runs per packet or per system call: sockets are
//! marked when their state changes, read once a window, and read a last time when they close; the
//! kernel folds all of it by key, so a storm of connections wakes nobody. What the programs do is
//! in `tcp.bpf.c`, what crosses in `tcp.record.h`, the arithmetic in `decode.rs`.
//!
//! # What it costs
//!
//! Measured with `kernel.bpf_stats_enabled`, which itself accounts for some 33 ns a run (2 shared
//! virtual cores, 6.18, `cargo run -p weir-probes --example dump` beside 20,000 connections over
//! loopback):
//!
//! | program | runs | ns a run |
//! |---|---|---|
//! | `tcp_state` | 5 for each end of a connection | 150 to 200 |
//! | `tcp_destroy` | 1 for each end | 130 to 180 |
//! | `tcp_read_sockets` | 1 a window for each open socket, silent or not | 380, cache misses mostly |
//!
//! That is 1 to 1.2 microseconds for each end of a connection, however much it carries, and 128
//! bytes of kernel memory while it is open.
//!
//! # What the counters mean
//!
//! Bytes are payload as the socket counted it: of a TLS socket of the kernel (kTLS) the records, of
//! an MPTCP connection those of each subflow, which is a connection of its own here. Packets are
//! segments, the handshake's and acknowledgements included, as `TCP_INFO` counts them. A connection
//! that was open before the probe counts from then on, and not as opened. Data that was written
//! and never sent is not counted. An attempt that the application gave up is a timeout if the SYN
//! had been repeated, and another failure otherwise. Resets that answer for no socket (a closed
//! port) belong to no flow.

mod decode;
mod listeners;
pub(crate) mod support;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{Link, MapCore, OpenObject};
use weir_model::{Loss, LossKind, SignalSet};

use self::decode::{Decoder, raw};
use self::listeners::Listeners;
use self::support::{Hook, Point};
use crate::check::chain;
use crate::collector::{Options, Sink};
use crate::error::{ProbeError, ProbeErrorKind};
use crate::grace::Grace;
use crate::kernel::Kernel;
use crate::nat::{NatProbe, raw as nat};
use crate::object::ProgramStats;
use crate::{batch, netns, object};

#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/tcp.skel.rs"));
}

const COMPONENT: &str = "probe_tcp";

/// Reasons in the order of `enum tcp_loss`.
const REASONS: [&str; raw::TCP_LOSS_REASONS as usize] =
    ["sockets_full", "sums_full", "listeners_full", "close_missed", "peers_full", "dialled_full"];

/// A reset for which the kernel did not run the program, because it came in an interrupt of that
/// program on the same CPU. State changes that suffer this are made up for (`tcp.bpf.c`).
const NOT_RUN: &str = "reset_missed";

pub(crate) fn loss_reasons() -> impl Iterator<Item = (&'static str, &'static str)> {
    REASONS.into_iter().chain([NOT_RUN]).map(|reason| (COMPONENT, reason))
}

pub(crate) struct TcpProbe {
    // Fields are dropped in this order: links before the programs they hold.
    _hooks: Vec<Link>,
    read_sockets: Link,
    skel: skel::TcpSkel<'static>,
    signals: SignalSet,
    grace: Grace,
    listeners: Listeners,
    listener_changes_seen: Option<u64>,
    dialled_seen: u32,
    decoder: Decoder,
    told: Vec<u64>,
}

fn load(
    options: &Options,
    kernel: &Kernel,
    nat: Option<&NatProbe>,
) -> Result<skel::TcpSkel<'static>, ProbeError> {
    let failed = |what: &str| {
        let what = format!("cannot {what} the TCP programs");
        move |err| ProbeError::libbpf(what, err)
    };
    // The skeleton borrows this for as long as it lives; it is one pointer.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = skel::TcpSkelBuilder::default().open(storage).map_err(failed("open"))?;
    for mut program in open.open_object_mut().progs_mut() {
        let hook = support::HOOKS.iter().find(|hook| program.name() == hook.program);
        program.set_autoload(hook.is_some_and(|hook| hook.is_available(kernel)));
    }
    let maps = &mut open.maps;
    let sizes = [
        (&mut maps.marks, options.sockets_max),
        (&mut maps.sums_0, options.sums_max),
        (&mut maps.sums_1, options.sums_max),
        (&mut maps.listeners, options.listeners_max),
        (&mut maps.listen_addresses, options.listeners_max),
        (&mut maps.peers, if nat.is_some() { options.sockets_max } else { 1 }),
    ];
    for (map, elements_max) in sizes {
        map.set_max_entries(elements_max).map_err(failed("size the maps of"))?;
    }
    if let Some(nat) = nat {
        maps.translations.reuse_fd(nat.table()).map_err(failed("share the table of NAT with"))?;
    }
    if let Some(constants) = maps.rodata_data.as_deref_mut() {
        constants.reads_nat = nat.is_some();
        constants.count_loopback = options.loopback;
        constants.fold_client_port = options.fold_client_port;
    }
    open.load().map_err(failed("load"))
}

/// Attaches the programs of the tracepoints that there are, in the order of [`support::HOOKS`].
fn attach(skel: &skel::TcpSkel<'static>) -> Result<Vec<Link>, ProbeError> {
    let mut links = Vec::new();
    for hook in &support::HOOKS {
        let mut programs = skel.object().progs_mut();
        let program = programs.find(|program| program.name() == hook.program && program.autoload());
        if let (Some(program), Point::Tracepoint(_)) = (program, hook.point) {
            let what = || format!("cannot attach to {}", hook.name());
            links.push(program.attach().map_err(|err| ProbeError::libbpf(what(), err))?);
        }
    }
    Ok(links)
}

impl TcpProbe {
    /// With `nat`, connections are told with their real other ends.
    pub(crate) fn start(options: &Options, nat: Option<&NatProbe>) -> Result<Self, ProbeError> {
        let kernel = Kernel::read(&support::tracepoints(), &support::iterators())?;
        let is_missing = |hook: &&Hook| hook.is_required && !hook.is_available(&kernel);
        if let Some(hook) = support::HOOKS.iter().find(is_missing) {
            let what =
                format!("this kernel has no {}: it is needed for {}", hook.name(), hook.lost);
            return Err(ProbeError::new(ProbeErrorKind::Unsupported, what));
        }
        let skel = load(options, &kernel, nat)?;
        let marks = skel.maps.marks.as_fd();
        let read_sockets = skel
            .progs
            .tcp_read_sockets
            .attach_iter(marks)
            .map_err(|err| ProbeError::libbpf("cannot attach to the table of sockets", err))?;
        let probe = Self {
            _hooks: attach(&skel)?,
            read_sockets,
            signals: support::signals(&kernel),
            grace: Grace::new()?,
            listeners: Listeners::default(),
            listener_changes_seen: None,
            dialled_seen: 0,
            decoder: Decoder::default(),
            told: vec![0; REASONS.len() + 1],
            skel,
        };
        probe.adopt()?;
        Ok(probe)
    }

    /// Finds the sockets that exist already, in every network namespace, and who holds them.
    fn adopt(&self) -> Result<(), ProbeError> {
        let failed = |err| ProbeError::libbpf("cannot walk the sockets that exist", err);
        let progs = &self.skel.progs;
        if progs.tcp_adopt_sockets.autoload() {
            let sockets = progs.tcp_adopt_sockets.attach().map_err(failed)?;
            let mut is_complete = true;
            for (inode, namespace) in netns::discover() {
                if let Err(err) = Self::adopt_in(&namespace, &sockets) {
                    is_complete = false;
                    tracing::warn!(
                        netns = inode,
                        error = %chain(&err),
                        "connections that exist in this network namespace are not counted"
                    );
                }
            }
            self.is_adoption_complete().store(is_complete, Ordering::Release);
        }
        if progs.tcp_find_owners.autoload() {
            let owners = progs.tcp_find_owners.attach().map_err(failed)?;
            object::run_iterator(&owners, "the walk over open files")?;
        }
        Ok(())
    }

    fn is_adoption_complete(&self) -> &AtomicBool {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: the kernel maps .bss for as long as the skeleton lives, the field is one byte
        // that is 0 or 1, and programs only read it.
        unsafe {
            AtomicBool::from_ptr((&raw const bss.is_adoption_complete).cast::<bool>().cast_mut())
        }
    }

    fn adopt_in(namespace: &File, sockets: &Link) -> Result<(), ProbeError> {
        netns::run_in(namespace, || object::run_iterator(sockets, "the walk over sockets"))
    }

    /// Hands over everything that changed since the last call.
    pub(crate) fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), ProbeError> {
        object::run_iterator(&self.read_sockets, "the reading of sockets")?;
        let full = self.swap_sums()?;
        let closed = self.refresh_listeners(sink)?;
        self.refresh_dialled()?;
        let table = if full == 0 { &self.skel.maps.sums_0 } else { &self.skel.maps.sums_1 };
        let (decoder, listeners) = (&mut self.decoder, &self.listeners);
        batch::drain(table, |key: raw::tcp_key, sum: raw::tcp_sum| {
            sink.l4(decoder.record(&key, &sum, listeners));
        })?;
        for cookie in closed {
            self.listeners.close(cookie);
            // Gone already only if the table was emptied by hand.
            let _ = self.skel.maps.listeners.delete(&cookie.to_ne_bytes());
        }
        Ok(())
    }

    /// Turns the programs to the other table and returns the one that nobody writes any more.
    fn swap_sums(&mut self) -> Result<u32, ProbeError> {
        let in_use = self.in_use();
        let full = in_use.load(Ordering::Relaxed);
        in_use.store(1 - full, Ordering::SeqCst);
        self.grace.wait()?;
        Ok(full)
    }

    fn in_use(&self) -> &AtomicU32 {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: the kernel maps .bss for as long as the skeleton lives, the field is aligned,
        // and programs only read it.
        unsafe { AtomicU32::from_ptr((&raw const bss.sums_in_use).cast_mut()) }
    }

    fn counter(counter: &u64) -> u64 {
        // SAFETY: a counter in .bss, aligned and mapped while the skeleton lives; programs add to
        // it atomically.
        unsafe { AtomicU64::from_ptr((&raw const *counter).cast_mut()) }.load(Ordering::Relaxed)
    }

    /// Reads the numbers of dialled ends if there are new ones.
    fn refresh_dialled(&mut self) -> Result<(), ProbeError> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: the kernel maps .bss for as long as the skeleton lives, the field is aligned,
        // and programs add to it atomically.
        let changes = unsafe { AtomicU32::from_ptr((&raw const bss.dialled_changes).cast_mut()) };
        let changes = changes.load(Ordering::Acquire);
        if changes == self.dialled_seen {
            return Ok(());
        }
        let decoder = &mut self.decoder;
        batch::read_all(&self.skel.maps.dialled_numbers, |end: nat::nat_end, number: u32| {
            decoder.number(number, &end);
        })?;
        self.dialled_seen = changes;
        Ok(())
    }

    /// Reads the table of listeners if it changed; returns those that have closed.
    fn refresh_listeners(&mut self, sink: &mut dyn Sink) -> Result<Vec<u64>, ProbeError> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let changes = Self::counter(&bss.listener_changes);
        if self.listener_changes_seen == Some(changes) {
            return Ok(Vec::new());
        }
        let mut closed = Vec::new();
        let (decoder, listeners) = (&mut self.decoder, &mut self.listeners);
        batch::read_all(&self.skel.maps.listeners, |cookie: u64, listener: raw::tcp_listener| {
            let (record, is_closed) = decoder.listener(&listener);
            if listeners.put(cookie, record.clone()) {
                sink.listen(record);
            }
            if is_closed {
                closed.push(cookie);
            }
        })?;
        self.listener_changes_seen = Some(changes);
        Ok(closed)
    }

    /// The programs' own counters, and what the kernel did not run at all.
    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        let mut counted: Vec<u64> = bss.losses.iter().map(Self::counter).collect();
        let stats = self.program_stats();
        let resets = stats.iter().filter(|stats| stats.name.starts_with("tcp_reset"));
        counted.push(resets.map(|stats| stats.recursion_misses).sum());
        let reasons = REASONS.into_iter().chain([NOT_RUN]);
        let mut losses = Vec::new();
        for ((reason, counted), told) in reasons.zip(counted).zip(&mut self.told) {
            if counted > *told {
                losses.push(Loss {
                    kind: LossKind::Lost,
                    component: COMPONENT.to_owned(),
                    reason: reason.to_owned(),
                    count: counted - *told,
                });
                *told = counted;
            }
        }
        losses
    }

    pub(crate) fn signals(&self) -> SignalSet {
        self.signals
    }

    pub(crate) fn program_stats(&self) -> Vec<ProgramStats> {
        object::program_stats(self.skel.object())
    }
}
