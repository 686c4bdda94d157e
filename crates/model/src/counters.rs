//! The counters of a flow and how two of them merge.

use serde::{Deserialize, Serialize};

/// Sum and count of a sampled quantity with its extremes, all in the quantity's own unit.
///
/// `count == 0` means that nothing was sampled: mean, min and max are then absent, not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Samples {
    pub sum: u64,
    pub count: u64,
    pub min: u64,
    pub max: u64,
}

impl Samples {
    /// One sample.
    pub fn one(value: u64) -> Self {
        Self { sum: value, count: 1, min: value, max: value }
    }

    /// Mean of the samples, `None` when there are none.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// Adds the samples of `other`; the order of merges does not matter.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// L4 counters of one flow, or of one reading of one socket.
///
/// `sent` is from the local end to the remote end. A value means something only where the probe
/// says that the kernel gives it: see [`SignalSet`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct L4Counters {
    /// Payload bytes, retransmissions not counted again.
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// TCP segments or UDP datagrams.
    pub packets_sent: u64,
    pub packets_received: u64,
    /// Connections established.
    pub connections: u64,
    /// Established connections that closed.
    pub closures: u64,
    /// Connections open at the end of the window; a gauge: merging *windows* takes the last,
    /// merging *keys* of one window adds.
    pub active_connections: u64,
    pub connect_refused: u64,
    pub connect_timeout: u64,
    pub connect_reset: u64,
    pub connect_failed_other: u64,
    pub resets_sent: u64,
    pub resets_received: u64,
    /// Retransmitted segments (`tcp_info.tcpi_total_retrans`).
    pub retransmits: u64,
    /// Smoothed round trip time (`tcp_info.tcpi_rtt`), microseconds.
    pub rtt_us: Samples,
    /// Round trip time variation (`tcp_info.tcpi_rttvar`), microseconds.
    pub jitter_us: Samples,
    /// SYN to ESTABLISHED at the client, microseconds.
    pub connect_us: Samples,
}

impl L4Counters {
    /// Adds the counters of another key or reading *of the same window*.
    pub fn merge(&mut self, other: &Self) {
        let pairs = [
            (&mut self.bytes_sent, other.bytes_sent),
            (&mut self.bytes_received, other.bytes_received),
            (&mut self.packets_sent, other.packets_sent),
            (&mut self.packets_received, other.packets_received),
            (&mut self.connections, other.connections),
            (&mut self.closures, other.closures),
            (&mut self.active_connections, other.active_connections),
            (&mut self.connect_refused, other.connect_refused),
            (&mut self.connect_timeout, other.connect_timeout),
            (&mut self.connect_reset, other.connect_reset),
            (&mut self.connect_failed_other, other.connect_failed_other),
            (&mut self.resets_sent, other.resets_sent),
            (&mut self.resets_received, other.resets_received),
            (&mut self.retransmits, other.retransmits),
        ];
        for (mine, theirs) in pairs {
            *mine = mine.saturating_add(theirs);
        }
        self.rtt_us.merge(&other.rtt_us);
        self.jitter_us.merge(&other.jitter_us);
        self.connect_us.merge(&other.connect_us);
    }

    /// Whether nothing at all was counted, so that no row is owed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One thing that a kernel may or may not be able to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Bytes,
    Packets,
    Connections,
    ConnectFailures,
    ResetsSent,
    ResetsReceived,
    Retransmits,
    Rtt,
    Jitter,
    ConnectTime,
}

impl Signal {
    pub const ALL: [Signal; 10] = [
        Signal::Bytes,
        Signal::Packets,
        Signal::Connections,
        Signal::ConnectFailures,
        Signal::ResetsSent,
        Signal::ResetsReceived,
        Signal::Retransmits,
        Signal::Rtt,
        Signal::Jitter,
        Signal::ConnectTime,
    ];
}

/// The signals that a probe delivers for one transport on this kernel.
///
/// What is not in the set is stored as absent (null), never as 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSet(u32);

impl SignalSet {
    pub fn empty() -> Self {
        Self(0)
    }

    pub fn with(mut self, signal: Signal) -> Self {
        self.0 |= 1 << signal as u32;
        self
    }

    pub fn without(mut self, signal: Signal) -> Self {
        self.0 &= !(1 << signal as u32);
        self
    }

    pub fn has(&self, signal: Signal) -> bool {
        self.0 & (1 << signal as u32) != 0
    }
}

impl FromIterator<Signal> for SignalSet {
    fn from_iter<I: IntoIterator<Item = Signal>>(signals: I) -> Self {
        signals.into_iter().fold(Self::empty(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_merge_in_any_order() {
        let parts = [Samples::one(7), Samples::default(), Samples::one(3), Samples::one(40)];
        let mut forward = Samples::default();
        let mut backward = Samples::default();
        for part in &parts {
            forward.merge(part);
        }
        for part in parts.iter().rev() {
            backward.merge(part);
        }
        assert_eq!(forward, backward);
        assert_eq!(forward, Samples { sum: 50, count: 3, min: 3, max: 40 });
        assert_eq!(Samples::default().mean(), None);
    }

    #[test]
    fn a_signal_set_holds_what_was_put_in() {
        for signal in Signal::ALL {
            let set = SignalSet::empty().with(signal);
            assert_eq!(Signal::ALL.iter().filter(|s| set.has(**s)).count(), 1);
            assert_eq!(set.without(signal), SignalSet::empty());
        }
    }
}
