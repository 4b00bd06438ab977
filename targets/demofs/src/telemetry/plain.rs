//! A build without profilers: warnings and errors go to standard error, and spans cost no
//! more than finding out that nobody wants them.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::{Event, Level, Metadata, Subscriber};

use super::{BENCH_CHROME, TOKIO_CONSOLE, TRACE_CHROME, TRACE_FLAME};

/// Nothing to complete at the end; a build with profilers has more in its own.
#[must_use]
pub struct Guard;

/// Sets up the log.
pub fn init() -> anyhow::Result<Guard> {
    log_errors_and_explain(&[TRACE_CHROME, TRACE_FLAME, TOKIO_CONSOLE])
}

/// Sets up the log for the benches.
pub fn init_bench() -> anyhow::Result<Guard> {
    log_errors_and_explain(&[BENCH_CHROME, TRACE_FLAME, TOKIO_CONSOLE])
}

fn log_errors_and_explain(useless: &[&str]) -> anyhow::Result<Guard> {
    for name in useless.iter().filter(|name| std::env::var_os(name).is_some()) {
        eprintln!("demofs: {name} is set, but this build has no `profiling` feature: it does nothing");
    }
    tracing::subscriber::set_global_default(Errors)?;
    Ok(Guard)
}

struct Errors;

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(format!("demofs: {} {}:", event.metadata().level(), event.metadata().target()));
        event.record(&mut line);
        eprintln!("{}", line.0);
    }

    // No span is ever enabled, so nothing below is called.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        let written = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a string takes all that is written to it");
    }
}
