//! Sockets of netlink that talk with connection tracking, in the namespace of the calling thread.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
    sockopt,
};

use super::decode::{Block, Entry, dump_request, read_block};
use crate::error::ProbeError;

/// `NFNLGRP_CONNTRACK_NEW`, as a mask of groups.
const GROUP_NEW: u32 = 1;
const SOL_SOCKET: c_int = 1;
const SO_ATTACH_BPF: c_int = 50;
/// The kernel sends blocks of at most 32 KiB.
const BLOCK_BYTES: usize = 64 * 1024;

unsafe extern "C" {
    /// setsockopt(2): rustix knows the options of this system, but for this one.
    fn setsockopt(
        socket: c_int,
        level: c_int,
        name: c_int,
        value: *const c_void,
        length: u32,
    ) -> c_int;
}

fn failed<E: Into<std::io::Error>>(what: &'static str) -> impl Fn(E) -> ProbeError {
    move |err| ProbeError::io(format!("cannot {what} connection tracking"), err)
}

fn open() -> Result<OwnedFd, ProbeError> {
    socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))
        .map_err(failed("open a socket of"))
}

/// A socket whose filter is the program. It hears nothing before [`join`].
pub(crate) fn listener(program: BorrowedFd<'_>) -> Result<OwnedFd, ProbeError> {
    let socket = open()?;
    let fd: c_int = program.as_raw_fd();
    // SAFETY: the option takes an int, which lives longer than the call.
    let result = unsafe {
        setsockopt(
            socket.as_raw_fd(),
            SOL_SOCKET,
            SO_ATTACH_BPF,
            (&raw const fd).cast(),
            size_of::<c_int>() as u32,
        )
    };
    match result {
        0 => Ok(socket),
        _ => Err(failed("filter the messages of")(std::io::Error::last_os_error())),
    }
}

/// Begins to hear of new entries.
pub(crate) fn join(socket: &OwnedFd) -> Result<(), ProbeError> {
    bind(socket, &SocketAddrNetlink::new(0, GROUP_NEW)).map_err(failed("listen to"))
}

/// Tells sockets apart while the host is up (`SO_COOKIE`).
pub(crate) fn cookie(socket: &OwnedFd) -> Result<u64, ProbeError> {
    sockopt::socket_cookie(socket.as_fd()).map_err(failed("name the socket of"))
}

/// Gives every entry that exists to `each`.
pub(crate) fn dump(mut each: impl FnMut(Entry)) -> Result<(), ProbeError> {
    let socket = open()?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &dump_request(), SendFlags::empty(), &kernel).map_err(failed("ask"))?;
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let (length, _) =
            recv(&socket, &mut block, RecvFlags::empty()).map_err(failed("read the table of"))?;
        match read_block(&block[..length], &mut each) {
            Block::More => {}
            Block::Done => return Ok(()),
            Block::Refused(number) => {
                return Err(failed("read the table of")(Errno::from_raw_os_error(number)));
            }
        }
    }
}
