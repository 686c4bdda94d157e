//! A container's name.

use std::sync::Arc;

/// Digits of an OCI id.
const ID_DIGITS: usize = 64;
/// Longest name that is believed; no runtime and no cluster takes a longer one.
const WORD_CHARS_MAX: usize = 253;

/// What a container is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerName {
    text: Arc<str>,
    /// Where the container's own name begins, after those of its Pod.
    own_at: usize,
}

impl ContainerName {
    /// Of a Pod's container, whose own name (`nginx`) says little: `POD_NAMESPACE_CONTAINER`, as
    /// kubelet names its log in `/var/log/containers`. Nothing in it has an underscore.
    pub fn in_pod(container: &str, pod: &str, namespace: &str) -> Self {
        let text = Arc::from(format!("{pod}_{namespace}_{container}"));
        Self { text, own_at: pod.len() + namespace.len() + 2 }
    }

    /// A name that no container of another Pod has, where the Pod is known.
    pub fn full(&self) -> &Arc<str> {
        &self.text
    }

    /// The name in its Pod; of others it is the whole name.
    pub fn own(&self) -> &str {
        self.text.get(self.own_at..).unwrap_or(&self.text)
    }
}

impl From<&str> for ContainerName {
    fn from(name: &str) -> Self {
        Self { text: Arc::from(name), own_at: 0 }
    }
}

/// A container and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub id: String,
    pub name: ContainerName,
}

pub(super) fn id(text: &str) -> Option<String> {
    let is_id =
        text.len() == ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| text.to_owned())
}

/// A name as runtimes (`[a-zA-Z0-9][a-zA-Z0-9_.-]+`) and clusters allow them.
pub(super) fn word(text: &str) -> Option<&str> {
    let is_word = (1..=WORD_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    is_word.then_some(text)
}
