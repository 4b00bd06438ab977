//! Which files there are: names, contents and orders, from the job alone.

use std::path::PathBuf;

use serde::Deserialize;

use crate::operation::Operation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// All happens below it.
    root: PathBuf,
    /// The mount of which the kernel forgets all names before each operation, if any.
    pub forgetting: Option<PathBuf>,
    pub operations: Vec<Operation>,
    pub files: u64,
    pub folders: u64,
    /// Bytes of each file.
    pub size: usize,
    /// How often each folder is listed.
    pub listings: u64,
    pub threads: u64,
    seed: u64,
}

impl Job {
    pub fn folder(&self, number: u64) -> PathBuf {
        self.root.join(format!("d{number:05}"))
    }

    /// The file before it is renamed.
    pub fn path(&self, file: u64) -> PathBuf {
        self.named('f', file)
    }

    pub fn renamed(&self, file: u64) -> PathBuf {
        self.named('r', file)
    }

    fn named(&self, first: char, file: u64) -> PathBuf {
        let name = format!("{first}{:016x}", self.random(file));
        self.folder(file % self.folders).join(name)
    }

    /// Fills `content` with the bytes of the file.
    pub fn fill(&self, file: u64, content: &mut [u8]) {
        let mut state = self.random(file) | 1;
        for chunk in content.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
        }
    }

    /// The numbers below `count` in an order that belongs to `salt`.
    pub fn shuffled(&self, count: u64, salt: u64) -> Vec<u64> {
        let mut order: Vec<u64> = (0..count).collect();
        order.sort_unstable_by_key(|number| self.random(number ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93)));
        order
    }

    /// Another number for each `number` (splitmix64, https://prng.di.unimi.it/splitmix64.c).
    fn random(&self, number: u64) -> u64 {
        let step = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed.wrapping_mul(0xd6e8_feb8_6659_fd93).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
pub fn job(root: &std::path::Path, operations: &[Operation]) -> Job {
    let (root, operations) = (root.to_path_buf(), operations.to_vec());
    Job {
        root,
        forgetting: None,
        operations,
        files: 200,
        folders: 3,
        size: 1000,
        listings: 2,
        threads: 2,
        seed: 7,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn names_are_those_of_the_seed_and_no_two_are_alike() {
        let one = job(Path::new("/x"), &[]);
        let names: HashSet<PathBuf> = (0..one.files).map(|file| one.path(file)).collect();
        assert_eq!(names.len(), 200);
        let other = Job { seed: 8, ..job(Path::new("/x"), &[]) };
        assert!((0..other.files).all(|file| !names.contains(&other.path(file))));
    }

    #[test]
    fn each_operation_has_an_order_of_its_own_in_which_each_file_stands_once() {
        let job = job(Path::new("/x"), &[]);
        let (one, two) = (job.shuffled(200, 1), job.shuffled(200, 2));
        assert_ne!(one, two);
        assert_eq!(one.iter().collect::<HashSet<_>>().len(), 200);
        assert_eq!(one, job.shuffled(200, 1));
    }
}
