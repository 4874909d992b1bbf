//! Where a clip goes: all of it in the end, or nothing.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::Error;
use crate::{
    config,
    store::{self, Store},
};

/// A place that was looked at, and is free.
pub(super) enum Target {
    /// A file or directory of this machine.
    Here(Draft),
    /// A store, in which the documents come last: without a list, what is in it does no harm.
    Store(Box<Store>),
}

/// A file or directory that is made under another name first. Dropped before [`Target::keep`], it is removed.
pub(super) struct Draft {
    path: PathBuf,
    partial: PathBuf,
}

impl Target {
    /// Looks whether `out` is free, and if so, makes room for it. `config` says how buckets are spoken to.
    pub(super) async fn new(out: &str, file: bool, config: &config::Store) -> Result<Self, Error> {
        let path = match out.split_once("://") {
            Some(("file", path)) => PathBuf::from(path),
            Some(_) if file => return Err(Error::FileElsewhere(out.to_owned())),
            Some(_) => return Self::in_store(out, config).await,
            None => PathBuf::from(out),
        };
        let is_empty = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if path.exists() && (file || !is_empty) {
            return Err(Error::Taken(out.to_owned()));
        }
        let partial = path.with_added_extension("partial");
        if partial.exists() {
            return Err(Error::Taken(partial.display().to_string()));
        }
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| if file { Ok(()) } else { fs::create_dir(&partial) })
            .map_err(|source| Error::Write { path: partial.clone(), source })?;
        Ok(Self::Here(Draft { path, partial }))
    }

    async fn in_store(url: &str, config: &config::Store) -> Result<Self, Error> {
        let store = Store::beside(config, url)?;
        match store.get("index.m3u8").await {
            Err(store::Error::NotFound { .. }) => Ok(Self::Store(Box::new(store))),
            Ok(_) => Err(Error::Taken(url.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file of a presentation.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        match self {
            Self::Store(store) => Ok(store.create(name, vec![bytes]).await?),
            Self::Here(Draft { partial, .. }) => {
                let path = partial.join(name);
                let made = path.parent().map_or(Ok(()), fs::create_dir_all);
                made.and_then(|()| fs::write(&path, &bytes)).map_err(|source| Error::Write { path, source })
            }
        }
    }

    /// Opens the only file.
    pub(super) fn file(&self) -> Result<Single, Error> {
        let path = match self {
            Self::Here(Draft { partial, .. }) => partial.clone(),
            Self::Store(store) => return Err(Error::FileElsewhere(store.url().to_owned())),
        };
        let opened = fs::File::options().write(true).create_new(true).open(&path);
        opened.map(|file| Single { path: path.clone(), file }).map_err(|source| Error::Write { path, source })
    }

    /// All is there: it gets its name.
    pub(super) fn keep(self) -> Result<(), Error> {
        let Self::Here(Draft { path, partial }) = &self else { return Ok(()) };
        fs::rename(partial, path).map_err(|source| Error::Write { path: path.clone(), source })
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let Self { partial, .. } = self;
        let _ = if partial.is_dir() { fs::remove_dir_all(partial) } else { fs::remove_file(partial) };
    }
}

/// A file that grows.
pub(super) struct Single {
    path: PathBuf,
    file: fs::File,
}

impl Single {
    /// Appends to it.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.tell(|file| file.write_all(bytes))
    }

    /// Waits until it is on the disk.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.tell(|file| file.sync_all())
    }

    fn tell(&mut self, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> Result<(), Error> {
        let path: &Path = &self.path;
        write(&mut self.file).map_err(|source| Error::Write { path: path.into(), source })
    }
}
