//! How profilers look at demofs, switched on by environment variables.
//!
//! | variable | effect, in a build with the `profiling` feature |
//! |---|---|
//! | `DEMOFS_TRACE_CHROME=FILE` | spans with times and arguments, as a Chrome trace |
//! | `DEMOFS_TRACE_FLAME=FILE` | spans as folded stacks |
//! | `DEMOFS_BENCH_CHROME=FILE` | as the first, for the benches |
//! | `TOKIO_CONSOLE=1` | tasks, for tokio-console (needs `--cfg tokio_unstable`) |
//! | `RUST_LOG=FILTER` | what all of them and the log get to see, `info` by default |

#[cfg(not(feature = "profiling"))]
mod plain;
#[cfg(feature = "profiling")]
mod profiling;

#[cfg(not(feature = "profiling"))]
pub use plain::{Guard, init, init_bench};
#[cfg(feature = "profiling")]
pub use profiling::{Guard, init, init_bench};

/// The file for a Chrome trace.
pub const TRACE_CHROME: &str = "DEMOFS_TRACE_CHROME";
/// The file for a Chrome trace of a bench.
pub const BENCH_CHROME: &str = "DEMOFS_BENCH_CHROME";
/// The file for folded stacks.
pub const TRACE_FLAME: &str = "DEMOFS_TRACE_FLAME";
/// Whether tasks are shown.
pub const TOKIO_CONSOLE: &str = "TOKIO_CONSOLE";
