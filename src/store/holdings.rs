//! Objects as they lie in their place, past the cache: reading what is true of them, and writing so that it stays true.

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutPayload};

use super::{Effort, Error, Object, described, etag, hashes::Hashes, location, place::Place};
use crate::policy::CachePolicy;

/// What is kept. Cloning is cheap.
#[derive(Clone, Debug)]
pub(super) struct Holdings {
    pub(super) place: Place,
    pub(super) hashes: Hashes,
}

/// Something to be written.
pub(super) struct Writing<'a> {
    pub(super) path: &'a str,
    pub(super) payload: PutPayload,
    pub(super) etag: String,
    pub(super) cache: CachePolicy,
}

impl<'a> Writing<'a> {
    pub(super) fn new(path: &'a str, pieces: Vec<Bytes>, cache: CachePolicy) -> Self {
        let etag = etag(pieces.iter().map(|piece| &piece[..]));
        Self { path, payload: PutPayload::from_iter(pieces), etag, cache }
    }
}

impl Holdings {
    /// Reads an object whose content is what was written, as far as that is known.
    pub(super) async fn read(&self, path: &str) -> Result<Object, Error> {
        let effort = if self.place.is_local() { Effort::viewer().once() } else { Effort::viewer() };
        effort.spend(path, || self.read_once(path)).await
    }

    async fn read_once(&self, path: &str) -> Result<Object, Error> {
        let failed = |error| Error::of(path, error);
        let found = self.place.objects.get(&location(path)?).await.map_err(failed)?;
        let (size, said) = (found.meta.size, described::etag_of(&found.attributes));
        let body = found.bytes().await.map_err(failed)?;
        let tag = etag([&body[..]]);
        let expected = self.hashes.of(path).or(said);
        if size != body.len() as u64 || expected.is_some_and(|expected| expected != tag) {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        Ok(Object { body, etag: tag })
    }

    /// Writes an object over whatever is there, in whole or not at all. One that is not `durable` may be gone after a
    /// power cut.
    pub(super) async fn replace(
        &self,
        writing: &Writing<'_>,
        durable: bool,
        effort: Effort,
    ) -> Result<(), Error> {
        let location = location(writing.path)?;
        let objects = if durable { &self.place.objects } else { &self.place.hasty };
        let put = || async {
            self.is_present(writing.path).await?;
            let options = self.options(writing, PutMode::Overwrite);
            let put = objects.put_opts(&location, writing.payload.clone(), options).await;
            put.map_err(|error| Error::of(writing.path, error))?;
            self.is_present(writing.path).await
        };
        self.writing(effort).unhedged().spend(writing.path, put).await
    }

    /// Writes an object whose name nothing has had before: one name, one body, for ever.
    pub(super) async fn create(&self, writing: &Writing<'_>, effort: Effort) -> Result<(), Error> {
        let location = location(writing.path)?;
        let put = || async {
            self.is_present(writing.path).await?;
            let options = self.options(writing, PutMode::Create);
            match self.place.objects.put_opts(&location, writing.payload.clone(), options).await {
                // It may have gone between the look and the write, which then went where nobody will find it.
                Ok(_) => self.is_present(writing.path).await,
                Err(object_store::Error::AlreadyExists { .. }) => self.is_ours(writing).await,
                Err(error) => Err(Error::of(writing.path, error)),
            }
        };
        self.writing(effort).spend(writing.path, put).await
    }

    /// What lies there decides whether we were first: an answer may have been lost, and object_store reads a 409, which
    /// S3 gives while others write under the name, as "already exists" although nothing may have landed.
    async fn is_ours(&self, writing: &Writing<'_>) -> Result<(), Error> {
        let path = writing.path;
        let found = match self.place.objects.get(&location(path)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => {
                let reason = "said to be there already, and is not there".to_owned();
                return Err(Error::Unavailable { path: path.to_owned(), reason });
            }
            Err(error) => return Err(Error::of(path, error)),
        };
        let said = described::etag_of(&found.attributes);
        let body = found.bytes().await.map_err(|error| Error::of(path, error))?;
        let is_it = etag([&body[..]]) == writing.etag;
        match said {
            // What it says of itself is of what was written; what is read may be damaged on its way.
            Some(said) if said == writing.etag && !is_it => Err(Error::Damaged { path: path.to_owned() }),
            _ if is_it => Ok(()),
            _ => Err(Error::Taken { path: path.to_owned() }),
        }
    }

    fn options(&self, writing: &Writing<'_>, mode: PutMode) -> object_store::PutOptions {
        self.place.descriptions.options(writing.path, &writing.etag, writing.cache, mode)
    }

    fn writing(&self, effort: Effort) -> Effort {
        if self.place.is_local() { effort.however_long() } else { effort }
    }

    /// Where a disk was mounted, there is a directory without it, and whatever is written there is in the way later.
    async fn is_present(&self, path: &str) -> Result<(), Error> {
        let Some(witness) = &self.place.witness else { return Ok(()) };
        if tokio::fs::try_exists(witness).await.unwrap_or(false) {
            return Ok(());
        }
        let reason = format!("{} is gone, and with it what was mounted there", witness.display());
        Err(Error::Unavailable { path: path.to_owned(), reason })
    }
}
