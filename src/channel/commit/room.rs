//! How much may wait for the store, over all tracks of a channel.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::Body;
use crate::{clock, config::Spool};

/// Its lock is held for as long as somebody uses the directory that it is in.
const LOCK: &str = "lock";

/// The room of a channel. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub(super) struct Room {
    memory: u64,
    in_memory: Arc<AtomicU64>,
    disk: Option<Arc<Disk>>,
    on_disk: Arc<AtomicU64>,
}

/// Where something waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Memory,
    Disk,
}

/// A directory of this writer alone: another on the same machine may have the same configuration.
#[derive(Debug)]
struct Disk {
    directory: PathBuf,
    bytes: u64,
    _lock: File,
}

impl Room {
    /// The room of who writes `channel`.
    pub(super) fn open(spool: &Spool, channel: &str) -> Self {
        let disk = spool.disk.as_ref().and_then(|(directory, bytes)| {
            let opened = Disk::open(&directory.join(channel), *bytes);
            let complain = |error: &io::Error| {
                tracing::warn!(%error, directory = %directory.display(), "the channel has no spool on the disk");
            };
            opened.inspect_err(complain).ok().map(Arc::new)
        });
        Self { disk, ..Self::in_memory(spool) }
    }

    /// The room of who stands by and writes nothing.
    pub(super) fn in_memory(spool: &Spool) -> Self {
        Self { memory: spool.memory, in_memory: Arc::default(), disk: None, on_disk: Arc::default() }
    }

    /// True if something may wait on the disk.
    pub(super) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    fn taken(&self, place: Where) -> &AtomicU64 {
        match place {
            Where::Memory => &self.in_memory,
            Where::Disk => &self.on_disk,
        }
    }

    fn fits(&self, place: Where, bytes: u64) -> bool {
        let in_memory = self.in_memory.load(Ordering::Relaxed);
        match (place, &self.disk) {
            (Where::Memory, _) => in_memory + bytes <= self.memory,
            (Where::Disk, None) => false,
            // There is too much in memory only because the disk has failed.
            (Where::Disk, Some(disk)) => {
                in_memory <= self.memory && self.on_disk.load(Ordering::Relaxed) + bytes <= disk.bytes
            }
        }
    }

    /// True if there is room for so many bytes.
    pub(super) fn has(&self, bytes: u64) -> bool {
        self.fits(Where::Memory, bytes) || self.fits(Where::Disk, bytes)
    }

    /// Takes room, in memory before the disk, if there is any. The channel's task is the only one that takes any.
    pub(super) fn take(&self, bytes: u64) -> Option<Where> {
        let place = [Where::Memory, Where::Disk].into_iter().find(|place| self.fits(*place, bytes))?;
        self.taken(place).fetch_add(bytes, Ordering::Relaxed);
        Some(place)
    }

    pub(super) fn free(&self, place: Where, bytes: u64) {
        self.taken(place).fetch_sub(bytes, Ordering::Relaxed);
    }

    /// What was to go to the disk stays where it is, and counts there: nothing else goes to the disk before there is room in
    /// memory again.
    pub(super) fn keep_in_memory(&self, bytes: u64) {
        self.free(Where::Disk, bytes);
        self.in_memory.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes what waits on the disk; gives its file.
    pub(super) async fn save(&self, name: &str, body: &Body) -> io::Result<PathBuf> {
        let disk = self.disk.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = disk.directory.join(name);
        let saved = tokio::fs::write(&file, body.chunks.concat()).await;
        if saved.is_err() {
            discard(&file);
        }
        saved.map(|()| file)
    }
}

impl Disk {
    /// A new directory in `parent`, from which what waited for writers that are gone is removed: it has been filled since, as
    /// no record knows it.
    fn open(parent: &Path, bytes: u64) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        for left in fs::read_dir(parent)?.flatten().map(|entry| entry.path()) {
            match left.is_dir() {
                true if is_left(&left) => fs::remove_dir_all(&left)?,
                true => {}
                // Of an earlier version.
                false => fs::remove_file(&left)?,
            }
        }
        let directory = parent.join(format!("{}-{}", std::process::id(), clock::unix_nanos()));
        fs::create_dir(&directory)?;
        let lock = File::create(directory.join(LOCK))?;
        lock.lock()?;
        Ok(Self { directory, bytes, _lock: lock })
    }
}

/// True if nobody uses a directory any more. One that is just being made has no lock yet.
fn is_left(directory: &Path) -> bool {
    File::open(directory.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

pub(super) fn discard(file: &Path) {
    // What stays goes with the directory.
    let _ = std::fs::remove_file(file);
}
