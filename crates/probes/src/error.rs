//! What can go wrong in a probe, with a kind where someone decides.

use std::fmt;
use std::io;

/// What the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeErrorKind {
    /// Run as root or give the capabilities that the message names.
    NotPermitted,
    /// The kernel has no description of its own types: another kernel is needed.
    NoBtf,
    /// The kernel lacks a hook without which nothing can be counted.
    Unsupported,
    /// An option is out of its range.
    Options,
    /// A call that should have worked did not.
    Kernel,
}

/// An error of a probe: what was tried on what, and what would be right.
#[derive(Debug)]
pub struct ProbeError {
    kind: ProbeErrorKind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ProbeError {
    pub(crate) fn new(kind: ProbeErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    /// A failed call into libbpf; `EPERM` and `EACCES` are told apart.
    pub(crate) fn libbpf(what: impl Into<String>, source: libbpf_rs::Error) -> Self {
        let kind = match source.kind() {
            libbpf_rs::ErrorKind::PermissionDenied => ProbeErrorKind::NotPermitted,
            _ => ProbeErrorKind::Kernel,
        };
        Self { kind, what: what.into(), source: Some(Box::new(source)) }
    }

    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let kind = match source.kind() {
            io::ErrorKind::PermissionDenied => ProbeErrorKind::NotPermitted,
            _ => ProbeErrorKind::Kernel,
        };
        Self { kind, what: what.into(), source: Some(Box::new(source)) }
    }

    pub fn kind(&self) -> ProbeErrorKind {
        self.kind
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ProbeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
