//! The store: segments, playlists and state records in a directory or in memory, through object_store.
//!
//! Its layout equals that of the URLs, so a directory behind any static web server is a valid presentation.

mod cache;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload, local::LocalFileSystem, memory::InMemory, path::Path,
};
use sha2::{Digest, Sha256};
use thiserror::Error;

use cache::Cache;

/// How long one operation may take before it counts as failed: below one segment, so that the live edge never waits.
const DEADLINE: Duration = Duration::from_secs(2);

/// Why the store did not do what was asked.
#[derive(Clone, Debug, Error)]
pub enum Error {
    /// The URL's scheme is none that this build has.
    #[error(
        "store {url:?}: this build keeps its data in a directory (a path or file:// URL) or in memory (memory://)"
    )]
    Unsupported {
        /// As configured.
        url: String,
    },
    /// The directory cannot be used.
    #[error("store {}: {reason}; give a directory that this user may write to", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A path that cannot name an object.
    #[error("{path:?} cannot name an object")]
    Path {
        /// As asked for.
        path: String,
    },
    /// There is no such object.
    #[error("there is no {path}")]
    NotFound {
        /// As asked for.
        path: String,
    },
    /// The store failed or was too slow.
    #[error("{path}: {reason}")]
    Unavailable {
        /// The object.
        path: String,
        /// What went wrong.
        reason: String,
    },
}

/// A whole object, as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub body: Bytes,
    /// Its strong entity tag, quoted: a hash of the content.
    pub etag: String,
}

/// A handle on the store. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    cache: Cache,
    url: Arc<str>,
}

impl Store {
    /// Opens a directory (created if absent), a `file://` URL or `memory://`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] and [`Error::Directory`].
    pub fn open(url: &str) -> Result<Self, Error> {
        let objects: Arc<dyn ObjectStore> = match url.split_once("://") {
            Some(("memory", _)) => Arc::new(InMemory::new()),
            Some(("file", path)) => Arc::new(directory(path)?),
            Some(_) => return Err(Error::Unsupported { url: url.to_owned() }),
            None => Arc::new(directory(url)?),
        };
        let cache = Cache::new(objects.clone());
        Ok(Self { objects, cache, url: url.into() })
    }

    /// As it was opened.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes an object, in whole or not at all: a reader never sees a part of it.
    ///
    /// # Errors
    /// [`Error::Path`] and [`Error::Unavailable`].
    pub async fn put(&self, path: &str, pieces: Vec<Bytes>) -> Result<(), Error> {
        let location = location(path)?;
        let payload = PutPayload::from_iter(pieces);
        within(path, self.objects.put(&location, payload)).await?;
        self.cache.forget(path).await;
        Ok(())
    }

    /// Reads an object, past the cache.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::NotFound`] and [`Error::Unavailable`].
    pub async fn get(&self, path: &str) -> Result<Bytes, Error> {
        read(&self.objects, path).await
    }

    /// Reads an object through the cache. However many ask at once, the store is asked once.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::NotFound`] and [`Error::Unavailable`].
    pub async fn object(&self, path: &str) -> Result<Arc<Object>, Error> {
        // Boxed, because moka's futures are large, and a request that waits for something else is as large as they are.
        Box::pin(self.cache.object(path)).await
    }

    /// How often the store was asked for what the cache did not have.
    pub fn fills(&self) -> u64 {
        self.cache.fills()
    }

    /// Removes an object; one that is not there is no error.
    ///
    /// # Errors
    /// [`Error::Path`] and [`Error::Unavailable`].
    pub async fn delete(&self, path: &str) -> Result<(), Error> {
        self.cache.forget(path).await;
        match within(path, self.objects.delete(&location(path)?)).await {
            Err(Error::NotFound { .. }) => Ok(()),
            other => other,
        }
    }

    /// Names of the packaged assets under `vod/`, sorted.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn assets(&self) -> Result<Vec<String>, Error> {
        let prefix = Path::from("vod");
        let listing = within("vod", self.objects.list_with_delimiter(Some(&prefix))).await?;
        let mut names: Vec<String> =
            listing.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }
}

/// Strong entity tag of the concatenation of `pieces`, quoted: 128 bits of SHA-256.
pub fn etag<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    pieces.into_iter().for_each(|piece| hash.update(piece));
    let hex: String = hash.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn directory(path: &str) -> Result<LocalFileSystem, Error> {
    let error = |reason: String| Error::Directory { directory: path.into(), reason };
    std::fs::create_dir_all(path).map_err(|reason| error(reason.to_string()))?;
    let store = LocalFileSystem::new_with_prefix(path).map_err(|reason| error(reason.to_string()))?;
    Ok(store.with_automatic_cleanup(true))
}

fn location(path: &str) -> Result<Path, Error> {
    Path::parse(path).map_err(|_| Error::Path { path: path.to_owned() })
}

async fn read(objects: &Arc<dyn ObjectStore>, path: &str) -> Result<Bytes, Error> {
    let location = location(path)?;
    within(path, async { objects.get(&location).await?.bytes().await }).await
}

async fn within<T>(path: &str, operation: impl Future<Output = object_store::Result<T>>) -> Result<T, Error> {
    let path = path.to_owned();
    match tokio::time::timeout(DEADLINE, operation).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(object_store::Error::NotFound { .. })) => Err(Error::NotFound { path }),
        Ok(Err(reason)) => Err(Error::Unavailable { path, reason: reason.to_string() }),
        Err(_) => {
            Err(Error::Unavailable { path, reason: format!("no answer within {} s", DEADLINE.as_secs()) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn behaves(store: Store) {
        assert!(matches!(store.object("live/a/1.m4s").await, Err(Error::NotFound { .. })));
        store.put("live/a/1.m4s", vec![Bytes::from("ab"), Bytes::from("c")]).await.unwrap();
        let object = store.object("live/a/1.m4s").await.unwrap();
        assert_eq!((&object.body[..], &object.etag), (&b"abc"[..], &etag([&b"abc"[..]])));
        store.put("live/a/1.m4s", vec![Bytes::from("new")]).await.unwrap();
        assert_eq!(store.object("live/a/1.m4s").await.unwrap().body, "new");
        store.delete("live/a/1.m4s").await.unwrap();
        store.delete("live/a/1.m4s").await.unwrap();
        assert!(matches!(store.object("live/a/1.m4s").await, Err(Error::NotFound { .. })));
        store.put("vod/clip/index.m3u8", vec![Bytes::from("#EXTM3U")]).await.unwrap();
        assert_eq!(store.assets().await.unwrap(), ["clip"]);
    }

    #[tokio::test]
    async fn every_backend_behaves_alike() {
        let directory = tempfile::tempdir().unwrap();
        behaves(Store::open("memory://").unwrap()).await;
        behaves(Store::open(directory.path().join("new").to_str().unwrap()).unwrap()).await;
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_in_words() {
        let error = Store::open("ftp://host/").unwrap_err().to_string();
        assert!(error.contains("ftp://host/") && error.contains("directory"), "{error}");
        let error = Store::open("/dev/null/data").unwrap_err().to_string();
        assert!(error.contains("/dev/null/data") && error.contains("may write"), "{error}");
    }

    #[tokio::test]
    async fn a_thousand_readers_of_a_cold_object_cost_one_read_even_if_all_but_one_give_up() {
        let store = Store::open("memory://").unwrap();
        store.put("vod/a/1.m4s", vec![Bytes::from("x")]).await.unwrap();
        let readers: Vec<_> = (0..1000)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { store.object("vod/a/1.m4s").await })
            })
            .collect();
        readers.iter().skip(1).for_each(|reader| reader.abort());
        let first = readers.into_iter().next().unwrap();
        assert!(first.await.unwrap().is_ok());
        assert_eq!(store.fills(), 1);
    }
}
