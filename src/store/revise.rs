//! Objects that one writer at a time may write anew: a version is written over, and no other.

use bytes::Bytes;
use object_store::{ObjectMeta, ObjectStoreExt, PutMode, UpdateVersion};

use super::{
    Error, Store, described, etag,
    hold::{Hold, Lock},
    holdings::Writing,
    location,
};
use crate::policy::CachePolicy;

/// Which of the bodies that an object had one after another. Equal for the same, and different for the next.
#[derive(Clone, Debug)]
pub struct Version(UpdateVersion);

/// An object that changes, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its bytes.
    pub body: Bytes,
    /// Which of its bodies this is.
    pub version: Version,
}

/// Some places tell less to who writes than to who reads.
impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0.e_tag, &other.0.e_tag) {
            (Some(one), Some(other)) => one == other,
            _ => self.0.version == other.0.version,
        }
    }
}

impl Eq for Version {}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        Self(UpdateVersion { e_tag: meta.e_tag.clone(), version: meta.version.clone() })
    }
}

impl Store {
    /// Reads an object that changes, past the cache.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn look(&self, path: &str) -> Result<Seen, Error> {
        let effort = if self.holdings.place.is_local() { self.effort.once() } else { self.effort };
        effort.spend(path, || self.look_once(path)).await
    }

    async fn look_once(&self, path: &str) -> Result<Seen, Error> {
        let failed = |error| Error::of(path, error);
        let found = self.holdings.place.objects.get(&location(path)?).await.map_err(failed)?;
        let (version, said) = (Version::of(&found.meta), described::etag_of(&found.attributes));
        let size = found.meta.size;
        let body = found.bytes().await.map_err(failed)?;
        if size != body.len() as u64 || said.is_some_and(|said| said != etag([&body[..]])) {
            return Err(Error::Damaged { path: path.to_owned() });
        }
        Ok(Seen { body, version })
    }

    /// Writes an object over the version that it has, which is `over`, or where nothing is. A bucket does so in one step; a
    /// directory takes it only of who [holds](Store::held) it.
    ///
    /// # Errors
    /// [`Error::Superseded`] if it has another version; else as [`Store::put`].
    pub async fn revise(
        &self,
        path: &str,
        pieces: Vec<Bytes>,
        over: Option<&Version>,
    ) -> Result<Version, Error> {
        let writing = Writing::new(path, pieces, CachePolicy::NoStore);
        self.holdings.hashes.forget(path);
        let revised = if self.holdings.place.is_local() {
            self.revise_file(&writing, over).await
        } else {
            self.effort.unhedged().spend(path, || self.revise_object(&writing, over)).await
        };
        self.cache.forget(path).await;
        revised
    }

    /// Writes a document as [`Store::put_document`], over the version that it has, which is `over`; in a directory, over any
    /// as long as who writes [holds](Store::held) it. Gives its version where that counts.
    ///
    /// # Errors
    /// As [`Store::revise`].
    pub async fn revise_document(
        &self,
        path: &str,
        text: Bytes,
        cache: CachePolicy,
        over: Option<&Version>,
    ) -> Result<Option<Version>, Error> {
        if self.holdings.place.is_local() {
            return self.put_document(path, text, cache).await.map(|()| None);
        }
        self.revise_conditionally(&Writing::new(path, vec![text], cache), over).await.map(Some)
    }

    /// Writes an object over the version `over`, or where nothing is; in a directory as [`Store::revise_document`]. One that is
    /// immutable is to be that from now on.
    ///
    /// # Errors
    /// As [`Store::revise`].
    pub async fn put_over(
        &self,
        path: &str,
        pieces: Vec<Bytes>,
        cache: CachePolicy,
        over: Option<&Version>,
    ) -> Result<(), Error> {
        let writing = Writing::new(path, pieces, cache);
        if self.holdings.place.is_local() {
            self.write(&writing, true).await?;
        } else {
            self.revise_conditionally(&writing, over).await?;
        }
        if cache == CachePolicy::Immutable {
            self.holdings.hashes.expect(path, &writing.etag);
        }
        Ok(())
    }

    async fn revise_conditionally(
        &self,
        writing: &Writing<'_>,
        over: Option<&Version>,
    ) -> Result<Version, Error> {
        self.holdings.hashes.forget(writing.path);
        let effort = self.effort.unhedged();
        let revised = effort.spend(writing.path, || self.revise_object(writing, over)).await;
        self.cache.forget(writing.path).await;
        revised
    }

    /// The version that an object has, where that counts; `None` where there is no object.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn version(&self, path: &str) -> Result<Option<Version>, Error> {
        if self.holdings.place.is_local() {
            return Ok(None);
        }
        let location = location(path)?;
        let objects = &self.holdings.place.objects;
        // Nothing is read: what is damaged is to be written over like anything else.
        let head = || async { objects.head(&location).await.map_err(|error| Error::of(path, error)) };
        match self.effort.spend(path, head).await {
            Ok(meta) => Ok(Some(Version::of(&meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn revise_object(&self, writing: &Writing<'_>, over: Option<&Version>) -> Result<Version, Error> {
        let path = writing.path;
        let mode = over.map_or(PutMode::Create, |over| PutMode::Update(over.0.clone()));
        let (options, location) = (self.holdings.options(writing, mode), location(path)?);
        let objects = &self.holdings.place.objects;
        match objects.put_opts(&location, writing.payload.clone(), options).await {
            Ok(put) => Ok(Version(put.into())),
            // An answer may have been lost, and S3 refuses with a 409 as well while others write.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                self.settle(writing, over).await
            }
            Err(error) => Err(Error::of(path, error)),
        }
    }

    /// What lies there decides whether we have written it.
    async fn settle(&self, writing: &Writing<'_>, over: Option<&Version>) -> Result<Version, Error> {
        let path = writing.path.to_owned();
        let again = |reason: &str| Error::Unavailable { path: path.clone(), reason: reason.to_owned() };
        match self.look_once(writing.path).await {
            Ok(seen) if etag([&seen.body[..]]) == writing.etag => Ok(seen.version),
            Ok(seen) if Some(&seen.version) == over => Err(again("refused in a conflict, and as it was")),
            Ok(_) => Err(Error::Superseded { path }),
            Err(Error::NotFound { .. }) => Err(again("said to be another, and is not there")),
            Err(error) => Err(error),
        }
    }

    async fn revise_file(&self, writing: &Writing<'_>, over: Option<&Version>) -> Result<Version, Error> {
        let path = writing.path;
        let there = match self.look_once(path).await {
            Ok(seen) => Some(seen.version),
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if there.as_ref() != over {
            return Err(Error::Superseded { path: path.to_owned() });
        }
        self.holdings.replace(writing, true, self.effort).await?;
        self.look_once(path).await.map(|seen| seen.version)
    }

    /// The same store for the writer of this `epoch`: of those that hold the objects under `prefix` in a directory, only the
    /// one of the highest epoch writes anything anew from now on. In a bucket versions see to that.
    ///
    /// # Errors
    /// [`Error::Superseded`] if there is a higher one; else as [`Store::put`].
    pub async fn held(&self, prefix: &str, epoch: u64) -> Result<Self, Error> {
        let mut held = self.clone();
        if let Some(root) = &self.holdings.place.root {
            self.holdings.is_present(prefix).await?;
            held.holdings.hold = Some(Hold::take(root, prefix, epoch).await?);
        }
        Ok(held)
    }

    /// Locks what lies under `prefix` of a directory, so that of all who do so only one goes on; `None` if somebody else
    /// has, if nothing is there yet, and in a bucket. Nothing is written.
    pub async fn lock(&self, prefix: &str) -> Option<Lock> {
        Lock::take(self.holdings.place.root.as_ref()?, prefix).await
    }

    /// True if the one of this `epoch` that held the objects under `prefix` is gone for certain; false if that cannot be
    /// known.
    pub async fn is_left(&self, prefix: &str, epoch: u64) -> bool {
        match &self.holdings.place.root {
            Some(root) => Hold::is_left(root, prefix, epoch).await,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use headwater_test_support::fault::{Fault, FaultStore, Odds};

    use super::*;
    use crate::store::Effort;

    fn body(text: &str) -> Vec<Bytes> {
        vec![Bytes::copy_from_slice(text.as_bytes())]
    }

    async fn one_of_two_goes_on(store: Store) {
        let path = "live/a/state.json";
        let (first, second) = (store.held("live/a", 1).await.unwrap(), store.clone());
        let one = first.revise(path, body("1"), None).await.unwrap();
        assert_eq!(store.look(path).await.unwrap(), Seen { body: Bytes::from("1"), version: one.clone() });
        let again = first.revise(path, body("x"), None).await;
        assert!(matches!(again, Err(Error::Superseded { .. })), "{again:?}");
        let second = second.held("live/a", 2).await.unwrap();
        let two = second.revise(path, body("2"), Some(&one)).await.unwrap();
        let late = first.revise(path, body("3"), Some(&one)).await;
        assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
        let seen = store.look(path).await.unwrap();
        assert_eq!((&seen.body[..], &seen.version), (&b"2"[..], &two));
        second.revise(path, body("4"), Some(&two)).await.unwrap();
    }

    #[tokio::test]
    async fn of_two_writers_only_the_one_that_knows_the_newest_version_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        one_of_two_goes_on(Store::open("memory://").unwrap()).await;
        one_of_two_goes_on(Store::open(directory.path().to_str().unwrap()).unwrap()).await;
    }

    #[tokio::test]
    async fn who_is_succeeded_in_a_directory_writes_nothing_anew_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().to_str().unwrap()).unwrap();
        let first = store.held("live/a", 1).await.unwrap();
        let write = async |store: &Store, text: &'static str| {
            store.put_document("live/a/180p/index.m3u8", Bytes::from(text), CachePolicy::LiveManifest).await
        };
        write(&first, "1").await.unwrap();
        assert!(!store.is_left("live/a", 1).await);
        let second = store.held("live/a", 2).await.unwrap();
        let late = write(&first, "late").await;
        assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
        let late = store.held("live/a", 1).await;
        assert!(matches!(late, Err(Error::Superseded { .. })));
        write(&second, "2").await.unwrap();
        assert_eq!(store.get("live/a/180p/index.m3u8").await.unwrap(), "2");
        assert!(!store.is_left("live/a", 2).await);
        drop(second);
        assert!(store.is_left("live/a", 2).await);
        assert!(!store.is_left("live/a", 7).await, "of what was never held nothing is known");
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_revisions_under_faults_each_follow_the_one_before() {
        let odds = Odds(vec![
            (Fault::Refused, 100),
            (Fault::LostAnswer, 150),
            (Fault::Conflict, 50),
            (Fault::Stale, 50),
            (Fault::Slow(Duration::from_millis(900)), 50),
        ]);
        let faults = FaultStore::new(11, odds);
        let effort = Effort::edge(Duration::from_secs(20));
        let store = Store::over(Arc::new(faults)).spending(effort);
        let mut version = None;
        for number in 0..1000 {
            let text = number.to_string();
            let revised = store.revise("live/a/state.json", body(&text), version.as_ref()).await;
            version = Some(revised.unwrap_or_else(|error| panic!("{number}: {error}")));
        }
        assert_eq!(store.look("live/a/state.json").await.unwrap().body, "999");
    }
}
