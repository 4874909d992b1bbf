//! Where a presentation goes: a directory that has all of it in the end, or nothing.

mod documents;
mod rendition;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub(super) use self::rendition::Rendition;
use super::Error;

/// A place that can take a presentation, as far as can be told without touching it.
pub(super) struct Destination {
    root: PathBuf,
}

/// A directory being filled. Dropped before [`Output::keep`], it deletes what was made.
pub(super) struct Output {
    root: PathBuf,
    /// What was made, outermost first.
    made: Vec<PathBuf>,
}

impl Destination {
    /// Looks, without a side effect, whether a presentation can go to `url`.
    pub(super) fn new(url: &str) -> Result<Self, Error> {
        let root = match url.split_once("://") {
            Some(("file", path)) => PathBuf::from(path),
            Some(_) => return Err(Error::OutScheme(url.to_owned())),
            None => PathBuf::from(url),
        };
        match fs::read_dir(&root).map(|mut entries| entries.next().is_some()) {
            Ok(false) => Ok(Self { root }),
            Ok(true) => Err(Error::OutNotEmpty(root)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { root }),
            Err(source) => Err(Error::OutUnusable { path: root, source }),
        }
    }

    /// Makes the directory.
    pub(super) fn create(self) -> Result<Output, Error> {
        let absent = self.root.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let absent: Vec<PathBuf> = absent.map(Path::to_owned).collect();
        let mut output = Output { root: self.root, made: Vec::new() };
        for path in absent.into_iter().rev() {
            output.directory(path).map_err(|(path, source)| Error::OutUnusable { path, source })?;
        }
        Ok(output)
    }
}

impl Output {
    /// The directory.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory of a track.
    pub(super) fn track(&mut self, name: &str) -> Result<PathBuf, Error> {
        let path = self.root.join(name);
        self.directory(path.clone()).map_err(|(path, source)| Error::OutUnusable { path, source })?;
        Ok(path)
    }

    /// Writes a document in whole or not at all.
    fn document(&mut self, path: &str, text: &str) -> Result<(), Error> {
        let path = self.root.join(path);
        let partial = path.with_added_extension("partial");
        self.made.extend([path.clone(), partial.clone()]);
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, &path))
            .map_err(|source| Error::Write { path, source })
    }

    /// All is there: it stays.
    pub(super) fn keep(mut self) {
        self.made.clear();
    }

    fn directory(&mut self, path: PathBuf) -> Result<(), (PathBuf, io::Error)> {
        match fs::create_dir(&path) {
            Ok(()) => {
                self.made.push(path);
                Ok(())
            }
            Err(source) => Err((path, source)),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // A directory that was made here is deleted with what is in it only if that was made here too: the root's
        // ancestors may have been put to use by somebody else in the meantime.
        for path in self.made.drain(..).rev() {
            let ours = path.starts_with(&self.root) && path != self.root;
            let _ = match (path.is_dir(), ours) {
                (true, true) => fs::remove_dir_all(&path),
                (true, false) => fs::remove_dir(&path),
                (false, _) => fs::remove_file(&path),
            };
        }
    }
}
