//! NAT: who is really at the other end, and what the client dialled.
//!
//! A client's socket knows the address that was dialled (a Service's, a node's port), a server's
//! socket the address that packets came from (perhaps a node's, that masquerades). Connection
//! tracking knows both conversations as one. Its new entries are read here, in the kernel, into a
//! table that the other probes look into; nothing is read from it for each connection in user
//! space.
//!
//! # How
//!
//! One netlink socket a network namespace is a member of the group of new entries, with a BPF
//! program as its filter (`nat.bpf.c`), which notes what it needs and takes no message. The kernel
//! reports an entry before the packet that made it goes on, so a translation is known before the
//! connection is established, and there is nothing to queue, to wake, or to lose. All sockets are
//! opened at start; afterwards no privilege is needed.
//!
//! # What is seen
//!
//! Translations made in the namespaces that exist when the agent starts, whatever namespace the
//! sockets are in: a Pod that starts later dials a Service, and the host's namespace translates.
//! Translations made inside a namespace that begins later (a proxy beside the application that
//! redirects within its Pod) are not seen: such a conversation is told as its sockets see it.
//!
//! Of nodes that are containers, each with an agent, all namespaces are in sight, but what another
//! node translates this one could not know if it were a machine: only namespaces of processes of
//! the node's own control group are listened to ([`Options::nat_cgroup`]).
//!
//! # What it costs
//!
//! See `docs/explanation/nat.md`, with how it was measured.

mod datagrams;
mod decode;
mod netlink;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};

use libbpf_rs::skel::{OpenSkel, Skel, SkelBuilder};
use libbpf_rs::{MapCore, MapFlags, OpenObject};
use weir_model::{Endpoint, Loss, LossKind, Netns, Transport};

pub(crate) use self::datagrams::Datagrams;
use self::decode::Translated;
pub(crate) use self::decode::raw;
use crate::check::chain;
use crate::collector::Options;
use crate::error::ProbeError;
use crate::object::ProgramStats;
use crate::record::{Plain, read};
use crate::{batch, netns, object};

#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
mod skel {
    include!(concat!(env!("OUT_DIR"), "/nat.skel.rs"));
}

const COMPONENT: &str = "probe_nat";
const UNREAD: &str = "entry_unread";
const NAMESPACES: &str = "namespaces_max";

/// Namespaces that are listened to, the host's first, then those that track connections now. What
/// is translated in more is told as the sockets see it, and their number is counted as a loss.
const NAMESPACES_MAX: usize = 512;

pub(crate) fn loss_reasons() -> impl Iterator<Item = (&'static str, &'static str)> {
    [UNREAD, NAMESPACES].into_iter().map(|reason| (COMPONENT, reason))
}

pub(crate) struct NatProbe {
    // Dropped first: sockets hold the program.
    sockets: Vec<OwnedFd>,
    skel: skel::NatSkel<'static>,
    translations_max: usize,
    not_heard: u64,
    told: [u64; 2],
}

impl NatProbe {
    /// Listens in every namespace there is, or that is the node's, then reads the entries that
    /// exist.
    pub(crate) fn start(options: &Options) -> Result<Self, ProbeError> {
        let skel = load(options)?;
        let namespaces = match &options.nat_cgroup {
            Some(directory) => netns::of_cgroup(directory),
            None => netns::discover(),
        };
        let (heard, not_heard) = choose(namespaces);
        let translations_max = options.translations_max as usize;
        let sockets = Vec::new();
        let mut probe = Self { sockets, skel, translations_max, not_heard, told: [0; 2] };
        let mut first_failure = None;
        for (inode, namespace) in heard {
            if let Err(err) = probe.listen_in(inode, &namespace) {
                tracing::debug!(netns = inode, error = %chain(&err), "no NAT of this namespace");
                first_failure.get_or_insert(err);
            }
        }
        match first_failure {
            Some(err) if probe.sockets.is_empty() => Err(err),
            _ => Ok(probe),
        }
    }

    fn listen_in(&mut self, inode: u64, namespace: &File) -> Result<(), ProbeError> {
        let program = self.skel.progs.nat_note.as_fd();
        let socket = netns::run_in(namespace, || netlink::listener(program))?;
        let cookie = netlink::cookie(&socket)?;
        // inode numbers of namespaces have 32 bits
        let netns = Netns(inode as u32);
        let failed = |err| ProbeError::libbpf("cannot write the table of namespaces", err);
        let namespaces = &self.skel.maps.namespaces;
        namespaces
            .update(&cookie.to_ne_bytes(), &netns.0.to_ne_bytes(), MapFlags::ANY)
            .map_err(failed)?;
        netlink::join(&socket)?;
        self.sockets.push(socket);
        // what came before; what comes meanwhile is noted by the program
        let noted_max = self.translations_max;
        let found = netns::run_in(namespace, || {
            let mut found = Vec::new();
            netlink::dump(|entry| {
                if found.len() < noted_max {
                    found.extend(entry.translations(netns));
                }
            })?;
            Ok(found)
        })?;
        let table = &self.skel.maps.translations;
        for (key, value) in found {
            table
                .update(bytes_of(&key), bytes_of(&value), MapFlags::ANY)
                .map_err(|err| ProbeError::libbpf("cannot note a translation", err))?;
        }
        Ok(())
    }

    /// The table of translations, for other objects' programs.
    pub(crate) fn table(&self) -> BorrowedFd<'_> {
        self.skel.maps.translations.as_fd()
    }

    /// Puts the real other end in the place of what a socket sees; returns what its client
    /// dialled, where that is another end than the one that answers.
    pub(crate) fn translate(
        &self,
        transport: Transport,
        netns: Netns,
        (local, remote): (Endpoint, &mut Endpoint),
    ) -> Option<Endpoint> {
        let key = decode::key(transport, netns, local, *remote);
        let found = self.skel.maps.translations.lookup(bytes_of(&key), MapFlags::ANY);
        let raw: raw::nat_translation = read(&found.ok()??)?;
        let Translated { peer, dialled } = raw.into();
        *remote = peer;
        Some(dialled).filter(|dialled| *dialled != local)
    }

    /// What is known of UDP, for records that have lost their client's port.
    pub(crate) fn datagrams(&self) -> Result<Datagrams, ProbeError> {
        let mut datagrams = Datagrams::default();
        let table = &self.skel.maps.translations;
        batch::read_all(table, |key: raw::nat_key, value: raw::nat_translation| {
            datagrams.add(&key, value);
        })?;
        Ok(datagrams)
    }

    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        let bss = self.skel.maps.bss_data.as_deref().expect("the object has a .bss");
        // SAFETY: a counter in .bss, aligned and mapped while the skeleton lives; programs add to
        // it atomically.
        let unread = unsafe { AtomicU64::from_ptr((&raw const bss.unread).cast_mut()) };
        let counted = [unread.load(Ordering::Relaxed), self.not_heard];
        let mut losses = Vec::new();
        for ((counted, told), (component, reason)) in
            counted.into_iter().zip(&mut self.told).zip(loss_reasons())
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

    pub(crate) fn program_stats(&self) -> Vec<ProgramStats> {
        object::program_stats(self.skel.object())
    }
}

fn load(options: &Options) -> Result<skel::NatSkel<'static>, ProbeError> {
    let failed = |what: &str| {
        let what = format!("cannot {what} the NAT program");
        move |err| ProbeError::libbpf(what, err)
    };
    // The skeleton borrows this for as long as it lives; it is one pointer.
    let storage: &'static mut MaybeUninit<OpenObject> = Box::leak(Box::new(MaybeUninit::uninit()));
    let mut open = skel::NatSkelBuilder::default().open(storage).map_err(failed("open"))?;
    let table = &mut open.maps.translations;
    table.set_max_entries(options.translations_max).map_err(failed("size the table of"))?;
    open.load().map_err(failed("load"))
}

/// The namespaces to listen to, and how many are too many.
fn choose(mut found: BTreeMap<u64, File>) -> (Vec<(u64, File)>, u64) {
    let mut chosen = Vec::new();
    for path in ["/proc/self/ns/net", "/proc/1/ns/net"] {
        let inode = fs::metadata(path).map(|metadata| metadata.ino()).unwrap_or_default();
        chosen.extend(found.remove_entry(&inode));
    }
    let mut others: Vec<_> = found.into_iter().collect();
    if chosen.len() + others.len() > NAMESPACES_MAX {
        others.sort_by_cached_key(|(_, namespace)| std::cmp::Reverse(entries_in(namespace)));
    }
    chosen.extend(others);
    let too_many = chosen.len().saturating_sub(NAMESPACES_MAX);
    chosen.truncate(NAMESPACES_MAX);
    (chosen, too_many as u64)
}

/// How many connections are tracked in a namespace.
fn entries_in(namespace: &File) -> u64 {
    let read = || {
        let text = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count");
        Ok(text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0))
    };
    netns::run_in(namespace, read).unwrap_or(0)
}

fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `Plain` promises that there is no padding that matters, and the slice lives as long
    // as the value.
    unsafe { std::slice::from_raw_parts((&raw const *value).cast(), size_of::<T>()) }
}
