//! Accuracy in a cluster, with an agent on each node and real packets between them: T8 (translated
//! addresses), T11 (addresses that are reused, Pods that move), T12 (both ends observed, one,
//! none). Witnesses are what the sockets' own calls returned and the counters of nftables.

mod t11;
mod t12;
mod t8;
mod world;
