//! Which hooks the payload probe can use on a kernel, and what is lost without them. Pure.

/// Hooks that belong together; one set is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HookSet {
    /// TCP's own functions.
    Functions,
    /// The ends of send and receive calls.
    Calls,
}

impl HookSet {
    /// Best first.
    pub(crate) const ALL: [HookSet; 2] = [HookSet::Functions, HookSet::Calls];

    pub(crate) fn name(self) -> &'static str {
        match self {
            HookSet::Functions => "tcp functions (fexit)",
            HookSet::Calls => "ends of send and receive calls (tracepoints)",
        }
    }

    pub(crate) fn loses(self) -> &'static str {
        match self {
            HookSet::Functions => "",
            HookSet::Calls => "every call on a socket that is not TCP's pays for the hook",
        }
    }

    fn functions(self) -> &'static [&'static str] {
        match self {
            HookSet::Functions => &["tcp_sendmsg", "tcp_recvmsg"],
            HookSet::Calls => &[],
        }
    }

    fn tracepoints(self) -> &'static [&'static str] {
        match self {
            HookSet::Functions => &["tcp_destroy_sock"],
            HookSet::Calls => &["sock_send_length", "sock_recv_length", "tcp_destroy_sock"],
        }
    }
}

/// Used where they are there: without them a connection that was reset looks closed.
/// Without the last one a program with a TLS library inside is found when it begins to speak.
const LIKED: [&str; 3] = ["tcp_send_reset", "tcp_receive_reset", "sched_process_exec"];

pub(crate) fn functions() -> impl Iterator<Item = &'static str> {
    HookSet::ALL.into_iter().flat_map(HookSet::functions).copied()
}

pub(crate) fn tracepoints() -> impl Iterator<Item = &'static str> {
    HookSet::ALL.into_iter().flat_map(HookSet::tracepoints).chain(&LIKED).copied()
}

/// What is known of a kernel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    /// With the number of their parameters.
    pub(crate) functions: Vec<(String, usize)>,
    pub(crate) tracepoints: Vec<String>,
    /// Whether one link can hook many functions of user space (6.6).
    pub(crate) has_uprobe_multi: bool,
}

impl Kernel {
    fn has_tracepoint(&self, name: &str) -> bool {
        self.tracepoints.iter().any(|known| known == name)
    }

    fn parameters(&self, name: &str) -> Option<usize> {
        self.functions.iter().find(|(known, _)| known == name).map(|(_, count)| *count)
    }

    /// "tcp: remove nonblock" made six parameters five (5.19).
    pub(crate) fn receive_has_nonblock(&self) -> bool {
        self.parameters("tcp_recvmsg") == Some(6)
    }
}

/// What a set needs and this kernel lacks.
pub(crate) fn missing(set: HookSet, kernel: &Kernel) -> Vec<String> {
    let functions = set.functions().iter().filter_map(|name| {
        let is_known = match kernel.parameters(name) {
            Some(count) => *name != "tcp_recvmsg" || (5..=6).contains(&count),
            None => false,
        };
        (!is_known).then(|| format!("kernel function {name}"))
    });
    let tracepoints = set.tracepoints().iter().filter(|name| !kernel.has_tracepoint(name));
    functions.chain(tracepoints.map(|name| format!("tracepoint {name}"))).collect()
}

/// Whether the program of a section such as `fexit/tcp_sendmsg` belongs to the set, on this kernel.
pub(crate) fn is_wanted(section: &str, set: HookSet, kernel: &Kernel) -> bool {
    let (kind, target) = section.split_once('/').unwrap_or((section, ""));
    match kind {
        "fexit" => set.functions().contains(&target),
        "tp_btf" => {
            let is_liked = LIKED.contains(&target) && kernel.has_tracepoint(target);
            is_liked || set.tracepoints().contains(&target)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(parameters: usize, tracepoints: &[&str]) -> Kernel {
        let functions = [("tcp_sendmsg", 3), ("tcp_recvmsg", parameters)];
        Kernel {
            functions: functions.map(|(name, count)| (name.to_owned(), count)).into(),
            tracepoints: tracepoints.iter().map(|name| (*name).to_owned()).collect(),
            has_uprobe_multi: false,
        }
    }

    const OLD: [&str; 3] = ["tcp_destroy_sock", "tcp_send_reset", "tcp_receive_reset"];
    const NEW: [&str; 5] = [
        "tcp_destroy_sock",
        "tcp_send_reset",
        "tcp_receive_reset",
        "sock_send_length",
        "sock_recv_length",
    ];

    #[test]
    fn each_kernel_gets_the_sets_that_it_can_carry() {
        let cases = [
            ("5.15", kernel(6, &OLD), [true, false]),
            ("6.1", kernel(5, &OLD), [true, false]),
            ("6.12", kernel(5, &NEW), [true, true]),
            ("a kernel with another tcp_recvmsg", kernel(4, &NEW), [false, true]),
            ("no tracepoints", kernel(5, &[]), [false, false]),
        ];
        for (name, kernel, expected) in cases {
            let usable = HookSet::ALL.map(|set| missing(set, &kernel).is_empty());
            assert_eq!(usable, expected, "{name}");
        }
    }

    #[test]
    fn only_programs_of_the_set_are_loaded() {
        let kernel = kernel(5, &["tcp_destroy_sock", "tcp_send_reset"]);
        let cases = [
            ("fexit/tcp_sendmsg", [true, false]),
            ("tp_btf/sock_send_length", [false, true]),
            ("tp_btf/tcp_destroy_sock", [true, true]),
            ("tp_btf/tcp_send_reset", [true, true]),
            ("tp_btf/tcp_receive_reset", [false, false]),
            ("iter/tcp", [true, true]),
        ];
        for (section, expected) in cases {
            let wanted = HookSet::ALL.map(|set| is_wanted(section, set, &kernel));
            assert_eq!(wanted, expected, "{section}");
        }
    }
}
