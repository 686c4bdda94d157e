//! Names that may still come: a Pod's first flow can arrive before the cluster told of the Pod.
//!
//! Owns how long a batch waits for them. What is waited for is waited for once, for all batches
//! together: then it counts as unknown for a while, and no batch is held up by it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::directory::Call;

/// How long the cluster may take to tell of a Pod after its first flow's window: kubelet looks at
/// its containers once a second and writes a Pod's address then.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the other end's agent may take: it tells at the same time, but a batch of its own may be
/// waiting for names before.
const CALL_WAIT_MAX: Duration = Duration::from_secs(12);
/// How long what did not come counts as unknown.
const UNKNOWN_MAX: Duration = Duration::from_secs(600);
/// Of more things at once none is waited for.
const WANTED_MAX: usize = 20_000;

/// Something that a name is missing for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// The first list of a cluster's objects.
    Cluster(Box<str>),
    /// A Pod that a control group was made for.
    Pod(Box<str>),
    /// An address of a cluster's network.
    Address(Box<str>, IpAddr),
    /// The other end of a conversation with a node, as the node's agent tells it, in a minute.
    Call(Call, i64),
}

/// What is or was waited for, and since when.
#[derive(Default)]
pub struct Late(Mutex<HashMap<Wanted, Instant>>);

impl Late {
    /// How long to wait for these, at most; `None`: no longer.
    pub fn wait(&self, wanted: Vec<Wanted>, now: Instant) -> Option<Duration> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut longest = Duration::ZERO;
        for wanted in wanted {
            if since.len() >= WANTED_MAX && !since.contains_key(&wanted) {
                since.retain(|_, since| now.duration_since(*since) < UNKNOWN_MAX);
                if since.len() >= WANTED_MAX {
                    continue;
                }
            }
            let wait_max = match wanted {
                Wanted::Call(..) => CALL_WAIT_MAX,
                _ => WAIT_MAX,
            };
            let since = since.entry(wanted).or_insert(now);
            if now.duration_since(*since) >= UNKNOWN_MAX {
                *since = now;
            }
            longest = longest.max(wait_max.saturating_sub(now.duration_since(*since)));
        }
        (!longest.is_zero()).then_some(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str) -> Vec<Wanted> {
        vec![Wanted::Pod(uid.into())]
    }

    #[test]
    fn nothing_is_waited_for_twice() {
        let (late, start) = (Late::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(late.wait(Vec::new(), start), None);
        assert_eq!(late.wait(pod("a"), start), Some(Duration::from_secs(5)));
        assert_eq!(late.wait(pod("a"), after(3)), Some(Duration::from_secs(2)));
        assert_eq!(late.wait(pod("a"), after(6)), None);
        assert_eq!(late.wait(pod("b"), after(6)), Some(Duration::from_secs(5)));
        assert_eq!(late.wait(pod("a"), after(700)), Some(Duration::from_secs(5)), "once more");
    }

    #[test]
    fn too_many_are_not_waited_for() {
        let (late, now) = (Late::default(), Instant::now());
        let many = (0..WANTED_MAX + 10).map(|n| Wanted::Pod(n.to_string().into())).collect();
        late.wait(many, now);
        assert_eq!(late.wait(pod("one more"), now), None);
    }
}
