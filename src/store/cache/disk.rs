//! The second tier of the cache: what was read from the store, as files on a disk of this machine.
//!
//! A file is named by a hash of the object's path, and says in its first line whose it is and what its content has to be:
//! what a power cut or a failing disk has made of it is seen when it is read. The oldest go when there are too many bytes.

use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::store::{Object, etag};

/// Files that are written at once; what comes on top is not kept, as the store has it.
const WRITERS: usize = 4;
/// Files that are read at once, and how long one is waited for: all who want it wait, and the store has it too.
const READERS: usize = 32;
const PATIENCE: Duration = Duration::from_millis(250);
/// And as much longer as one takes of which so many bytes come in a millisecond.
const SLOWEST: u64 = 128 << 10;
/// How a name ends while it is written.
const UNFINISHED: &str = "part";

/// Objects on a disk. Cloning is cheap and gives the same.
#[derive(Clone, Debug)]
pub(in crate::store) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    capacity: u64,
    index: Mutex<Index>,
    writers: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    written: AtomicU64,
}

/// What there is, the least recently used first.
#[derive(Debug, Default)]
struct Index {
    /// Bytes and turn by name.
    files: HashMap<String, (u64, u64)>,
    names: BTreeMap<u64, String>,
    bytes: u64,
    turn: u64,
}

impl Disk {
    /// Goes on with what is in `directory`, of which `capacity` bytes may stay.
    pub(in crate::store) fn open(directory: &Path, capacity: u64) -> io::Result<Self> {
        let mut found = Vec::new();
        for file in fs::read_dir(directory)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if name.ends_with(UNFINISHED) {
                // A process was killed over it.
                fs::remove_file(file.path())?;
            } else if is_name(&name) {
                let metadata = file.metadata()?;
                found.push((metadata.modified()?, name, metadata.len()));
            }
        }
        found.sort();
        let disk = Self(Arc::new(Inner {
            directory: directory.to_owned(),
            capacity,
            index: Mutex::default(),
            writers: Arc::new(Semaphore::new(WRITERS)),
            readers: Arc::new(Semaphore::new(READERS)),
            written: AtomicU64::new(0),
        }));
        found.into_iter().for_each(|(_, name, bytes)| disk.enter(name, bytes));
        Ok(disk)
    }

    /// The object at `path`, if it is here and whole, and the disk answers.
    pub(super) async fn get(&self, path: &str) -> Option<Object> {
        let name = name(path);
        let bytes = self.index(|index| index.touch(&name))?;
        let patience = PATIENCE.saturating_add(Duration::from_millis(bytes / SLOWEST));
        timeout(patience, self.read(name, path)).await.ok().flatten()
    }

    async fn read(&self, name: String, path: &str) -> Option<Object> {
        let permit = self.0.readers.clone().acquire_owned().await.ok()?;
        let (file, path) = (self.file(&name), path.to_owned());
        let object = spawn_blocking(move || {
            let object = fs::read(file).ok().and_then(|file| read(file, &path));
            // Not before: a disk that hangs keeps so many threads and no more.
            drop(permit);
            object
        });
        object.await.ok().flatten()
    }

    /// Keeps an object, unless the disk is too slow for it.
    pub(super) fn put(&self, path: &str, object: &Object) {
        let Ok(permit) = self.0.writers.clone().try_acquire_owned() else { return };
        let (disk, path, object) = (self.clone(), path.to_owned(), object.clone());
        spawn_blocking(move || {
            if let Err(error) = disk.write(&path, &object) {
                tracing::warn!(%error, path, "cannot be kept in store.cache_directory");
            }
            drop(permit);
        });
    }

    /// Forgets an object.
    pub(super) fn forget(&self, path: &str) {
        let name = name(path);
        if self.index(|index| index.remove(&name)) {
            // If it cannot be removed, its bytes are still what they were said to be.
            let _ = fs::remove_file(self.file(&name));
        }
    }

    fn write(&self, path: &str, object: &Object) -> io::Result<()> {
        let name = name(path);
        let count = self.0.written.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.file(&format!("{name}-{count}.{UNFINISHED}"));
        let head = format!("{} {path}\n", object.etag);
        let written = fs::write(&unfinished, [head.as_bytes(), &object.body].concat())
            .and_then(|()| fs::rename(&unfinished, self.file(&name)));
        if let Err(error) = written {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.enter(name, (head.len() + object.body.len()) as u64);
        Ok(())
    }

    fn enter(&self, name: String, bytes: u64) {
        let capacity = self.0.capacity;
        let over = self.index(|index| {
            index.enter(name, bytes);
            index.remove_over(capacity)
        });
        for name in over {
            let _ = fs::remove_file(self.file(&name));
        }
    }

    fn index<T>(&self, act: impl FnOnce(&mut Index) -> T) -> T {
        act(&mut self.0.index.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.directory.join(name)
    }
}

impl Index {
    fn enter(&mut self, name: String, bytes: u64) {
        self.remove(&name);
        self.turn += 1;
        self.names.insert(self.turn, name.clone());
        self.files.insert(name, (bytes, self.turn));
        self.bytes += bytes;
    }

    /// Its bytes, if it is there; then it is the last to go.
    fn touch(&mut self, name: &str) -> Option<u64> {
        let (bytes, _) = self.files.get(name).copied()?;
        self.enter(name.to_owned(), bytes);
        Some(bytes)
    }

    /// True if it was there.
    fn remove(&mut self, name: &str) -> bool {
        let Some((bytes, turn)) = self.files.remove(name) else { return false };
        self.names.remove(&turn);
        self.bytes -= bytes;
        true
    }

    /// Removes the least recently used until there is room.
    fn remove_over(&mut self, capacity: u64) -> Vec<String> {
        let mut removed = Vec::new();
        while self.bytes > capacity {
            let Some((_, name)) = self.names.pop_first() else { break };
            self.remove(&name);
            removed.push(name);
        }
        removed
    }
}

/// What is in a file, if that is `path`'s and as it was written.
fn read(mut file: Vec<u8>, path: &str) -> Option<Object> {
    let end = file.iter().position(|byte| *byte == b'\n')?;
    let body = Bytes::from(file.split_off(end + 1));
    let (tag, whose) = std::str::from_utf8(&file[..end]).ok()?.split_once(' ')?;
    (whose == path && tag == etag([&body[..]])).then(|| Object { body, etag: tag.to_owned() })
}

fn name(path: &str) -> String {
    etag([path.as_bytes()]).trim_matches('"').to_owned()
}

fn is_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use futures_util::future::join_all;
    use tempfile::TempDir;

    use super::*;

    fn object(text: &'static str) -> Object {
        Object { body: Bytes::from_static(text.as_bytes()), etag: etag([text.as_bytes()]) }
    }

    fn count(directory: &TempDir) -> usize {
        fs::read_dir(directory.path()).unwrap().count()
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart_and_what_was_not_finished_is_swept() {
        let directory = TempDir::new().unwrap();
        let disk = Disk::open(directory.path(), 1000).unwrap();
        disk.write("vod/a/1.m4s", &object("abc")).unwrap();
        fs::write(directory.path().join(format!("{}-7.part", name("vod/a/2.m4s"))), "ab").unwrap();
        drop(disk);
        let disk = Disk::open(directory.path(), 1000).unwrap();
        assert_eq!(disk.get("vod/a/1.m4s").await, Some(object("abc")));
        assert_eq!(disk.get("vod/a/2.m4s").await, None);
        assert_eq!(count(&directory), 1);
        disk.forget("vod/a/1.m4s");
        assert_eq!((disk.get("vod/a/1.m4s").await, count(&directory)), (None, 0));
    }

    #[tokio::test]
    async fn what_the_disk_has_changed_and_what_is_anothers_is_not_believed() {
        let directory = TempDir::new().unwrap();
        let disk = Disk::open(directory.path(), 1000).unwrap();
        disk.write("a", &object("abc")).unwrap();
        let whole = fs::read(disk.file(&name("a"))).unwrap();
        let mut flipped = whole.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for damaged in [&flipped[..], &whole[..whole.len() - 1], b"", b"x"] {
            fs::write(disk.file(&name("a")), damaged).unwrap();
            assert_eq!(disk.get("a").await, None);
        }
        disk.write("b", &object("b")).unwrap();
        fs::copy(disk.file(&name("b")), disk.file(&name("a"))).unwrap();
        assert_eq!(disk.get("a").await, None);
    }

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_not_waited_for_and_keeps_no_more_than_so_many_threads() {
        let directory = TempDir::new().unwrap();
        let disk = Disk::open(directory.path(), 1000).unwrap();
        for path in ["a", "b"] {
            disk.write(path, &object("abc")).unwrap();
        }
        // A pipe into which nobody writes.
        let pipe = disk.file(&name("a"));
        fs::remove_file(&pipe).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let limit = 8 * PATIENCE;
        let read = timeout(limit, join_all((0..2 * READERS).map(|_| disk.get("a")))).await.unwrap();
        assert!(read.iter().all(Option::is_none));
        assert_eq!(disk.0.readers.available_permits(), 0);
        assert_eq!(timeout(limit, disk.get("b")).await.unwrap(), None, "the store is asked");
        drop(fs::OpenOptions::new().write(true).open(&pipe).unwrap());
        let again = async { while disk.get("b").await.is_none() {} };
        timeout(limit, again).await.expect("it is used again once it answers");
    }

    #[tokio::test]
    async fn the_least_recently_used_go_when_there_is_no_room() {
        let directory = TempDir::new().unwrap();
        let bytes = |path: &str| (object("abc").etag.len() + 1 + path.len() + 1 + 3) as u64;
        let disk = Disk::open(directory.path(), 3 * bytes("a")).unwrap();
        for path in ["a", "b", "c"] {
            disk.write(path, &object("abc")).unwrap();
        }
        assert!(disk.get("a").await.is_some());
        disk.write("d", &object("abc")).unwrap();
        for (path, is_there) in [("a", true), ("b", false), ("c", true), ("d", true)] {
            assert_eq!(disk.get(path).await.is_some(), is_there, "{path}");
        }
        assert_eq!(count(&directory), 3);
        let smaller = Disk::open(directory.path(), bytes("a")).unwrap();
        assert_eq!((count(&directory), smaller.index(|index| index.bytes)), (1, bytes("a")));
    }
}
