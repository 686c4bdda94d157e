//! The server over a real store: requests in, answers out.

mod access;
mod agents;
mod clocks;
mod clusters;
mod entities;
mod ingest;
mod lifecycle;
mod map;
mod openapi;
mod problems;
mod questions;
mod requests;
mod tokens;
mod ui;
mod versions;
mod world;
