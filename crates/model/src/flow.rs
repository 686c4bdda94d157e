//! Sockets' ends, who owns them, and what a probe hands over about them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::counters::L4Counters;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word used in columns, filters, API and pages.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The inverse of [`Self::as_str`].
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// Transport protocol.
    Transport { Tcp = "tcp", Udp = "udp" }
}

text_enum! {
    /// Address family as used on the wire: a v4-mapped IPv6 socket is `ipv4`.
    Family { Ipv4 = "ipv4", Ipv6 = "ipv6" }
}

text_enum! {
    /// What the local end is in the conversation.
    Role { Client = "client", Server = "server", Unknown = "unknown" }
}

text_enum! {
    /// `outgoing`: the local end is the client; `incoming`: it is the server.
    Direction { Outgoing = "outgoing", Incoming = "incoming", Unknown = "unknown" }
}

text_enum! {
    /// Whose observation of a conversation is read. `merged` takes each conversation once: the
    /// client's row, and the server's only where the client's end is not observed. `both` takes
    /// every row as it was observed, so a conversation observed at both ends counts twice.
    Perspective { Merged = "merged", Client = "client", Server = "server", Both = "both" }
}

impl From<Role> for Direction {
    fn from(role: Role) -> Self {
        match role {
            Role::Client => Direction::Outgoing,
            Role::Server => Direction::Incoming,
            Role::Unknown => Direction::Unknown,
        }
    }
}

/// Network namespace, by inode number (`/proc/PID/ns/net`).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Netns(pub u32);

/// Address and port of one end. Port 0: folded away or not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    pub ip: IpAddr,
    pub port: u16,
}

impl Endpoint {
    /// Builds an end; a v4-mapped IPv6 address becomes the IPv4 address that is on the wire.
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port }
    }

    pub fn family(&self) -> Family {
        match self.ip {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self::new(addr.ip(), addr.port())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// A process as the kernel named it at the time of the event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// Thread group id: what user space calls pid.
    pub pid: u32,
    /// Command name of the thread group leader (`/proc/PID/comm`), at most 15 bytes from the
    /// kernel; completed by `weir-identity` where the full name is known.
    pub name: Arc<str>,
}

/// What a probe hands over: counters since the last reading for one socket, or for many sockets
/// of one key that were folded in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L4Record {
    pub transport: Transport,
    pub role: Role,
    pub local: Endpoint,
    /// Who is really there, through translated addresses. Port 0 where the kernel folded client
    /// ports.
    pub remote: Endpoint,
    /// What the client dialled, where another end answered for it (NAT).
    pub dialled: Option<Endpoint>,
    pub netns: Netns,
    /// cgroup v2 id of the socket, where the kernel gives it.
    pub cgroup_id: Option<u64>,
    pub process: Option<Process>,
    pub counters: L4Counters,
}

/// A listening TCP socket, or an unconnected bound UDP socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenRecord {
    pub transport: Transport,
    /// May be the unspecified address.
    pub local: Endpoint,
    pub netns: Netns,
    pub cgroup_id: Option<u64>,
    pub process: Option<Process>,
}
