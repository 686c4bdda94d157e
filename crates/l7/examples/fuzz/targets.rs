//! What is fuzzed: an input, what is done with it, and what must hold whatever it is.

use std::hash::{DefaultHasher, Hash, Hasher};

use weir_identity::{DnsReading, dns_code_name, dns_type_name};
use weir_l7::hpack::Decoder;
use weir_l7::{Connection, Headers, PATH_BYTES_MAX, TEMPLATES_PER_SERVICE_MAX, Templates};
use weir_model::{Exchange, L7Protocol, Outcome, Payload, Role, Way};

/// What a connection may hold beside what an input can put into its streams.
const HELD_BYTES_MAX: usize = 256 << 10;

/// Does with an input what its target does; says what it led to, as a number that is the same
/// for inputs that led to the same.
pub type Target = fn(&[u8]) -> u64;

pub const TARGETS: &[(&str, Target)] = &[
    ("http1", connection),
    ("http2", connection),
    ("hpack", hpack),
    ("templates", templates),
    ("dns", dns),
];

/// An input is calls: a byte that says which way (1) and whether bytes were not copied (2), how
/// many bytes follow (two bytes, little endian), and these. The first byte of all says whether
/// the connection was joined in the middle, and the role.
fn connection(input: &[u8]) -> u64 {
    let Some((first, mut rest)) = input.split_first() else { return 0 };
    let role = [Role::Client, Role::Server, Role::Unknown][usize::from(first >> 1) % 3];
    let is_joined = first & 1 == 1;
    let mut connection = if is_joined { Connection::joined(role) } else { Connection::new(role) };
    let mut seen = DefaultHasher::new();
    let mut out = |exchange: Exchange| {
        check_exchange(&exchange);
        let Exchange { asked, protocol, status, grpc_status, outcome, .. } = exchange;
        let has_trace = asked.trace_id.is_some();
        (protocol, status.map(|s| s / 100), grpc_status.is_some(), outcome, has_trace)
            .hash(&mut seen);
    };
    let mut mono_ns = 0;
    while let [flags, low, high, behind @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
        let (bytes, behind) = behind.split_at(length);
        rest = behind;
        mono_ns += 1_000_000;
        let way = if flags & 1 == 1 { Way::Received } else { Way::Sent };
        let missing = if flags & 2 == 2 { u32::from(flags >> 2) * 97 + 1 } else { 0 };
        let length = bytes.len() as u32 + missing;
        connection.feed(&Payload { way, mono_ns, length, bytes }, &mut out);
        if flags & 0x80 != 0 {
            connection.expire(mono_ns.saturating_sub(5_000_000), &mut out);
        }
    }
    let held = connection.held_bytes();
    assert!(held <= HELD_BYTES_MAX + 64 * input.len(), "holds {held} bytes");
    connection.expire(u64::MAX, &mut out);
    connection.close(first & 0x80 != 0, &mut out);
    let losses = connection.take_losses().map(|unparsed| unparsed.reason);
    losses.for_each(|reason| reason.hash(&mut seen));
    (connection.protocol(), connection.is_given_up()).hash(&mut seen);
    seen.finish()
}

fn check_exchange(exchange: &Exchange) {
    assert!(exchange.asked.method.len() <= 16, "{exchange:?}");
    assert!(exchange.asked.path.len() <= PATH_BYTES_MAX, "{exchange:?}");
    assert!(!exchange.asked.path.contains(['?', '#']), "{exchange:?}");
    assert!(exchange.asked.trace_id.as_ref().is_none_or(|id| id.len() == 32), "{exchange:?}");
    let is_unanswered = exchange.outcome == Outcome::Unanswered;
    assert_eq!(is_unanswered, exchange.response_us.is_none(), "{exchange:?}");
    assert!(!is_unanswered || exchange.status.is_none(), "{exchange:?}");
}

/// An input is blocks, each with its length before it (two bytes, little endian).
fn hpack(input: &[u8]) -> u64 {
    let Some((first, mut rest)) = input.split_first() else { return 0 };
    let mut decoder = Decoder::new();
    if first & 1 == 1 {
        decoder.forget();
    }
    let mut seen = DefaultHasher::new();
    while let [low, high, behind @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(behind.len());
        let (block, behind) = behind.split_at(length);
        rest = behind;
        let result =
            decoder.decode(Headers::standard(), block, first & 2 == 2, &mut |name, value| {
                (format!("{name:?}"), value.is_empty()).hash(&mut seen);
            });
        result.is_ok().hash(&mut seen);
        if result.is_err() {
            decoder.forget();
        }
        let held = decoder.held_bytes();
        assert!(held <= HELD_BYTES_MAX + 8 * input.len(), "holds {held} bytes");
    }
    seen.finish()
}

/// An input is paths, a line each.
fn templates(input: &[u8]) -> u64 {
    let mut templates = Templates::new();
    let mut seen = DefaultHasher::new();
    let mut fold = |path: &str| {
        let template = templates.fold(&(), L7Protocol::Http11, path);
        assert!(templates.len() <= TEMPLATES_PER_SERVICE_MAX, "{} templates", templates.len());
        template
    };
    for path in String::from_utf8_lossy(input).split('\n') {
        let template = fold(path);
        if path.starts_with('/') {
            assert!(template.starts_with(['/', '{']), "{template}");
            assert!(template.len() <= path.len() + 16 * 8, "{template}");
        }
        // Asked again, and as a path, a template is what it is.
        assert_eq!(fold(path), template);
        let shape = template.matches('{').count().min(5) + template.matches('/').count().min(5) * 6;
        shape.hash(&mut seen);
    }
    seen.finish()
}

/// An input is a message. The name in it is no longer than names can be, and what a message says
/// does not depend on whether its answers are read.
fn dns(input: &[u8]) -> u64 {
    let mut seen = DefaultHasher::new();
    let Some(reading) = DnsReading::of(input, true) else { return 0 };
    let asked = DnsReading::of(input, false).expect("the same message");
    assert_eq!((asked.id, &asked.question), (reading.id, &reading.question));
    assert!(asked.addresses.is_empty(), "{asked:?}");
    assert!(reading.addresses.len() <= input.len() / 12, "{reading:?}");
    assert!(reading.is_answer || reading.addresses.is_empty(), "{reading:?}");
    if let Some(question) = &reading.question {
        // 255 bytes on the wire, each at most four characters long as text (`\\000`).
        assert!(!question.name.is_empty() && question.name.len() <= 4 * 255, "{question:?}");
        assert!(!dns_type_name(question.kind).is_empty());
        let labels = question.name.matches('.').count().min(6);
        (dns_type_name(question.kind).len(), labels).hash(&mut seen);
    }
    dns_code_name(reading.code).hash(&mut seen);
    let DnsReading { is_answer, is_lookup, is_partial, is_cut, .. } = reading;
    (is_answer, is_lookup, is_partial, is_cut).hash(&mut seen);
    let families = reading.addresses.iter().map(|(ip, _)| ip.is_ipv4());
    families.take(6).for_each(|is_ipv4| is_ipv4.hash(&mut seen));
    seen.finish()
}
