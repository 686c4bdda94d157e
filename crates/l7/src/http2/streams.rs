//! The open streams of an HTTP/2 connection.

use weir_model::{L7Protocol, Outcome};

use crate::losses::{Reason, Sink};
use crate::request::{Answer, Request};

/// Most streams that are kept. A new one beyond takes the oldest one's place, counted.
pub const STREAMS_MAX: usize = 1024;

/// Sorted by id: ids only grow.
#[derive(Debug, Default)]
pub struct Streams {
    open: Vec<Stream>,
    /// The highest id that began here.
    pub last: u32,
}

#[derive(Debug)]
pub struct Stream {
    id: u32,
    pub request: Request,
    pub answer: Answer,
    /// Bytes that were not copied may have held the answer or its end.
    pub is_unsure: bool,
}

impl Streams {
    pub fn get(&mut self, id: u32) -> Option<&mut Stream> {
        self.find(id).map(|at| &mut self.open[at])
    }

    fn find(&self, id: u32) -> Option<usize> {
        self.open.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    pub fn begin(&mut self, id: u32, request: Request, sink: &mut Sink<'_>) {
        let Err(at) = self.open.binary_search_by_key(&id, |stream| stream.id) else { return };
        let stream = Stream { id, request, answer: Answer::default(), is_unsure: false };
        self.open.insert(at, stream);
        self.last = self.last.max(id);
        if self.open.len() > STREAMS_MAX {
            self.open.remove(0);
            sink.count(Reason::StreamsMax, 1);
        }
    }

    /// Ends a stream at the answer's end.
    pub fn end(&mut self, id: u32, sink: &mut Sink<'_>) {
        if let Some(at) = self.find(id) {
            let stream = self.open.remove(at);
            match stream.answer.began_ns {
                Some(_) => stream.finish(Outcome::Answered, sink),
                None => stream.abort(sink),
            }
        }
    }

    /// Ends a stream before the answer's end.
    pub fn abort(&mut self, id: u32, sink: &mut Sink<'_>) {
        if let Some(at) = self.find(id) {
            self.open.remove(at).abort(sink);
        }
    }

    /// Ends the streams that the server says it will not answer.
    pub fn refuse_after(&mut self, id: u32, sink: &mut Sink<'_>) {
        let at = self.open.partition_point(|stream| stream.id <= id);
        self.open.drain(at..).for_each(|stream| stream.abort(sink));
    }

    /// Bytes of the server were missed.
    pub fn doubt(&mut self) {
        self.open.iter_mut().for_each(|stream| stream.is_unsure = true);
    }

    pub fn close(&mut self, sink: &mut Sink<'_>) {
        self.open.drain(..).for_each(|stream| stream.abort(sink));
    }

    /// Reports what began before `before_ns` and has no answer, and takes answers whose end may
    /// have been missed as ended.
    pub fn expire(&mut self, before_ns: u64, sink: &mut Sink<'_>) {
        let is_old = |stream: &mut Stream| stream.request.began_ns < before_ns;
        for stream in self.open.extract_if(.., |stream| stream.is_unsure && is_old(stream)) {
            match stream.answer.began_ns {
                Some(_) => stream.finish(Outcome::Answered, sink),
                None => sink.count(Reason::Cut, 1),
            }
        }
        for stream in self.open.iter_mut().filter(|stream| stream.answer.began_ns.is_none()) {
            if stream.request.began_ns < before_ns {
                stream.request.report_unanswered(sink);
            }
        }
    }

    pub fn held_bytes(&self) -> usize {
        let spare = self.open.capacity() - self.open.len();
        let held: usize = self.open.iter().map(|stream| stream.request.held_bytes()).sum();
        held + self.open.len() * (size_of::<Stream>() - size_of::<Request>())
            + spare * size_of::<Stream>()
    }
}

impl Stream {
    /// Ends it before the answer's end was seen.
    fn abort(self, sink: &mut Sink<'_>) {
        match (self.is_unsure, self.answer.began_ns) {
            (true, Some(_)) => self.finish(Outcome::Answered, sink),
            (true, None) => sink.count(Reason::Cut, 1),
            (false, Some(_)) => self.finish(Outcome::Aborted, sink),
            (false, None) => self.finish(Outcome::Unanswered, sink),
        }
    }

    fn finish(self, outcome: Outcome, sink: &mut Sink<'_>) {
        self.request.finish(self.answer, outcome, sink);
    }

    pub fn speaks_grpc(&mut self) {
        self.request.protocol = L7Protocol::Grpc;
    }
}
