//! Which connections are told of, of those that the programs hand over. Pure.
//!
//! Owns finding conversations both of whose ends are on this host: the server's end is enough,
//! and the client's is withdrawn before it can have told of an answer, because the server had to
//! read the request first. A conversation through a translated address (NAT) has two pairs of
//! addresses, and both ends are told.

use std::collections::{HashMap, HashSet};

use foldhash::{fast, quality};
use weir_model::{Endpoint, L7Ends, Role};

/// Connections of which the ends are remembered; of more, both ends are told.
pub(crate) const CONNECTIONS_MAX: usize = 1 << 17;

/// What comes of an opened connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    Told,
    /// It is the client's end of a connection that is told already: this one.
    Mute(u64),
    /// It is told, and this one, its other end, is no longer.
    Instead(u64),
}

#[derive(Default)]
pub(crate) struct Pairs {
    is_on: bool,
    open: HashMap<u64, (Endpoint, Endpoint), fast::RandomState>,
    by_ends: HashMap<(Endpoint, Endpoint), (u64, Role), quality::RandomState>,
    /// Asked for with each record.
    mute: HashSet<u64, fast::RandomState>,
}

impl Pairs {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }

    pub(crate) fn opened(&mut self, id: u64, ends: &L7Ends) -> Opening {
        if !self.is_on || self.open.len() >= CONNECTIONS_MAX {
            return Opening::Told;
        }
        let (local, remote) = (ends.local, ends.remote);
        let other = self.by_ends.get(&(remote, local)).copied();
        self.open.insert(id, (local, remote));
        self.by_ends.insert((local, remote), (id, ends.role));
        match (ends.role, other) {
            (Role::Client, Some((other, Role::Server))) => {
                self.mute(id);
                Opening::Mute(other)
            }
            (Role::Server, Some((other, Role::Client))) => {
                self.mute(other);
                Opening::Instead(other)
            }
            _ => Opening::Told,
        }
    }

    /// Nothing of this connection is told any more.
    pub(crate) fn mute(&mut self, id: u64) {
        if self.mute.len() < CONNECTIONS_MAX {
            self.mute.insert(id);
        }
    }

    pub(crate) fn is_mute(&self, id: u64) -> bool {
        !self.mute.is_empty() && self.mute.contains(&id)
    }

    /// Forgets a connection; gives whether its end is to be told.
    pub(crate) fn closed(&mut self, id: u64) -> bool {
        if let Some(ends) = self.open.remove(&id)
            && self.by_ends.get(&ends).is_some_and(|(known, _)| *known == id)
        {
            self.by_ends.remove(&ends);
        }
        !self.mute.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use weir_model::Netns;

    use super::*;

    fn ends(role: Role, local: (u8, u16), remote: (u8, u16)) -> L7Ends {
        let end = |(host, port)| Endpoint::new(Ipv4Addr::new(10, 0, 0, host).into(), port);
        L7Ends {
            role,
            local: end(local),
            remote: end(remote),
            dialled: None,
            netns: Netns(local.0.into()),
            cgroup_id: None,
            process: None,
            is_tls: false,
        }
    }

    #[test]
    fn of_two_ends_the_servers_is_told() {
        let client = ends(Role::Client, (1, 5000), (2, 80));
        let server = ends(Role::Server, (2, 80), (1, 5000));
        let mut pairs = Pairs::new(true);
        assert_eq!(pairs.opened(1, &client), Opening::Told);
        assert_eq!(pairs.opened(2, &server), Opening::Instead(1));
        assert!(pairs.is_mute(1) && !pairs.is_mute(2));
        assert!(!pairs.closed(1) && pairs.closed(2));

        assert_eq!(pairs.opened(4, &server), Opening::Told);
        assert_eq!(pairs.opened(3, &client), Opening::Mute(4));
        assert!(pairs.closed(4) && !pairs.closed(3));
        assert_eq!(pairs.opened(5, &client), Opening::Told, "nothing is left of those before");
    }

    #[test]
    fn ends_that_do_not_mirror_each_other_are_both_told() {
        let cases = [
            ends(Role::Server, (2, 80), (1, 5001)),
            ends(Role::Server, (3, 80), (1, 5000)),
            ends(Role::Unknown, (2, 80), (1, 5000)),
        ];
        for other in cases {
            let mut pairs = Pairs::new(true);
            assert_eq!(pairs.opened(1, &ends(Role::Client, (1, 5000), (2, 80))), Opening::Told);
            assert_eq!(pairs.opened(2, &other), Opening::Told, "{other:?}");
        }
        let mut pairs = Pairs::new(false);
        assert_eq!(pairs.opened(1, &ends(Role::Client, (1, 5000), (2, 80))), Opening::Told);
        assert_eq!(pairs.opened(2, &ends(Role::Server, (2, 80), (1, 5000))), Opening::Told);
    }
}
