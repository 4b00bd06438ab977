//! A Criterion profiler that samples the process's CPU time with pprof.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use criterion::profiler::Profiler;
use nix::time::{ClockId, clock_gettime};
use pprof::{ProfilerGuard, ProfilerGuardBuilder, Report};

/// What is asked for; the kernel rounds the interval up to its own tick.
const SAMPLES_PER_S: i32 = 1000;

/// Leaves `flamegraph.svg` (in samples) and `folded.txt` (in nanoseconds) for each bench.
#[derive(Default)]
pub struct Flamegraph {
    running: Option<(ProfilerGuard<'static>, Duration)>,
}

impl Profiler for Flamegraph {
    fn start_profiling(&mut self, _id: &str, _folder: &Path) {
        let guard = ProfilerGuardBuilder::default().frequency(SAMPLES_PER_S).build();
        self.running = Some((guard.expect("one profiler at a time"), process_cpu()));
    }

    fn stop_profiling(&mut self, id: &str, folder: &Path) {
        let Some((guard, cpu_before)) = self.running.take() else { return };
        let cpu = process_cpu() - cpu_before;
        let report = guard.report().build().expect("samples");
        drop(guard);
        fs::create_dir_all(folder).expect("a folder for the profile");
        let svg = File::create(folder.join("flamegraph.svg")).expect("a file for the flamegraph");
        if let Err(error) = report.flamegraph(svg) {
            eprintln!("{id}: no flamegraph: {error}");
        }
        fs::write(folder.join("folded.txt"), folded(&report, cpu)).expect("a file for the stacks");
    }
}

/// One line a stack: frames from the outermost in, joined by `;`, and nanoseconds on CPU.
/// The CPU time that was really used is shared out among the samples.
fn folded(report: &Report, cpu: Duration) -> String {
    let mut stacks: BTreeMap<String, u128> = BTreeMap::new();
    for (key, samples) in &report.data {
        let symbols = key.frames.iter().rev().flat_map(|frame| frame.iter().rev());
        let frames: Vec<_> = symbols.map(|symbol| symbol.name().replace(';', ":")).collect();
        let stack = if frames.is_empty() { "[unknown]".into() } else { frames.join(";") };
        *stacks.entry(stack).or_default() += *samples as u128;
    }
    let total = stacks.values().sum::<u128>().max(1);
    stacks.iter().fold(String::new(), |mut text, (stack, samples)| {
        writeln!(text, "{stack} {}", samples * cpu.as_nanos() / total).expect("a string takes all");
        text
    })
}

fn process_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every process has a CPU clock").into()
}
