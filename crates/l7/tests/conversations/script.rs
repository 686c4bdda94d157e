//! A conversation as a test writes it, and the ways in which it is played.

use weir_l7::Connection;
use weir_model::{Asked, Exchange, Payload, Role, Way};

/// One thing that happens on a connection, a millisecond after the one before.
#[derive(Clone, Debug)]
pub enum Step {
    /// The client passes bytes, of which so many are copied.
    Asks(Vec<u8>, usize),
    /// The server does.
    Says(Vec<u8>, usize),
    Closes,
    Resets,
    /// Everything that began before is waited for no longer.
    Expires,
}

pub use Step::{Closes, Expires, Resets};

pub fn asks(bytes: impl AsRef<[u8]>) -> Step {
    Step::Asks(bytes.as_ref().to_vec(), usize::MAX)
}

pub fn says(bytes: impl AsRef<[u8]>) -> Step {
    Step::Says(bytes.as_ref().to_vec(), usize::MAX)
}

impl Step {
    /// Only the first bytes are copied.
    pub fn cut_at(self, copied: usize) -> Self {
        match self {
            Step::Asks(bytes, _) => Step::Asks(bytes, copied),
            Step::Says(bytes, _) => Step::Says(bytes, copied),
            step => step,
        }
    }
}

/// How a script is played.
#[derive(Clone, Copy, Debug)]
struct Play {
    role: Role,
    request_way: Way,
    is_joined: bool,
    /// Which step's bytes are passed in two calls, and where they are divided.
    split: Option<(usize, usize)>,
    /// Every call passes one byte.
    is_slow: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub exchanges: Vec<String>,
    pub losses: String,
    pub protocol: Option<&'static str>,
    pub is_given_up: bool,
}

fn show(exchange: &Exchange) -> String {
    let Exchange { protocol, outcome, .. } = exchange;
    let Asked { method, path, trace_id, .. } = &*exchange.asked;
    let mut line = format!("{protocol} {method} {path}");
    line.extend(exchange.status.map(|status| format!(" {status}")));
    line.extend(exchange.grpc_status.map(|status| format!(" grpc {status}")));
    line += &format!(" {outcome} at {}", exchange.began_ns / 1_000_000);
    line.extend(exchange.response_us.map(|us| format!(" +{}", us / 1000)));
    line.extend(trace_id.iter().map(|id| format!(" {id}")));
    line
}

fn play(steps: &[Step], play: Play) -> Outcome {
    let mut connection = match play.is_joined {
        true => Connection::joined(play.role),
        false => Connection::new(play.role),
    };
    let mut exchanges = Vec::new();
    let mut out = |exchange: Exchange| exchanges.push(show(&exchange));
    let answer_way = if play.request_way == Way::Sent { Way::Received } else { Way::Sent };
    for (at, step) in steps.iter().enumerate() {
        let mono_ns = at as u64 * 1_000_000;
        let (way, bytes, copied) = match step {
            Step::Asks(bytes, copied) => (play.request_way, bytes, *copied),
            Step::Says(bytes, copied) => (answer_way, bytes, *copied),
            Step::Closes | Step::Resets => {
                connection.close(matches!(step, Step::Resets), &mut out);
                continue;
            }
            Step::Expires => {
                connection.expire(mono_ns, &mut out);
                continue;
            }
        };
        let mut call = |bytes: &[u8]| {
            let length = bytes.len() as u32;
            let bytes = &bytes[..bytes.len().min(copied)];
            connection.feed(&Payload { way, mono_ns, length, bytes }, &mut out);
        };
        match play.split {
            _ if copied < bytes.len() => call(bytes),
            _ if play.is_slow => bytes.iter().for_each(|byte| call(&[*byte])),
            Some((step, divided)) if step == at => {
                call(&bytes[..divided]);
                call(&bytes[divided..]);
            }
            _ => call(bytes),
        }
    }
    let losses: Vec<String> = connection
        .take_losses()
        .map(|unparsed| format!("{} {}", unparsed.reason.as_str(), unparsed.count))
        .collect();
    Outcome {
        exchanges,
        losses: losses.join(", "),
        protocol: connection.protocol().map(|protocol| protocol.as_str()),
        is_given_up: connection.is_given_up(),
    }
}

const CLIENT: Play = Play {
    role: Role::Client,
    request_way: Way::Sent,
    is_joined: false,
    split: None,
    is_slow: false,
};

/// Plays a script once, as its client's end.
pub fn play_once(steps: &[Step], is_joined: bool) -> Outcome {
    play(steps, Play { is_joined, ..CLIENT })
}

/// Plays a script at both ends and with no known role, and cut at every byte; all give the same.
pub fn check(name: &str, steps: &[Step], exchanges: &[&str], losses: &str) {
    check_with(name, false, true, steps, exchanges, losses);
}

/// For scripts with holes, where it matters how calls begin: only as they stand.
pub fn check_whole(name: &str, steps: &[Step], exchanges: &[&str], losses: &str) {
    check_with(name, false, false, steps, exchanges, losses);
}

/// The same for a connection joined in the middle.
pub fn check_joined(name: &str, steps: &[Step], exchanges: &[&str], losses: &str) {
    check_with(name, true, false, steps, exchanges, losses);
}

fn check_with(
    name: &str,
    is_joined: bool,
    is_split: bool,
    steps: &[Step],
    exchanges: &[&str],
    losses: &str,
) {
    let compare = |played: Play| {
        let found = play(steps, played);
        assert_eq!(found.exchanges, exchanges, "{name}: {played:?}");
        assert_eq!(found.losses, losses, "{name}: {played:?}");
    };
    let whole = Play { is_joined, ..CLIENT };
    compare(whole);
    compare(Play { role: Role::Unknown, ..whole });
    compare(Play { role: Role::Server, request_way: Way::Received, ..whole });
    if !is_split {
        return;
    }
    compare(Play { is_slow: true, ..whole });
    for (at, step) in steps.iter().enumerate() {
        let (Step::Asks(bytes, _) | Step::Says(bytes, _)) = step else { continue };
        for divided in 1..bytes.len() {
            compare(Play { split: Some((at, divided)), ..whole });
        }
    }
}
