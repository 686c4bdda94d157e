//! All probes as one: start, drain, losses, cost.
//!
//! Owns the order in which probes start and are read. What each reads is the probe's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use weir_model::{DnsMessage, L4Record, L7Ends, ListenRecord, Loss, SignalSet, Transport};

use crate::check::{self, Report, chain};
use crate::dns::DnsProbe;
use crate::error::{ProbeError, ProbeErrorKind};
use crate::kernel::Kernel;
use crate::nat::{Datagrams, NatProbe};
use crate::object::{self, ProgramStats};
use crate::payload::{PayloadOptions, PayloadProbe, PayloadSink};
use crate::tcp::TcpProbe;
use crate::udp::UdpProbe;

/// Takes what probes hand over.
pub trait Sink {
    fn l4(&mut self, record: L4Record);
    /// A listener, or one whose process became known.
    fn listen(&mut self, record: ListenRecord);
}

/// What is watched, and how much the kernel may hold. Memory is used as needed, up to each limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether conversations with a loopback address count.
    pub loopback: bool,
    /// Whether UDP is watched, and with it DNS; no program of theirs is loaded otherwise.
    pub udp: bool,
    /// Whether DNS messages are handed over, where UDP is watched.
    pub dns: bool,
    /// Whether a client's own port is left out of records (port 0).
    pub fold_client_port: bool,
    /// TCP connections watched at once, 128 bytes each; more are lost (`sockets_full`).
    pub sockets_max: u32,
    /// Distinct keys between two drains, 256 bytes each; more are lost (`sums_full`).
    pub sums_max: u32,
    /// Listening sockets known at once; the processes of more stay unnamed (`listeners_full`).
    pub listeners_max: u32,
    /// Whether connection tracking is listened to: who answers for a translated address.
    pub nat: bool,
    /// Directory of a control group: only namespaces of processes at or below it, and this
    /// program's own, are listened to for translations.
    pub nat_cgroup: Option<PathBuf>,
    /// Translated conversations known at once, 128 bytes each, two for each of them; the least
    /// used are forgotten, and told as their sockets see them.
    pub translations_max: u32,
    /// What HTTP is read.
    pub payload: PayloadOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            loopback: true,
            udp: true,
            dns: true,
            fold_client_port: true,
            sockets_max: 1 << 19,
            sums_max: 1 << 17,
            listeners_max: 1 << 14,
            nat: true,
            nat_cgroup: None,
            translations_max: 1 << 16,
            payload: PayloadOptions::default(),
        }
    }
}

impl Options {
    fn check(&self) -> Result<(), ProbeError> {
        let limits = [
            ("sockets_max", self.sockets_max),
            ("sums_max", self.sums_max),
            ("listeners_max", self.listeners_max),
            ("translations_max", self.translations_max),
        ];
        for (name, value) in limits {
            // The kernel rounds up to a power of two in 32 bits.
            if value == 0 || value > 1 << 26 {
                let what = format!("{name} is {value}: give 1 to {}", 1 << 26);
                return Err(ProbeError::new(ProbeErrorKind::Options, what));
            }
        }
        self.payload.check()
    }
}

/// The running probes. Dropping it detaches everything.
pub struct Collector {
    /// None if it is off, or where connections cannot be tracked.
    nat: Option<NatProbe>,
    tcp: TcpProbe,
    /// None where it is off, and on a kernel that lets nothing count UDP.
    udp: Option<(UdpProbe, DnsProbe)>,
    /// None if it is off, or on a kernel that lets nothing read payload.
    payload: Option<PayloadProbe>,
}

impl Collector {
    /// What this kernel gives, hook by hook, and what is lost without each. Starts the probes for
    /// a moment.
    pub fn check(options: &Options) -> Report {
        check::report(options)
    }

    /// Loads and attaches all probes and finds the connections that exist.
    pub fn start(options: Options) -> Result<Self, ProbeError> {
        options.check()?;
        object::take_libbpf_log();
        if let Some(obstacle) = Kernel::read(&[], &[])?.obstacle() {
            return Err(obstacle);
        }
        let nat = Self::start_nat(&options);
        let tcp = TcpProbe::start(&options, nat.as_ref())?;
        let (mut udp, payload) =
            (Self::start_udp(&options)?, Self::start_payload(&options, nat.as_ref()));
        if let (Some((udp, _)), Some(payload)) = (&mut udp, &payload) {
            udp.run_behind(&payload.next_programs())?;
        }
        Ok(Self { nat, tcp, udp, payload })
    }

    fn start_nat(options: &Options) -> Option<NatProbe> {
        if !options.nat {
            return None;
        }
        let failed = |err: ProbeError| {
            tracing::warn!(error = %chain(&err), "who answers for a translated address is not seen");
        };
        NatProbe::start(options).map_err(failed).ok()
    }

    fn start_udp(options: &Options) -> Result<Option<(UdpProbe, DnsProbe)>, ProbeError> {
        if !options.udp {
            tracing::info!("udp is off: no flows of UDP, no name lookups and names of addresses");
            return Ok(None);
        }
        match UdpProbe::start(options) {
            Ok(udp) => {
                let dns = udp.dns()?;
                Ok(Some((udp, dns)))
            }
            Err(err) => {
                tracing::warn!(error = %chain(&err), "udp and dns are not seen on this kernel");
                Ok(None)
            }
        }
    }

    fn start_payload(options: &Options, nat: Option<&NatProbe>) -> Option<PayloadProbe> {
        if !options.payload.is_on {
            return None;
        }
        let failed = |err: ProbeError| {
            tracing::warn!(error = %chain(&err), "requests are not seen on this kernel");
        };
        PayloadProbe::start(options, nat).map_err(failed).ok()
    }

    /// Hands over everything that changed since the last call; once a window, and at the end.
    pub fn drain(&mut self, sink: &mut dyn Sink) -> Result<(), ProbeError> {
        self.tcp.drain(sink)?;
        match (&mut self.udp, &self.nat) {
            (Some((udp, _)), Some(nat)) => {
                udp.drain(&mut Translating { datagrams: nat.datagrams()?, sink })
            }
            (Some((udp, _)), None) => udp.drain(sink),
            (None, _) => Ok(()),
        }
    }

    /// Waits for DNS messages for at most `timeout`, and hands over those that came.
    pub fn poll_dns(&mut self, timeout: Duration, sink: &mut dyn FnMut(DnsMessage)) {
        match &mut self.udp {
            Some((_, dns)) => dns.poll(timeout, &mut |mut message: DnsMessage| {
                translate_message(self.nat.as_ref(), &mut message);
                sink(message);
            }),
            None => std::thread::sleep(timeout),
        }
    }

    /// Whether payload is handed over at all.
    pub fn reads_payload(&self) -> bool {
        self.payload.is_some()
    }

    /// Whether payload inside TLS is read: then `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH` are needed
    /// as long as this lives, to look into programs that begin later.
    pub fn reads_tls(&self) -> bool {
        self.payload.as_ref().is_some_and(PayloadProbe::reads_tls)
    }

    /// Whether that needs `CAP_SYS_ADMIN` as well, as on kernels before 6.6.
    pub fn needs_admin(&self) -> bool {
        self.payload.as_ref().is_some_and(PayloadProbe::needs_admin)
    }

    /// Waits at most `timeout`, less if much has come, and hands over what connections passed.
    pub fn poll_payload(&mut self, timeout: Duration, sink: &mut dyn PayloadSink) {
        let nat = self.nat.as_ref();
        let translate = |ends: &mut L7Ends| {
            let Some(nat) = nat else { return };
            let pair = (ends.local, &mut ends.remote);
            ends.dialled = nat.translate(Transport::Tcp, ends.netns, pair);
        };
        match &mut self.payload {
            Some(payload) => payload.poll(timeout, sink, &translate),
            None => std::thread::sleep(timeout),
        }
    }

    /// Hands over no more payload of a connection, and not its end.
    pub fn ignore_payload(&mut self, id: u64) {
        if let Some(payload) = &mut self.payload {
            payload.ignore(id);
        }
    }

    /// Reads no payload of connections that a control group opens from now on, or does again.
    pub fn exclude_cgroup(&self, cgroup_id: u64, out: bool) -> Result<(), ProbeError> {
        self.payload.as_ref().map_or(Ok(()), |payload| payload.exclude_cgroup(cgroup_id, out))
    }

    /// What this kernel can tell about a transport.
    pub fn signals(&self, transport: Transport) -> SignalSet {
        match transport {
            Transport::Tcp => self.tcp.signals(),
            Transport::Udp => {
                self.udp.as_ref().map_or(SignalSet::empty(), |(udp, _)| udp.signals())
            }
        }
    }

    /// What went missing since the last call.
    pub fn losses(&mut self) -> Vec<Loss> {
        let mut losses = self.tcp.losses();
        if let Some(nat) = &mut self.nat {
            losses.extend(nat.losses());
        }
        if let Some((udp, dns)) = &mut self.udp {
            losses.extend(udp.losses());
            losses.extend(dns.losses());
        }
        if let Some(payload) = &mut self.payload {
            losses.extend(payload.losses());
        }
        losses
    }

    /// What each program cost so far; counted while `kernel.bpf_stats_enabled` is 1.
    pub fn bpf_run_time(&self) -> Vec<ProgramStats> {
        let mut stats = self.tcp.program_stats();
        stats.extend(self.nat.iter().flat_map(NatProbe::program_stats));
        if let Some((udp, _)) = &self.udp {
            stats.extend(udp.program_stats());
        }
        if let Some(payload) = &self.payload {
            stats.extend(payload.program_stats());
        }
        stats
    }
}

/// Records of UDP with their real other ends, as far as those are known for sure.
struct Translating<'a> {
    datagrams: Datagrams,
    sink: &'a mut dyn Sink,
}

impl Sink for Translating<'_> {
    fn l4(&mut self, mut record: L4Record) {
        self.datagrams.translate(&mut record);
        self.sink.l4(record);
    }

    fn listen(&mut self, record: ListenRecord) {
        self.sink.listen(record);
    }
}

fn translate_message(nat: Option<&NatProbe>, message: &mut DnsMessage) {
    let Some(nat) = nat else { return };
    let mut remote = message.remote.into();
    let pair = (message.local.into(), &mut remote);
    message.dialled = nat.translate(message.transport, message.netns, pair);
    message.remote = SocketAddr::new(remote.ip, remote.port);
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::thread;

    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    use weir_testkit::{Need, missing};

    use super::*;

    const NEEDS: [Need; 2] = [Need::Root, Need::Btf];

    #[derive(Default)]
    struct Ports(Vec<(Transport, u16)>);

    impl Sink for Ports {
        fn l4(&mut self, record: L4Record) {
            self.0.push((record.transport, record.remote.port));
        }

        fn listen(&mut self, _: ListenRecord) {}
    }

    #[test]
    fn two_capabilities_are_enough_once_started() {
        if missing("two_capabilities_are_enough_once_started", &NEEDS) {
            return;
        }
        let work = || {
            let mut collector = Collector::start(Options::default()).expect("the probes start");
            let kept = CapabilitySet::BPF | CapabilitySet::PERFMON;
            let sets = CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: CapabilitySet::empty(),
            };
            set_capabilities(None, sets).expect("a thread may give up capabilities");

            let listener = TcpListener::bind("127.0.0.1:0").expect("a server listens");
            let tcp = listener.local_addr().expect("an address");
            drop(TcpStream::connect(tcp).expect("a client connects"));
            let server = UdpSocket::bind("127.0.0.1:0").expect("a server binds");
            let udp = server.local_addr().expect("an address");
            let client = UdpSocket::bind("127.0.0.1:0").expect("a client binds");
            client.send_to(&[1], udp).expect("a client sends");

            for _ in 0..2 {
                let mut ports = Ports::default();
                collector.drain(&mut ports).expect("the probes are drained");
                if ports.0.contains(&(Transport::Tcp, tcp.port())) {
                    assert!(ports.0.contains(&(Transport::Udp, udp.port())), "{:?}", ports.0);
                    assert!(!collector.bpf_run_time().is_empty(), "programs can be asked");
                    return true;
                }
            }
            false
        };
        // Capabilities are a thread's own.
        let is_seen = thread::scope(|scope| scope.spawn(work).join().expect("no panic"));
        assert!(is_seen, "the connection is not told");
    }

    #[test]
    fn a_datagram_counts_once_beside_the_reading_of_payload() {
        if missing("a_datagram_counts_once_beside_the_reading_of_payload", &NEEDS) {
            return;
        }
        let payload = PayloadOptions { is_on: true, tls: false, ..PayloadOptions::default() };
        let options = Options { payload, ..Options::default() };
        let mut collector = Collector::start(options).expect("the probes start");
        assert!(collector.reads_payload());
        let server = UdpSocket::bind("127.0.0.1:0").expect("a server binds");
        let address = server.local_addr().expect("an address");
        let client = UdpSocket::bind("127.0.0.1:0").expect("a client binds");
        client.connect(address).expect("a client connects");
        for _ in 0..3 {
            client.send(&[1; 100]).expect("a client sends");
            server.recv(&mut [0; 200]).expect("a server receives");
        }
        let mut counted = Vec::new();
        let mut sink = Counted { port: address.port(), counted: &mut counted };
        collector.drain(&mut sink).expect("the probes are drained");
        counted.sort_unstable();
        assert_eq!(counted, [(false, 3, 300), (true, 3, 300)], "at both ends");
    }

    /// The conversations of a server's port: whether it is the server's end, packets and bytes.
    struct Counted<'a> {
        port: u16,
        counted: &'a mut Vec<(bool, u64, u64)>,
    }

    impl Sink for Counted<'_> {
        fn l4(&mut self, record: L4Record) {
            let counters = record.counters;
            let packets = counters.packets_sent + counters.packets_received;
            let bytes = counters.bytes_sent + counters.bytes_received;
            if [record.local.port, record.remote.port].contains(&self.port) {
                self.counted.push((record.local.port == self.port, packets, bytes));
            }
        }

        fn listen(&mut self, _: ListenRecord) {}
    }

    #[test]
    fn the_report_says_that_this_kernel_will_do_and_what_it_lacks() {
        if missing("the_report_says_that_this_kernel_will_do_and_what_it_lacks", &NEEDS) {
            return;
        }
        let payload = PayloadOptions { is_on: true, ..PayloadOptions::default() };
        let report = Collector::check(&Options { payload, ..Options::default() });
        assert_eq!(report.obstacle, None);
        assert!(report.is_usable);
        for probe in ["system", "tcp", "udp", "dns", "nat", "payload"] {
            let mut hooks = report.hooks.iter().filter(|hook| hook.probe == probe);
            assert!(hooks.any(|hook| hook.is_used), "nothing of {probe} is used: {report:?}");
        }
        for hook in report.hooks.iter().filter(|hook| !hook.is_used) {
            assert!(hook.reason.is_some(), "no reason: {hook:?}");
        }
    }

    #[test]
    fn udp_that_is_off_loads_nothing_and_is_reported_with_its_price() {
        if missing("udp_that_is_off_loads_nothing_and_is_reported_with_its_price", &NEEDS) {
            return;
        }
        let options = Options { udp: false, ..Options::default() };
        let report = Collector::check(&options);
        assert!(report.is_usable, "{report:?}");
        for probe in ["udp", "dns"] {
            let hooks: Vec<_> = report.hooks.iter().filter(|hook| hook.probe == probe).collect();
            assert!(!hooks.is_empty(), "nothing is said of {probe}");
            for hook in hooks {
                assert!(hook.is_available && !hook.is_used, "{hook:?}");
                assert_eq!(hook.reason.as_deref(), Some("agent.udp is off"));
                assert!(hook.lost.is_some(), "{hook:?}");
            }
        }
        let mut collector = Collector::start(options).expect("the probes start");
        let stats = collector.bpf_run_time();
        let of_udp = stats.iter().filter(|stats| stats.name.starts_with("udp_")).count();
        assert_eq!((of_udp, stats.is_empty()), (0, false));
        assert_eq!(collector.signals(Transport::Udp), SignalSet::empty());

        let server = UdpSocket::bind("127.0.0.1:0").expect("a server binds");
        let address = server.local_addr().expect("an address");
        server.send_to(&[1], address).expect("it sends to itself");
        let mut ports = Ports::default();
        collector.drain(&mut ports).expect("the probes are drained");
        assert!(ports.0.iter().all(|(transport, _)| *transport == Transport::Tcp));
    }

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let cases = [
            Options { sockets_max: 0, ..Options::default() },
            Options { sums_max: 1 << 27, ..Options::default() },
        ];
        for (options, name) in cases.into_iter().zip(["sockets_max", "sums_max"]) {
            let err = options.check().expect_err("out of range");
            assert_eq!(err.kind(), ProbeErrorKind::Options);
            assert!(err.to_string().starts_with(name), "{err}");
        }
    }
}
