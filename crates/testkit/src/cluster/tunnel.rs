//! A way from a namespace to a server outside of it, as `ssh -L` makes one.
//!
//! What it does is not observed: its sockets belong to the program that opened it, outside of
//! every node's control group.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};

use crate::namespace::Namespace;

/// Takes connections on loopback inside a namespace and passes them on; dropped, it takes no more.
pub struct Tunnel {
    pub address: SocketAddr,
    listener: TcpListener,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Tunnel {
    /// From `namespace` to `to`, which the calling thread's own namespace can reach.
    pub fn open(namespace: &Namespace, to: SocketAddr) -> Result<Self> {
        let listener = namespace.run(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = listener.context("listen for the tunnel")?;
        let address = listener.local_addr()?;
        let is_over = Arc::new(AtomicBool::new(false));
        let (taking, is_closed) = (listener.try_clone()?, is_over.clone());
        let thread = std::thread::spawn(move || {
            for near in taking.incoming() {
                if is_closed.load(Ordering::Relaxed) {
                    return;
                }
                // A server that is away is the client's to notice.
                if let (Ok(near), Ok(far)) = (near, TcpStream::connect(to)) {
                    drop(pass(near, far));
                }
            }
        });
        Ok(Self { address, listener, is_over, thread: Some(thread) })
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // wakes the thread that waits for connections (tcp(7): the socket listens no more)
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            eprintln!("the tunnel's thread panicked");
        }
    }
}

/// Both ways, each in a thread that ends with the connection.
fn pass(near: TcpStream, far: TcpStream) -> io::Result<()> {
    for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        std::thread::spawn(move || {
            // Whoever breaks off, the other end is told.
            drop(io::copy(&mut from, &mut to));
            drop(to.shutdown(Shutdown::Write));
        });
    }
    Ok(())
}
