//! Locks by inode number, so that two changes to one inode cannot overtake each other while
//! changes to different inodes go on side by side.

use tokio::sync::{Mutex, MutexGuard};

const STRIPES: u64 = 64;

/// A fixed number of locks that share all inodes among them.
pub struct InodeLocks {
    stripes: [Mutex<()>; STRIPES as usize],
}

impl Default for InodeLocks {
    fn default() -> Self {
        Self { stripes: std::array::from_fn(|_| Mutex::new(())) }
    }
}

impl InodeLocks {
    /// Locks all the given inodes. They are taken in one fixed order, so two callers that
    /// want some of the same inodes never wait for each other in a circle.
    pub async fn lock(&self, inos: &[u64]) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<u64> = inos.iter().map(|ino| ino % STRIPES).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = Vec::with_capacity(wanted.len());
        for stripe in wanted {
            held.push(self.stripes[stripe as usize].lock().await);
        }
        held
    }
}
