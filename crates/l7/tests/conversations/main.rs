//! Whole conversations: what is said on a connection, call by call, and the exchanges it gives.

mod http1;
mod http1_holes;
mod script;
