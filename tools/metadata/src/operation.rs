//! What is done to a file, by as few system calls as a program can do it with.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::files::Job;
use crate::system::close;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    Create,
    Stat,
    Open,
    Readdir,
    Rename,
    Write,
    Read,
    Unlink,
}

use Operation::{Create, Open, Readdir, Rename, Stat, Unlink};

/// An operation that is ready to be timed: names and contents are made before.
pub struct Ready<'a> {
    job: &'a Job,
    operation: Operation,
    pub path: PathBuf,
    renamed: PathBuf,
    content: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'a> Ready<'a> {
    pub fn new(job: &'a Job, operation: Operation) -> Self {
        let (content, buffer) = (vec![0; job.size], vec![0; job.size + 1]);
        Self { job, operation, path: PathBuf::new(), renamed: PathBuf::new(), content, buffer }
    }

    /// Gets the operation on `number`, a file or a folder, ready.
    pub fn aim(&mut self, number: u64) {
        let job = self.job;
        self.path = match self.operation {
            Readdir => job.folder(number % job.folders),
            operation if operation.after_rename(&job.operations) => job.renamed(number),
            _ => job.path(number),
        };
        match self.operation {
            Rename => self.renamed = job.renamed(number),
            Operation::Write | Operation::Read => job.fill(number, &mut self.content),
            _ => (),
        }
    }

    /// Does it. Bytes moved.
    pub fn act(&mut self) -> io::Result<usize> {
        match self.operation {
            Create => close(OpenOptions::new().write(true).create_new(true).open(&self.path)?)?,
            Stat => _ = fs::symlink_metadata(&self.path)?,
            Open => close(File::open(&self.path)?)?,
            Readdir => {
                for entry in fs::read_dir(&self.path)? {
                    entry?;
                }
            }
            Rename => fs::rename(&self.path, &self.renamed)?,
            Unlink => fs::remove_file(&self.path)?,
            Operation::Write => {
                let mut file = OpenOptions::new().write(true).open(&self.path)?;
                file.write_all(&self.content)?;
                close(file)?;
                return Ok(self.content.len());
            }
            Operation::Read => {
                let mut file = File::open(&self.path)?;
                let read = read_whole(&mut file, &mut self.buffer)?;
                close(file)?;
                return Ok(read);
            }
        }
        Ok(0)
    }

    /// Whether what was read is what was written.
    pub fn is_right(&self, bytes: usize) -> bool {
        self.operation != Operation::Read || self.buffer[..bytes] == self.content[..]
    }
}

impl Operation {
    /// How many there are.
    pub fn count(self, job: &Job) -> u64 {
        if self == Readdir { job.folders * job.listings } else { job.files }
    }

    fn after_rename(self, operations: &[Self]) -> bool {
        let place = |wanted| operations.iter().position(|operation| *operation == wanted);
        place(Rename).is_some_and(|renamed| place(self) > Some(renamed))
    }
}

/// As much of the file as there is, or as fits.
fn read_whole(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
