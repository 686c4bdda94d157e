//! Reading a ring buffer of the kernel: records in the order in which they were put there, without
//! a copy.
//!
//! Owns the mapped memory (Documentation/bpf/ringbuf.rst of the kernel) and the waiting. Why not
//! libbpf's: it tells the kernel after each record how far it has read, which is a cache line that
//! the CPUs that write then wait for; and it wakes for every record.

use std::os::fd::OwnedFd;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use libbpf_rs::MapCore;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::time::Timespec;

use crate::error::ProbeError;

/// `BPF_RINGBUF_HDR_SZ`, `BPF_RINGBUF_BUSY_BIT`, `BPF_RINGBUF_DISCARD_BIT`.
const HEADER_BYTES: usize = 8;
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// Bytes read before the kernel is told that they are free again.
const TELL_BYTES: u64 = 1 << 16;

/// A mapping, unmapped when dropped.
struct Mapped {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the memory is shared with the kernel only, and is not tied to a thread.
unsafe impl Send for Mapped {}

impl Mapped {
    fn new(
        map: &dyn MapCore,
        offset: usize,
        bytes: usize,
        may: ProtFlags,
    ) -> Result<Self, ProbeError> {
        // SAFETY: a new mapping at a place of the kernel's choice touches no memory of ours.
        let start = unsafe {
            mmap(ptr::null_mut(), bytes, may, MapFlags::SHARED, map.as_fd(), offset as u64)
        };
        let what = || format!("cannot map the ring buffer {:?}", map.name());
        let start = start.map_err(|err| ProbeError::io(what(), err))?;
        let start = NonNull::new(start.cast()).ok_or_else(|| ProbeError::io(what(), Errno::FAULT));
        Ok(Self { start: start?, bytes })
    }

    /// The 64 bits at the beginning.
    fn counter(&self) -> &AtomicU64 {
        // SAFETY: a mapping is aligned to pages, larger than 8 bytes and lives as long as self.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast()) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, of which no reference outlives self. A failure leaks memory.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

pub(crate) struct Ring {
    /// The first page: how far was read. Ours to write.
    consumer: Mapped,
    /// The second page: how far was written; then the data, twice in a row, so that no record is
    /// cut in two.
    producer: Mapped,
    page_bytes: usize,
    data_bytes: usize,
    epoll: OwnedFd,
}

impl Ring {
    pub(crate) fn new(map: &dyn MapCore) -> Result<Self, ProbeError> {
        let page_bytes = rustix::param::page_size();
        let data_bytes = map.max_entries() as usize;
        let both = ProtFlags::READ | ProtFlags::WRITE;
        let consumer = Mapped::new(map, 0, page_bytes, both)?;
        let producer = Mapped::new(map, page_bytes, page_bytes + 2 * data_bytes, ProtFlags::READ)?;
        let failed = |err| ProbeError::io("cannot wait for a ring buffer", err);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(failed)?;
        // Edges alone: a ring that holds something is always ready, and would never let us sleep.
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(0);
        epoll::add(&epoll, map.as_fd(), data, edges).map_err(failed)?;
        Ok(Self { consumer, producer, page_bytes, data_bytes, epoll })
    }

    /// Has [`Self::wait`] end whenever this becomes ready to be read, too.
    pub(crate) fn wake_by(&self, other: &OwnedFd) -> Result<(), ProbeError> {
        let edges = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&self.epoll, other, epoll::EventData::new_u64(1), edges)
            .map_err(|err| ProbeError::io("cannot wait for what wakes", err))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.data_bytes as u64
    }

    /// Bytes that wait to be read.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        let written = self.producer.counter().load(Ordering::Acquire);
        written.wrapping_sub(self.consumer.counter().load(Ordering::Relaxed))
    }

    /// Sleeps until a program wakes this reader, or until time is up.
    pub(crate) fn wait(&self, timeout: Duration) {
        let timeout = Timespec::try_from(timeout).ok();
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }];
        // Interrupted or not: what has come is read afterwards.
        let _ = epoll::wait(&self.epoll, &mut events[..], timeout.as_ref());
    }

    /// Gives each record that is there now to `each`.
    pub(crate) fn read(&mut self, mut each: impl FnMut(&[u8])) {
        let written = self.producer.counter().load(Ordering::Acquire);
        let mut position = self.consumer.counter().load(Ordering::Relaxed);
        let mut told = position;
        while position != written {
            let Some((record, bytes)) = self.record(position) else { break };
            if let Some(record) = record {
                each(record);
            }
            position += bytes;
            if position - told >= TELL_BYTES {
                self.consumer.counter().store(position, Ordering::Release);
                told = position;
            }
        }
        self.consumer.counter().store(position, Ordering::Release);
    }

    /// The record at a position, where it is complete; none of it if it was discarded. And how far
    /// it is to the next.
    fn record(&self, position: u64) -> Option<(Option<&[u8]>, u64)> {
        let offset = position as usize & (self.data_bytes - 1);
        // SAFETY: the data begin a page into the mapping and are there twice, so that a header at
        // any offset below data_bytes is inside. Positions are multiples of 8.
        let start = unsafe { self.producer.start.as_ptr().add(self.page_bytes + offset) };
        // SAFETY: aligned, as said, and only the kernel writes it, atomically.
        let header = unsafe { AtomicU32::from_ptr(start.cast()) }.load(Ordering::Acquire);
        if header & BUSY != 0 {
            return None;
        }
        let length = (header & !DISCARDED) as usize;
        let whole = (HEADER_BYTES + length).next_multiple_of(8);
        if whole > self.data_bytes {
            return None;
        }
        // SAFETY: a record is no longer than the data, which are mapped twice, and the kernel leaves
        // it alone until it is told that it was read.
        let record = unsafe { slice::from_raw_parts(start.add(HEADER_BYTES), length) };
        Some(((header & DISCARDED == 0).then_some(record), whole as u64))
    }
}
