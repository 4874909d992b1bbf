//! A directory: what is written is there after a power cut, and never in an empty directory that a disk was mounted on.

use std::{
    fs::{self, DirEntry},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use object_store::local::LocalFileSystem;

use super::{Descriptions, Place};
use crate::{clock, store::Error};

/// Static servers hide what begins with a dot, and no URL of ours does.
const WITNESS: &str = ".headwater";
/// Somebody else may be writing what is younger.
const STALE: Duration = Duration::from_secs(60);

pub(super) fn open(path: &str) -> Result<Place, Error> {
    let error = |reason: String| Error::Directory { directory: path.into(), reason };
    fs::create_dir_all(path).map_err(|reason| error(reason.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|reason| error(reason.to_string()))?;
    let store = store.with_automatic_cleanup(true);
    clean(&Path::new(path).join("live"));
    Ok(Place {
        hasty: Arc::new(store.clone()),
        objects: Arc::new(store.with_fsync(true)),
        descriptions: Descriptions { none: true, ..Descriptions::default() },
        witness: witness(Path::new(path)),
        root: Some(path.into()),
        address: None,
    })
}

/// A disk that takes nothing now may do so later; until then it cannot be told from another.
fn witness(directory: &Path) -> Option<PathBuf> {
    let path = directory.join(WITNESS);
    let text = "Headwater writes into this directory as long as this file is in it.\n";
    if path.exists() {
        return Some(path);
    }
    match fs::write(&path, text) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the store takes nothing");
            None
        }
    }
}

/// Removes what a writer was killed over: object_store writes `x.m4s#1` and renames it.
fn clean(live: &Path) {
    for channel in entries(live) {
        for entry in entries(&channel.path()) {
            entries(&entry.path()).iter().filter(|file| is_stale(file)).for_each(remove);
            Some(&entry).filter(|file| is_stale(file)).into_iter().for_each(remove);
        }
    }
}

fn entries(directory: &Path) -> Vec<DirEntry> {
    fs::read_dir(directory).map(|entries| entries.filter_map(io::Result::ok).collect()).unwrap_or_default()
}

fn is_stale(file: &DirEntry) -> bool {
    let name = file.file_name();
    let Some((_, number)) = name.to_str().and_then(|name| name.rsplit_once('#')) else { return false };
    let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let now = Duration::from_secs(u64::try_from(clock::wall_seconds()).unwrap_or(0));
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && now > written + STALE
}

fn remove(file: &DirEntry) {
    let path = file.path();
    match fs::remove_file(&path) {
        Ok(()) => tracing::info!(path = %path.display(), "removed what a killed writer had left"),
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "cannot remove what a killed writer has left");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::FileTimes, time::SystemTime};

    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let track = directory.path().join("live/a/360p");
        fs::create_dir_all(&track).unwrap();
        let old = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + 2 * STALE);
        for (name, is_old) in [("1.m4s", true), ("2.m4s#1", true), ("3.m4s#1", false), ("4.m4s#x", true)] {
            let file = fs::File::create(track.join(name)).unwrap();
            if is_old {
                file.set_times(old).unwrap();
            }
        }
        let record = fs::File::create(directory.path().join("live/a/state.json#2")).unwrap();
        record.set_times(old).unwrap();
        open(directory.path().to_str().unwrap()).unwrap();
        let mut left: Vec<_> =
            entries(&track).iter().map(|file| file.file_name().into_string().unwrap()).collect();
        left.sort();
        assert_eq!(left, ["1.m4s", "3.m4s#1", "4.m4s#x"]);
        assert!(!directory.path().join("live/a/state.json#2").exists());
    }
}
