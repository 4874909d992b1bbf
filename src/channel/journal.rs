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
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub(super) use log::Log;
pub use runtime::{Error, Runtime};
pub(super) use told::{Told, Tracks};

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

impl Journal {
    /// Begins that of `epoch` in `room`, which the packagers of a channel on this machine share. It goes on with what was told
    /// last, if that was of the epoch whose record is gone on from, or of a later one that came to no record: whoever else has
    /// published since has written a record first.
    ///
    /// # Errors
    /// When the directory is not to be had.
    pub(super) fn take_over(room: &Path, epoch: u64, recorded: Option<u64>) -> io::Result<Inherited> {
        make(room)?;
        let epochs = numbers::<u64>(room)?;
        let directory = room.join(epoch.to_string());
        let last = epochs.iter().copied().max().filter(|last| recorded.is_some_and(|epoch| *last >= epoch));
        for other in epochs.into_iter().filter(|other| Some(*other) != last) {
            fs::remove_dir_all(room.join(other.to_string()))?;
        }
        let journal = Arc::new(Self { directory, is_whole: AtomicBool::new(true) });
        let Some(last) = last else { return Ok(Inherited { journal, told: None }) };
        if last != epoch {
            fs::rename(room.join(last.to_string()), &journal.directory)?;
        }
        let told = told::read(&journal.directory).inspect_err(|error| {
            tracing::warn!(%error, "what was told before the restart cannot be read");
        });
        Ok(Inherited { journal, told: told.ok() })
    }

    /// Forgets all that is in it: it is of nothing that is gone on with.
    pub(super) fn clear(&self) {
        if let Err(error) = fs::remove_dir_all(&self.directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            self.give_up(&error);
        }
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
