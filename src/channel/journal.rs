//! What viewers have been told of and no record has yet: the newest segments, part by part, in files that outlive the process.
//! Who is started again on the machine goes on within the segment that was being made, and no part of it has another body.
//!
//! It is written before anybody is told, so all that was told is in it. The files lie in memory (tmpfs): writing to them waits
//! for no disk, and of a power cut nothing is left, as some of it would be worse than nothing. What was written and not told,
//! because the process was killed between the two, is told by who goes on.

mod log;
mod runtime;
mod told;

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};

use super::fence::Stamp;
pub(super) use log::Log;
pub use runtime::{Error, Runtime};
pub(super) use told::{Told, Tracks};

/// In the directory of a journal, beside those of tracks, whose names do not begin like this.
const OWNER: &str = ".owner";

/// What one writer tells of a channel.
#[derive(Debug)]
pub(super) struct Journal {
    /// Has a directory for each track, and in it a file for each segment.
    directory: PathBuf,
    /// False once something was told that is not in it.
    is_whole: AtomicBool,
}

/// What the last writer on this machine has told, and where the next one goes on with it.
#[derive(Debug)]
pub(super) struct Inherited {
    pub(super) journal: Arc<Journal>,
    /// `None` if that is not known.
    pub(super) told: Option<Tracks>,
}

/// Whose a journal is.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    writer: String,
    /// Who has written the record that it goes on from.
    behind: Option<String>,
}

impl Owner {
    /// True if what it has told in `epoch` goes on from the record of this stamp: that is its own, or it has come to none.
    /// Whoever else has published since has written a record first.
    fn goes_on_from(&self, epoch: u64, recorded: &Stamp) -> bool {
        let own = epoch == recorded.epoch && self.writer == recorded.writer;
        own || epoch > recorded.epoch && self.behind.as_ref() == Some(&recorded.writer)
    }
}

impl Journal {
    /// Begins that of `stamp` in `room`, which the packagers of a channel on this machine share. It goes on with what was told
    /// last, if that goes on from the record that is gone on from.
    ///
    /// # Errors
    /// When the directory is not to be had.
    pub(super) fn take_over(room: &Path, stamp: &Stamp, recorded: Option<&Stamp>) -> io::Result<Inherited> {
        make(room)?;
        let epochs = numbers::<u64>(room)?;
        let of = |epoch: u64| room.join(epoch.to_string());
        let last = epochs.iter().copied().max().filter(|last| {
            let owner = owner(&of(*last)).zip(recorded);
            owner.is_some_and(|(owner, recorded)| owner.goes_on_from(*last, recorded))
        });
        for other in epochs.into_iter().filter(|other| Some(*other) != last) {
            fs::remove_dir_all(of(other))?;
        }
        let journal = Arc::new(Self { directory: of(stamp.epoch), is_whole: AtomicBool::new(true) });
        if let Some(last) = last.filter(|last| *last != stamp.epoch) {
            fs::rename(of(last), &journal.directory)?;
        }
        make(&journal.directory)?;
        let behind = recorded.map(|recorded| recorded.writer.clone());
        let owner = Owner { writer: stamp.writer.clone(), behind };
        fs::write(journal.directory.join(OWNER), serde_json::to_vec(&owner)?)?;
        let told = last.map(|_| told::read(&journal.directory)).transpose();
        let told = told.inspect_err(|error| {
            tracing::warn!(%error, "what was told before the restart cannot be read");
        });
        Ok(Inherited { journal, told: told.unwrap_or_default() })
    }

    /// Forgets all tracks but these: of the others nothing is gone on with.
    pub(super) fn keep_only(&self, tracks: &BTreeSet<&str>) {
        let forgotten = told::tracks(&self.directory).and_then(|kept| {
            let mut others = kept.iter().filter(|name| !tracks.contains(name.as_str()));
            others.try_for_each(|name| fs::remove_dir_all(self.directory.join(name)))
        });
        forgotten.unwrap_or_else(|error| self.give_up(&error));
    }

    fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Relaxed)
    }

    /// Something is told that it does not have: nothing is better than less than all.
    fn give_up(&self, error: &io::Error) {
        if self.is_whole.swap(false, Ordering::Relaxed) {
            let directory = self.directory.display();
            tracing::warn!(%error, %directory, "parts will not be kept over the next restart");
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

fn make(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Whose journal lies in a directory, if that is known.
fn owner(directory: &Path) -> Option<Owner> {
    serde_json::from_slice(&fs::read(directory.join(OWNER)).ok()?).ok()
}

/// The entries of a directory whose names are numbers.
fn numbers<N: std::str::FromStr>(directory: &Path) -> io::Result<Vec<N>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
