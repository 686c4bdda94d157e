//! T9: requests and their answers as the whole agent tells them, from real probes to rows, against
//! the logs of the servers that answered.
//!
//! Clients and servers are hosts of their own in a lab. Counts, codes and outcomes must equal the
//! log's to the unit, at both ends. Latencies must lie between the two times that the log gives for
//! each: how far these are apart is said by whoever writes the log.

mod bad_input;
#[path = "../common/mod.rs"]
mod common;
mod frames;
mod grpc;
mod http2;
mod nginx;
mod odd;
mod runtimes;
mod watch;
mod witness;
