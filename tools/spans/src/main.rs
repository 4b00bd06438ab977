//! Pairs the begins and ends of spans in a file of tracing-chrome.
//!
//!     fuselab-spans TRACE FOLDER < SLICES
//!
//! Each line of SLICES is "start end": bytes of TRACE that hold whole records with a comma between them. Leaves in
//! FOLDER one file of plain little-endian numbers for each column (see `columns.rs`), and prints what the numbers of
//! places and threads mean, as JSON. Slices are parsed on all processors and paired in their order by the main thread.

mod columns;
mod pairing;
mod slice;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustc_hash::FxHashMap;
use serde::Serialize;

use pairing::Pairing;
use slice::{Site, Slice};

#[derive(Default, Serialize)]
struct Meanings {
    sites: Vec<Site<'static>>,
    threads: BTreeMap<i32, String>,
    threaded: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [trace, folder] = arguments.as_slice() else {
        eprintln!("usage: fuselab-spans TRACE FOLDER < SLICES");
        return ExitCode::from(2);
    };
    match run(Path::new(trace), Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(trace: &Path, folder: &Path) -> io::Result<()> {
    let borders = borders()?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut pairing = Pairing::create(folder)?;
    let mut meanings = Meanings::default();
    thread::scope(|scope| -> io::Result<()> {
        let mut parsed = Vec::new();
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(1);
            let mine = borders.iter().copied().skip(worker).step_by(workers);
            scope.spawn(move || parse(trace, mine, &sender));
            parsed.push(receiver);
        }
        pair(&parsed, borders.len(), &mut pairing, &mut meanings)
    })?;
    pairing.finish()?;
    serde_json::to_writer(io::stdout().lock(), &meanings)?;
    io::stdout().flush()
}

fn borders() -> io::Result<Vec<(u64, u64)>> {
    io::stdin().lock().lines().map(|line| border(&line?)).collect()
}

fn border(line: &str) -> io::Result<(u64, u64)> {
    let number = |text: &str| text.parse().map_err(io::Error::other);
    let (start, end) = line.split_once(' ').ok_or_else(|| io::Error::other("a slice is \"start end\""))?;
    Ok((number(start)?, number(end)?))
}

/// One worker: its slices in order, until one is faulty or nobody listens any more.
fn parse(trace: &Path, slices: impl Iterator<Item = (u64, u64)>, parsed: &SyncSender<io::Result<Slice>>) {
    let file = File::open(trace);
    for (start, end) in slices {
        let slice = match &file {
            Ok(file) => Slice::read(file, start, end),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        let faulty = slice.is_err();
        if parsed.send(slice).is_err() || faulty {
            return;
        }
    }
}

fn pair(
    parsed: &[Receiver<io::Result<Slice>>],
    slices: usize,
    pairing: &mut Pairing,
    meanings: &mut Meanings,
) -> io::Result<()> {
    let mut numbers: FxHashMap<Site<'static>, u32> = FxHashMap::default();
    for number in 0..slices {
        let slice = parsed[number % parsed.len()].recv().map_err(io::Error::other)??;
        let mut known = Vec::with_capacity(slice.sites.len());
        for site in &slice.sites {
            let next = u32::try_from(numbers.len()).map_err(io::Error::other)?;
            known.push(*numbers.entry(site.clone()).or_insert_with(|| {
                meanings.sites.push(site.clone());
                next
            }));
        }
        for event in &slice.events {
            pairing.take(event, known[event.site as usize], slice.arguments(event))?;
        }
        meanings.threaded |= slice.threaded;
        meanings.threads.extend(slice.threads);
    }
    Ok(())
}
