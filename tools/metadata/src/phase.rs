//! One operation done to every file by all threads, and what came of it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::files::Job;
use crate::operation::{Operation, Ready};

/// Of which the latencies are told, where any operation lies beyond: fio's.
const PERCENTILES: [f64; 17] =
    [1., 5., 10., 20., 30., 40., 50., 60., 70., 80., 90., 95., 99., 99.5, 99.9, 99.95, 99.99];
const WRONG_DATA: &str = "what was read back is not what was written";

#[derive(Serialize)]
pub struct Phase {
    operation: Operation,
    /// That went well: figures are theirs.
    operations: u64,
    bytes: u64,
    /// From the first begin to the last end of all threads.
    seconds: f64,
    latency_mean_ns: f64,
    /// (percentile, ns): the smallest latency that so many percent do not exceed.
    latency_ns: Vec<(f64, u64)>,
    errors: Vec<Failure>,
}

#[derive(Serialize)]
struct Failure {
    /// As errno tells it; none of data that is wrong.
    code: Option<i32>,
    words: String,
    count: u64,
    first: PathBuf,
}

impl Phase {
    pub fn failed(&self) -> bool {
        !self.errors.is_empty()
    }
}

struct Share {
    begun: Instant,
    ended: Instant,
    latencies_ns: Vec<u64>,
    bytes: u64,
    errors: Vec<(io::Error, PathBuf)>,
}

pub fn run(job: &Job, operation: Operation) -> Phase {
    let count = operation.count(job);
    let order = if operation == Operation::Create {
        (0..count).collect()
    } else {
        job.shuffled(count, operation as u64)
    };
    let length = order.len().div_ceil(usize::try_from(job.threads).unwrap_or(1)).max(1);
    let parts: Vec<&[u64]> = order.chunks(length).collect();
    let start = Barrier::new(parts.len());
    let shares: Vec<Share> = thread::scope(|scope| {
        let threads: Vec<_> =
            parts.iter().map(|part| scope.spawn(|| work(job, operation, part, &start))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread panicked")).collect()
    });
    summed(operation, shares)
}

fn work(job: &Job, operation: Operation, numbers: &[u64], start: &Barrier) -> Share {
    let mut ready = Ready::new(job, operation);
    let (mut latencies_ns, mut errors, mut bytes) = (Vec::with_capacity(numbers.len()), Vec::new(), 0);
    start.wait();
    let begun = Instant::now();
    for number in numbers {
        ready.aim(*number);
        let before = Instant::now();
        let done = ready.act();
        let latency = nanoseconds(before.elapsed());
        match done {
            Ok(moved) if ready.is_right(moved) => {
                latencies_ns.push(latency);
                bytes += moved as u64;
            }
            Ok(_) => errors.push((io::Error::other(WRONG_DATA), ready.path.clone())),
            Err(error) => errors.push((error, ready.path.clone())),
        }
    }
    Share { begun, ended: Instant::now(), latencies_ns, bytes, errors }
}

fn summed(operation: Operation, shares: Vec<Share>) -> Phase {
    let begun = shares.iter().map(|share| share.begun).min();
    let ended = shares.iter().map(|share| share.ended).max();
    let seconds = begun.zip(ended).map_or(0.0, |(begun, ended)| (ended - begun).as_secs_f64());
    let bytes = shares.iter().map(|share| share.bytes).sum();
    let (mut latencies, mut errors) = (Vec::new(), BTreeMap::new());
    for share in shares {
        latencies.extend(share.latencies_ns);
        for (error, path) in share.errors {
            let code = error.raw_os_error();
            let entry = || Failure { code, words: error.to_string(), count: 0, first: path };
            errors.entry(code).or_insert_with(entry).count += 1;
        }
    }
    latencies.sort_unstable();
    Phase {
        operation,
        operations: latencies.len() as u64,
        bytes,
        seconds,
        latency_mean_ns: latencies.iter().sum::<u64>() as f64 / latencies.len().max(1) as f64,
        latency_ns: percentiles(&latencies),
        errors: errors.into_values().collect(),
    }
}

/// By nearest rank. Shares are counted in hundredths of a percent: in binary fractions 99.9 % of 10,000 is not 9,990.
fn percentiles(sorted: &[u64]) -> Vec<(f64, u64)> {
    let rank = |percentile: f64| (sorted.len() * (percentile * 100.0).round() as usize).div_ceil(10_000);
    let known = PERCENTILES.iter().map(|percentile| (*percentile, rank(*percentile)));
    known
        .filter(|(_, rank)| (1..sorted.len()).contains(rank))
        .map(|(p, rank)| (p, sorted[rank - 1]))
        .collect()
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::files::job;
    use Operation::{Create, Read, Readdir, Rename, Stat, Unlink, Write};

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("fuselab-metadata-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn prepared(root: &Path, operations: &[Operation]) -> Job {
        let job = job(root, operations);
        (0..job.folders).for_each(|number| fs::create_dir_all(job.folder(number)).unwrap());
        job
    }

    #[test]
    fn files_are_there_after_create_and_gone_after_unlink() {
        let root = folder("life");
        let job = prepared(&root, &[Create, Stat, Operation::Open, Readdir, Rename, Write, Read, Unlink]);
        for operation in &job.operations {
            let done = run(&job, *operation);
            assert!(!done.failed(), "{operation:?}");
            assert_eq!(done.operations, if *operation == Readdir { 6 } else { 200 });
            assert_eq!(done.bytes, if matches!(operation, Read | Write) { 200_000 } else { 0 });
            let there = (0..job.files).filter(|file| job.renamed(*file).exists()).count();
            assert_eq!(there, if matches!(operation, Rename | Write | Read) { 200 } else { 0 });
        }
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn errors_are_counted_by_kind_and_other_data_is_one() {
        let root = folder("errors");
        let job = prepared(&root, &[Create, Write, Read]);
        assert!(!run(&job, Create).failed() && !run(&job, Write).failed());
        fs::write(job.path(3), "other").unwrap();
        fs::remove_file(job.path(5)).unwrap();
        fs::remove_file(job.path(6)).unwrap();
        let done = run(&job, Read);
        let told: Vec<_> = done.errors.iter().map(|error| (error.code, error.count)).collect();
        assert_eq!(told, [(None, 1), (Some(2), 2)]);
        assert_eq!(done.errors[0].words, WRONG_DATA);
        assert_eq!(done.errors[0].first, job.path(3));
        assert_eq!(done.operations, 197);
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_percentile_is_a_latency_that_occurred_and_something_lies_beyond_it() {
        let latencies: Vec<u64> = (1..=1000).collect();
        let told = percentiles(&latencies);
        assert!(told.contains(&(50.0, 500)) && told.contains(&(99.0, 990)) && told.contains(&(99.9, 999)));
        assert_eq!(told.last(), Some(&(99.9, 999)));
        assert_eq!(percentiles(&[5]), []);
    }
}
