//! Who is at the other end, where that end is on this host too.
//!
//! Owns the matching of the two observations of one conversation. With folded client ports a
//! conversation is (client address, server address and port); its other end has a name only when
//! exactly one owner was seen there, else it is absent: nothing is guessed. A server whose own
//! flow was not seen (yet) is known by its listening socket.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_identity::{Aged, HostAddresses, Owner};
use weir_model::{Direction, Endpoint, Netns, Transport};

use crate::flows::FlowKey;

/// A conversation as its two ends can both name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Conversation {
    transport: Transport,
    /// The namespace, where the addresses mean something only within it (loopback).
    scope: Option<Netns>,
    ends: Ends,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ends {
    /// Both ports known; the lower end first, whoever is the client.
    Exact(Endpoint, Endpoint),
    /// Client port folded: the client's address and the server.
    Folded(IpAddr, Endpoint),
}

/// Which of a conversation's two ends: the lower or the client is the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// Who was seen at one end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Seen {
    #[default]
    Nobody,
    One(Owner),
    Several,
}

impl Seen {
    fn add(&mut self, owner: &Owner) {
        match self {
            Seen::Nobody => *self = Seen::One(owner.clone()),
            Seen::One(known) if known == owner => {}
            Seen::One(_) => *self = Seen::Several,
            Seen::Several => {}
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Sides {
    first: Seen,
    second: Seen,
}

impl Sides {
    fn at(&self, side: Side) -> &Seen {
        match side {
            Side::First => &self.first,
            Side::Second => &self.second,
        }
    }

    fn at_mut(&mut self, side: Side) -> &mut Seen {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Listener {
    transport: Transport,
    netns: Netns,
    local: Endpoint,
}

/// Both ends of this window's conversations, and of those before it: the two ends of one
/// conversation may be read in different windows.
#[derive(Debug)]
pub struct BothEnds {
    current: HashMap<Conversation, Sides>,
    earlier: Aged<Conversation, Sides>,
    listeners: Aged<Listener, Owner>,
    conversations_max: usize,
    hold_ms: i64,
}

impl BothEnds {
    /// A conversation that was not seen for `hold_ms` is forgotten. Listeners are told of once,
    /// so they stay until another takes their place or there are too many.
    pub fn new(conversations_max: usize, listeners_max: usize, hold_ms: i64) -> Self {
        Self {
            current: HashMap::new(),
            earlier: Aged::new(conversations_max),
            listeners: Aged::new(listeners_max),
            conversations_max,
            hold_ms,
        }
    }

    /// Notes who listens at `local`, whose address may be unspecified.
    pub fn listens(
        &mut self,
        transport: Transport,
        netns: Netns,
        local: Endpoint,
        owner: Owner,
        now_ms: i64,
    ) {
        self.listeners.insert(Listener { transport, netns, local }, owner, now_ms);
    }

    /// Notes who is at the local end of a flow whose remote end is on this host too.
    pub fn saw(&mut self, key: &FlowKey, owner: &Owner) {
        for (conversation, side) in conversations(key).into_iter().flatten() {
            if self.current.len() >= self.conversations_max
                && !self.current.contains_key(&conversation)
            {
                continue;
            }
            self.current.entry(conversation).or_default().at_mut(side).add(owner);
        }
    }

    /// Who is at the remote end of a flow; absent fields where that is not known for sure.
    pub fn remote_of(&mut self, key: &FlowKey, addresses: &HostAddresses, now_ms: i64) -> Owner {
        for (conversation, side) in conversations(key).into_iter().flatten() {
            let other = match side {
                Side::First => Side::Second,
                Side::Second => Side::First,
            };
            for sides in [self.current.get(&conversation), self.earlier.peek(&conversation)] {
                match sides.map_or(&Seen::Nobody, |sides| sides.at(other)) {
                    Seen::One(owner) => return owner.clone(),
                    Seen::Several => return Owner::default(),
                    Seen::Nobody => {}
                }
            }
        }
        if key.direction == Direction::Incoming {
            return Owner::default();
        }
        self.listener(key, addresses, now_ms).unwrap_or_default()
    }

    /// Ends the window: what was seen in it becomes what was seen earlier.
    pub fn end_window(&mut self, now_ms: i64) {
        for (conversation, sides) in self.current.drain() {
            match self.earlier.get(&conversation, now_ms) {
                Some(known) => {
                    for side in [Side::First, Side::Second] {
                        if *sides.at(side) != Seen::Nobody {
                            *known.at_mut(side) = sides.at(side).clone();
                        }
                    }
                }
                None => self.earlier.insert(conversation, sides, now_ms),
            }
        }
        self.earlier.expire(now_ms - self.hold_ms);
    }

    fn listener(&mut self, key: &FlowKey, addresses: &HostAddresses, now_ms: i64) -> Option<Owner> {
        let remote = key.remote;
        let netns = match remote.ip.is_loopback() {
            true => key.netns,
            false => addresses.netns_of(remote.ip)?,
        };
        // an IPv6 socket bound to :: takes IPv4 connections too (ipv6(7), IPV6_V6ONLY)
        let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let any6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        for ip in [remote.ip, any4, any6] {
            let local = Endpoint { ip, port: remote.port };
            let listener = Listener { transport: key.transport, netns, local };
            if let Some(owner) = self.listeners.get(&listener, now_ms) {
                return Some(owner.clone());
            }
        }
        None
    }
}

/// The conversation's names, most exact first, and the side of the flow's local end in each.
fn conversations(key: &FlowKey) -> [Option<(Conversation, Side)>; 2] {
    let (local, remote) = (key.local, key.remote);
    let is_scoped = local.ip.is_loopback() || remote.ip.is_loopback();
    let scope = is_scoped.then_some(key.netns);
    let named = |ends, side| Some((Conversation { transport: key.transport, scope, ends }, side));
    let exact = match (local.port != 0 && remote.port != 0, local <= remote) {
        (false, _) => None,
        (true, true) => named(Ends::Exact(local, remote), Side::First),
        (true, false) => named(Ends::Exact(remote, local), Side::Second),
    };
    let folded = match key.direction {
        Direction::Outgoing => named(Ends::Folded(local.ip, remote), Side::First),
        Direction::Incoming => named(Ends::Folded(remote.ip, local), Side::Second),
        Direction::Unknown => None,
    };
    [exact, folded]
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    const HERE: Netns = Netns(1);
    const THERE: Netns = Netns(2);

    fn key(direction: Direction, netns: Netns, local: &str, remote: &str) -> FlowKey {
        let end =
            |text: &str| Endpoint::from(text.parse::<std::net::SocketAddr>().expect("an end"));
        FlowKey {
            direction,
            transport: Transport::Tcp,
            local: end(local),
            remote: end(remote),
            dialled: None,
            netns,
            process: None,
            cgroup_id: None,
        }
    }

    fn owner(name: &str) -> Owner {
        Owner { process: Some(Arc::from(name)), ..Owner::default() }
    }

    struct Host {
        ends: BothEnds,
        addresses: HostAddresses,
    }

    impl Host {
        fn new() -> Self {
            let mut addresses = HostAddresses::new(Path::new("/nowhere"), 64, 600_000);
            addresses.saw(HERE, "10.0.0.1".parse().expect("ip"), 0);
            addresses.saw(THERE, "10.0.0.2".parse().expect("ip"), 0);
            Self { ends: BothEnds::new(64, 64, 600_000), addresses }
        }

        fn saw(&mut self, direction: Direction, netns: Netns, ends: [&str; 2], name: &str) {
            self.ends.saw(&key(direction, netns, ends[0], ends[1]), &owner(name));
        }

        fn remote(&mut self, direction: Direction, netns: Netns, ends: [&str; 2]) -> String {
            let key = key(direction, netns, ends[0], ends[1]);
            let found = self.ends.remote_of(&key, &self.addresses, 0);
            found.process.as_deref().unwrap_or("-").to_owned()
        }
    }

    use Direction::{Incoming, Outgoing, Unknown};

    #[test]
    fn both_ends_of_a_folded_conversation_find_each_other() {
        let mut host = Host::new();
        host.saw(Outgoing, HERE, ["10.0.0.1:0", "10.0.0.2:80"], "curl");
        host.saw(Incoming, THERE, ["10.0.0.2:80", "10.0.0.1:0"], "nginx");
        assert_eq!(host.remote(Outgoing, HERE, ["10.0.0.1:0", "10.0.0.2:80"]), "nginx");
        assert_eq!(host.remote(Incoming, THERE, ["10.0.0.2:80", "10.0.0.1:0"]), "curl");
        assert_eq!(host.remote(Outgoing, HERE, ["10.0.0.1:0", "10.0.0.2:81"]), "-");
    }

    #[test]
    fn several_clients_have_no_name_unless_ports_tell_them_apart() {
        let mut host = Host::new();
        host.saw(Outgoing, HERE, ["10.0.0.1:4001", "10.0.0.2:80"], "curl");
        host.saw(Outgoing, HERE, ["10.0.0.1:4002", "10.0.0.2:80"], "wget");
        assert_eq!(host.remote(Incoming, THERE, ["10.0.0.2:80", "10.0.0.1:0"]), "-");
        assert_eq!(host.remote(Incoming, THERE, ["10.0.0.2:80", "10.0.0.1:4001"]), "curl");
        assert_eq!(host.remote(Incoming, THERE, ["10.0.0.2:80", "10.0.0.1:4002"]), "wget");
        host.saw(Outgoing, HERE, ["10.0.0.1:4003", "10.0.0.2:81"], "curl");
        host.saw(Outgoing, HERE, ["10.0.0.1:4004", "10.0.0.2:81"], "curl");
        assert_eq!(host.remote(Incoming, THERE, ["10.0.0.2:81", "10.0.0.1:0"]), "curl");
    }

    #[test]
    fn unknown_directions_match_by_both_ports() {
        let mut host = Host::new();
        host.saw(Unknown, THERE, ["10.0.0.2:7000", "10.0.0.1:7001"], "peer");
        assert_eq!(host.remote(Unknown, HERE, ["10.0.0.1:7001", "10.0.0.2:7000"]), "peer");
        assert_eq!(host.remote(Unknown, HERE, ["10.0.0.1:7002", "10.0.0.2:7000"]), "-");
    }

    #[test]
    fn loopback_is_of_its_namespace() {
        let mut host = Host::new();
        host.saw(Incoming, HERE, ["127.0.0.1:80", "127.0.0.1:0"], "nginx");
        assert_eq!(host.remote(Outgoing, HERE, ["127.0.0.1:0", "127.0.0.1:80"]), "nginx");
        assert_eq!(host.remote(Outgoing, THERE, ["127.0.0.1:0", "127.0.0.1:80"]), "-");
    }

    #[test]
    fn listeners_stand_in_for_servers_not_seen_yet() {
        let mut host = Host::new();
        let mut listens = |netns, local: &str, name| {
            let local = Endpoint::from(local.parse::<std::net::SocketAddr>().expect("an end"));
            host.ends.listens(Transport::Tcp, netns, local, owner(name), 0);
        };
        listens(THERE, "0.0.0.0:80", "nginx");
        listens(THERE, "[::]:81", "node");
        listens(THERE, "10.0.0.2:82", "redis");
        listens(HERE, "127.0.0.1:83", "dnsmasq");
        for (remote, expected) in [
            ("10.0.0.2:80", "nginx"),
            ("10.0.0.2:81", "node"),
            ("10.0.0.2:82", "redis"),
            ("10.0.0.2:83", "-"),
            ("10.0.0.1:80", "-"),
        ] {
            assert_eq!(host.remote(Outgoing, HERE, ["10.0.0.1:0", remote]), expected, "{remote}");
        }
        assert_eq!(host.remote(Outgoing, HERE, ["127.0.0.1:0", "127.0.0.1:83"]), "dnsmasq");
        assert_eq!(host.remote(Outgoing, THERE, ["127.0.0.1:0", "127.0.0.1:83"]), "-");
    }

    #[test]
    fn ends_are_remembered_over_windows_and_then_forgotten() {
        let mut host = Host::new();
        let (out, back) = (["10.0.0.1:0", "10.0.0.2:80"], ["10.0.0.2:80", "10.0.0.1:0"]);
        host.saw(Outgoing, HERE, out, "curl");
        host.ends.end_window(0);
        assert_eq!(host.remote(Incoming, THERE, back), "curl");
        host.saw(Outgoing, HERE, out, "wget");
        assert_eq!(host.remote(Incoming, THERE, back), "wget", "this window goes first");
        host.ends.end_window(10_000);
        assert_eq!(host.remote(Incoming, THERE, back), "wget");
        host.ends.end_window(1_000_000);
        assert_eq!(host.remote(Incoming, THERE, back), "-");
    }

    #[test]
    fn memory_is_bounded() {
        let mut host = Host::new();
        for port in 1..1_000 {
            let remote = format!("10.0.0.2:{port}");
            host.saw(Outgoing, HERE, ["10.0.0.1:0", &remote], "curl");
        }
        assert_eq!(host.ends.current.len(), 64);
        host.ends.end_window(0);
        assert!(host.ends.earlier.len() <= 64);
    }
}
