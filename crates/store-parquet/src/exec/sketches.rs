//! Running sketches of groups, with a bound on their memory.

use hashbrown::HashMap;
use weir_model::Sketch;
use weir_store::{StoreError, StoreErrorKind};

use crate::errors::invalid;

/// What a sketch takes beside its buckets.
const ENTRY_BYTES: usize = size_of::<(u32, Sketch)>() + 1;

/// The sketches of one column, of those groups that have any.
#[derive(Debug, Default)]
pub struct Sketches {
    by_group: HashMap<u32, Sketch>,
    bytes: usize,
}

impl Sketches {
    /// Adds an encoded sketch to a group.
    pub fn add(&mut self, group: u32, encoded: &[u8], bytes_max: u64) -> Result<(), StoreError> {
        // Only what decodes was taken in, and files have checksums.
        let sketch = Sketch::decode(encoded).map_err(|error| {
            StoreError::with_source(StoreErrorKind::Corrupt, "a stored sketch is damaged", error)
        })?;
        self.merge(group, Some(&sketch), bytes_max)
    }

    /// Adds a sketch to a group.
    pub fn merge(
        &mut self,
        group: u32,
        sketch: Option<&Sketch>,
        bytes_max: u64,
    ) -> Result<(), StoreError> {
        let Some(sketch) = sketch else { return Ok(()) };
        let own = self.by_group.entry(group).or_insert_with(|| {
            self.bytes += ENTRY_BYTES;
            Sketch::default()
        });
        let before = own.memory_bytes();
        own.merge(sketch);
        self.bytes += own.memory_bytes() - before;
        if self.bytes as u64 > bytes_max {
            let groups = self.by_group.len();
            return Err(invalid(format!(
                "the quantiles of more than {groups} groups take more than {} MiB of memory; \
                 narrow the filter, group by less, or leave the quantiles out",
                bytes_max >> 20
            )));
        }
        Ok(())
    }

    pub fn get(&self, group: u32) -> Option<&Sketch> {
        self.by_group.get(&group)
    }
}
