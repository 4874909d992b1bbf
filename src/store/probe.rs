//! Whether a bucket keeps to conditions. Some that look like S3 accept `If-None-Match` and `If-Match` on a PUT and write
//! all the same: two packagers would both believe that a name is theirs.

use std::{fmt, hash::BuildHasher, sync::Arc};

use bytes::Bytes;
use object_store::{ObjectStoreExt, PutMode, PutResult, path::Path};

use super::{Error, Store, holdings::Writing, location};
use crate::{config::Fence, policy::CachePolicy};

/// That the store of this URL writes whatever the condition is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfenced(Arc<str>);

impl fmt::Display for Unfenced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "store {:?} ignores conditional writes (If-None-Match, If-Match): there is no hot standby, and nothing keeps \
             a second packager from publishing the same channel; run one, or use a store that knows them",
            self.0
        )
    }
}

/// What became of a write with a condition.
enum Outcome {
    Written(PutResult),
    Refused,
    /// The store says that it has no such thing.
    Unknown,
}

impl Store {
    /// True if nothing may be published where packagers are not kept apart.
    pub fn has_to_be_fenced(&self) -> bool {
        self.fence == Fence::Required
    }

    /// The same store, of which that is wanted.
    #[cfg(test)]
    pub(crate) fn that_has_to_be_fenced(self) -> Self {
        Self { fence: Fence::Required, ..self }
    }

    /// Says so if the store does not keep packagers apart. It is tried once for all who have the store: four writes of an
    /// object, which is removed.
    ///
    /// # Errors
    /// [`Error::Denied`] and [`Error::Unavailable`]: then it is tried the next time.
    pub async fn unfenced(&self) -> Result<Option<Unfenced>, Error> {
        if self.holdings.place.is_local() || self.fence == Fence::Off {
            return Ok(None);
        }
        let keeps = *self.keeps.get_or_try_init(|| self.keeps_to_conditions()).await?;
        Ok((!keeps).then(|| Unfenced(self.url.clone())))
    }

    async fn keeps_to_conditions(&self) -> Result<bool, Error> {
        self.effort.unhedged().spend("probe", || self.probe()).await
    }

    /// Under a name that nobody else has, so that whatever is lost on the way is not taken for an answer of the store.
    async fn probe(&self) -> Result<bool, Error> {
        let random = std::hash::RandomState::new().hash_one(std::process::id());
        let path = format!("probe-{random:016x}.json");
        let place = location(&path)?;
        let keeps = self.try_versions(&path, &place).await;
        // Who may write and not delete leaves it: it is small.
        let _ = self.holdings.place.objects.delete(&place).await;
        keeps
    }

    /// A name is not created twice, and a version that was written over is not written over again.
    async fn try_versions(&self, path: &str, place: &Path) -> Result<bool, Error> {
        let odd = || Error::Unavailable { path: path.to_owned(), reason: "refused under a new name".into() };
        let first = match self.write_if(path, place, "1", PutMode::Create).await? {
            Outcome::Written(put) => put,
            Outcome::Refused => return Err(odd()),
            Outcome::Unknown => return Ok(false),
        };
        if !matches!(self.write_if(path, place, "2", PutMode::Create).await?, Outcome::Refused) {
            return Ok(false);
        }
        let over = || PutMode::Update(first.clone().into());
        match self.write_if(path, place, "3", over()).await? {
            Outcome::Written(_) => {}
            Outcome::Refused => return Err(odd()),
            Outcome::Unknown => return Ok(false),
        }
        Ok(matches!(self.write_if(path, place, "4", over()).await?, Outcome::Refused))
    }

    async fn write_if(&self, path: &str, place: &Path, body: &str, mode: PutMode) -> Result<Outcome, Error> {
        let writing = Writing::new(path, vec![Bytes::copy_from_slice(body.as_bytes())], CachePolicy::NoStore);
        let options = self.holdings.options(&writing, mode);
        use object_store::Error as Said;
        match self.holdings.place.objects.put_opts(place, writing.payload.clone(), options).await {
            Ok(put) => Ok(Outcome::Written(put)),
            Err(Said::AlreadyExists { .. } | Said::Precondition { .. }) => Ok(Outcome::Refused),
            Err(Said::NotImplemented { .. } | Said::NotSupported { .. }) => Ok(Outcome::Unknown),
            Err(error) => Err(Error::of(path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use headwater_test_support::fault::{Fault, FaultStore, Odds};
    use object_store::ObjectStore;

    use super::*;
    use crate::{config, store::Effort};

    async fn left(faults: &FaultStore) -> usize {
        faults.truth().list_with_delimiter(None).await.unwrap().objects.len()
    }

    #[tokio::test]
    async fn a_store_that_writes_whatever_the_condition_is_is_found_out_once_and_nothing_is_left_there() {
        let faults = FaultStore::new(1, Odds::default()).lingering().heedless();
        let store = Store::over(Arc::new(faults.clone()));
        let said = store.unfenced().await.unwrap().expect("it is heedless").to_string();
        assert!(said.contains("no hot standby") && said.contains("memory://"), "{said}");
        let writes = faults.history().len();
        assert!(store.clone().unfenced().await.unwrap().is_some());
        assert_eq!((faults.history().len(), left(&faults).await), (writes, 0));
        let off = Store { fence: Fence::Off, ..Store::over(Arc::new(faults.clone())) };
        assert_eq!((off.unfenced().await.unwrap(), faults.history().len()), (None, writes));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_keeps_to_conditions_is_not_taken_for_another_by_faults() {
        for seed in 0..200 {
            let odds = vec![(Fault::Refused, 100), (Fault::LostAnswer, 100), (Fault::Conflict, 50)];
            let faults = FaultStore::new(seed, Odds(odds));
            let store = Store::over(Arc::new(faults)).spending(Effort::edge(Duration::from_secs(20)));
            assert!(!matches!(store.unfenced().await, Ok(Some(_))), "seed {seed}");
        }
    }

    #[tokio::test]
    async fn of_a_store_that_is_away_nothing_is_concluded() {
        let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
        let effort = Effort::edge(Duration::from_millis(100));
        let store = Store::over(Arc::new(faults.clone())).spending(effort);
        store.unfenced().await.unwrap_err();
        faults.calm(true);
        assert_eq!(store.unfenced().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_directory_needs_no_trial() {
        let directory = tempfile::tempdir().unwrap();
        let config =
            config::Store { fence: Fence::Required, ..config::Store::at(directory.path().to_str().unwrap()) };
        let store = Store::of(&config).unwrap();
        assert!(store.has_to_be_fenced() && store.unfenced().await.unwrap().is_none());
    }
}
