//! The suite that every store passes, and the builders that its tests and others' are made with.

pub mod rows;
