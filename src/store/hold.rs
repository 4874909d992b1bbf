//! A directory that only one writes into, although directories know no conditions: what is written anew is made in a
//! directory of the writer's own and renamed from there. Who succeeds a writer first takes that away, so that whatever the
//! other was about to rename is not found any more.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use tokio::task::spawn_blocking;

use super::Error;

/// Static servers hide what begins with a dot.
const OWN: &str = ".epoch-";
const LOCK: &str = "lock";

/// Who has it is the only one that does, as far as the file system knows of the others.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "it is given up when it is dropped")] File);

impl Lock {
    /// `None` if somebody has it, or what lies under `prefix` cannot be locked.
    pub(super) async fn take(root: &Path, prefix: &str) -> Option<Self> {
        let channel = root.join(prefix);
        let locked = blocking(move || {
            let directory = File::open(channel)?;
            flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
            Ok(directory)
        });
        locked.await.ok().map(Self)
    }
}

/// What a writer has of a directory. Cloning gives the same; it is given up with the last.
#[derive(Clone, Debug)]
pub(super) struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held {
    own: PathBuf,
    written: AtomicU64,
    /// The system unlocks it when the process is gone, and not when it is only stopped.
    _lock: File,
}

impl Hold {
    /// Takes what lies under `prefix` away from all writers of earlier epochs.
    pub(super) async fn take(root: &Path, prefix: &str, epoch: u64) -> Result<Self, Error> {
        let (channel, path) = (root.join(prefix), prefix.to_owned());
        let taken = blocking(move || take(&channel, epoch)).await;
        match taken.map_err(|error| unavailable(&path, &error))? {
            Some(held) => Ok(Self(Arc::new(held))),
            None => Err(Error::Superseded { path }),
        }
    }

    /// True if the process that held this epoch is gone for certain.
    pub(super) async fn is_left(root: &Path, prefix: &str, epoch: u64) -> bool {
        let lock = root.join(prefix).join(format!("{OWN}{epoch}")).join(LOCK);
        let left = blocking(move || Ok(flock(File::open(lock)?, FlockOperation::NonBlockingLockExclusive)?));
        left.await.is_ok()
    }

    /// Writes a file in whole, over what is there.
    pub(super) async fn write(&self, to: PathBuf, pieces: Vec<Bytes>, durable: bool) -> Result<(), Error> {
        let (held, path) = (self.0.clone(), to.display().to_string());
        let written = blocking(move || held.write(&to, &pieces, durable)).await;
        written.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if !self.0.own.exists() => Error::Superseded { path },
            _ => unavailable(&path, &error),
        })
    }
}

impl Held {
    fn write(&self, to: &Path, pieces: &[Bytes], durable: bool) -> io::Result<()> {
        let made = self.own.join(self.written.fetch_add(1, Ordering::Relaxed).to_string());
        let moved = make(&made, pieces, durable).and_then(|()| move_to(&made, to));
        if moved.is_err() {
            // What stays goes with the directory when somebody succeeds.
            let _ = fs::remove_file(&made);
        }
        moved?;
        match to.parent() {
            Some(parent) if durable => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }
}

fn make(file: &Path, pieces: &[Bytes], durable: bool) -> io::Result<()> {
    let mut file = File::create_new(file)?;
    pieces.iter().try_for_each(|piece| file.write_all(piece))?;
    if durable { file.sync_all() } else { Ok(()) }
}

fn move_to(made: &Path, to: &Path) -> io::Result<()> {
    match (fs::rename(made, to), to.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound && !parent.exists() => {
            fs::create_dir_all(parent)?;
            fs::rename(made, to)
        }
        (moved, _) => moved,
    }
}

/// `None` if somebody has a higher epoch. That is looked for last: who fenced before we had our own directory is seen, and
/// who does so later takes it away.
fn take(channel: &Path, epoch: u64) -> io::Result<Option<Held>> {
    fs::create_dir_all(channel)?;
    for earlier in names(channel)?.iter().filter(|name| epoch_of(name, OWN, "").is_some_and(|it| it < epoch))
    {
        retire(&channel.join(earlier))?;
    }
    let own = channel.join(format!("{OWN}{epoch}"));
    fs::create_dir_all(&own)?;
    drop(File::create(own.join(LOCK))?);
    // Only to be read: what is open to be written keeps the system from making a disk read-only.
    let lock = File::open(own.join(LOCK))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        // A place without locks, or NFS, which wants to write for them, tells nobody that we are gone, and serves otherwise.
        Ok(()) | Err(Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOLCK | Errno::BADF) => {}
        Err(error) => return Err(error.into()),
    }
    let higher = |name: &String| {
        let epochs = [epoch_of(name, OWN, ""), epoch_of(name, "fence-", ".json")];
        epochs.into_iter().flatten().any(|it| it > epoch)
    };
    let written = AtomicU64::new(0);
    Ok((!names(channel)?.iter().any(higher)).then_some(Held { own, written, _lock: lock }))
}

/// At one blow, whatever is being written there.
fn retire(directory: &Path) -> io::Result<()> {
    let mut gone = directory.as_os_str().to_owned();
    gone.push("-gone");
    // Of somebody who was killed over it.
    let _ = fs::remove_dir_all(&gone);
    match fs::rename(directory, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(()) => {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(&gone);
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
}

fn epoch_of(name: &str, front: &str, end: &str) -> Option<u64> {
    name.strip_prefix(front)?.strip_suffix(end)?.parse().ok()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|panicked| Err(io::Error::other(panicked)))
}

fn unavailable(path: &str, error: &io::Error) -> Error {
    Error::Unavailable { path: path.to_owned(), reason: error.to_string() }
}
