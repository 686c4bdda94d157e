//! The conformance suite over the embedded store: with its defaults, and with limits so small
//! that every row is flushed at once, files have many row groups, nothing is cached and all
//! questions run on several threads.

use weir_store::conformance::Opened;
use weir_store_parquet::{Options, ParquetStore};

fn open_with(change: impl FnOnce(&mut Options)) -> Opened {
    let dir = tempfile::tempdir().expect("a directory");
    let mut options = Options::new(dir.path());
    change(&mut options);
    let store = ParquetStore::open(options).expect("an empty store");
    Opened { store: Box::new(store), keep: Box::new(dir) }
}

mod defaults {
    use super::*;

    fn open() -> Opened {
        open_with(|_| {})
    }

    weir_store::store_conformance!(open);
}

mod small_limits {
    use super::*;

    fn open() -> Opened {
        open_with(|options| {
            options.flush_bytes = 1;
            options.row_group_rows_max = 7;
            options.file_rows_max = 20;
            options.cache_bytes_max = 0;
            options.question_threads_max = 3;
            options.thread_rows_min = 1;
        })
    }

    weir_store::store_conformance!(open);
}
