//! Whole conversations: what is said on a connection, call by call, and the exchanges it gives.

mod frames;
mod garbage;
mod http1;
mod http1_holes;
mod http2;
mod http2_joined;
mod listening;
mod script;
#[path = "../../examples/fuzz/targets.rs"]
mod targets;
