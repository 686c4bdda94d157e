//! The vocabulary of Weir: what a flow, an endpoint, an entity and a counter are.
//!
//! Owns the types that travel between rooms and the arithmetic on them. Does no IO, knows no
//! clock and no storage format: time comes in as an argument, columns are `weir-schema`'s.

mod counters;
mod dns;
mod entity;
mod flow;
mod l7;
mod loss;
mod place;
mod sketch;

pub use counters::{L4Counters, Samples, Signal, SignalSet};
pub use dns::DnsMessage;
pub use entity::{Entity, EntityKind, Layer, Level};
pub use flow::{
    Direction, Endpoint, Family, L4Record, ListenRecord, Netns, Perspective, Process, Role,
    Transport,
};
pub use l7::{Asked, Exchange, HEADERS_MAX, L7Ends, L7Protocol, Outcome, Payload, Way};
pub use loss::{Loss, LossKind};
pub use place::Place;
pub use sketch::{SKETCH_US_MAX, Sketch, SketchError};
