//! Does one kind of operation after the other to a fixed set of files, and times each of them.
//!
//!     fuselab-metadata JOB RESULT
//!
//! JOB and RESULT are JSON: `Job` in `files.rs` and `Phase` in `phase.rs`. What is done, to which names and in which
//! order follows from JOB alone. Exit code 1: an operation failed, which RESULT tells of; nothing comes after its phase.

mod files;
mod operation;
mod phase;
mod system;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::process::ExitCode;

use files::Job;
use phase::Phase;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [job, result] = arguments.as_slice() else {
        eprintln!("usage: fuselab-metadata JOB RESULT");
        return ExitCode::from(2);
    };
    match run(job, result) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(job: &str, result: &str) -> io::Result<bool> {
    let job: Job = serde_json::from_reader(BufReader::new(File::open(job)?))?;
    for number in 0..job.folders {
        fs::create_dir_all(job.folder(number))?;
    }
    let mut phases: Vec<Phase> = Vec::new();
    for operation in &job.operations {
        if let Some(mount) = &job.forgetting {
            system::forget_names(mount)?;
        }
        phases.push(phase::run(&job, *operation));
        if phases.last().is_some_and(Phase::failed) {
            break;
        }
    }
    let mut out = BufWriter::new(File::create(result)?);
    serde_json::to_writer(&mut out, &phases)?;
    out.flush()?;
    Ok(!phases.iter().any(Phase::failed))
}
