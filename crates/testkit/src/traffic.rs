//! Bounded, known traffic over plain sockets.
//!
//! Owns the little protocol that both ends speak and the count of what the socket calls themselves
//! returned: that count is the witness. Knows nothing of namespaces and nothing of Weir.
//!
//! A client writes requests of 16 bytes (two big-endian `u64`: how many bytes it will upload, how
//! many it wants back), then the upload; the server answers with the download. Any number of
//! exchanges may follow on one connection; the client closes first.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

/// No socket call of a test waits longer than this: a lost peer ends the test, it hangs nothing.
pub const PATIENCE: Duration = Duration::from_secs(100);
/// Bytes of one request on the wire.
pub const HEADER_BYTES: u64 = 16;
const CHUNK_BYTES: usize = 64 * 1024;
/// Largest datagram that is sent: it fits any link of the lab unfragmented.
pub const DATAGRAM_BYTES_MAX: usize = 1400;

/// What one end did, as its own socket calls returned it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// TCP connections established (client) or accepted (server).
    pub connections: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// UDP datagrams; 0 for TCP, whose segments no socket call tells.
    pub datagrams_sent: u64,
    pub datagrams_received: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.connections += other.connections;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.datagrams_sent += other.datagrams_sent;
        self.datagrams_received += other.datagrams_received;
    }
}

/// One request: upload so much, get so much back.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    pub upload_bytes: u64,
    pub download_bytes: u64,
}

/// An open client connection; dropped, it closes.
pub struct Conversation {
    stream: TcpStream,
    /// What this end did since it connected.
    pub tally: Tally,
}

impl Conversation {
    /// Connects to `to`.
    pub fn open(to: SocketAddr) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&to, PATIENCE)?)
    }

    /// Speaks over a stream that is already connected.
    pub fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, tally: Tally { connections: 1, ..Tally::default() } })
    }

    pub fn local(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Performs one exchange to its last byte.
    pub fn exchange(&mut self, exchange: Exchange) -> io::Result<()> {
        let mut header = [0u8; HEADER_BYTES as usize];
        header[..8].copy_from_slice(&exchange.upload_bytes.to_be_bytes());
        header[8..].copy_from_slice(&exchange.download_bytes.to_be_bytes());
        self.stream.write_all(&header)?;
        self.tally.bytes_sent += HEADER_BYTES;
        send_exactly(&mut self.stream, exchange.upload_bytes, &mut self.tally)?;
        receive_exactly(&mut self.stream, exchange.download_bytes, &mut self.tally)
    }

    /// Closes this end and waits until the other end has closed too.
    pub fn finish(mut self) -> io::Result<Tally> {
        self.stream.shutdown(std::net::Shutdown::Write)?;
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        if !rest.is_empty() {
            return Err(io::Error::other("bytes came that nobody asked for"));
        }
        Ok(self.tally)
    }
}

/// Makes `connections` connections one after the other, one exchange on each.
pub fn tcp_client(to: SocketAddr, connections: u64, exchange: Exchange) -> io::Result<Tally> {
    let mut total = Tally::default();
    for _ in 0..connections {
        let mut conversation = Conversation::open(to)?;
        conversation.exchange(exchange)?;
        total += conversation.finish()?;
    }
    Ok(total)
}

/// Serves exactly `connections` connections with `workers` threads, then returns.
///
/// Each worker serves one connection at a time, so `workers` bounds how many are open at once.
pub fn tcp_server(listener: &TcpListener, connections: u64, workers: usize) -> io::Result<Tally> {
    listener.set_nonblocking(true)?;
    let tickets = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut total = Tally::default();
                    while tickets.fetch_add(1, Ordering::Relaxed) < connections {
                        total += answer(accept(listener)?)?;
                    }
                    io::Result::Ok(total)
                })
            })
            .collect();
        let mut total = Tally::default();
        for thread in threads {
            total += thread.join().map_err(|_| io::Error::other("a server thread panicked"))??;
        }
        Ok(total)
    })
}

/// Accepts one connection of a listener, waiting no longer than [`PATIENCE`].
pub fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let timeout = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) => return Err(err),
        }
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        if poll(&mut fds, Some(&timeout))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody connected"));
        }
    }
}

/// Answers the exchanges of one connection until its client closes.
pub fn answer(stream: TcpStream) -> io::Result<Tally> {
    let mut conversation = Conversation::over(stream)?;
    let Conversation { stream, tally } = &mut conversation;
    loop {
        let mut header = [0u8; HEADER_BYTES as usize];
        if stream.read(&mut header[..1])? == 0 {
            return Ok(*tally);
        }
        stream.read_exact(&mut header[1..])?;
        tally.bytes_received += HEADER_BYTES;
        let (upload, download) = header.split_at(8);
        receive_exactly(stream, be_u64(upload), tally)?;
        send_exactly(stream, be_u64(download), tally)?;
    }
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn send_exactly(stream: &mut TcpStream, bytes: u64, tally: &mut Tally) -> io::Result<()> {
    let chunk = [0x77u8; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(CHUNK_BYTES as u64) as usize;
        let written = stream.write(&chunk[..size])? as u64;
        tally.bytes_sent += written;
        left -= written;
    }
    Ok(())
}

fn receive_exactly(stream: &mut TcpStream, bytes: u64, tally: &mut Tally) -> io::Result<()> {
    let mut chunk = [0u8; CHUNK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(CHUNK_BYTES as u64) as usize;
        let read = stream.read(&mut chunk[..size])? as u64;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the peer closed early"));
        }
        tally.bytes_received += read;
        left -= read;
    }
    Ok(())
}

/// Sends `datagrams` datagrams of `bytes` each from `socket` and waits for the answer to each, so
/// that no buffer can overflow; `to` is `None` where the socket is connected.
pub fn udp_client(
    socket: &UdpSocket,
    to: Option<SocketAddr>,
    datagrams: u64,
    bytes: usize,
) -> io::Result<Tally> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let payload = [0x55u8; DATAGRAM_BYTES_MAX];
    let payload = &payload[..bytes.min(DATAGRAM_BYTES_MAX)];
    let mut buffer = [0u8; DATAGRAM_BYTES_MAX];
    let mut tally = Tally::default();
    for _ in 0..datagrams {
        let sent = match to {
            Some(to) => socket.send_to(payload, to)?,
            None => socket.send(payload)?,
        };
        tally.bytes_sent += sent as u64;
        tally.datagrams_sent += 1;
        tally.bytes_received += socket.recv(&mut buffer)? as u64;
        tally.datagrams_received += 1;
    }
    Ok(tally)
}

/// Answers exactly `datagrams` datagrams, each with `reply_bytes` bytes, then returns.
pub fn udp_server(socket: &UdpSocket, datagrams: u64, reply_bytes: usize) -> io::Result<Tally> {
    socket.set_read_timeout(Some(PATIENCE))?;
    let reply = [0x66u8; DATAGRAM_BYTES_MAX];
    let reply = &reply[..reply_bytes.min(DATAGRAM_BYTES_MAX)];
    let mut buffer = [0u8; DATAGRAM_BYTES_MAX];
    let mut tally = Tally::default();
    for _ in 0..datagrams {
        let (read, from) = socket.recv_from(&mut buffer)?;
        tally.bytes_received += read as u64;
        tally.datagrams_received += 1;
        tally.bytes_sent += socket.send_to(reply, from)? as u64;
        tally.datagrams_sent += 1;
    }
    Ok(tally)
}
