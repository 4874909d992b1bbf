//! The commit path over a store in which everything goes wrong.

use std::collections::HashMap;

use headwater_test_support::fault::{Fault, FaultStore, Odds};
use object_store::{ObjectStoreExt, path::Path};

use super::*;
use crate::{
    channel::fence::Terms,
    config::{self, Spool},
    store::Store,
};

const TRACKS: [&str; 2] = ["180p", "audio-und"];
const SECOND: Duration = Duration::from_secs(1);

/// A channel that knows of its segments what a record needs: which are in the store.
struct Rig {
    faults: FaultStore,
    committer: Committer,
    /// In the store; in the record that is being written; in the record.
    stored: BTreeSet<String>,
    entered: BTreeSet<String>,
    recorded: BTreeSet<String>,
    recording: bool,
    lost: Vec<i64>,
}

fn path(track: &str, number: i64) -> String {
    format!("live/a/{track}/{number}.m4s")
}

fn body(track: &str, number: i64) -> Bytes {
    Bytes::from(format!("{track} {number}"))
}

fn lines(paths: &BTreeSet<String>) -> Bytes {
    Bytes::from(paths.iter().map(|path| format!("{path}\n")).collect::<String>())
}

impl Rig {
    fn new(faults: FaultStore, spool: Spool) -> Self {
        let store = Store::over(Arc::new(faults.clone())).spooling(spool);
        let effort = Effort::edge(Duration::from_secs(2));
        // For ever: no channel of this rig writes records when nothing is new, so its lease would run out.
        let terms = Terms::new(Duration::from_secs(1_000_000), effort.attempt);
        let pen = Pen::fresh(store.spending(effort), terms);
        let committer = Committer::start("a", pen, Storing::default());
        let (stored, entered, recorded) = Default::default();
        Self { faults, committer, stored, entered, recorded, recording: false, lost: Vec::new() }
    }

    fn submit(&mut self, track: &str, number: i64) {
        let body = Arc::new(Body::new(vec![body(track, number)]));
        let (track, path) = (track.to_owned(), path(track, number));
        self.committer.submit(Work::Segment { track, number, path, body });
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Stored { track, number } => drop(self.stored.insert(path(&track, number))),
            News::Lost { number, .. } => self.lost.push(number),
            News::Recorded => {
                self.recording = false;
                self.recorded.append(&mut self.entered);
                let (path, text) = ("live/a/index.m3u8".to_owned(), lines(&self.recorded));
                self.committer.submit(Work::Documents(vec![Paper {
                    path,
                    text: vec![text],
                    cache: CachePolicy::LiveManifest,
                }]));
            }
            News::Chapter { .. } | News::Ended { .. } | News::Superseded | News::Trouble { .. } => {}
        }
        if !self.recording && !self.stored.is_empty() {
            self.entered = std::mem::take(&mut self.stored);
            let record = lines(&self.recorded.union(&self.entered).cloned().collect());
            self.recording = true;
            self.committer.submit(Work::Record { path: "live/a/state.json".into(), record, ended: false });
        }
    }

    /// Works until `count` segments are in the record or lost.
    async fn work(&mut self, count: usize) {
        while self.recorded.len() + self.lost.len() < count {
            let news = self.committer.news().await;
            self.hear(news);
        }
    }

    /// What lies in the store, past all faults.
    async fn truth(&self) -> HashMap<String, Bytes> {
        let truth = self.faults.truth();
        let mut found = HashMap::new();
        let paths = TRACKS.iter().flat_map(|track| (0..40).map(|number| path(track, number)));
        for path in paths.chain(["live/a/state.json".into(), "live/a/index.m3u8".into()]) {
            if let Ok(object) = truth.get(&Path::from(path.as_str())).await {
                found.insert(path, object.bytes().await.unwrap());
            }
        }
        found
    }

    /// Whoever looks into the store now sees nothing that is not there, and nothing that is not what it was.
    async fn assert_true(&self, seed: u64) {
        let truth = self.truth().await;
        let listed = |path: &str| -> BTreeSet<String> {
            let text = truth.get(path).map(|text| String::from_utf8(text.to_vec()).unwrap());
            text.unwrap_or_default().lines().map(str::to_owned).collect()
        };
        let (record, list) = (listed("live/a/state.json"), listed("live/a/index.m3u8"));
        for path in &record {
            assert!(truth.contains_key(path), "seed {seed}: the record names {path}, and it is not there");
        }
        assert!(list.is_subset(&record), "seed {seed}: {list:?} are listed and {record:?} recorded");
        for track in TRACKS {
            for number in 0..40 {
                let kept = truth.get(&path(track, number));
                assert!(
                    kept.is_none_or(|kept| *kept == body(track, number)),
                    "seed {seed}: {track} {number}"
                );
            }
        }
    }
}

fn odds() -> Odds {
    Odds(vec![
        (Fault::Refused, 60),
        (Fault::LostAnswer, 60),
        (Fault::Conflict, 60),
        (Fault::Stale, 40),
        (Fault::Short, 20),
        (Fault::Flipped, 20),
        (Fault::Slow(Duration::from_millis(700)), 40),
        (Fault::Slow(5 * SECOND), 20),
    ])
}

async fn case(seed: u64) {
    let faults = FaultStore::new(seed, odds());
    let mut rig = Rig::new(faults.clone(), Spool::default());
    let crashes = seed.is_multiple_of(4);
    if crashes {
        faults.crash_after(seed / 4 % 14);
    }
    for number in 0..3 {
        TRACKS.iter().for_each(|track| rig.submit(track, number));
    }
    let limit = if crashes { 20 } else { 3600 };
    let done = tokio::time::timeout(limit * SECOND, rig.work(6)).await;
    rig.assert_true(seed).await;
    if !crashes {
        assert!(done.is_ok(), "seed {seed} hangs");
        assert_eq!((rig.recorded.len(), rig.lost.len()), (6, 0), "seed {seed}");
        // With the first record, which is created too, and the first list, if that was not too late: no more.
        assert!((7..=8).contains(&faults.created()), "seed {seed}: a body was landed twice");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_commits_under_faults_and_crashes_lose_nothing_and_double_nothing() {
    for seed in 0..10_000 {
        case(seed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_lost_from_the_oldest_on_and_is_never_named() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
    let spool = Spool { memory: 100, disk: None };
    let mut rig = Rig::new(faults.clone(), spool);
    for number in 10..40 {
        rig.submit("180p", number);
        tokio::task::yield_now().await;
    }
    assert!(rig.committer.is_full(7));
    faults.calm(true);
    tokio::time::timeout(60 * SECOND, rig.work(30)).await.expect("it goes on");
    rig.assert_true(1).await;
    // Of seven bytes each, fourteen fit: the one that is being written, and the newest.
    assert_eq!(rig.lost, (11..27).collect::<Vec<_>>());
    assert_eq!(rig.recorded.len(), 14);
}

#[tokio::test(start_paused = true)]
async fn what_takes_longer_than_a_request_usually_may_comes_through_all_the_same() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Slow(12 * SECOND), 1000)]));
    let mut rig = Rig::new(faults.clone(), Spool::default());
    rig.submit("180p", 1);
    let stored = async { while !matches!(rig.committer.news().await, News::Stored { number: 1, .. }) {} };
    tokio::time::timeout(120 * SECOND, stored).await.expect("it comes through");
    assert!(truth(&faults, &path("180p", 1)).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_lies_under_a_name_of_which_no_record_tells_is_written_over() {
    let faults = FaultStore::new(1, Odds::default());
    let taken = Path::from(path("180p", 1).as_str());
    faults.truth().put(&taken, Bytes::from("of who was killed").into()).await.unwrap();
    let mut rig = Rig::new(faults.clone(), Spool::default());
    (0..3).for_each(|number| rig.submit("180p", number));
    tokio::time::timeout(60 * SECOND, rig.work(3)).await.expect("it goes on");
    assert_eq!((rig.lost.len(), rig.recorded.len()), (0, 3));
    assert_eq!(truth(&faults, &path("180p", 1)).await, Some(body("180p", 1)));
}

#[tokio::test(start_paused = true)]
async fn a_track_that_hangs_holds_up_no_other_and_no_documents_wait_for_it() {
    let faults = FaultStore::new(3, Odds::default());
    faults.hang("live/a/180p/");
    let mut rig = Rig::new(faults, Spool::default());
    rig.submit("180p", 0);
    for number in 0..20 {
        rig.submit("audio-und", number);
    }
    tokio::time::timeout(60 * SECOND, rig.work(20)).await.expect("others go on");
    rig.committer.papers_written().await;
    rig.assert_true(3).await;
    assert!(rig.truth().await.contains_key("live/a/index.m3u8"));
}

#[tokio::test]
async fn what_does_not_fit_into_memory_waits_on_the_disk_and_leaves_nothing_there() {
    let directory = tempfile::tempdir().unwrap();
    let files = || spooled(directory.path());
    std::fs::create_dir(directory.path().join("a")).unwrap();
    std::fs::write(directory.path().join("a/180p-0.m4s"), "of a process that was killed").unwrap();
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
    let mut rig = Rig::new(faults.clone(), spool(directory.path()));
    assert!(!directory.path().join("a/180p-0.m4s").exists(), "what was left is of no use");
    (10..20).for_each(|number| rig.submit("180p", number));
    let spilled = async {
        while files() < 7 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, spilled).await.expect("seven of ten are on the disk");
    let another = Rig::new(FaultStore::new(2, Odds::default()), spool(directory.path()));
    assert_eq!(files(), 7, "another writer on this machine leaves them alone");
    drop(another);
    faults.calm(true);
    tokio::time::timeout(20 * SECOND, rig.work(10)).await.expect("it goes on");
    rig.assert_true(1).await;
    assert_eq!((rig.recorded.len(), rig.lost.len(), files()), (10, 0, 0));
    drop(rig);
    let cleared = async {
        while std::fs::read_dir(directory.path().join("a")).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(10 * SECOND, cleared).await.expect("nothing is left on the disk");
}

fn spool(directory: &std::path::Path) -> Spool {
    Spool { memory: 21, disk: Some((directory.into(), 49)) }
}

/// How many segments wait in the directories of all who write channel `a`.
fn spooled(directory: &std::path::Path) -> usize {
    let writers = std::fs::read_dir(directory.join("a")).into_iter().flatten().flatten();
    let files = writers.flat_map(|writer| std::fs::read_dir(writer.path()).into_iter().flatten().flatten());
    files.filter(|file| file.file_name() != "lock").count()
}

#[tokio::test]
async fn where_the_disk_takes_nothing_no_more_waits_in_memory_than_may() {
    let directory = tempfile::tempdir().unwrap();
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
    let mut rig = Rig::new(faults.clone(), spool(directory.path()));
    std::fs::remove_dir_all(directory.path()).unwrap();
    for number in 10..20 {
        rig.submit("180p", number);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    // Three fit, one was on its way to the disk, and one is being written.
    assert!(rig.committer.lost.len() >= 5, "{:?}", rig.committer.lost);
    faults.calm(true);
    tokio::time::timeout(20 * SECOND, rig.work(10)).await.expect("it goes on");
    rig.assert_true(1).await;
}

#[tokio::test(start_paused = true)]
async fn over_a_line_on_which_each_segment_takes_longer_than_a_request_usually_may_they_keep_up() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Slow(3 * SECOND), 1000)]));
    let store = Store::over(Arc::new(faults.clone()));
    let effort = Effort::edge(6 * SECOND);
    let pen = Pen::fresh(store.spending(effort), Terms::new(1_000_000 * SECOND, effort.attempt));
    let mut committer = Committer::start("a", pen, Storing::default());
    let began = clock::now();
    for number in 0..20 {
        let body = Arc::new(Body::new(vec![body("180p", number)]));
        let (track, path) = ("180p".to_owned(), path("180p", number));
        committer.submit(Work::Segment { track, number, path, body });
    }
    let mut stored = 0;
    while stored < 20 {
        stored += usize::from(matches!(committer.news().await, News::Stored { .. }));
    }
    let took = clock::now() - began;
    assert!(took < 20 * 4 * SECOND, "{took:?} for twenty segments of six seconds");
}

#[test]
fn a_store_has_the_room_that_it_is_configured_to_have() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool { memory: 10, disk: Some((directory.path().into(), 5)) };
    let store = Store::of(&config::Store { spool, ..config::Store::at("memory://") }).unwrap();
    let room = Room::open(store.spool(), "a");
    let places = [room.take(10), room.take(5), room.take(1)];
    assert_eq!(places, [Some(room::Where::Memory), Some(room::Where::Disk), None]);
    room.free(room::Where::Memory, 10);
    assert!(room.has(10) && !room.has(11));
}

/// A committer whose lease runs out while the store is away, and who has written a record.
async fn leased(faults: &FaultStore, segment: Duration) -> Committer {
    let effort = Effort::edge(segment);
    let store = Store::over(Arc::new(faults.clone())).spending(effort);
    let pen = Pen::fresh(store, Terms::new(segment, effort.budget));
    let mut committer = Committer::start("a", pen, Storing::default());
    faults.calm(true);
    committer.submit(Work::Record { path: "live/a/state.json".into(), record: "{}".into(), ended: false });
    assert!(matches!(committer.news().await, News::Recorded));
    faults.calm(false);
    committer
}

async fn truth(faults: &FaultStore, path: &str) -> Option<Bytes> {
    let found = faults.truth().get(&Path::from(path)).await.ok()?;
    Some(found.bytes().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_outlasts_the_lease_is_written_when_the_store_is_back_and_its_inits_before_it() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)])).lingering();
    let mut committer = leased(&faults, 2 * SECOND).await;
    let inits = vec![("live/a/180p/init-1.mp4".to_owned(), vec![Bytes::from("i")])];
    let opening = ("live/a/opening.wire".to_owned(), vec![Bytes::from("o")]);
    committer.submit(Work::Foundation { opening, inits });
    committer.submit(Work::Record { path: "live/a/state.json".into(), record: "[]".into(), ended: false });
    let away = async {
        loop {
            committer.news().await;
        }
    };
    let _ = tokio::time::timeout(10 * SECOND, away).await;
    faults.calm(true);
    let back = async { while !matches!(committer.news().await, News::Recorded) {} };
    tokio::time::timeout(10 * SECOND, back).await.expect("it goes on");
    let history = faults.history();
    let order: Vec<&str> = history.iter().rev().take(4).map(|(path, _)| path.as_str()).collect();
    // The record that was there is written again first, and is another to those who watch it.
    assert_eq!(
        order,
        ["live/a/state.json", "live/a/opening.wire", "live/a/180p/init-1.mp4", "live/a/state.json"]
    );
    let again: serde_json::Value = serde_json::from_slice(&history[history.len() - 4].1).unwrap();
    assert!(again["fence"]["again"].as_u64() > Some(0), "{again}");
}

#[tokio::test(start_paused = true)]
async fn of_encoders_that_begin_in_an_outage_all_inits_and_the_last_opening_are_written_and_then_the_record()
{
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)])).lingering();
    let mut committer = leased(&faults, 2 * SECOND).await;
    let init = |kind: u32| format!("live/a/180p/init-{kind}.mp4");
    for nth in 0..200 {
        let inits = vec![(init(nth % 5), vec![Bytes::from("i")])];
        let opening = ("live/a/opening.wire".to_owned(), vec![Bytes::from(nth.to_string())]);
        committer.submit(Work::Foundation { opening, inits });
    }
    committer.submit(Work::Record { path: "live/a/state.json".into(), record: "[]".into(), ended: false });
    faults.calm(true);
    let back = async { while !matches!(committer.news().await, News::Recorded) {} };
    tokio::time::timeout(10 * SECOND, back).await.expect("the record is not lost");
    assert_eq!(truth(&faults, "live/a/opening.wire").await.unwrap(), "199");
    for kind in 0..5 {
        assert!(truth(&faults, &init(kind)).await.is_some(), "{kind}");
    }
    let written = faults.history().iter().filter(|(path, _)| path.contains("init-")).count();
    assert!(written <= 6, "{written} writes of five init segments");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_without_a_condition_once_another_may_have_taken_over() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
    let mut committer = leased(&faults, 6 * SECOND).await;
    tokio::time::sleep(Duration::from_millis(7_100)).await;
    let (late, segment) = (Arc::new(Body::new(vec!["late".into()])), path("180p", 1));
    committer.submit(Work::Segment { track: "180p".into(), number: 1, path: segment.clone(), body: late });
    let list = "live/a/index.m3u8";
    let (text, cache) = (vec![Bytes::from("late")], CachePolicy::LiveManifest);
    committer.submit(Work::Documents(vec![Paper { path: list.into(), text, cache }]));
    // Two target durations after the record another has taken over, and has written.
    tokio::time::sleep(Duration::from_millis(5_400)).await;
    for at in [&segment, list] {
        faults.truth().put(&Path::from(at), Bytes::from("successor").into()).await.unwrap();
    }
    faults.calm(true);
    tokio::time::sleep(20 * SECOND).await;
    for at in [&segment, list] {
        assert_eq!(truth(&faults, at).await, Some("successor".into()), "{at}");
    }
    drop(committer);
}

#[tokio::test(start_paused = true)]
async fn a_chapter_is_deleted_although_documents_never_run_dry() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Slow(Duration::from_millis(400)), 1000)]));
    let mut committer = leased(&faults, 1_000_000 * SECOND).await;
    let put = |committer: &mut Committer, count: u64| {
        let papers = (0..8).map(|track| Paper {
            path: format!("live/a/{track}/index.m3u8"),
            text: vec![count.to_string().into()],
            cache: CachePolicy::LiveManifest,
        });
        committer.submit(Work::Documents(papers.collect()));
    };
    put(&mut committer, 0);
    let (prefix, track) = ("live/a".to_owned(), "180p".to_owned());
    committer.submit(Work::Chapter { prefix, track, chapter: 1, errand: Errand::Delete });
    for count in 1..100 {
        put(&mut committer, count);
        assert!(!committer.has_written(), "there is always one more");
        if let Ok(news) = tokio::time::timeout(SECOND, committer.news()).await {
            assert!(matches!(news, News::Chapter { fate: Fate::Deleted, .. }), "{news:?}");
            return;
        }
    }
    panic!("it is never deleted");
}
