//! HTTP/2 (RFC 9113) and gRPC over it: streams, from the frames of both directions.

mod frame;
mod half;
mod streams;

use std::borrow::Cow;
use std::sync::Arc;

use weir_model::{Asked, L7Protocol, Payload, Way};

pub use self::frame::{begins_like_http2, is_server_preface, may_be_server_preface};
use self::half::{BLOCK_BYTES_MAX, Block, Half, Left, Whole};
use self::streams::Streams;
use crate::headers::Headers;
use crate::hpack::{Malformed, Name};
use crate::look::PREFACE;
use crate::losses::{Reason, Sink};
use crate::request::{METHOD_BYTES_MAX, Request, method_of, path_of, trace_id};

/// The highest code that gRPC has: UNAUTHENTICATED.
const GRPC_STATUS_MAX: u16 = 16;

#[derive(Debug)]
pub struct Http2 {
    /// By [`Way`]: sent, received.
    halves: [Half; 2],
    conversation: Conversation,
}

/// What both directions make together.
#[derive(Debug)]
struct Conversation {
    /// Not known on a connection joined in the middle until a request or an answer is seen.
    request_way: Option<Way>,
    is_joined: bool,
    streams: Streams,
    is_grpc: bool,
}

/// What is read of a header block.
#[derive(Debug, Default)]
struct Fields {
    method: Option<Cow<'static, str>>,
    path: Option<String>,
    status: Option<u16>,
    grpc_status: Option<u16>,
    trace_id: Option<String>,
    headers: String,
    is_grpc: bool,
    is_request: bool,
    has_unknown: bool,
    /// A number in a field whose name is not known: in the trailers of gRPC it is the status.
    number: Option<u16>,
}

impl Http2 {
    /// For a connection whose client's first bytes are the preface.
    pub fn new(request_way: Way) -> Self {
        let preface_left = |way| if way == request_way { PREFACE.len() } else { 0 };
        Self {
            halves: [Way::Sent, Way::Received].map(|way| Half::new(preface_left(way))),
            conversation: Conversation {
                request_way: Some(request_way),
                is_joined: false,
                streams: Streams::default(),
                is_grpc: false,
            },
        }
    }

    /// For a connection upgraded from HTTP/1: the answer to `request` comes on stream 1.
    pub fn upgraded(request_way: Way, mut request: Request, sink: &mut Sink<'_>) -> Self {
        let mut made = Self::new(request_way);
        request.protocol = L7Protocol::Http2;
        made.conversation.streams.begin(1, request, sink);
        made
    }

    /// For a connection joined in the middle.
    pub fn joined(request_way: Option<Way>) -> Self {
        let mut halves = [Half::new(0), Half::new(0)];
        halves.iter_mut().for_each(|half| half.hpack.forget());
        let streams = Streams::default();
        let conversation = Conversation { request_way, is_joined: true, streams, is_grpc: false };
        Self { halves, conversation }
    }

    pub fn protocol(&self) -> L7Protocol {
        if self.conversation.is_grpc { L7Protocol::Grpc } else { L7Protocol::Http2 }
    }

    pub fn request_way(&self) -> Option<Way> {
        self.conversation.request_way
    }

    pub fn feed(&mut self, payload: &Payload<'_>, sink: &mut Sink<'_>) {
        let way = payload.way;
        let conversation = &mut self.conversation;
        if self.halves[way as usize].is_lost() && conversation.request_way != Some(way) {
            // Their answers, too, may be in what was passed over until now.
            conversation.streams.doubt();
        }
        let left = self.halves[way as usize].cut(payload, &mut |half, whole| {
            conversation.frame(way, half, &whole, sink);
        });
        match left {
            Left::Fine => return,
            Left::CutFrame => return sink.count(Reason::Cut, 1),
            Left::Cut => sink.count(Reason::Cut, 1),
            Left::Garbage => sink.count(Reason::Garbage, 1),
        }
        if conversation.request_way != Some(way) {
            conversation.streams.doubt();
        }
    }

    pub fn close(&mut self, sink: &mut Sink<'_>) {
        self.conversation.streams.close(sink);
        let request_way = self.conversation.request_way;
        let is_in_block = request_way.is_some_and(|way| self.halves[way as usize].is_in_block());
        sink.count(Reason::Unfinished, usize::from(is_in_block));
    }

    pub fn expire(&mut self, before_ns: u64, sink: &mut Sink<'_>) {
        self.conversation.streams.expire(before_ns, sink);
    }

    pub fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.halves.iter().map(Half::held_bytes).sum::<usize>()
            + self.conversation.streams.held_bytes()
    }
}

impl Conversation {
    fn frame(&mut self, way: Way, half: &mut Half, whole: &Whole<'_>, sink: &mut Sink<'_>) {
        let (frame, payload) = (whole.frame, whole.payload);
        let ends_stream = frame.has(frame::END_STREAM);
        let is_answer = self.request_way.is_some_and(|request_way| request_way != way);
        let number = |at: usize| {
            let bytes = payload.get(at..at + 4)?.first_chunk()?;
            Some(u32::from_be_bytes(*bytes) & i32::MAX as u32)
        };
        match frame.kind {
            frame::DATA if ends_stream && is_answer => self.streams.end(frame.stream, sink),
            frame::HEADERS | frame::PUSH_PROMISE => {
                let Some(bytes) = fragment(whole) else {
                    half.hpack.forget();
                    return sink.count(Reason::Garbage, usize::from(whole.missing.is_none()));
                };
                let is_promise = frame.kind == frame::PUSH_PROMISE;
                let block = Block {
                    stream: frame.stream,
                    ends_stream: ends_stream && !is_promise,
                    is_promise,
                    began_ns: whole.began_ns,
                    bytes: Vec::new(),
                    missing: whole.missing,
                    is_holed: false,
                };
                self.gather(way, half, block, bytes, frame.has(frame::END_HEADERS), sink);
            }
            frame::CONTINUATION => {
                let Some(mut block) = half.block.take_if(|block| block.stream == frame.stream)
                else {
                    half.hpack.forget();
                    return sink.count(Reason::Garbage, 1);
                };
                block.missing = block.missing.or(whole.missing);
                self.gather(way, half, block, payload, frame.has(frame::END_HEADERS), sink);
            }
            frame::RST_STREAM => self.streams.abort(frame.stream, sink),
            frame::GOAWAY if is_answer => {
                if let Some(last) = number(0) {
                    self.streams.refuse_after(last, sink);
                }
            }
            _ => {}
        }
    }

    /// Adds a fragment to a block and reads the block when it is whole.
    fn gather(
        &mut self,
        way: Way,
        half: &mut Half,
        mut block: Block,
        bytes: &[u8],
        is_last: bool,
        sink: &mut Sink<'_>,
    ) {
        if is_last && block.bytes.is_empty() {
            return self.block(way, half, &block, bytes, sink);
        }
        // Behind a hole nothing can be read any more.
        if !block.is_holed {
            let room = BLOCK_BYTES_MAX.saturating_sub(block.bytes.len());
            block.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() > room {
                block.missing = block.missing.or(Some(Reason::HeadMax));
            }
            block.is_holed = block.missing.is_some();
        }
        if is_last {
            let bytes = std::mem::take(&mut block.bytes);
            self.block(way, half, &block, &bytes, sink);
        } else {
            half.block = Some(block);
        }
    }

    fn block(
        &mut self,
        way: Way,
        half: &mut Half,
        block: &Block,
        bytes: &[u8],
        sink: &mut Sink<'_>,
    ) {
        let mut fields = Fields::default();
        let read =
            half.hpack.decode(sink.headers, bytes, block.missing.is_some(), &mut |name, value| {
                fields.take(name, value, sink.headers);
            });
        if read == Err(Malformed) {
            sink.count(Reason::Hpack, 1);
            half.hpack.forget();
        } else if let Some(reason) = block.missing {
            // What was cut by the probe is counted call by call.
            sink.count(reason, usize::from(reason != Reason::Cut));
            half.hpack.forget();
        }
        if self.request_way.is_none() {
            self.request_way = match (fields.is_request, fields.status) {
                (true, _) => Some(way),
                (false, Some(_)) if way == Way::Sent => Some(Way::Received),
                (false, Some(_)) => Some(Way::Sent),
                (false, None) => return,
            };
        }
        if block.is_promise || block.stream.is_multiple_of(2) {
            // Pushed streams answer nobody's request; their blocks are read for the table alone.
        } else if self.request_way == Some(way) {
            self.on_request(block, fields, sink);
        } else {
            self.on_answer(block, fields, sink);
        }
    }

    fn on_request(&mut self, block: &Block, fields: Fields, sink: &mut Sink<'_>) {
        let is_known = block.stream <= self.streams.last;
        let may_be_trailers = self.is_joined && block.ends_stream && !fields.has_unknown;
        if is_known || (may_be_trailers && !fields.is_request) {
            return;
        }
        let protocol = if fields.is_grpc { L7Protocol::Grpc } else { L7Protocol::Http2 };
        self.is_grpc |= fields.is_grpc;
        let request = Request {
            protocol,
            asked: Arc::new(Asked {
                method: fields.method.unwrap_or_default(),
                path: fields.path.unwrap_or_default(),
                trace_id: fields.trace_id,
                headers: fields.headers,
            }),
            began_ns: block.began_ns,
            is_reported: false,
        };
        self.streams.begin(block.stream, request, sink);
    }

    fn on_answer(&mut self, block: &Block, fields: Fields, sink: &mut Sink<'_>) {
        let Some(stream) = self.streams.get(block.stream) else {
            let is_first = fields.status.is_some_and(|status| status >= 200);
            let is_new = block.stream > self.streams.last;
            return sink.count(Reason::NoRequest, usize::from(is_first && is_new));
        };
        if fields.status.is_some_and(|status| status < 200) {
            return;
        }
        if stream.answer.began_ns.is_none() {
            stream.answer.began_ns = Some(block.began_ns);
            stream.answer.status = fields.status;
        }
        if fields.is_grpc {
            stream.speaks_grpc();
            self.is_grpc = true;
        }
        let is_trailers = block.ends_stream && stream.request.protocol == L7Protocol::Grpc;
        let guess = fields.number.filter(|_| is_trailers && fields.status.is_none());
        let known = fields.grpc_status.or(stream.answer.grpc_status);
        stream.answer.grpc_status = known.or(guess);
        if block.ends_stream {
            self.streams.end(block.stream, sink);
        }
    }
}

impl Fields {
    fn take(&mut self, name: Name, value: &[u8], headers: &Headers) {
        let number = || std::str::from_utf8(value).ok()?.parse().ok();
        match name {
            Name::Method => {
                self.is_request = true;
                let method = &value[..value.len().min(METHOD_BYTES_MAX)];
                self.method = std::str::from_utf8(method).ok().map(method_of);
            }
            Name::Path => {
                self.is_request = true;
                self.path = Some(path_of(value));
            }
            Name::Target => self.is_request = true,
            Name::Status => self.status = number(),
            Name::GrpcStatus => self.grpc_status = number(),
            Name::ContentType => self.is_grpc = value.starts_with(b"application/grpc"),
            Name::Traceparent => self.trace_id = trace_id(value),
            Name::Header(place) => headers.keep(place, value, &mut self.headers),
            Name::Other => {}
            Name::Unknown => {
                self.has_unknown = true;
                let code = number().filter(|code| *code <= GRPC_STATUS_MAX);
                self.number = self.number.or(code);
            }
        }
    }
}

/// The fragment of a header block in a frame: without padding, priority and promised stream.
fn fragment<'a>(whole: &Whole<'a>) -> Option<&'a [u8]> {
    let (frame, mut bytes) = (whole.frame, whole.payload);
    if frame.has(frame::PADDED) {
        let (padding, rest) = bytes.split_first()?;
        let length = rest.len().checked_sub(usize::from(*padding));
        // Of a frame that is cut the padding is not there.
        bytes = if whole.missing.is_some() { rest } else { &rest[..length?] };
    }
    let before = match frame.kind {
        frame::PUSH_PROMISE => 4,
        _ if frame.has(frame::PRIORITY) => 5,
        _ => 0,
    };
    bytes.get(before..)
}
