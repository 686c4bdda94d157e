//! Frame headers of HTTP/2 (RFC 9113, section 4.1), and whether nine bytes can be one.

pub const FRAME_HEADER_BYTES: usize = 9;

pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY: u8 = 0x20;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const PRIORITY_FRAME: u8 = 2;
pub const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Longest frame that is believed where a frame is looked for, not expected. Larger ones are
/// allowed to whoever asked for them, and rare.
const LIKELY_BYTES_MAX: u32 = 1 << 20;
/// More settings than anybody sends.
const SETTINGS_BYTES_MAX: u32 = 6 * 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub length: u32,
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
}

impl Frame {
    pub fn parse(bytes: &[u8; FRAME_HEADER_BYTES]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = *bytes;
        let stream = u32::from_be_bytes(stream);
        Self { length: u32::from_be_bytes([0, a, b, c]), kind, flags, stream }
    }

    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the payload is read, not stepped over.
    pub fn is_read(&self) -> bool {
        matches!(self.kind, HEADERS | RST_STREAM | PUSH_PROMISE | GOAWAY | CONTINUATION)
    }

    /// Whether the payload is a header block or a part of one.
    pub fn has_fields(&self) -> bool {
        matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION)
    }

    /// What RFC 9113, section 6, asks of each kind's length and stream. Kinds that it does not
    /// know are allowed (section 4.1), and so is whatever their flags say.
    pub fn is_possible(&self) -> bool {
        let is_on_stream = self.stream != 0;
        if self.stream > i32::MAX as u32 {
            return false;
        }
        match self.kind {
            DATA | HEADERS | PUSH_PROMISE | CONTINUATION => is_on_stream,
            PRIORITY_FRAME => is_on_stream && self.length == 5,
            RST_STREAM => is_on_stream && self.length == 4,
            SETTINGS => !is_on_stream && self.length.is_multiple_of(6),
            PING => !is_on_stream && self.length == 8,
            GOAWAY => !is_on_stream && self.length >= 8,
            WINDOW_UPDATE => self.length == 4,
            _ => true,
        }
    }

    /// Stricter than [`Self::is_possible`]: for bytes of which it is not known that a frame
    /// begins there.
    pub fn is_likely(&self) -> bool {
        let flags = match self.kind {
            DATA => END_STREAM | PADDED,
            HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            SETTINGS | PING => 0x1,
            PUSH_PROMISE => END_HEADERS | PADDED,
            CONTINUATION => END_HEADERS,
            PRIORITY_FRAME | RST_STREAM | GOAWAY | WINDOW_UPDATE => 0,
            _ => return false,
        };
        self.is_possible() && self.flags & !flags == 0 && self.length <= LIKELY_BYTES_MAX
    }

    fn first(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().map(Self::parse)
    }
}

/// Whether a call begins at a frame.
pub fn begins_like_frames(bytes: &[u8]) -> bool {
    Frame::first(bytes).is_some_and(|frame| frame.is_likely())
}

/// Whether a call of a connection that may be anything begins like HTTP/2: a frame that is not
/// DATA, or two frames. DATA alone is nine bytes with a few zeros, as many protocols have them.
pub fn begins_like_http2(bytes: &[u8]) -> bool {
    let Some(frame) = Frame::first(bytes).filter(Frame::is_likely) else { return false };
    let next = usize::try_from(frame.length)
        .ok()
        .and_then(|length| bytes.get(FRAME_HEADER_BYTES + length..))
        .unwrap_or_default();
    match Frame::first(next) {
        Some(next) => next.is_likely(),
        None if !next.is_empty() || frame.kind == DATA => false,
        None => frame.kind != CONTINUATION,
    }
}

/// Whether a connection's first call is a server's settings: some servers speak first.
pub fn is_server_preface(bytes: &[u8]) -> bool {
    Frame::first(bytes).is_some_and(|frame| {
        let is_short = frame.length <= SETTINGS_BYTES_MAX;
        frame.kind == SETTINGS && frame.flags == 0 && frame.is_possible() && is_short
    })
}

/// Whether bytes too few for a frame header can begin a server's settings.
pub fn may_be_server_preface(bytes: &[u8]) -> bool {
    bytes.len() < FRAME_HEADER_BYTES
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            1 => *byte <= 1,
            2 => true,
            3 => *byte == SETTINGS,
            _ => *byte == 0,
        })
}
