//! Which hooks the UDP probe can use on a kernel, and what is lost without them. Pure.

use std::path::PathBuf;

/// Hooks that belong together; one set is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookSet {
    /// The kernel's own UDP functions.
    Functions,
    /// The ends of send and receive calls.
    Calls,
}

/// What a set needs of a kernel, as its BTF names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Function(&'static str),
    Tracepoint(&'static str),
    CgroupV2,
}

impl HookSet {
    /// Best first.
    pub(crate) const ALL: [HookSet; 2] = [HookSet::Functions, HookSet::Calls];

    pub(crate) fn name(self) -> &'static str {
        match self {
            HookSet::Functions => "udp functions (fentry, fexit)",
            HookSet::Calls => "send and receive calls (tracepoints, cgroup)",
        }
    }

    pub(crate) fn needs(self) -> &'static [Need] {
        match self {
            HookSet::Functions => &[
                Need::Function("skb_consume_udp"),
                Need::Function("ip_send_skb"),
                Need::Function("ip6_send_skb"),
                Need::Function("udp_sendmsg"),
                Need::Function("udpv6_sendmsg"),
                Need::Function("udp_push_pending_frames"),
                Need::Function("udp_lib_unhash"),
            ],
            HookSet::Calls => &[
                Need::Tracepoint("sock_send_length"),
                Need::Tracepoint("sock_recv_length"),
                // Reading udp_sock without a helper call; since 6.2, these tracepoints since 6.3.
                Need::Function("bpf_rdonly_cast"),
                Need::CgroupV2,
            ],
        }
    }

    /// What the set uses where it is there.
    pub(crate) fn likes(self) -> &'static [Need] {
        match self {
            // Without the first, datagrams that leave because UDP_CORK is taken off an IPv6 socket
            // are not seen; without the others, DNS over TCP.
            HookSet::Functions => &[
                Need::Function("udp_v6_push_pending_frames"),
                Need::Function("tcp_sendmsg"),
                Need::Function("tcp_recvmsg"),
            ],
            HookSet::Calls => &[],
        }
    }

    /// What is not seen when this set is used.
    pub(crate) fn loses(self) -> &'static str {
        match self {
            HookSet::Functions => "",
            HookSet::Calls => {
                "the local address of sockets bound to none, towards routers where there are \
                 several; the remote end of what a socket that is not connected receives without \
                 asking from whom; how many datagrams an io_uring call segments or merges, or \
                 UDP_CORK releases; and every TCP call pays for the hook, unless agent.udp is off"
            }
        }
    }
}

/// What is known of a kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    pub(crate) functions: Vec<String>,
    pub(crate) tracepoints: Vec<String>,
    pub(crate) cgroup_v2: Option<PathBuf>,
    /// Whether `tcp_recvmsg()` has the parameter "nonblock", until 5.18.
    pub(crate) receive_has_nonblock: bool,
}

/// What a set needs and this kernel lacks.
pub(crate) fn missing(set: HookSet, kernel: &Kernel) -> Vec<String> {
    let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
    set.needs()
        .iter()
        .filter_map(|need| match need {
            Need::Function(name) if !has(&kernel.functions, name) => {
                Some(format!("kernel function {name}"))
            }
            Need::Tracepoint(name) if !has(&kernel.tracepoints, name) => {
                Some(format!("tracepoint {name}"))
            }
            Need::CgroupV2 if kernel.cgroup_v2.is_none() => {
                Some("a mounted cgroup v2 hierarchy".to_owned())
            }
            _ => None,
        })
        .collect()
}

/// Whether the program of a section such as `fexit/udp_sendmsg` belongs to the set, on this kernel.
pub(crate) fn is_wanted(section: &str, set: HookSet, kernel: &Kernel) -> bool {
    let (kind, target) = section.split_once('/').unwrap_or((section, ""));
    match kind {
        "fentry" | "fexit" => {
            set == HookSet::Functions && kernel.functions.iter().any(|name| name == target)
        }
        "tp_btf" | "cgroup" => set == HookSet::Calls,
        _ => true,
    }
}

/// Whether the program serves DNS alone.
pub(crate) fn is_for_dns(section: &str) -> bool {
    matches!(section, "fexit/tcp_sendmsg" | "fexit/tcp_recvmsg")
}

/// Where the cgroup v2 hierarchy is mounted, from the text of `/proc/self/mounts` (proc(5)).
pub(crate) fn cgroup_v2_mount(mounts: &str) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let (point, kind) = (fields.nth(1)?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(point))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(functions: &[&str], tracepoints: &[&str], cgroup_v2: Option<&str>) -> Kernel {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Kernel {
            functions: own(functions),
            tracepoints: own(tracepoints),
            cgroup_v2: cgroup_v2.map(PathBuf::from),
            receive_has_nonblock: false,
        }
    }

    const UDP_FUNCTIONS: [&str; 7] = [
        "skb_consume_udp",
        "ip_send_skb",
        "ip6_send_skb",
        "udp_sendmsg",
        "udpv6_sendmsg",
        "udp_push_pending_frames",
        "udp_lib_unhash",
    ];

    #[test]
    fn each_kernel_gets_the_sets_that_it_can_carry() {
        let with_cast = [&UDP_FUNCTIONS[..], &["bpf_rdonly_cast"]].concat();
        let calls = ["sock_send_length", "sock_recv_length"];
        let cases = [
            ("6.1", kernel(&UDP_FUNCTIONS, &[], Some("/sys/fs/cgroup")), [true, false]),
            ("6.12", kernel(&with_cast, &calls, Some("/sys/fs/cgroup")), [true, true]),
            ("no cgroup v2", kernel(&with_cast, &calls, None), [true, false]),
            ("no IPv6 built in", kernel(&with_cast[..2], &calls, None), [false, false]),
        ];
        for (name, kernel, expected) in cases {
            let usable = HookSet::ALL.map(|set| missing(set, &kernel).is_empty());
            assert_eq!(usable, expected, "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let kernel = kernel(&UDP_FUNCTIONS, &["sock_send_length"], None);
        assert_eq!(
            missing(HookSet::Calls, &kernel),
            [
                "tracepoint sock_recv_length",
                "kernel function bpf_rdonly_cast",
                "a mounted cgroup v2 hierarchy"
            ]
        );
    }

    #[test]
    fn only_programs_of_the_set_are_loaded() {
        let kernel = kernel(&UDP_FUNCTIONS, &["sock_send_length"], Some("/sys/fs/cgroup"));
        let cases = [
            ("fexit/udp_sendmsg", [true, false]),
            ("fexit/udp_v6_push_pending_frames", [false, false]),
            ("tp_btf/sock_send_length", [false, true]),
            ("cgroup/sendmsg4", [false, true]),
            ("iter/udp", [true, true]),
        ];
        for (section, expected) in cases {
            let wanted = HookSet::ALL.map(|set| is_wanted(section, set, &kernel));
            assert_eq!(wanted, expected, "{section}");
        }
    }

    #[test]
    fn cgroup_v2_is_found_wherever_it_is_mounted() {
        let hybrid = "\
proc /proc proc rw 0 0
tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0
";
        let cases = [
            (hybrid, Some("/sys/fs/cgroup/unified")),
            ("cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n", Some("/sys/fs/cgroup")),
            ("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\nbroken\n", None),
        ];
        for (mounts, expected) in cases {
            assert_eq!(cgroup_v2_mount(mounts), expected.map(PathBuf::from));
        }
    }
}
