//! The Kubernetes directory: which Pod, workload, Service, node and zone an address or a
//! container was at the time of a flow.
//!
//! Owns the watch over one cluster's objects and what is remembered of them, with the times
//! between which it was so. Pure are `objects`, `read`, `timeline`, `kept`, `directory` and
//! `resolve`; the network is in `client` and `watch`. Does not own what a flow's rows get of it
//! (`weir-server`) nor how a socket's container is found (`weir-identity`).

mod change;
mod client;
mod details;
mod directory;
mod events;
mod kept;
mod live;
mod names;
mod objects;
mod problem;
mod raw;
mod read;
mod resolve;
mod timeline;
mod watch;

pub use change::{Change, Feed, Taker, Told};
pub use client::{Access, Client};
pub use directory::{Directory, DirectoryLimits};
pub use kept::Counts;
pub use live::{LogPart, READABLE};
pub use names::Names;
pub use objects::{
    About, Container, ContainerId, Controller, Endpoint, EndpointSlice, Event, Kind, Labels, Meta,
    Namespace, Node, Object, OwnerRef, Pod, Service, ServicePort,
};
pub use problem::Problem;
pub use read::{ReadError, container_id, read};
pub use resolve::{Resolved, Sighting, Workload};
pub use watch::{Clock, WatchOptions, WatchStatus, Watcher};
