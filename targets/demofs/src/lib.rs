//! demofs: a small, honest FUSE filesystem on tokio, made to be measured.
//!
//! A request goes from [`fs`] (the FUSE operations) to [`file`] (data) or [`tree`] (names),
//! and from there to [`chunks`] (data on disk, or in a [`bucket`]) and [`meta`] (the metadata store).
//! [`inject`] plants known faults on that way; [`telemetry`] lets profilers look at it.

pub mod bucket;
pub mod chunks;
pub mod cli;
pub mod file;
pub mod fs;
pub mod handles;
pub mod http;
pub mod inject;
pub mod locks;
pub mod meta;
pub mod mount;
pub mod reply;
pub mod telemetry;
pub mod tree;

#[cfg(feature = "jemalloc-profiling")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The error for a POSIX error number such as [`libc::ENOENT`].
pub(crate) fn errno(number: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(number)
}
