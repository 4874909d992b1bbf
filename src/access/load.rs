//! Reads keys from files.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    jwks,
    key::{self, Key},
    keys::Keys,
};
use crate::config::{Access, KeyFile, KeySet};

/// Why a key cannot be had.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("{key}: cannot read {}: {source}", path.display())]
    Unreadable {
        /// The key in the configuration or the option of the command line.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is no key.
    #[error("{key}: {}: {reason}", path.display())]
    Key {
        /// The key in the configuration or the option of the command line.
        key: String,
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: key::Unusable,
    },
    /// A file is no key set.
    #[error("access.jwks: {}: {reason}", path.display())]
    Set {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        reason: jwks::Unusable,
    },
}

/// All keys that are in files.
pub(super) fn keys(access: &Access) -> Result<Keys, Error> {
    let own = access.keys.iter().map(|(name, file)| key(name, file)).collect::<Result<_, _>>()?;
    let set = match &access.jwks {
        Some(KeySet::File(path)) => {
            let text = read("access.jwks", path)?;
            jwks::parse(&text, true).map_err(|reason| Error::Set { path: path.clone(), reason })?
        }
        Some(KeySet::Url(_)) | None => Vec::new(),
    };
    Ok(Keys::new(own, set))
}

/// The key of this name in the configuration.
///
/// # Errors
/// By its name.
pub(super) fn key(name: &str, file: &KeyFile) -> Result<Key, Error> {
    let (field, path, make): (_, _, fn(&str, &[u8]) -> _) = match file {
        KeyFile::Secret(path) => ("secret_file", path, Key::secret),
        KeyFile::Public(path) => ("public_key_file", path, Key::public),
    };
    let key = format!("access.key.{name}.{field}");
    let bytes = read(&key, path)?;
    make(name, &bytes).map_err(|reason| Error::Key { key, path: path.clone(), reason })
}

/// A file that `key` names, as far as a key or a set is long.
pub(super) fn read(key: &str, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(jwks::LONGEST as u64).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(source) => Err(Error::Unreadable { key: key.into(), path: path.into(), source }),
    }
}
