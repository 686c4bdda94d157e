//! The DNS probe: hands over the messages that pass between port 53 and its clients, over UDP and
//! TCP, at whichever ends are on this host.
//!
//! Owns the ring buffer. Does not parse DNS (`weir-identity`) and does not count traffic (`udp`).
//!
//! It has no hook of its own for UDP: the UDP programs know both ports of each datagram, so that all
//! other traffic pays a comparison or two (a program of its own would pay for being called for
//! every datagram, and every tap on packets pays that for every TCP packet as well). Where the
//! kernel's functions can be hooked the payload is read from the packet. Elsewhere it is read
//! from the memory of the process, where the call that is ending took it from or has just put
//! it: `read`, `readv`, `recv`, `recvfrom`, `recvmsg`, `recvmmsg` and those that send are
//! understood; what went through io_uring, or is a 32-bit program's, is counted as
//! `dns_unreadable`. A datagram that a program scatters over several buffers is cut to the first.
//!
//! Over TCP messages are always read from the memory of the process, up to four buffers of a
//! call. Nothing that the kernel offers runs for TCP connections of one port alone and leaves their
//! data path as it is. With the UDP programs' set `calls` there is a program at the end of each
//! call already, and TCP's pay for comparing two ports more. With `functions` it takes
//! two programs more (`fexit/tcp_sendmsg`, `fexit/tcp_recvmsg`), which leave after that
//! comparison; `agent.dns = false` leaves them out.

mod decode;
mod streams;

use std::time::Duration;

use libbpf_rs::MapCore;
use weir_model::{DnsMessage, Loss, LossKind, Transport};

use self::decode::Decoder;
use self::streams::{Lost, Streams};
use crate::error::ProbeError;
use crate::ring::Ring;

/// Bytes of messages waiting to be taken: 700 long answers, or 2,600 questions. More are lost
/// (`dns_ring_full`).
pub(crate) const RING_BYTES_MAX: u32 = 1 << 20;

/// Messages of TCP that are not complete, of all connections; more are lost
/// (`dns_unfinished_max`).
const UNFINISHED_MAX: usize = 4096;

const COMPONENT: &str = "probe_dns";
const REASONS: [&str; 2] = ["dns_gap", "dns_unfinished_max"];

/// The reasons that are counted here; those of the programs are the UDP probe's.
pub(crate) fn loss_reasons() -> impl Iterator<Item = (&'static str, &'static str)> {
    REASONS.into_iter().map(|reason| (COMPONENT, reason))
}

pub(crate) struct DnsProbe {
    ring: Ring,
    decoder: Decoder,
    streams: Streams,
}

impl DnsProbe {
    /// Reads from `messages`, the ring buffer of the UDP programs.
    pub(crate) fn new(messages: &dyn MapCore) -> Result<Self, ProbeError> {
        let ring = Ring::new(messages)?;
        Ok(Self { ring, decoder: Decoder::default(), streams: Streams::new(UNFINISHED_MAX) })
    }

    /// Waits for at most `timeout`, less if much has come, and hands over what came.
    pub(crate) fn poll(&mut self, timeout: Duration, sink: &mut dyn FnMut(DnsMessage)) {
        if !timeout.is_zero() && self.ring.waiting_bytes() < self.ring.bytes() / 4 {
            self.ring.wait(timeout);
        }
        let Self { ring, decoder, streams } = self;
        ring.read(|record| match decoder.passed(record) {
            Some(passed) if passed.message.transport == Transport::Tcp => {
                streams.piece(passed, sink);
            }
            Some(passed) => sink(passed.message),
            None => {}
        });
    }

    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        let Lost { gap, unfinished_max } = self.streams.take_lost();
        let counts = REASONS.into_iter().zip([gap, unfinished_max]);
        let counted = counts.filter(|(_, count)| *count > 0);
        counted
            .map(|(reason, count)| Loss {
                kind: LossKind::Lost,
                component: COMPONENT.to_owned(),
                reason: reason.to_owned(),
                count,
            })
            .collect()
    }
}
