//! Bytes of the kernel as the types of the record headers.
//!
//! Owns the one place where bytes are believed to be a record, and the small conversions that all
//! decoders share.

use std::collections::HashMap;
use std::ffi::c_char;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use weir_model::{Endpoint, Process};

/// A type of a record header: fixed layout, any bytes are a value.
///
/// # Safety
/// The type has no padding that matters, no pointer, no reference and no invalid bit pattern.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: an integer.
unsafe impl Plain for u32 {}

/// The first bytes of `bytes` as a record, `None` where they are too few.
pub(crate) fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: the slice is long enough, unaligned reads are fine, and `Plain` promises that any
    // bytes are a value of T.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// An end from a record's address (v4-mapped where IPv4) and port in host order.
pub(crate) fn endpoint(address: [u8; 16], port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V6(Ipv6Addr::from(address)), port)
}

/// Command names already seen, so that a thousand records of one process share one string.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<[u8; 16], Arc<str>, foldhash::quality::RandomState>,
}

impl Names {
    /// Beyond this many distinct names the cache starts anew.
    const NAMES_MAX: usize = 4096;

    /// The process of a record, `None` where it has none.
    pub(crate) fn process(&mut self, tgid: u32, comm: [c_char; 16]) -> Option<Process> {
        if tgid == 0 {
            return None;
        }
        let comm = comm.map(c_char::cast_unsigned);
        if self.known.len() >= Self::NAMES_MAX {
            self.known.clear();
        }
        let name = self.known.entry(comm).or_insert_with(|| {
            let len = comm.iter().position(|byte| *byte == 0).unwrap_or(comm.len());
            String::from_utf8_lossy(&comm[..len]).into()
        });
        Some(Process { pid: tgid, name: name.clone() })
    }
}
