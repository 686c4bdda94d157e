//! HTTP/1.0 and 1.1 (RFC 9112): heads, the ends of bodies, and which answer belongs to what.
//!
//! Answers come in the order of the requests, so a queue pairs them. Where bytes are missing the
//! queue is dropped rather than guessed at: a wrong pair would be wrong for every pair after it.

mod body;
mod half;
mod head;
mod known;

use std::collections::VecDeque;

use weir_model::{L7Protocol, Outcome, Payload, Way};

use self::body::{State, Step};
use self::half::{Gathered, HEAD_BYTES_MAX, Half};
use self::head::{AnswerHead, Coding, Parsed, RequestHead};
use self::known::Known;
use crate::look::{self, Look};
use crate::losses::{Reason, Sink};
use crate::request::{Answer, Request, asked_bytes};

/// Most requests of a pipeline that wait for their answers; further ones are counted as lost.
const PIPELINE_MAX: usize = 256;

#[derive(Debug)]
pub struct Http1 {
    request_way: Way,
    requests: Half,
    answers: Half,
    known_request: Known<RequestHead>,
    known_answer: Known<AnswerHead>,
    waiting: VecDeque<Request>,
    current: Option<Current>,
    /// A whole head was seen: what follows that is none is a hole, not another protocol.
    is_proven: bool,
    /// A request came while another one waited.
    is_pipelined: bool,
    pub protocol: L7Protocol,
}

/// The answer whose body passes.
#[derive(Debug)]
struct Current {
    request: Request,
    answer: Answer,
}

/// How a connection goes on after some bytes.
#[derive(Debug)]
pub enum Next {
    Same,
    /// It never was HTTP.
    NotHttp,
    /// The rest is not HTTP: the connection was upgraded or became a tunnel.
    Stop,
    /// What follows is HTTP/2, whose first stream answers the request.
    Http2(Request),
}

impl Http1 {
    pub fn new(request_way: Way) -> Self {
        Self {
            request_way,
            requests: Half::new(look::request),
            answers: Half::new(look::answer),
            known_request: Known::default(),
            known_answer: Known::default(),
            waiting: VecDeque::new(),
            current: None,
            is_proven: false,
            is_pipelined: false,
            protocol: L7Protocol::Http11,
        }
    }

    pub fn request_way(&self) -> Way {
        self.request_way
    }

    /// Takes what one call passed; says how much of it was used before it goes on otherwise.
    pub fn feed(&mut self, payload: &Payload<'_>, sink: &mut Sink<'_>) -> (usize, Next) {
        let is_request = payload.way == self.request_way;
        self.resynchronise(is_request, payload.bytes, sink);
        let mut at = 0;
        while at < payload.bytes.len() {
            let data = &payload.bytes[at..];
            let half = self.half(is_request);
            let (used, next) = match half.state {
                State::Head => self.head(is_request, data, payload.mono_ns, sink),
                _ => (self.body(is_request, data, sink), Next::Same),
            };
            at += used;
            if !matches!(next, Next::Same) {
                return (at, next);
            }
        }
        let gap = u64::from(payload.length).saturating_sub(at as u64);
        (at, if gap > 0 { self.gap(is_request, gap, sink) } else { Next::Same })
    }

    /// Between two exchanges; an answer whose end was not copied has ended by the next request.
    pub fn pause(&mut self, sink: &mut Sink<'_>) -> bool {
        let is_between = self.requests.state == State::Head
            && !self.requests.is_in_head()
            && self.waiting.is_empty()
            && matches!(self.answers.state, State::Head | State::Lost { .. })
            && !self.answers.is_in_head()
            && !self.is_pipelined;
        if is_between {
            self.finish(Outcome::Answered, sink);
            self.answers.state = State::Head;
        }
        is_between
    }

    /// Ends what is open with the connection.
    pub fn close(&mut self, is_reset: bool, sink: &mut Sink<'_>) {
        let outcome = match self.answers.state {
            State::Length(_) | State::Chunked(_) => Outcome::Aborted,
            State::UntilClose if is_reset => Outcome::Aborted,
            _ => Outcome::Answered,
        };
        self.finish(outcome, sink);
        let (mut head, began_ns) = self.answers.take_head();
        if memchr::memchr(b'\n', &head).is_some() {
            head::mend(&mut head, false);
            if let Parsed::Whole(AnswerHead { status: status @ 200.., .. }, _) = head::answer(&head)
                && let Some(request) = self.waiting.pop_front()
            {
                let status = Some(status);
                let answer = Answer { status, grpc_status: None, began_ns: Some(began_ns) };
                request.finish(answer, Outcome::Aborted, sink);
            }
        }
        for request in self.waiting.drain(..) {
            request.finish(Answer::default(), Outcome::Unanswered, sink);
        }
        sink.count(Reason::Unfinished, usize::from(self.requests.is_in_head()));
        self.requests.forget_head();
    }

    /// Reports what began before `before_ns` and has no answer, and takes answers whose end was
    /// not copied as ended.
    pub fn expire(&mut self, before_ns: u64, sink: &mut Sink<'_>) {
        let is_old = |request: &Request| request.began_ns < before_ns;
        if matches!(self.answers.state, State::Lost { .. })
            && self.current.as_ref().is_some_and(|current| is_old(&current.request))
        {
            self.finish(Outcome::Answered, sink);
        }
        for request in self.waiting.iter_mut().filter(|request| is_old(request)) {
            request.report_unanswered(sink);
        }
    }

    pub fn held_bytes(&self) -> usize {
        let spare = self.waiting.capacity() - self.waiting.len();
        size_of::<Self>()
            + self.requests.held_bytes()
            + self.answers.held_bytes()
            + self.known_request.says().map_or(0, |head| asked_bytes(&head.asked))
            + self.waiting.iter().map(Request::held_bytes).sum::<usize>()
            + spare * size_of::<Request>()
            + self.current.as_ref().map_or(0, |current| current.request.held_bytes())
    }

    fn half(&mut self, is_request: bool) -> &mut Half {
        if is_request { &mut self.requests } else { &mut self.answers }
    }

    /// Finds the way again at a call that begins like a message, where one was lost or where the
    /// other side's bytes say that the body in progress must have ended in calls not seen.
    fn resynchronise(&mut self, is_request: bool, data: &[u8], sink: &mut Sink<'_>) {
        let (state, look, has_moved_on) = match is_request {
            true => (
                self.requests.state,
                look::request as fn(&[u8]) -> Look,
                self.waiting.is_empty() && self.current.is_none(),
            ),
            false => (self.answers.state, look::answer as _, !self.waiting.is_empty()),
        };
        let is_within = self.waiting.is_empty() != is_request;
        match state {
            State::Head => return,
            State::Lost { is_chunked: true } if body::looks_like_chunk(data) => {
                self.half(is_request).state = body::FIRST_CHUNK;
                return;
            }
            // No call was missed, so the other side's bytes would say that the body has ended: what
            // looks like a message belongs to it.
            State::Lost { is_chunked: true } if is_within => return,
            State::Lost { .. } => {}
            _ if has_moved_on => {}
            _ => return,
        }
        if look(data) == Look::Yes {
            if !is_request {
                self.finish(Outcome::Answered, sink);
            }
            self.half(is_request).state = State::Head;
        }
    }

    /// Steps over bytes of a body; says how many.
    fn body(&mut self, is_request: bool, data: &[u8], sink: &mut Sink<'_>) -> usize {
        match self.half(is_request).state.consume(data) {
            Step::Used(used) => used,
            Step::End(used) => {
                self.end_body(is_request, sink);
                used
            }
            Step::Broken => {
                self.lose(is_request, Reason::Garbage, 1, sink);
                data.len()
            }
        }
    }

    fn end_body(&mut self, is_request: bool, sink: &mut Sink<'_>) {
        self.half(is_request).state = State::Head;
        if !is_request {
            self.finish(Outcome::Answered, sink);
        }
    }

    /// Steps over bytes that were not copied.
    fn gap(&mut self, is_request: bool, gap: u64, sink: &mut Sink<'_>) -> Next {
        let half = self.half(is_request);
        let state = half.state;
        if half.is_in_head() {
            let (head, began_ns) = half.take_head();
            return self.cut_head(is_request, Reason::Cut, head, began_ns, sink);
        }
        match half.state.skip(gap) {
            Step::Used(_) => {}
            Step::End(_) => self.end_body(is_request, sink),
            Step::Broken => {
                // Where a body ends is not known; but for chunked ones, so may heads be behind it.
                let is_chunked = matches!(state, State::Chunked(_));
                if matches!(state, State::Length(_)) {
                    self.end_body(is_request, sink);
                }
                self.lose(is_request, Reason::Cut, usize::from(!is_chunked), sink);
                self.half(is_request).state = State::Lost { is_chunked };
            }
        }
        Next::Same
    }

    /// Gives up following a half until a call begins like a message. The requests that wait may
    /// have been answered in what was lost, so they wait no longer.
    fn lose(&mut self, is_request: bool, reason: Reason, least: usize, sink: &mut Sink<'_>) {
        let half = self.half(is_request);
        half.state = State::Lost { is_chunked: false };
        half.forget_head();
        let count = if is_request { least } else { self.waiting.len().max(least) };
        sink.count(reason, count);
        if !is_request {
            self.waiting.clear();
        }
    }

    /// Takes bytes where a head is expected or goes on; says how many are used.
    fn head(
        &mut self,
        is_request: bool,
        data: &[u8],
        mono_ns: u64,
        sink: &mut Sink<'_>,
    ) -> (usize, Next) {
        if let Some((next, length)) = self.head_again(is_request, data, mono_ns, sink) {
            return (length, next);
        }
        let gathered = match self.half(is_request).gather(data) {
            Gathered::Perhaps { bytes, before } => {
                match self.read(is_request, bytes, mono_ns, sink) {
                    Parsed::Whole(next, length) => return (before + length, next),
                    Parsed::Partial => self.half(is_request).keep(bytes, mono_ns),
                    Parsed::Bad => return (data.len(), self.bad(is_request, bytes, mono_ns, sink)),
                }
            }
            gathered => gathered,
        };
        let next = match gathered {
            Gathered::Whole { head, used, began_ns } => {
                match self.read(is_request, &head, began_ns, sink) {
                    Parsed::Whole(next, _) => return (used, next),
                    _ => self.bad(is_request, &head, began_ns, sink),
                }
            }
            Gathered::TooLong { head, began_ns } => {
                self.cut_head(is_request, Reason::HeadMax, head, began_ns, sink)
            }
            Gathered::NotAHead => self.garbage(is_request, sink),
            Gathered::More | Gathered::Perhaps { .. } => Next::Same,
        };
        (data.len(), next)
    }

    /// Does what a head says that is the same as the one before it.
    fn head_again(
        &mut self,
        is_request: bool,
        data: &[u8],
        mono_ns: u64,
        sink: &mut Sink<'_>,
    ) -> Option<(Next, usize)> {
        if self.half(is_request).is_in_head() {
            return None;
        }
        if is_request {
            let (head, length) = self.known_request.find(data)?;
            let head = head.clone();
            self.on_request(head, mono_ns, sink);
            Some((Next::Same, length))
        } else {
            let (head, length) = self.known_answer.find(data)?;
            let head = *head;
            Some((self.on_answer(&head, mono_ns, sink), length))
        }
    }

    /// Reads a head and does what it says.
    fn read(
        &mut self,
        is_request: bool,
        bytes: &[u8],
        began_ns: u64,
        sink: &mut Sink<'_>,
    ) -> Parsed<Next> {
        if is_request {
            let read = head::request(bytes, sink.headers);
            if let Parsed::Whole(head, length) = &read
                && look::request(bytes) == Look::Yes
            {
                self.known_request.keep(&bytes[..*length], head.clone());
            }
            read.map(|head| {
                self.on_request(head, began_ns, sink);
                Next::Same
            })
        } else {
            let read = head::answer(bytes);
            if let Parsed::Whole(head, length) = &read
                && look::answer(bytes) == Look::Yes
            {
                self.known_answer.keep(&bytes[..*length], *head);
            }
            read.map(|head| self.on_answer(&head, began_ns, sink))
        }
    }

    /// Bytes that begin like a head and are none, or one of more lines than are read.
    fn bad(&mut self, is_request: bool, bytes: &[u8], began_ns: u64, sink: &mut Sink<'_>) -> Next {
        if !head::has_too_many_lines(bytes) {
            return self.garbage(is_request, sink);
        }
        let head = bytes[..bytes.len().min(HEAD_BYTES_MAX)].to_vec();
        self.cut_head(is_request, Reason::HeadMax, head, began_ns, sink)
    }

    fn garbage(&mut self, is_request: bool, sink: &mut Sink<'_>) -> Next {
        self.lose(is_request, Reason::Garbage, 1, sink);
        if self.is_proven { Next::Same } else { Next::NotHttp }
    }

    /// A head of which only the beginning is there still makes a request or ends one. What
    /// follows it is not known.
    fn cut_head(
        &mut self,
        is_request: bool,
        reason: Reason,
        mut head: Vec<u8>,
        began_ns: u64,
        sink: &mut Sink<'_>,
    ) -> Next {
        head::mend(&mut head, is_request);
        let mut read = self.read(is_request, &head, began_ns, sink);
        if !matches!(read, Parsed::Whole(..)) {
            // One bad line among many is not worth a request.
            head::first_line(&mut head);
            read = self.read(is_request, &head, began_ns, sink);
        }
        let Parsed::Whole(next, _) = read else { return self.garbage(is_request, sink) };
        self.lose(is_request, reason, 1, sink);
        match next {
            Next::Http2(_) => Next::Stop,
            next => next,
        }
    }

    fn on_request(&mut self, head: RequestHead, began_ns: u64, sink: &mut Sink<'_>) {
        self.is_proven = true;
        self.is_pipelined |= !self.waiting.is_empty();
        self.protocol = if head.is_http10 { L7Protocol::Http10 } else { L7Protocol::Http11 };
        if matches!(self.answers.state, State::Lost { .. }) && self.waiting.is_empty() {
            // A client that asks again has read the answer before.
            self.finish(Outcome::Answered, sink);
        }
        self.requests.state = match head.coding {
            Coding::Length(0) | Coding::Unsaid | Coding::Other => State::Head,
            Coding::Length(length) => State::Length(length),
            Coding::Chunked => body::FIRST_CHUNK,
        };
        if self.waiting.len() >= PIPELINE_MAX {
            sink.count(Reason::PipelineMax, 1);
            return;
        }
        self.waiting.push_back(Request {
            protocol: self.protocol,
            asked: head.asked,
            began_ns,
            is_reported: false,
        });
    }

    fn on_answer(&mut self, head: &AnswerHead, began_ns: u64, sink: &mut Sink<'_>) -> Next {
        self.is_proven = true;
        if matches!(head.status, 100 | 102..=199) {
            return Next::Same;
        }
        self.finish(Outcome::Answered, sink);
        let Some(request) = self.waiting.pop_front() else {
            sink.count(Reason::NoRequest, 1);
            self.answers.state = answer_body(head, "");
            return if head.status == 101 { Next::Stop } else { Next::Same };
        };
        if head.status == 101 && head.is_to_http2 {
            return Next::Http2(request);
        }
        let answer =
            Answer { status: Some(head.status), grpc_status: None, began_ns: Some(began_ns) };
        let is_tunnel = request.asked.method == "CONNECT" && (200..300).contains(&head.status);
        self.answers.state = answer_body(head, &request.asked.method);
        self.current = Some(Current { request, answer });
        if is_tunnel || head.status == 101 {
            self.finish(Outcome::Answered, sink);
            return Next::Stop;
        }
        if self.answers.state == State::Head {
            self.finish(Outcome::Answered, sink);
        }
        Next::Same
    }

    fn finish(&mut self, outcome: Outcome, sink: &mut Sink<'_>) {
        if let Some(Current { request, answer }) = self.current.take() {
            request.finish(answer, outcome, sink);
        }
    }
}

/// What follows the head of an answer (RFC 9112, section 6.3).
fn answer_body(head: &AnswerHead, method: &str) -> State {
    if method == "HEAD" || matches!(head.status, 101 | 204 | 304) {
        return State::Head;
    }
    match head.coding {
        Coding::Length(0) => State::Head,
        Coding::Length(length) => State::Length(length),
        Coding::Chunked => body::FIRST_CHUNK,
        Coding::Unsaid | Coding::Other => State::UntilClose,
    }
}
