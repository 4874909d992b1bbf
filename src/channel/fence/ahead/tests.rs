use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::{
    channel::{
        fence::{Stamp, Terms, tests::config as channel},
        record::Record,
    },
    config,
    store::{Effort, Store},
};

const SECOND: Duration = Duration::from_secs(1);
const PREFIX: &str = "live/a";
const STATE: &str = "live/a/state.json";

/// A directory in which somebody has published.
struct Kept {
    directory: TempDir,
    store: Store,
    pen: Pen,
}

impl Kept {
    /// By one who has stopped in good order if it is `released`.
    async fn by(released: bool) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Store::open(directory.path().to_str().unwrap()).unwrap();
        let store = store.spending(Effort::edge(2 * SECOND));
        let claim = candidate(&store).attempt().await.unwrap();
        let mut pen = claim.expect("nobody else is there").pen;
        let stamp = Stamp { beat: 2, released, ..pen.stamp().clone() };
        let record = Record::new("test:", &config::Ladder::default(), false, BTreeMap::new()).stamped(stamp);
        pen.write(STATE, record.to_bytes()).await.unwrap();
        Self { directory, store, pen }
    }

    /// From now on it takes something, or nothing, as if another disk was mounted.
    fn takes(&self, something: bool) {
        let [there, away] = [".headwater", "away"].map(|name| self.directory.path().join(name));
        let (from, to) = if something { (away, there) } else { (there, away) };
        std::fs::rename(from, to).unwrap();
    }
}

fn candidate(store: &Store) -> Candidate {
    Candidate::new(store.clone(), PREFIX, Terms::new(2 * SECOND, store.effort().attempt), &channel())
}

fn next(pen: &Pen) -> Bytes {
    let stamp = Stamp { beat: pen.stamp().beat + 1, ..pen.stamp().clone() };
    serde_json::to_vec(&serde_json::json!({ "fence": stamp })).unwrap().into()
}

#[tokio::test]
async fn who_is_alone_is_on_air_before_the_store_takes_anything_and_claims_it_with_what_is_written_first() {
    let kept = Kept::by(true).await;
    kept.takes(false);
    let claim = candidate(&kept.store).attempt().await.unwrap().expect("nobody else publishes");
    let mut pen = claim.pen;
    assert_eq!(pen.stamp().epoch, 2);
    let again = candidate(&kept.store).attempt().await;
    assert!(matches!(again, Err(Hindrance::Store(Error::Unavailable { .. }))), "one goes ahead: {again:?}");
    let tenure = pen.tenure().clone();
    for _ in 0..2 {
        assert!(tenure.may_show(clock::now()));
        let record = next(&pen);
        assert!(matches!(pen.write(STATE, record).await, Err(Error::Unavailable { .. })));
        assert!(pen.permit().await.is_err());
        assert!(timeout(SECOND / 10, tenure.permit()).await.is_err(), "nothing is written before the record");
    }
    kept.takes(true);
    let record = next(&pen);
    pen.write(STATE, record.clone()).await.unwrap();
    let store = timeout(SECOND, tenure.permit()).await.expect("it may write");
    assert_eq!(store.get(STATE).await.unwrap(), record);
    store.put_media("live/a/180p/1.m4s", vec!["1".into()]).await.unwrap();
    let other = candidate(&kept.store).attempt().await;
    assert!(matches!(other, Err(Hindrance::Active { epoch: 2, .. })), "{other:?}");
}

#[tokio::test]
async fn who_has_gone_ahead_and_is_overtaken_steps_back() {
    let kept = Kept::by(true).await;
    kept.takes(false);
    let mut pen = candidate(&kept.store).attempt().await.unwrap().expect("nobody else publishes").pen;
    kept.takes(true);
    let other = candidate(&kept.store).attempt().await.unwrap().expect("the store is quicker").pen;
    assert_eq!(other.stamp().epoch, 2);
    let record = next(&pen);
    assert!(matches!(pen.write(STATE, record).await, Err(Error::Superseded { .. })));
    assert!(pen.tenure().is_lost() && !pen.tenure().may_show(clock::now()));
    assert_eq!(Stamp::of(&other.store().get(STATE).await.unwrap()).unwrap().fence, *other.stamp());
}

#[tokio::test]
async fn nobody_goes_ahead_of_one_that_may_be_there_nor_where_a_fence_is_required() {
    let kept = Kept::by(false).await;
    kept.takes(false);
    let mut waiting = candidate(&kept.store);
    let seen = waiting.attempt().await;
    assert!(matches!(seen, Err(Hindrance::Active { epoch: 1, .. })), "{seen:?}");
    // It writes no record, and may be there all the same.
    tokio::time::sleep(4 * SECOND + SECOND / 10).await;
    let seen = waiting.attempt().await;
    assert!(matches!(seen, Err(Hindrance::Store(Error::Unavailable { .. }))), "{seen:?}");

    let kept = Kept::by(true).await;
    kept.takes(false);
    let mut required = candidate(&kept.store);
    required.store = required.store.that_has_to_be_fenced();
    let seen = required.attempt().await;
    assert!(matches!(seen, Err(Hindrance::Store(_))), "{seen:?}");
    drop(kept.pen);
}
