//! Sums of the kernel to [`L4Record`]s. Pure: bytes in, values out.

use weir_model::{L4Counters, L4Record, ListenRecord, Netns, Role, Transport};

use crate::record::{Names, Plain, endpoint};

/// The types of `udp.record.h`.
#[allow(non_camel_case_types, non_upper_case_globals, dead_code)]
#[allow(clippy::all, clippy::undocumented_unsafe_blocks)]
pub(crate) mod raw {
    include!(concat!(env!("OUT_DIR"), "/udp_record.rs"));
}

// SAFETY: integers and arrays of integers; padding is explicit (static assertions in the header).
unsafe impl Plain for raw::udp_key {}
// SAFETY: as above.
unsafe impl Plain for raw::udp_sum {}
// SAFETY: as above.
unsafe impl Plain for raw::udp_listener {}

/// Turns sums and listeners into records.
#[derive(Default)]
pub(crate) struct Decoder {
    names: Names,
}

impl Decoder {
    pub(crate) fn record(&mut self, key: &raw::udp_key, sum: &raw::udp_sum) -> L4Record {
        L4Record {
            transport: Transport::Udp,
            role: role(key.role),
            local: endpoint(sum.local, key.local_port),
            remote: endpoint(key.remote, key.remote_port),
            dialled: None,
            netns: Netns(key.netns),
            cgroup_id: cgroup_id(key.cgroup_id),
            process: self.names.process(key.tgid, sum.comm),
            counters: L4Counters {
                bytes_sent: sum.bytes_sent,
                bytes_received: sum.bytes_received,
                packets_sent: sum.packets_sent,
                packets_received: sum.packets_received,
                ..L4Counters::default()
            },
        }
    }

    pub(crate) fn listener(&mut self, listener: &raw::udp_listener) -> ListenRecord {
        ListenRecord {
            transport: Transport::Udp,
            local: endpoint(listener.local, listener.port),
            netns: Netns(listener.netns),
            cgroup_id: cgroup_id(listener.cgroup_id),
            process: self.names.process(listener.process.tgid, listener.process.comm),
        }
    }
}

fn role(role: u8) -> Role {
    match u32::from(role) {
        raw::UDP_ROLE_CLIENT => Role::Client,
        raw::UDP_ROLE_SERVER => Role::Server,
        _ => Role::Unknown,
    }
}

/// Ids of cgroups begin at 1.
fn cgroup_id(id: u64) -> Option<u64> {
    (id != 0).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(last: u8) -> [u8; 16] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, last]
    }

    #[test]
    fn a_sum_becomes_a_record_of_the_wires_own_family() {
        let key = raw::udp_key {
            local: mapped(0),
            remote: mapped(2),
            cgroup_id: 7,
            netns: 9,
            tgid: 41,
            local_port: 53,
            remote_port: 0,
            role: raw::UDP_ROLE_SERVER as u8,
            pad: [0; 3],
        };
        let mut sum = raw::udp_sum {
            local: mapped(1),
            bytes_sent: 1,
            bytes_received: 2,
            packets_sent: 3,
            packets_received: 4,
            ..Default::default()
        };
        for (place, byte) in sum.comm.iter_mut().zip(b"named") {
            *place = *byte as _;
        }
        let record = Decoder::default().record(&key, &sum);
        assert_eq!(record.local.to_string(), "10.0.0.1:53");
        assert_eq!(record.remote.to_string(), "10.0.0.2:0");
        assert_eq!(
            (record.role, record.netns, record.cgroup_id),
            (Role::Server, Netns(9), Some(7))
        );
        let process = record.process.map(|process| (process.pid, process.name.to_string()));
        assert_eq!(process, Some((41, "named".to_owned())));
        let counters = record.counters;
        assert_eq!((counters.bytes_sent, counters.bytes_received), (1, 2));
        assert_eq!((counters.packets_sent, counters.packets_received), (3, 4));
    }

    #[test]
    fn a_kernel_threads_socket_has_no_process_and_no_guessed_role() {
        let record = Decoder::default().record(&raw::udp_key::default(), &Default::default());
        assert_eq!((record.process, record.role, record.cgroup_id), (None, Role::Unknown, None));
    }
}
