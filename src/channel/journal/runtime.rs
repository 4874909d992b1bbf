//! Where journals lie: a directory in memory.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{Access, access, statfs, statvfs},
    process::geteuid,
};
use thiserror::Error;

use super::{Inherited, Journal, Stamp, make};
use crate::{
    clock,
    store::{self, Store},
};

/// File systems that are in memory (statfs(2)): tmpfs and ramfs.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
/// Such a part of a file system is left to others. One without a size, as ramfs, has no end.
const SPARE: u64 = 4;
/// So long after the last word of a channel, nobody goes on within a segment of it.
const STALE: Duration = Duration::from_secs(3600);

/// Why a directory is not to be used.
#[derive(Debug, Error)]
pub enum Error {
    /// It is on a disk.
    #[error(
        "{directory:?} lies on a disk, which a live channel would have to wait for; name a directory in memory (tmpfs), such as \
         \"/run/headwater\""
    )]
    OnDisk {
        /// The directory.
        directory: PathBuf,
    },
    /// It is not there and cannot be made, or not written to.
    #[error("{directory:?}: {reason}; name a directory in memory (tmpfs) into which this server may write")]
    Unusable {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
}

/// A directory whose files outlive the process, and not the machine's memory.
#[derive(Clone, Debug)]
pub struct Runtime(PathBuf);

impl Runtime {
    /// Makes the directory, if it is not there, and removes what nobody has use for any more.
    ///
    /// # Errors
    /// [`Error::OnDisk`] and [`Error::Unusable`].
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let unusable = |reason| Error::Unusable { directory: directory.into(), reason };
        if !is_in_memory(directory).map_err(unusable)? {
            return Err(Error::OnDisk { directory: directory.into() });
        }
        let runtime = Self(directory.join("parts"));
        make(&runtime.0).map_err(unusable)?;
        access(&runtime.0, Access::WRITE_OK).map_err(|reason| unusable(reason.into()))?;
        is_ours(&runtime.0).map_err(unusable)?;
        runtime.sweep();
        tracing::info!(directory = %runtime.0.display(), "parts are kept over a restart");
        Ok(runtime)
    }

    /// That of a channel, which lies under `prefix` of `store`, for who publishes it from now on and goes on from what was
    /// `recorded`.
    pub(in crate::channel) fn journal(
        &self,
        store: &Store,
        prefix: &str,
        stamp: &Stamp,
        recorded: Option<&Stamp>,
    ) -> Option<Inherited> {
        let name = store::etag([store.identity()?.as_bytes(), b"\n", prefix.as_bytes()]);
        let room = self.0.join(name.trim_matches('"'));
        let complain = |error: &io::Error| {
            tracing::warn!(%error, directory = %room.display(), "parts will not be kept over the next restart");
        };
        Journal::take_over(&room, stamp, recorded).inspect_err(complain).ok()
    }

    /// Removes what is left of channels that nobody has published for long.
    fn sweep(&self) {
        let Ok(rooms) = fs::read_dir(&self.0) else { return };
        let now = Duration::from_secs(clock::wall_seconds().unsigned_abs());
        let oldest = UNIX_EPOCH + now.saturating_sub(STALE);
        for room in rooms.flatten().map(|room| room.path()) {
            if newest(&room).is_some_and(|at| at < oldest) {
                let _ = fs::remove_dir_all(room);
            }
        }
    }
}

/// True if a directory lies in memory, or would if it were made.
fn is_in_memory(directory: &Path) -> io::Result<bool> {
    let there = std::path::absolute(directory)?;
    let there = there.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    Ok(IN_MEMORY.contains(&(statfs(there)?.f_type as u64)))
}

/// What others have written down is not gone on with.
fn is_ours(directory: &Path) -> io::Result<()> {
    let ours = fs::metadata(directory)?.uid() == geteuid().as_raw();
    ours.then_some(()).ok_or_else(|| io::Error::other("it belongs to another user"))
}

/// Others need memory too: of a full one, what is written down here is let go first.
pub(super) fn has_room(directory: &Path) -> io::Result<()> {
    let known = statvfs(directory)?;
    let has_room = known.f_blocks == 0 || known.f_bavail >= known.f_blocks / SPARE;
    let full = || io::Error::other(format!("less than 1/{SPARE} of it is free"));
    has_room.then_some(()).ok_or_else(full)
}

/// When something was written into a directory, or one in it.
fn newest(directory: &Path) -> Option<SystemTime> {
    let own = fs::metadata(directory).and_then(|known| known.modified()).ok()?;
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| newest(&entry.path()));
    Some(below.fold(own, SystemTime::max))
}
