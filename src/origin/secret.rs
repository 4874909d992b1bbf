//! What only the CDN knows, and says with each request; or what only our other servers know.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::{HeaderMap, HeaderName};
use thiserror::Error;

use crate::{config, follow::Files};

/// A value of which others could try all is none.
const SHORTEST: usize = 16;

/// Why there is no secret.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no secret.
    #[error("{} has to have a line of at least {SHORTEST} visible characters, and none that is shorter", path.display())]
    NoSecret {
        /// The file.
        path: PathBuf,
    },
}

/// The secret, as its file now is.
pub struct Secret {
    header: HeaderName,
    path: PathBuf,
    files: Files,
    values: RwLock<Vec<Vec<u8>>>,
}

/// The first one in a file, for who has to say it.
///
/// # Errors
/// As [`Secret::load`].
pub fn first(path: &Path) -> Result<String, Error> {
    let values = read(path)?;
    // Visible characters, all of them.
    Ok(values.first().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default())
}

impl Secret {
    /// Reads the file.
    ///
    /// # Errors
    /// Says why it is no secret.
    pub fn load(config: &config::Secret) -> Result<Self, Error> {
        // The configuration was checked to have a name that this takes.
        let header = HeaderName::try_from(&config.header).unwrap_or(http::header::AUTHORIZATION);
        Ok(Self { header, ..Self::of_file(&config.file)? })
    }

    /// Reads a file of one that comes as a bearer token.
    ///
    /// # Errors
    /// Says why it is no secret.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let files = Files::new(vec![path.into()]);
        let values = RwLock::new(read(path)?);
        Ok(Self { header: http::header::AUTHORIZATION, path: path.into(), files, values })
    }

    /// Reads the file again whenever it changes, for ever.
    pub async fn follow(&self) {
        let changed = || match read(&self.path) {
            Ok(values) => {
                *self.values.write().unwrap_or_else(PoisonError::into_inner) = values;
                tracing::info!(path = %self.path.display(), "a secret has changed");
            }
            Err(error) => tracing::error!(%error, "a secret has changed and is not used"),
        };
        self.files.follow(changed).await;
    }

    /// True if a request says it.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        headers.get(&self.header).is_some_and(|said| self.is(said.as_bytes()))
    }

    /// True if `said` is it.
    pub(super) fn is(&self, said: &[u8]) -> bool {
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        // All of them, in a time that tells nothing.
        values.iter().fold(false, |found, value| found | verify_slices_are_equal(value, said).is_ok())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("header", &self.header).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.into(), source })?;
    let values: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let good = |value: &&str| value.len() >= SHORTEST && value.bytes().all(|byte| byte.is_ascii_graphic());
    if values.is_empty() || !values.iter().all(good) {
        return Err(Error::NoSecret { path: path.into() });
    }
    Ok(values.into_iter().map(|value| value.as_bytes().to_vec()).collect())
}
