//! Waiting until no BPF program that is running now is running any more.
//!
//! Owns one trick: the kernel answers an update of a map of maps from user space only after a
//! grace period of RCU (`maybe_wait_bpf_programs()`, since 4.15), exactly so that user space can
//! know that nobody uses the map that was replaced.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::libbpf_sys::bpf_map_create_opts;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use crate::error::ProbeError;

pub(crate) struct Grace {
    inner: MapHandle,
    outer: MapHandle,
}

impl Grace {
    pub(crate) fn new() -> Result<Self, ProbeError> {
        let create = |kind, inner_map_fd| {
            let opts = bpf_map_create_opts {
                sz: size_of::<bpf_map_create_opts>() as _,
                inner_map_fd,
                ..Default::default()
            };
            MapHandle::create(kind, Some("weir_grace"), 4, 4, 1, &opts)
                .map_err(|err| ProbeError::libbpf("cannot create the map to wait with", err))
        };
        let inner = create(MapType::Array, 0)?;
        let fd = inner.as_fd().as_raw_fd().cast_unsigned();
        let outer = create(MapType::ArrayOfMaps, fd)?;
        Ok(Self { inner, outer })
    }

    /// Returns when every program that ran at the time of the call has ended.
    pub(crate) fn wait(&self) -> Result<(), ProbeError> {
        let fd = self.inner.as_fd().as_raw_fd().to_ne_bytes();
        self.outer
            .update(&0u32.to_ne_bytes(), &fd, MapFlags::ANY)
            .map_err(|err| ProbeError::libbpf("cannot wait for running programs to end", err))
    }
}
