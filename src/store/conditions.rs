//! Whether a store does as the condition of a write says. Some that look like S3 accept conditions and write all the same, and
//! then two packagers have nothing between them but time.

use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use object_store::{PutMode, UpdateVersion};

use super::{Error, Store, holdings::Writing, location};
use crate::policy::CachePolicy;

/// An entity tag that no object has.
const NOBODYS: &str = "\"00000000000000000000000000000000\"";

impl Store {
    /// True if a name is created once only, and a version written over only if it is the one that is named. Tried with an
    /// object of its own, which is removed again; of a directory it is known.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn keeps_conditions(&self) -> Result<bool, Error> {
        if self.holdings.place.is_local() {
            return Ok(true);
        }
        // Servers that start at the same moment do not try the same name.
        let path = format!("probe-{:016x}.json", RandomState::new().hash_one(()));
        let kept = self.try_conditions(&path).await;
        self.delete(&path).await?;
        kept
    }

    async fn try_conditions(&self, path: &str) -> Result<bool, Error> {
        self.put(path, vec![Bytes::from("first")]).await?;
        let other = UpdateVersion { e_tag: Some(NOBODYS.into()), version: Some("0".into()) };
        Ok(self.is_refused(path, PutMode::Create).await?
            && self.is_refused(path, PutMode::Update(other)).await?)
    }

    /// True if what is not to be done is not done.
    async fn is_refused(&self, path: &str, mode: PutMode) -> Result<bool, Error> {
        let writing = Writing::new(path, vec![Bytes::from("second")], CachePolicy::NoStore);
        let objects = &self.holdings.place.objects;
        let put = || async {
            let options = self.holdings.options(&writing, mode.clone());
            match objects.put_opts(&location(path)?, writing.payload.clone(), options).await {
                Ok(_) => Ok(false),
                Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {
                    Ok(true)
                }
                Err(error) => Err(Error::of(path, error)),
            }
        };
        self.effort.unhedged().spend(path, put).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use headwater_test_support::fault::{Fault, FaultStore, Odds};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_ignores_conditions_is_found_out_and_nothing_is_left_of_the_trial() {
        for (odds, expected) in
            [(vec![], true), (vec![(Fault::Refused, 300)], true), (vec![(Fault::Unconditional, 1000)], false)]
        {
            let faults = FaultStore::new(3, Odds(odds.clone()));
            let store = Store::over(Arc::new(faults.clone()));
            assert_eq!(store.keeps_conditions().await.unwrap(), expected, "{odds:?}");
            let left = futures_util::StreamExt::count(object_store::ObjectStore::list(&faults, None)).await;
            assert_eq!(left, 0);
        }
        assert!(Store::open("memory://").unwrap().keeps_conditions().await.unwrap());
    }
}
