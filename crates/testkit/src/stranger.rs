//! A TCP end that no probe can see: a TCP stack in user space behind a TUN device.
//!
//! Owns the far end of conversations of which this machine's kernel holds only one socket, as it
//! is with every peer on another machine. IPv4 only.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Instant as Clock;

use anyhow::{Context, Result, anyhow, ensure};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Medium, TunTapInterface, wait};
use smoltcp::socket::tcp::{Socket, SocketBuffer};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::lab::{Host, Lab};
use crate::namespace::enter;
use crate::traffic::{HEADER_BYTES, PATIENCE, Tally};

const BUFFER_BYTES: usize = 64 * 1024;
const LOCAL_PORT: u16 = 40_000;

/// A machine beyond `host`, reached through a TUN device of that host.
pub struct Stranger {
    /// The stranger's own address.
    pub address: Ipv4Addr,
    host_namespace: std::fs::File,
    device: String,
}

/// A stranger at work in a thread of its own.
pub struct AtWork(JoinHandle<Result<Tally>>);

impl AtWork {
    /// Waits until the conversation is over; gives what the stranger's own stack delivered.
    pub fn finish(self) -> Result<Tally> {
        self.0.join().map_err(|_| anyhow!("the stranger's thread panicked"))?
    }
}

impl Stranger {
    /// Makes the device; `index` tells the side networks of one lab apart.
    pub fn beyond(lab: &Lab, host: &Host, index: u8) -> Result<Self> {
        let (local, address) = lab.side_network(index);
        let device = format!("far{index}");
        host.ip(&format!("tuntap add dev {device} mode tun"))?;
        host.ip(&format!("addr add {local} peer {address} dev {device}"))?;
        host.ip(&format!("link set {device} up"))?;
        Ok(Self { address, host_namespace: host.open()?, device })
    }

    /// Accepts one connection at `port` and sends back each byte until the client closes.
    pub fn echo(&self, port: u16) -> Result<AtWork> {
        self.work(move |stack| {
            stack.socket().listen(port).map_err(|err| anyhow!("listen: {err:?}"))?;
            stack.until(|socket| socket.may_send())?;
            let mut tally = Tally { connections: 1, ..Tally::default() };
            let mut buffer = vec![0u8; BUFFER_BYTES];
            loop {
                stack.until(|socket| socket.can_recv() || !socket.may_recv())?;
                let read = stack.receive(&mut buffer)?;
                if read == 0 {
                    break;
                }
                tally.bytes_received += read as u64;
                stack.send_all(&buffer[..read])?;
                tally.bytes_sent += read as u64;
            }
            stack.close()?;
            Ok(tally)
        })
    }

    /// Connects to a server of [`crate::traffic`] and makes one exchange.
    pub fn call(&self, to: SocketAddrV4, upload_bytes: u64, download_bytes: u64) -> Result<AtWork> {
        self.work(move |stack| {
            let (socket, context) = stack.socket_and_context();
            socket
                .connect(context, (*to.ip(), to.port()), LOCAL_PORT)
                .map_err(|err| anyhow!("connect: {err:?}"))?;
            stack.until(|socket| socket.may_send())?;
            let mut request = Vec::new();
            request.extend_from_slice(&upload_bytes.to_be_bytes());
            request.extend_from_slice(&download_bytes.to_be_bytes());
            request.resize(HEADER_BYTES as usize + upload_bytes as usize, 0x77);
            stack.send_all(&request)?;
            let bytes_sent = request.len() as u64;
            let mut tally = Tally { connections: 1, bytes_sent, ..Tally::default() };
            let mut buffer = vec![0u8; BUFFER_BYTES];
            while tally.bytes_received < download_bytes {
                stack.until(|socket| socket.can_recv() || !socket.may_recv())?;
                let read = stack.receive(&mut buffer)?;
                ensure!(read > 0, "the server closed early");
                tally.bytes_received += read as u64;
            }
            stack.close()?;
            Ok(tally)
        })
    }

    fn work(
        &self,
        work: impl FnOnce(&mut Stack) -> Result<Tally> + Send + 'static,
    ) -> Result<AtWork> {
        let namespace = self.host_namespace.try_clone().context("keep the host's namespace")?;
        let (device, address) = (self.device.clone(), self.address);
        let (ready, opened) = channel();
        let thread = std::thread::spawn(move || {
            enter(&namespace)?;
            let mut stack = Stack::new(&device, address)?;
            let _ = ready.send(()); // the other side waits for it or is gone
            work(&mut stack)
        });
        // Before the device is open the kernel would drop what is sent to the stranger; from then
        // on it waits in the device's queue. A thread that failed tells why in `finish`.
        let _ = opened.recv();
        Ok(AtWork(thread))
    }
}

/// The user-space stack with its one socket.
struct Stack {
    device: TunTapInterface,
    interface: Interface,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    started: Clock,
}

impl Stack {
    fn new(device: &str, address: Ipv4Addr) -> Result<Self> {
        let mut device = TunTapInterface::new(device, Medium::Ip).context("open a TUN device")?;
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut device, Instant::ZERO);
        let mut full = false;
        interface.update_ip_addrs(|addresses| {
            full = addresses.push(IpCidr::new(address.into(), 0)).is_err();
        });
        ensure!(!full, "the stack takes no address");
        let buffer = || SocketBuffer::new(vec![0; BUFFER_BYTES]);
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(Socket::new(buffer(), buffer()));
        Ok(Self { device, interface, sockets, handle, started: Clock::now() })
    }

    fn socket(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    fn socket_and_context(&mut self) -> (&mut Socket<'static>, &mut smoltcp::iface::Context) {
        (self.sockets.get_mut(self.handle), self.interface.context())
    }

    /// Moves packets until `done`.
    fn until(&mut self, done: impl Fn(&Socket<'static>) -> bool) -> Result<()> {
        let deadline = Clock::now() + PATIENCE;
        loop {
            let now = Instant::from_micros(self.started.elapsed().as_micros() as i64);
            self.interface.poll(now, &mut self.device, &mut self.sockets);
            if done(self.sockets.get::<Socket>(self.handle)) {
                return Ok(());
            }
            ensure!(Clock::now() < deadline, "the stranger waited in vain");
            let soon = Duration::from_millis(5);
            let pause = self.interface.poll_delay(now, &self.sockets).unwrap_or(soon).min(soon);
            wait(self.device.as_raw_fd(), Some(pause)).context("wait for a packet")?;
        }
    }

    /// Takes what has arrived; 0 when the peer has closed and nothing is left.
    fn receive(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if !self.socket().can_recv() {
            return Ok(0);
        }
        self.socket().recv_slice(buffer).map_err(|err| anyhow!("receive: {err:?}"))
    }

    fn send_all(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            self.until(|socket| socket.can_send())?;
            let sent = self.socket().send_slice(bytes).map_err(|err| anyhow!("send: {err:?}"))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Closes and waits until the peer has closed as well and has heard of it.
    fn close(&mut self) -> Result<()> {
        use smoltcp::socket::tcp::State;
        self.socket().close();
        self.until(|socket| matches!(socket.state(), State::Closed | State::TimeWait))
    }
}
