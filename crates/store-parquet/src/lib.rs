//! The embedded store: Parquet files, a SQLite database as journal and catalogue, and an executor
//! over Arrow arrays.
//!
//! Owns one data directory:
//!
//! ```text
//! data_dir/lock                                    held while a process has the store open
//! data_dir/catalogue.sqlite (-wal, -shm)           journal, catalogue, sequences seen, losses
//! data_dir/l4_flows/2026/11/21/13/42.parquet       rows of one UTC hour, zstd, sorted
//! data_dir/l4_flows/2026/11/21/13/42.parquet.corrupt   set aside, never deleted
//! ```
//!
//! A batch is acknowledged once SQLite has committed it to the journal (WAL, `synchronous=FULL`).
//! A flush writes the journalled rows of each hour to a Parquet file, syncs file and directory,
//! then enters the files in the catalogue and drops the journal rows in one SQLite transaction. A
//! file that the catalogue does not name is the rest of an interrupted flush and is removed at
//! open. Any reader of Parquet takes the files as they are
//! (`SELECT * FROM 'data_dir/l4_flows/**/*.parquet'`); rows that are still journalled are not in
//! them.
//!
//! Knows nothing of HTTP, agents or names; time comes in through `Store::maintain`.

mod cache;
mod catalogue;
mod errors;
mod exec;
mod files;
mod hot;
mod ingest;
mod journal;
mod maintenance;
mod merge;
mod options;
mod read;
mod segment;
mod state;
mod store;
mod write;

pub use options::Options;
pub use store::ParquetStore;
