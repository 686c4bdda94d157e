//! Tests of the embedded store over real data directories.

mod conformance;
mod damage;
mod golden;
mod kill;
mod limits;
mod support;
