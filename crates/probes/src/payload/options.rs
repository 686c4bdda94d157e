//! What payload is read, and how much of it. Pure.

use crate::error::{ProbeError, ProbeErrorKind};

use super::decode::raw;

/// Which processes, by their names as the kernel has them (`comm`, at most 15 bytes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processes {
    AllBut(Vec<String>),
    Only(Vec<String>),
}

/// What payload is read, and how much the kernel may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadOptions {
    /// Whether any is read; off, no hook is attached.
    pub is_on: bool,
    /// Whether what is inside TLS is read, too: of OpenSSL, BoringSSL and GnuTLS, as libraries or
    /// inside programs that have their symbols, and of programs of Go. Each call of such a library
    /// costs every process some two microseconds then.
    pub tls: bool,
    /// Whether of a conversation with both ends on this host only the server's end is told.
    pub one_end: bool,
    /// Connections from or to these ports are left out.
    pub excluded_ports: Vec<u16>,
    pub processes: Processes,
    /// Bytes copied of a call that begins with a request, at most 16,384. Of an answer and of what
    /// follows a beginning it is 1,024 at most, of bodies 256.
    pub head_bytes_max: u32,
    /// Bytes copied of a call of HTTP/2 of which it is not known where its frames are, at most
    /// 16,384: on kernels before 5.17, and where they were lost sight of. Elsewhere all is copied but
    /// bodies.
    pub frame_bytes_max: u32,
    /// Payload that waits to be taken, rounded up to a power of two; more is lost (`ring_full`).
    pub ring_bytes_max: u32,
    /// Control groups that can be left out at once.
    pub excluded_cgroups_max: u32,
    /// TLS connections watched at once, 350 bytes each; more are lost (`socket_state`).
    pub tls_sockets_max: u32,
}

impl Default for PayloadOptions {
    fn default() -> Self {
        Self {
            is_on: false,
            tls: true,
            one_end: true,
            excluded_ports: Vec::new(),
            processes: Processes::AllBut(Vec::new()),
            head_bytes_max: 4096,
            frame_bytes_max: raw::PAYLOAD_BYTES_MAX,
            ring_bytes_max: 8 << 20,
            excluded_cgroups_max: 4096,
            tls_sockets_max: 1 << 17,
        }
    }
}

impl PayloadOptions {
    pub(crate) fn check(&self) -> Result<(), ProbeError> {
        let limits = [
            ("head_bytes_max", self.head_bytes_max, 64, raw::PAYLOAD_BYTES_MAX),
            ("frame_bytes_max", self.frame_bytes_max, 64, raw::PAYLOAD_BYTES_MAX),
            ("ring_bytes_max", self.ring_bytes_max, 1 << 16, 1 << 30),
            ("excluded_cgroups_max", self.excluded_cgroups_max, 1, 1 << 20),
            ("tls_sockets_max", self.tls_sockets_max, 1, 1 << 26),
        ];
        for (name, value, least, most) in limits {
            if value < least || value > most {
                let what = format!("{name} is {value}: give {least} to {most}");
                return Err(ProbeError::new(ProbeErrorKind::Options, what));
            }
        }
        Ok(())
    }
}

/// A process's name as the kernel has it: 15 bytes and a terminating 0.
pub(super) fn comm(name: &str) -> [u8; raw::COMM_BYTES as usize] {
    let mut comm = [0; raw::COMM_BYTES as usize];
    for (to, from) in comm.iter_mut().take(raw::COMM_BYTES as usize - 1).zip(name.bytes()) {
        *to = from;
    }
    comm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(&comm("nginx"), b"nginx\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm("a-rather-long-name"), b"a-rather-long-n\0");
    }

    #[test]
    fn limits_out_of_range_are_refused_by_name() {
        let cases = [
            PayloadOptions { head_bytes_max: 1, ..PayloadOptions::default() },
            PayloadOptions { frame_bytes_max: 1 << 20, ..PayloadOptions::default() },
            PayloadOptions { ring_bytes_max: 9, ..PayloadOptions::default() },
        ];
        for (options, name) in cases.iter().zip(["head", "frame", "ring"]) {
            let err = options.check().expect_err("out of range");
            assert_eq!(err.kind(), ProbeErrorKind::Options);
            assert!(err.to_string().starts_with(name), "{err}");
        }
        PayloadOptions::default().check().expect("the defaults are in range");
    }
}
