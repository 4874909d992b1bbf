//! Packagers that begin, stop, sleep and are killed, over a store in which everything goes wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use headwater_packager::time::Grid;
use headwater_test_support::fault::{Fault, FaultStore, Odds};
use object_store::ObjectStore;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    channel::{
        commit::{Committer, News, Paper, Work},
        edge::Body,
        record::Record,
    },
    clock, config,
    metrics::Storing,
    policy::CachePolicy,
    store::{Effort, Store},
};

const CASES: u64 = 150;
const SECOND: Duration = Duration::from_secs(1);
const PREFIX: &str = "live/a";
const STATE: &str = "live/a/state.json";
const LIST: &str = "live/a/180p/index.m3u8";

pub(super) fn config() -> config::Channel {
    config::Channel {
        source: "test:".into(),
        access: config::Who::Open,
        timing: config::Timing::Clock,
        grid: Grid { segment: 2 * SECOND, part: SECOND },
        window: 20 * SECOND,
        archive: 20 * SECOND,
        archive_bytes: None,
        low_latency: true,
        ladder: config::Ladder::default(),
        encoder_socket: None,
        unfit: config::Unfit::default(),
    }
}

/// One packager: a store of its own view, and its task.
struct Packager {
    faults: FaultStore,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Packager {
    fn start(faults: &FaultStore) -> Self {
        let (faults, stop) = (faults.for_another(), CancellationToken::new());
        let effort = Effort::edge(2 * SECOND);
        let store = Store::over(Arc::new(faults.clone())).spending(effort);
        let task = tokio::spawn(packager(store, Terms::new(2 * SECOND, effort.attempt), stop.clone()));
        Self { faults, stop, task }
    }
}

impl Drop for Packager {
    /// As a crash would.
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn packager(store: Store, terms: Terms, stop: CancellationToken) {
    let began = clock::now();
    while !stop.is_cancelled() {
        let candidate = Candidate::new(store.clone(), PREFIX, terms, &config());
        let claim = tokio::select! {
            claim = candidate.wait(|_| {}) => claim,
            () = stop.cancelled() => return,
        };
        publish(claim.pen, &stop, began).await;
    }
}

/// A channel of one track whose segments are as long as the target duration, until it is told to stop or succeeded.
async fn publish(pen: Pen, stop: &CancellationToken, began: std::time::Instant) {
    let mut stamp = pen.stamp().clone();
    let mut committer = Committer::start("a", pen, Storing::default());
    let (mut recording, mut next) = (false, number(began));
    loop {
        if !recording && stop.is_cancelled() {
            stamp.released = true;
        }
        let due = committer.tenure().due().unwrap_or_else(clock::now);
        if !recording && (stop.is_cancelled() || due <= clock::now()) {
            let record = Record::new("test:", &config::Ladder::default(), false, BTreeMap::new());
            let record = record.stamped(stamp.next()).to_bytes();
            recording = true;
            committer.submit(Work::Record { path: STATE.into(), record, ended: false });
        }
        let wake = if recording { clock::now() + SECOND } else { due };
        tokio::select! {
            news = committer.news() => match news {
                News::Superseded => return,
                News::Recorded => {
                    recording = false;
                    if stamp.released {
                        return;
                    }
                    let text = vec![format!("{} {}", stamp.epoch, stamp.beat).into()];
                    let paper = Paper { path: LIST.into(), text, cache: CachePolicy::LiveManifest };
                    committer.submit(Work::Documents(vec![paper]));
                }
                _ => {}
            },
            () = tokio::time::sleep_until(wake.into()) => {}
            () = stop.cancelled(), if !stop.is_cancelled() => {}
        }
        if number(began) >= next {
            let (track, path) = ("180p".to_owned(), format!("live/a/180p/{next}.m4s"));
            let body = Arc::new(Body::new(vec![format!("{} {}", stamp.epoch, stamp.writer).into()]));
            committer.submit(Work::Segment { track, number: next, path, body });
            next += 1;
        }
    }
}

fn number(began: std::time::Instant) -> i64 {
    i64::try_from(clock::now().saturating_duration_since(began).as_secs() / 2).unwrap()
}

/// What was landed, in this order, is what one after another may have written.
fn assert_in_order(history: &[(String, Bytes)], seed: u64) -> Stamp {
    let (mut last, mut listed) = (Stamp::default(), (0, 0));
    let mut writers = BTreeMap::new();
    let mut created = BTreeSet::new();
    let mut segments: BTreeMap<&str, u64> = BTreeMap::new();
    for (path, body) in history {
        match path.as_str() {
            STATE => {
                let stamp = Stamp::of(body).unwrap().fence;
                let of_epoch = writers.entry(stamp.epoch).or_insert_with(|| stamp.writer.clone());
                assert_eq!(*of_epoch, stamp.writer, "seed {seed}: epoch {} of two writers", stamp.epoch);
                let follows = (stamp.epoch, stamp.beat) > (last.epoch, last.beat);
                assert!(follows, "seed {seed}: {stamp:?} behind {last:?}");
                last = stamp;
            }
            LIST => {
                let text = std::str::from_utf8(body).unwrap();
                let (epoch, beat) = text.split_once(' ').unwrap();
                let list: (u64, u64) = (epoch.parse().unwrap(), beat.parse().unwrap());
                assert!(list >= listed, "seed {seed}: list {list:?} behind {listed:?}");
                assert!(list <= (last.epoch, last.beat), "seed {seed}: list {list:?} ahead of its record");
                listed = list;
            }
            // One that was cleared away is of no use to who sleeps over that and creates it again: a record has passed it.
            _ if epoch_of_fence(path).is_some_and(|epoch| epoch + 1 < last.epoch) => {
                created.insert(path);
            }
            // Of who was succeeded before a record told of it.
            _ if path.ends_with(".m4s") => {
                let (epoch, _) = std::str::from_utf8(body).unwrap().split_once(' ').unwrap();
                let epoch = epoch.parse().unwrap();
                let before = segments.insert(path, epoch);
                assert!(
                    before.is_none_or(|before| before < epoch),
                    "seed {seed}: {path} of {before:?} by {epoch}"
                );
            }
            _ => assert!(created.insert(path), "seed {seed}: {path} was written over"),
        }
    }
    last
}

fn epoch_of_fence(path: &str) -> Option<u64> {
    path.strip_prefix("live/a/fence-")?.strip_suffix(".json")?.parse().ok()
}

/// How many fences lie there.
async fn fences(faults: &FaultStore) -> u64 {
    let found = faults.truth().list_with_delimiter(Some(&PREFIX.into())).await.unwrap().objects;
    found.iter().filter(|found| epoch_of_fence(found.location.as_ref()).is_some()).count() as u64
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Gives how many have published, and how many fences are left.
async fn case(seed: u64) -> (u64, u64) {
    let odds = Odds(vec![
        (Fault::Refused, 30),
        (Fault::LostAnswer, 40),
        (Fault::Conflict, 20),
        (Fault::Stale, 20),
        (Fault::Short, 10),
        (Fault::Slow(Duration::from_millis(700)), 30),
        (Fault::Slow(5 * SECOND), 15),
    ]);
    let faults = FaultStore::new(seed, odds).lingering();
    let mut random = Random(seed);
    let mut packagers: Vec<Packager> = (0..2 + seed % 2).map(|_| Packager::start(&faults)).collect();
    for _ in 0..8 {
        sleep(Duration::from_millis(500 + random.below(6000))).await;
        let which = usize::try_from(random.below(packagers.len() as u64)).unwrap();
        match random.below(6) {
            0 | 1 => packagers[which].faults.wake(false),
            2 => packagers.iter().for_each(|packager| packager.faults.wake(true)),
            3 => packagers[which] = Packager::start(&faults),
            4 => packagers[which].stop.cancel(),
            _ => packagers.push(Packager::start(&faults)),
        }
    }
    assert_in_order(&faults.history(), seed);
    faults.calm(true);
    packagers.iter().for_each(|packager| packager.faults.wake(true));
    packagers.push(Packager::start(&faults));
    sleep(20 * SECOND).await;
    let before = assert_in_order(&faults.history(), seed);
    sleep(5 * SECOND).await;
    let after = assert_in_order(&faults.history(), seed);
    assert_eq!((before.epoch, before.writer), (after.epoch, after.writer), "seed {seed}: it is not settled");
    assert!(after.beat > before.beat + 2, "seed {seed}: nobody publishes");
    (after.epoch, fences(&faults).await)
}

#[tokio::test(start_paused = true)]
async fn however_packagers_come_go_sleep_and_are_killed_one_at_a_time_writes() {
    let (mut epochs, mut fences) = (0, 0);
    for seed in 0..CASES {
        let (published, left) = case(seed).await;
        (epochs, fences) = (epochs + published, fences + left);
    }
    assert!(fences < 3 * CASES, "{fences} fences are left of {epochs} epochs in {CASES} cases");
    assert!(epochs > 2 * CASES, "{epochs} in {CASES} cases: hardly anybody took over");
}

async fn seen(faults: &FaultStore, seconds: u64, wanted: impl Fn(&Stamp) -> bool) -> Option<Duration> {
    let began = clock::now();
    let until = async {
        loop {
            let history = faults.history();
            let last = history.iter().rev().find(|(path, _)| path == STATE);
            if last.is_some_and(|(_, body)| wanted(&Stamp::of(body).unwrap().fence)) {
                return clock::now() - began;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(seconds), until).await.ok()
}

#[tokio::test(start_paused = true)]
async fn one_that_is_killed_is_succeeded_within_three_target_durations_and_one_that_stops_at_once() {
    let faults = FaultStore::new(1, Odds::default()).lingering();
    let mut first = Packager::start(&faults);
    seen(&faults, 1, |stamp| stamp.epoch == 1).await.expect("nobody else is there");
    for round in 0..20 {
        let second = Packager::start(&faults);
        sleep(Duration::from_millis(7000 + 113 * round)).await;
        let epoch = round + 1;
        assert!(
            seen(&faults, 1, |stamp| stamp.epoch == epoch).await.is_some(),
            "one that lives is left alone"
        );
        let clean = round % 2 == 0;
        if clean {
            first.stop.cancel()
        } else {
            first.task.abort()
        }
        let took = seen(&faults, 20, |stamp| stamp.epoch == epoch + 1).await.expect("somebody follows");
        let limit = if clean { SECOND } else { 5 * SECOND };
        assert!(took <= limit, "round {round}: {took:?}");
        first = second;
    }
    assert_eq!(fences(&faults).await, 2, "of epochs that are over none are left");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_to_a_store_without_a_fence_if_there_has_to_be_one_and_else_it_is() {
    let terms = Terms::new(2 * SECOND, SECOND);
    for required in [true, false] {
        let faults = FaultStore::new(1, Odds::default()).lingering().heedless();
        let store = Store::over(Arc::new(faults.clone()));
        let store = if required { store.that_has_to_be_fenced() } else { store };
        let taken = Candidate::new(store, PREFIX, terms, &config()).attempt().await;
        let published = faults.history().iter().any(|(path, _)| path.starts_with(PREFIX));
        assert_eq!(published, !required);
        match taken {
            Err(hindrance @ Hindrance::Unfenced(_)) => {
                let why = hindrance.to_string();
                assert!(required && why.contains("fence = \"required\""), "{why}");
            }
            taken => assert!(!required && taken.unwrap().is_some()),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_yet_to_write_the_end_is_not_succeeded_at_once_and_who_has_is() {
    let store = Store::open("memory://").unwrap().spending(Effort::edge(2 * SECOND));
    let terms = Terms::new(2 * SECOND, store.effort().budget);
    for complete in [false, true] {
        let stamp = Stamp { epoch: 1, writer: "elsewhere/1".into(), beat: 9, ..Stamp::default() };
        let record = Record::new("test:", &config::Ladder::default(), true, BTreeMap::new());
        store.put(STATE, vec![record.completed(complete).stamped(stamp).to_bytes()]).await.unwrap();
        let claim = Candidate::new(store.clone(), PREFIX, terms, &config()).attempt().await;
        assert_eq!(matches!(claim, Ok(Some(_))), complete);
    }
}
