//! Which hooks the TCP probe uses on a kernel, and what is lost without each. Pure.

use weir_model::{Signal, SignalSet};

use crate::kernel::Kernel;

/// Where a TCP program is hooked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Tracepoint(&'static str),
    Iterator(&'static str),
}

/// A hook, its program, and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) point: Point,
    pub(crate) program: &'static str,
    /// Nothing can be counted without it.
    pub(crate) is_required: bool,
    /// The signal that it alone gives.
    pub(crate) signal: Option<Signal>,
    pub(crate) lost: &'static str,
}

/// In the order in which tracepoints are attached: forgetting before marking, so that no mark
/// outlives its socket.
pub(crate) const HOOKS: [Hook; 7] = [
    Hook {
        point: Point::Tracepoint("tcp_destroy_sock"),
        program: "tcp_destroy",
        is_required: true,
        signal: None,
        lost: "all of TCP: closed sockets could not be told from open ones",
    },
    Hook {
        point: Point::Tracepoint("tcp_send_reset"),
        program: "tcp_reset_sent",
        is_required: false,
        signal: Some(Signal::ResetsSent),
        lost: "resets sent",
    },
    Hook {
        point: Point::Tracepoint("tcp_receive_reset"),
        program: "tcp_reset_received",
        is_required: false,
        signal: Some(Signal::ResetsReceived),
        lost: "resets received",
    },
    Hook {
        point: Point::Tracepoint("inet_sock_set_state"),
        program: "tcp_state",
        is_required: true,
        signal: None,
        lost: "all of TCP: no connection would be noticed",
    },
    Hook {
        point: Point::Iterator("bpf_map_elem"),
        program: "tcp_read_sockets",
        is_required: true,
        signal: None,
        lost: "all of TCP: open connections could not be read",
    },
    Hook {
        point: Point::Iterator("tcp"),
        program: "tcp_adopt_sockets",
        is_required: false,
        signal: None,
        lost: "connections that are open when the agent starts",
    },
    Hook {
        point: Point::Iterator("task_file"),
        program: "tcp_find_owners",
        is_required: false,
        signal: None,
        lost: "the processes of connections and listeners that are open when the agent starts",
    },
];

impl Hook {
    /// As libbpf and `bpftool` name it.
    pub(crate) fn name(&self) -> String {
        match self.point {
            Point::Tracepoint(name) => format!("tp_btf/{name}"),
            Point::Iterator(name) => format!("iter/{name}"),
        }
    }

    pub(crate) fn is_available(&self, kernel: &Kernel) -> bool {
        match self.point {
            Point::Tracepoint(name) => kernel.tracepoints.contains(name),
            Point::Iterator(name) => kernel.iterators.contains(name),
        }
    }
}

pub(crate) fn tracepoints() -> Vec<&'static str> {
    let name = |hook: &Hook| match hook.point {
        Point::Tracepoint(name) => Some(name),
        Point::Iterator(_) => None,
    };
    HOOKS.iter().filter_map(name).collect()
}

pub(crate) fn iterators() -> Vec<&'static str> {
    let name = |hook: &Hook| match hook.point {
        Point::Iterator(name) => Some(name),
        Point::Tracepoint(_) => None,
    };
    HOOKS.iter().filter_map(name).collect()
}

/// What this kernel can tell.
pub(crate) fn signals(kernel: &Kernel) -> SignalSet {
    let all = Signal::ALL.into_iter().collect::<SignalSet>();
    let absent = HOOKS.iter().filter(|hook| !hook.is_available(kernel));
    absent.filter_map(|hook| hook.signal).fold(all, SignalSet::without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(without: &[&str]) -> Kernel {
        let left = |names: Vec<&'static str>| {
            names.into_iter().filter(|name| !without.contains(name)).map(str::to_owned).collect()
        };
        Kernel {
            tracepoints: left(tracepoints()),
            iterators: left(iterators()),
            ..Kernel::default()
        }
    }

    #[test]
    fn a_missing_hook_makes_its_signal_absent_and_no_other() {
        let cases: [(&[&str], &[Signal]); 4] = [
            (&[], &[]),
            (&["tcp_send_reset"], &[Signal::ResetsSent]),
            (&["tcp_receive_reset"], &[Signal::ResetsReceived]),
            (&["tcp", "task_file"], &[]),
        ];
        for (without, absent) in cases {
            let signals = signals(&kernel(without));
            for signal in Signal::ALL {
                assert_eq!(
                    signals.has(signal),
                    !absent.contains(&signal),
                    "{without:?} {signal:?}"
                );
            }
        }
    }

    #[test]
    fn marking_begins_after_forgetting() {
        let place = |name| HOOKS.iter().position(|hook| hook.point == Point::Tracepoint(name));
        assert!(place("tcp_destroy_sock") < place("inet_sock_set_state"));
    }
}
