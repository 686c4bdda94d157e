//! Emptying a hash map many elements at a time.
//!
//! Owns the buffers and the calls; libbpf-rs's own iterator allocates twice for each element.

use std::os::fd::AsRawFd;
use std::ptr;

use libbpf_rs::MapCore;
use libbpf_rs::libbpf_sys::{
    bpf_map_batch_opts, bpf_map_lookup_and_delete_batch, bpf_map_lookup_batch,
};
use rustix::io::Errno;

use crate::error::ProbeError;
use crate::record::{Plain, read};

/// Elements asked for at once; doubled where a single bucket of the hash holds more.
const ELEMENTS: usize = 1024;
/// A bucket with more elements than this is not believed.
const ELEMENTS_MAX: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deletion {
    Keep,
    Delete,
}

/// Gives every element of `map` to `each` and removes it. Nobody else may change the map
/// meanwhile.
pub(crate) fn drain<K: Plain, V: Plain>(
    map: &dyn MapCore,
    each: impl FnMut(K, V),
) -> Result<(), ProbeError> {
    walk(map, Deletion::Delete, each)
}

/// Gives every element of `map` to `each`.
pub(crate) fn read_all<K: Plain, V: Plain>(
    map: &dyn MapCore,
    each: impl FnMut(K, V),
) -> Result<(), ProbeError> {
    walk(map, Deletion::Keep, each)
}

fn walk<K: Plain, V: Plain>(
    map: &dyn MapCore,
    deletion: Deletion,
    mut each: impl FnMut(K, V),
) -> Result<(), ProbeError> {
    let failed = |err: Errno| ProbeError::io(format!("cannot read the map {:?}", map.name()), err);
    let (key_size, value_size) = (map.key_size() as usize, map.value_size() as usize);
    if key_size != size_of::<K>() || value_size != size_of::<V>() {
        return Err(failed(Errno::INVAL));
    }
    let mut elements = ELEMENTS;
    let (mut keys, mut values) = (vec![0; elements * key_size], vec![0; elements * value_size]);
    // The kernel's cursor is as large as a key or a bucket number, whichever is larger.
    let mut cursor = vec![0; key_size.max(size_of::<u64>())];
    let mut is_first = true;
    loop {
        let (count, outcome) =
            call(map, deletion, &mut cursor, is_first, (&mut keys, &mut values, elements));
        if outcome == Err(Errno::NOSPC) && elements < ELEMENTS_MAX {
            elements *= 2;
            keys.resize(elements * key_size, 0);
            values.resize(elements * value_size, 0);
            continue;
        }
        if !matches!(outcome, Ok(()) | Err(Errno::NOENT)) {
            return outcome.map_err(failed);
        }
        let pairs = keys.chunks_exact(key_size).zip(values.chunks_exact(value_size));
        for (key, value) in pairs.take(count) {
            if let (Some(key), Some(value)) = (read(key), read(value)) {
                each(key, value);
            }
        }
        if outcome.is_err() {
            return Ok(());
        }
        is_first = false;
    }
}

/// One batch: how many elements came, and whether there are more (`NOENT`: there are not).
fn call(
    map: &dyn MapCore,
    deletion: Deletion,
    cursor: &mut [u8],
    is_first: bool,
    (keys, values, elements): (&mut [u8], &mut [u8], usize),
) -> (usize, Result<(), Errno>) {
    let opts =
        bpf_map_batch_opts { sz: size_of::<bpf_map_batch_opts>() as _, ..Default::default() };
    let mut count = elements as u32;
    let start = if is_first { ptr::null_mut() } else { cursor.as_mut_ptr().cast() };
    let function = match deletion {
        Deletion::Keep => bpf_map_lookup_batch,
        Deletion::Delete => bpf_map_lookup_and_delete_batch,
    };
    // SAFETY: `keys` and `values` hold `count` elements of the sizes that `walk` compared with the
    // map's, `cursor` is as large as the kernel's, and all outlive the call.
    let result = unsafe {
        function(
            map.as_fd().as_raw_fd(),
            start,
            cursor.as_mut_ptr().cast(),
            keys.as_mut_ptr().cast(),
            values.as_mut_ptr().cast(),
            &mut count,
            &opts,
        )
    };
    if result == 0 {
        return (count as usize, Ok(()));
    }
    let errno = Errno::from_raw_os_error(-result);
    // Only NOENT leaves a count that can be used (generic and hash batch functions).
    let count = if errno == Errno::NOENT { count as usize } else { 0 };
    (count, Err(errno))
}
