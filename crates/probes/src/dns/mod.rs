//! The DNS probe: hands over the payload of UDP answers from port 53 that this host's clients read.
//!
//! Owns the ring buffer. Does not parse DNS (`weir-identity`) and does not count traffic (`udp`).
//!
//! It has no hook of its own: the UDP programs know the remote port of each datagram that a
//! process receives, so that all other traffic pays one comparison (a program of its own would
//! pay for being called for every datagram, and every tap on packets pays that for every TCP packet
//! as well). Where the kernel's functions can be hooked the payload is read from the
//! packet. Elsewhere it is read from the memory of the process, into which the call that is
//! returning has just copied it: `read`, `readv`, `recv`, `recvfrom`, `recvmsg` and `recvmmsg` are
//! understood; what came through io_uring, or to a 32-bit program, is counted as
//! `dns_unreadable`. A payload that a program scatters over several buffers is cut to the first.

mod decode;

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use libbpf_rs::{MapCore, RingBuffer, RingBufferBuilder};
use weir_model::DnsMessage;

use self::decode::Decoder;
use crate::error::ProbeError;

/// Bytes of answers waiting to be taken, about 400 answers; more are lost (`dns_ring_full`).
pub(crate) const RING_BYTES_MAX: u32 = 1 << 19;

pub(crate) struct DnsProbe {
    ring: RingBuffer<'static>,
    messages: Receiver<DnsMessage>,
}

impl DnsProbe {
    /// Reads from `answers`, the ring buffer of the UDP programs.
    pub(crate) fn new(answers: &dyn MapCore) -> Result<Self, ProbeError> {
        let failed = |err| ProbeError::libbpf("cannot map the ring buffer of DNS answers", err);
        let (sender, messages) = channel();
        let mut decoder = Decoder::default();
        let mut builder = RingBufferBuilder::new();
        let take = move |bytes: &[u8]| {
            if let Some(message) = decoder.message(bytes) {
                // The receiver lives as long as the ring that calls this.
                let _ = sender.send(message);
            }
            0
        };
        builder.add(answers, take).map_err(failed)?;
        Ok(Self { ring: builder.build().map_err(failed)?, messages })
    }

    /// Waits for answers for at most `timeout`, and hands over those that came.
    pub(crate) fn poll(&mut self, timeout: Duration, sink: &mut dyn FnMut(DnsMessage)) {
        // Interrupted or not: what has come is taken.
        let _ = self.ring.poll_raw(timeout);
        self.messages.try_iter().for_each(sink);
    }
}
