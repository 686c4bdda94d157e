//! What each loss counter means, in a sentence for the person who reads the numbers.

/// Why something is missing: who counted it, under which reason, and what that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LossMeaning {
    pub component: &'static str,
    pub reason: &'static str,
    pub meaning: &'static str,
}

const fn loss(component: &'static str, reason: &'static str, meaning: &'static str) -> LossMeaning {
    LossMeaning { component, reason, meaning }
}

/// Every reason that a component of the agent counts.
pub const LOSSES: &[LossMeaning] = &[
    loss(
        "probe_tcp",
        "sockets_full",
        "connections not counted: the table of watched sockets was full",
    ),
    loss("probe_tcp", "sums_full", "readings not counted: the kernel's table of sums was full"),
    loss(
        "probe_tcp",
        "listeners_full",
        "servers that may stay unnamed: the table of listeners was full",
    ),
    loss(
        "probe_tcp",
        "close_missed",
        "connections whose last reading is missing: they went away unseen",
    ),
    loss(
        "probe_tcp",
        "peers_full",
        "translated connections counted as their sockets saw them: the table of other ends was full",
    ),
    loss(
        "probe_tcp",
        "dialled_full",
        "translated connections counted without what was dialled: too many addresses were",
    ),
    loss("probe_tcp", "reset_missed", "resets not counted: the kernel could not run the program"),
    loss(
        "probe_nat",
        "entry_unread",
        "conversations that may be counted as their sockets saw them: an entry of connection tracking was not to be read",
    ),
    loss(
        "probe_nat",
        "namespaces_max",
        "network namespaces in which translated addresses are not seen: there were too many",
    ),
    loss("probe_udp", "socket_state", "datagrams not counted: no memory for the socket's state"),
    loss("probe_udp", "sums_full", "datagrams not counted: the kernel's table of sums was full"),
    loss(
        "probe_udp",
        "remote_unknown",
        "datagrams counted without their remote end, which was not to be seen",
    ),
    loss(
        "probe_udp",
        "listeners_full",
        "servers that may stay unnamed: the table of listeners was full",
    ),
    loss(
        "probe_dns",
        "dns_ring_full",
        "DNS messages not read: the ring buffer was full; some lookups may be missing, some remote ends may lack a name",
    ),
    loss(
        "probe_dns",
        "dns_unreadable",
        "DNS messages not read: their buffer was not to be found; some lookups may be missing, some remote ends may lack a name",
    ),
    loss(
        "probe_dns",
        "dns_gap",
        "pieces of DNS over TCP not read: where a message begins was not to be found; some lookups may be missing",
    ),
    loss(
        "probe_dns",
        "dns_unfinished_max",
        "DNS messages over TCP not read: too many were not complete at once",
    ),
    loss(
        "probe_l7",
        "ring_full",
        "stretches of calls that were not read: the ring buffer was full; some requests may be missing",
    ),
    loss(
        "probe_l7",
        "socket_state",
        "connections of which no request is read: no memory for the socket's state",
    ),
    loss(
        "probe_l7",
        "unreadable",
        "calls of which the payload was not to be found; if they passed requests, those are missing",
    ),
    loss(
        "probe_l7",
        "busy",
        "calls of which the payload was not read: the program was interrupted; some requests may be missing",
    ),
    loss(
        "probe_l7",
        "call_missed",
        "calls of which the payload was not read: the kernel could not run the program",
    ),
    loss(
        "probe_l7",
        "tls_library",
        "TLS libraries that could not be read; requests through them are missing",
    ),
    loss("dns", "malformed", "messages from or to port 53 left out: they are no DNS messages"),
    loss("dns", "truncated", "DNS answers not read to their end: they were cut short"),
    loss("dns", "waiting_max", "lookups not counted: too many were waiting for an answer"),
    loss("dns", "rows_max", "lookups counted without their name: the window held too many kinds"),
    loss(
        "dns",
        "addresses_max",
        "resolved addresses forgotten early: the table was full; some remote ends may lack a name",
    ),
    loss(
        "l7",
        "garbage",
        "messages not counted: bytes where a request or an answer should begin that are none",
    ),
    loss(
        "l7",
        "head_max",
        "heads and header blocks longer than is kept: what was read of them counts",
    ),
    loss("l7", "cut", "messages that may be missing: they began in bytes that are not copied"),
    loss("l7", "no_request", "answers not counted: their request was not seen"),
    loss("l7", "pipeline_max", "requests not counted: too many were waiting on one connection"),
    loss("l7", "streams_max", "requests given up: too many streams were open on one connection"),
    loss("l7", "unfinished", "requests not counted: the connection ended within their head"),
    loss("l7", "hpack", "header blocks not understood: they contradict the table of names"),
    loss("l7", "connections_max", "connections whose requests are not read: too many are open"),
    loss(
        "l7",
        "rows_max",
        "requests counted without method and path: the window held too many kinds",
    ),
    loss(
        "l7",
        "container_unknown",
        "connections of which no request is read: it was not to be seen which container they are of, and some are excluded",
    ),
    loss(
        "l7",
        "cpu_max",
        "requests of which only the status was read, because the agent reached its CPU limit: they count, and their paths and times are estimated from the others",
    ),
    loss(
        "identity",
        "cgroups_max",
        "looks for containers that ended early: there are too many cgroups; some containers may lack a name",
    ),
    loss(
        "window",
        "source_error",
        "reads of the kernel's tables that failed: their numbers come with a later window",
    ),
    loss("window", "flows_max", "flows summed up under one remote end: the window held too many"),
    loss("window", "encode", "rows that did not fit the schema"),
    loss(
        "window",
        "queue_full",
        "rows thrown away: the agent could not store them as fast as they came",
    ),
    loss("spool", "encode", "rows that could not be written as a batch"),
    loss(
        "spool",
        "full",
        "rows thrown away: the server was away for longer than the spool has room for",
    ),
    loss("spool", "unreadable", "rows of spooled batches that could not be read back from disk"),
    loss("transport", "rejected", "rows that the server refused; the agent's log has the reason"),
    loss("agent", "other", "counted without a name: there are too many different reasons"),
];

/// The meaning of a counter; `None` for what a newer agent counts.
pub fn loss_meaning(component: &str, reason: &str) -> Option<&'static str> {
    let found = LOSSES.iter().find(|l| l.component == component && l.reason == reason);
    found.map(|loss| loss.meaning)
}
