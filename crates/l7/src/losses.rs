//! What was seen and not understood, by reason; and where that and exchanges go.

use weir_model::Exchange;

use crate::headers::Headers;

/// Why payload of an HTTP connection gave no exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Bytes where a head, a chunk or a frame should begin that are none.
    Garbage,
    /// A head, or a header block, longer than is kept. What was read of it still counts.
    HeadMax,
    /// Bytes that the probe did not copy held a head, or an answer was in them.
    Cut,
    /// An answer to a request that was not seen.
    NoRequest,
    /// More requests in a pipeline than are kept; the ones beyond are not counted elsewhere.
    PipelineMax,
    /// More streams open than are kept; the oldest was given up.
    StreamsMax,
    /// The connection ended in the middle of a request's head.
    Unfinished,
    /// A header block that contradicts the table of names kept for it.
    Hpack,
}

impl Reason {
    pub const ALL: [Self; 8] = [
        Self::Garbage,
        Self::HeadMax,
        Self::Cut,
        Self::NoRequest,
        Self::PipelineMax,
        Self::StreamsMax,
        Self::Unfinished,
        Self::Hpack,
    ];

    /// The word used in counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::HeadMax => "head_max",
            Self::Cut => "cut",
            Self::NoRequest => "no_request",
            Self::PipelineMax => "pipeline_max",
            Self::StreamsMax => "streams_max",
            Self::Unfinished => "unfinished",
            Self::Hpack => "hpack",
        }
    }
}

/// How often something was not understood since the last time of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unparsed {
    pub reason: Reason,
    pub count: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Losses {
    counts: [u32; Reason::ALL.len()],
}

impl Losses {
    pub fn count(&mut self, reason: Reason, n: usize) {
        let count = &mut self.counts[reason as usize];
        *count = count.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
    }

    pub fn take(&mut self) -> impl Iterator<Item = Unparsed> + use<> {
        let counts = std::mem::take(&mut self.counts);
        Reason::ALL
            .into_iter()
            .map(move |reason| Unparsed { reason, count: counts[reason as usize].into() })
            .filter(|unparsed| unparsed.count > 0)
    }
}

/// Where a connection's parsers put what they find.
pub(crate) struct Sink<'a> {
    pub losses: &'a mut Losses,
    pub headers: &'a Headers,
    pub out: &'a mut dyn FnMut(Exchange),
}

impl Sink<'_> {
    pub fn count(&mut self, reason: Reason, n: usize) {
        self.losses.count(reason, n);
    }
}
