//! How much may wait for the store, over all tracks of a channel.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::config::Spool;

/// The room of a channel. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub(super) struct Room {
    spool: Arc<Spool>,
    in_memory: Arc<AtomicU64>,
    on_disk: Arc<AtomicU64>,
}

/// Where something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Memory,
    Disk,
}

impl Room {
    pub(super) fn new(spool: Spool) -> Self {
        Self { spool: Arc::new(spool), in_memory: Arc::default(), on_disk: Arc::default() }
    }

    fn limit(&self, place: Where) -> (u64, &AtomicU64) {
        match place {
            Where::Memory => (self.spool.memory, &self.in_memory),
            Where::Disk => (self.spool.disk.as_ref().map_or(0, |(_, bytes)| *bytes), &self.on_disk),
        }
    }

    fn fits(&self, place: Where, bytes: u64) -> bool {
        let (limit, taken) = self.limit(place);
        taken.load(Ordering::Relaxed) + bytes <= limit
    }

    /// True if there is room for so many bytes.
    pub(super) fn has(&self, bytes: u64) -> bool {
        self.fits(Where::Memory, bytes) || self.fits(Where::Disk, bytes)
    }

    /// Takes room, in memory before the disk, if there is any. The channel's task is the only one that takes any.
    pub(super) fn take(&self, bytes: u64) -> Option<Where> {
        let place = [Where::Memory, Where::Disk].into_iter().find(|place| self.fits(*place, bytes))?;
        self.limit(place).1.fetch_add(bytes, Ordering::Relaxed);
        Some(place)
    }

    pub(super) fn free(&self, place: Where, bytes: u64) {
        self.limit(place).1.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The directory for what `channel` has waiting on the disk.
    pub(super) fn directory(&self, channel: &str) -> Option<PathBuf> {
        self.spool.disk.as_ref().map(|(directory, _)| directory.join(channel))
    }

    /// Removes what waited when the process was killed: it has been filled since, as no record knows it.
    pub(super) fn clear(&self, channel: &str) {
        if let Some(directory) = self.directory(channel)
            && let Err(error) = std::fs::remove_dir_all(&directory)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, directory = %directory.display(), "cannot clear the spool");
        }
    }
}
