//! One direction of an HTTP/2 connection: cuts its bytes into frames.

use weir_model::Payload;

use crate::hpack::Decoder;
use crate::http2::frame::{self, FRAME_HEADER_BYTES, Frame};
use crate::losses::Reason;

/// Longest payload of a frame, and longest header block, that is kept.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub struct Half {
    pub hpack: Decoder,
    /// A header block that goes on in the next frame.
    pub block: Option<Block>,
    state: State,
    /// Bytes of the client's preface that are still to come.
    preface_left: usize,
    header: [u8; FRAME_HEADER_BYTES],
    /// When the first byte of the frame came.
    began_ns: u64,
    held: Vec<u8>,
    missing: Option<Reason>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// So many bytes of a frame header are there.
    Header(usize),
    Frame {
        frame: Frame,
        left: usize,
    },
    Lost,
}

/// A header block, or the beginning of one.
#[derive(Debug)]
pub struct Block {
    pub stream: u32,
    pub ends_stream: bool,
    pub is_promise: bool,
    pub began_ns: u64,
    pub bytes: Vec<u8>,
    /// Why something of it is missing.
    pub missing: Option<Reason>,
    /// What is missing is behind `bytes`: nothing can be added to them.
    pub is_holed: bool,
}

/// One frame, with what there is of its payload if it is one that is read.
#[derive(Debug)]
pub struct Whole<'a> {
    pub frame: Frame,
    pub payload: &'a [u8],
    /// Why something of it is missing.
    pub missing: Option<Reason>,
    pub began_ns: u64,
}

/// What a call left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Fine,
    /// A frame that is read is not whole; the next one begins where it should.
    CutFrame,
    /// Bytes that were not copied held the end of a frame, and perhaps whole ones.
    Cut,
    /// Where a frame should begin, none did.
    Garbage,
}

impl Half {
    pub fn new(preface_left: usize) -> Self {
        Self {
            hpack: Decoder::new(),
            block: None,
            state: State::Header(0),
            preface_left,
            header: [0; FRAME_HEADER_BYTES],
            began_ns: 0,
            held: Vec::new(),
            missing: None,
        }
    }

    /// Whether bytes are passed over until a call begins like a frame.
    pub fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost)
    }

    /// Whether what passed ends within a header block, or within a frame's header, which may be
    /// one's.
    pub fn is_in_block(&self) -> bool {
        match self.state {
            State::Frame { frame, .. } => frame.has_fields() || self.block.is_some(),
            State::Header(there) => there > 0 || self.block.is_some(),
            State::Lost => false,
        }
    }

    /// Cuts what a call passed into frames.
    pub fn cut(
        &mut self,
        payload: &Payload<'_>,
        each: &mut dyn FnMut(&mut Self, Whole<'_>),
    ) -> Left {
        let mut data = payload.bytes;
        if matches!(self.state, State::Lost) {
            if !frame::begins_like_frames(data) {
                return Left::Fine;
            }
            self.state = State::Header(0);
        }
        let preface = self.preface_left.min(data.len());
        self.preface_left -= preface;
        data = &data[preface..];
        while !data.is_empty() {
            let Some(used) = self.step(data, payload.mono_ns, each) else {
                self.lose();
                return Left::Garbage;
            };
            data = &data[used..];
        }
        let gap = (payload.length as usize).saturating_sub(payload.bytes.len());
        let left = if gap == 0 { Left::Fine } else { self.skip(gap, each) };
        if left == Left::Cut {
            self.lose();
        }
        left
    }

    /// Takes the next bytes; says how many, or `None` if no frame can begin like this.
    fn step(
        &mut self,
        data: &[u8],
        mono_ns: u64,
        each: &mut dyn FnMut(&mut Self, Whole<'_>),
    ) -> Option<usize> {
        match self.state {
            State::Header(there) => {
                if there == 0 {
                    self.began_ns = mono_ns;
                }
                let used = data.len().min(FRAME_HEADER_BYTES - there);
                self.header[there..there + used].copy_from_slice(&data[..used]);
                self.state = State::Header(there + used);
                if there + used == FRAME_HEADER_BYTES {
                    let frame = Frame::parse(&self.header);
                    let is_next = self.block.is_none() || frame.kind == frame::CONTINUATION;
                    if !frame.is_possible() || !is_next {
                        return None;
                    }
                    self.begin(frame, each);
                }
                Some(used)
            }
            State::Frame { frame, left } => {
                let used = data.len().min(left);
                if frame.is_read() {
                    if self.held.is_empty() && used == left {
                        self.end(frame, &data[..used], each);
                        return Some(used);
                    }
                    let room = BLOCK_BYTES_MAX.saturating_sub(self.held.len());
                    if used > room {
                        self.missing = Some(Reason::HeadMax);
                    }
                    self.held.extend_from_slice(&data[..used.min(room)]);
                }
                self.advance(frame, left - used, each);
                Some(used)
            }
            State::Lost => Some(data.len()),
        }
    }

    fn begin(&mut self, frame: Frame, each: &mut dyn FnMut(&mut Self, Whole<'_>)) {
        self.held.clear();
        self.missing = None;
        self.advance(frame, frame.length as usize, each);
    }

    fn advance(&mut self, frame: Frame, left: usize, each: &mut dyn FnMut(&mut Self, Whole<'_>)) {
        if left > 0 {
            self.state = State::Frame { frame, left };
            return;
        }
        let held = std::mem::take(&mut self.held);
        self.end(frame, &held, each);
    }

    fn end(&mut self, frame: Frame, payload: &[u8], each: &mut dyn FnMut(&mut Self, Whole<'_>)) {
        self.state = State::Header(0);
        let whole = Whole { frame, payload, missing: self.missing, began_ns: self.began_ns };
        each(self, whole);
    }

    /// Steps over bytes that were not copied.
    fn skip(&mut self, gap: usize, each: &mut dyn FnMut(&mut Self, Whole<'_>)) -> Left {
        let (frame, left) = match self.state {
            State::Header(_) => return Left::Cut,
            State::Frame { frame, left } => (frame, left),
            State::Lost => return Left::Fine,
        };
        self.missing = Some(Reason::Cut);
        self.advance(frame, left.saturating_sub(gap), each);
        match gap <= left {
            true if frame.is_read() => Left::CutFrame,
            true => Left::Fine,
            false => Left::Cut,
        }
    }

    /// Gives up until a call begins like a frame. Header blocks may have been missed.
    fn lose(&mut self) {
        self.state = State::Lost;
        self.preface_left = 0;
        self.held = Vec::new();
        self.block = None;
        self.hpack.forget();
    }

    pub fn held_bytes(&self) -> usize {
        self.hpack.held_bytes()
            + self.held.capacity()
            + self.block.as_ref().map_or(0, |block| block.bytes.capacity())
    }
}
