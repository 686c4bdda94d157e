//! Whose socket, and where: names of processes, containers, systemd units, hosts and remote
//! addresses, and a host's place in its cloud.
//!
//! Owns what turns numbers that the kernel gives (pid, cgroup id, address) into names, each in a
//! bounded cache that outlives what it describes, because flows are read after their process may
//! be gone. Does not own where the numbers come from (`weir-probes`) nor what is done with the
//! names (`weir-agent`). Knows no clock: the time comes in as milliseconds since 1970-01-01 UTC.

mod addresses;
mod aged;
mod cgroup;
mod cloud;
mod container;
mod dns;
mod dns_message;
mod host;
mod owner;
mod process;
mod runtime;
mod scope;

pub use addresses::HostAddresses;
pub use aged::Aged;
pub use cgroup::Cgroups;
pub use cloud::{
    Cloud, Dmi, MetadataError, MetadataReply, MetadataRequest, MetadataService, Method,
};
pub use container::{CgroupOwner, owner_of_path};
pub use dns::{DnsLimits, DnsNames};
pub use dns_message::{DnsQuestion, DnsReading, dns_code_name, dns_type_name};
pub use host::{Host, IdentityError, agent_id};
pub use owner::{Containment, Owner, Owners, OwnersLimits, Workload};
pub use process::Processes;
pub use runtime::{Called, ContainerName, Named, RuntimeNames, cri, docker};
pub use scope::{Belonging, CgroupScope, ScopeError, scope_directory};
