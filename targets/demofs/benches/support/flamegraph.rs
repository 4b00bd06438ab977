//! A Criterion profiler that samples the process's CPU time with pprof.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;

use criterion::profiler::Profiler;
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};

const SAMPLES_PER_S: i32 = 1000;

/// Leaves `flamegraph.svg` (in samples) and `folded.txt` (in nanoseconds) for each bench.
#[derive(Default)]
pub struct Flamegraph {
    running: Option<ProfilerGuard<'static>>,
}

impl Profiler for Flamegraph {
    fn start_profiling(&mut self, _id: &str, _folder: &Path) {
        let guard = ProfilerGuardBuilder::default().frequency(SAMPLES_PER_S).build();
        self.running = Some(guard.expect("one profiler at a time"));
    }

    fn stop_profiling(&mut self, id: &str, folder: &Path) {
        let Some(guard) = self.running.take() else { return };
        let report = guard.report().build().expect("samples");
        drop(guard);
        fs::create_dir_all(folder).expect("a folder for the profile");
        let svg = File::create(folder.join("flamegraph.svg")).expect("a file for the flamegraph");
        if let Err(error) = report.flamegraph(svg) {
            eprintln!("{id}: no flamegraph: {error}");
        }
        fs::write(folder.join("folded.txt"), folded(&report)).expect("a file for the stacks");
    }
}

/// One line a stack: frames from the outermost in, joined by `;`, and nanoseconds on CPU.
fn folded(report: &Report) -> String {
    let mut stacks = BTreeMap::new();
    for (key, samples) in &report.data {
        let symbols = key.frames.iter().rev().flat_map(|frame| frame.iter().rev());
        let frames = symbols.map(|symbol| symbol.name().replace(';', ":"));
        let stack: Vec<_> = std::iter::once(key.thread_name_or_id()).chain(frames).collect();
        *stacks.entry(stack.join(";")).or_insert(0) += *samples as i64;
    }
    let ns_per_sample = 1_000_000_000 / i64::from(SAMPLES_PER_S);
    stacks.iter().fold(String::new(), |mut text, (stack, samples)| {
        writeln!(text, "{stack} {}", samples * ns_per_sample).expect("a string takes all");
        text
    })
}
