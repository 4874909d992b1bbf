//! Channel and store together, killed at every request that they make, over the end of a chapter and its deletion.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use headwater_test_support::fault::{FaultStore, Odds};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};
use tempfile::TempDir;
use tokio::time::timeout;

use super::*;
use crate::{
    channel::{
        archive::{self, Chapter},
        commit::{Committer, News as Told},
        fence::{Candidate, Terms},
        journal::Journal,
        standby::Backlog,
    },
    metrics::Storing,
    store::{Effort, Store},
};

pub(super) const TRACKS: [&str; 2] = ["180p", "audio-und"];
/// A moment in which nothing happens is over when nothing more can happen.
const MOMENT: Duration = Duration::from_millis(1);

pub(super) struct Rig {
    faults: FaultStore,
    pub(super) config: config::Channel,
    committer: Committer,
    presentation: Presentation,
    now: i128,
    moment: Duration,
    /// What the machine remembers of what was told, if it does.
    room: Option<Arc<TempDir>>,
    /// Segments that were lost to the store.
    pub(super) lost: BTreeSet<String>,
}

impl Rig {
    /// A server that starts at `at` with whatever lies in the store.
    pub(super) async fn start(faults: &FaultStore, config: &config::Channel, at: i128) -> Self {
        Self::start_slowly(faults, config, at, MOMENT, None).await
    }

    /// The same on a machine that remembers, and where things happen as long as there is something in every `moment`.
    pub(super) async fn start_slowly(
        faults: &FaultStore,
        config: &config::Channel,
        at: i128,
        moment: Duration,
        room: Option<Arc<TempDir>>,
    ) -> Self {
        let effort = Effort::edge(Duration::from_secs(1));
        let store = Store::over(Arc::new(faults.clone())).spending(effort);
        let terms = Terms::new(Duration::from_secs(1), effort.attempt);
        let claim = Candidate::new(store.clone(), "live/a", terms, config).wait(|_| {}).await;
        claim.kept.iter().for_each(|(record, _)| record.vouch(&store, "live/a"));
        let stamp = claim.pen.stamp().clone();
        let mut presentation = Presentation::new("live/a".into(), config);
        let mut committer = Committer::start("a", claim.pen, Storing::default());
        let nothing = Backlog::new(Duration::from_secs(6), Vec::new());
        let recorded = claim.kept.as_ref().map(|(record, _)| &record.fence);
        let inherited = room.as_ref().map(|room| Journal::take_over(room.path(), &stamp, recorded).unwrap());
        let work = presentation.take_over(config, claim.kept, inherited, stamp, nothing, at);
        work.into_iter().for_each(|work| committer.submit(work));
        let (faults, config) = (faults.clone(), config.clone());
        let mut rig =
            Self { faults, config, committer, presentation, now: at, moment, room, lost: BTreeSet::new() };
        rig.settle().await;
        rig
    }

    /// Kills it, and starts it again so much later.
    pub(super) async fn restart(self, after: Duration) -> Self {
        let Self { faults, config, committer, presentation, now, moment, room, .. } = self;
        drop((committer, presentation));
        faults.crash_after(u64::MAX);
        Self::start_slowly(&faults, &config, now + after.as_nanos() as i128, moment, room).await
    }

    pub(super) fn encoder_begins(&mut self, level: u8) {
        self.encoder_begins_with(tracks(level));
    }

    pub(super) fn encoder_begins_with(&mut self, tracks: Vec<Track>) {
        let has_sound = tracks.len() > 1;
        self.presentation.open(Catalog { tracks });
        for index in 0..5 {
            self.presentation.take(media(0, true, index, index == 0), self.now);
        }
        if has_sound {
            self.presentation.take(media(1, true, 0, true), self.now);
        }
        self.presentation.begin().into_iter().for_each(|work| self.committer.submit(work));
    }

    /// The second that it is in.
    pub(super) fn second(&self) -> i64 {
        i64::try_from(self.now / NANOS).unwrap()
    }

    /// The source comes to its end, and all is written.
    pub(super) async fn ends(&mut self) {
        self.presentation.end();
        self.settle().await;
        let ending = self.presentation.conclusion().expect("all is in the store");
        self.committer.submit(ending);
        let Told::Ended { durable } = self.committer.news().await else {
            panic!("the end is recorded first")
        };
        let documents = self.presentation.conclude(durable, self.now);
        self.committer.submit(documents);
        self.settle().await;
    }

    /// The encoder sends all from the next second up to `to`. False as soon as the store answers no more.
    pub(super) async fn plays(&mut self, to: i64) -> bool {
        let from = self.second() + 1;
        for index in from * 10..to * 10 {
            self.now = i128::from(index + 1) * NANOS / 10;
            for track in [0, 1] {
                let frame = media(track, false, index, track == 1 || index % 10 == 0);
                self.presentation.take(frame, self.now);
            }
            if index % 10 == 9 && !self.settle().await {
                return false;
            }
        }
        true
    }

    /// What the channel's task does until there is nothing more to do. False if the store does not answer.
    pub(super) async fn settle(&mut self) -> bool {
        self.presentation.fill(self.now);
        self.presentation.publish(self.now);
        self.submit();
        while let Ok(news) = timeout(self.moment, self.committer.news()).await {
            let works = match news {
                Told::Stored { track, number } => {
                    self.presentation.stored(&track, number);
                    Vec::new()
                }
                Told::Recorded => self.presentation.recorded(self.now),
                Told::Chapter { track, chapter, fate } => {
                    self.presentation.hear(&track, chapter, fate);
                    Vec::new()
                }
                Told::Lost { track, number } => {
                    self.presentation.lose_segment(&track, number);
                    self.lost.insert(format!("live/a/{track}/{number}.m4s"));
                    Vec::new()
                }
                Told::Trouble { .. } => Vec::new(),
                other => panic!("{other:?}"),
            };
            self.presentation.publish(self.now);
            works.into_iter().for_each(|work| self.committer.submit(work));
            self.submit();
        }
        !self.presentation.awaits_store()
    }

    fn submit(&mut self) {
        self.presentation.commits().into_iter().for_each(|work| self.committer.submit(work));
        self.presentation.record_due().into_iter().for_each(|work| self.committer.submit(work));
    }

    /// Every body that somebody has under a name at the moment.
    pub(super) fn bodies(&self) -> BTreeMap<String, Bytes> {
        let mut bodies = BTreeMap::new();
        for (track, edge) in &self.presentation.edge().tracks {
            for (number, segment) in &edge.borrow().segments {
                for (part, chunk) in segment.chunks.iter().enumerate().filter(|_| segment.has_parts) {
                    let name = format!("live/a/{track}/{number}.{part}.m4s");
                    bodies.insert(name, Bytes::from(chunk.chunks.concat()));
                }
                if let Some(whole) = segment.whole.as_ref().filter(|_| segment.settled) {
                    let name = format!("live/a/{track}/{number}.m4s");
                    bodies.insert(name, Bytes::from(whole.chunks.concat()));
                }
            }
        }
        bodies
    }

    pub(super) fn numbers(&self, track: &str) -> Vec<i64> {
        let edge = self.presentation.edge().tracks[track].borrow().clone();
        let list = edge.playlist.clone().expect("a playlist").whole.body();
        let list = String::from_utf8(list.to_vec()).unwrap();
        list.lines().filter_map(|line| line.strip_suffix(".m4s")?.parse().ok()).collect()
    }

    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        self.faults.truth()
    }

    pub(super) fn filler_parts(&self) -> u64 {
        self.presentation.filler_parts()
    }

    /// Segments that lie right behind the end of the record.
    pub(super) async fn orphans(&self) -> BTreeMap<String, Bytes> {
        let mut orphans = BTreeMap::new();
        let Some(bytes) = self.truth("live/a/state.json").await else { return orphans };
        for (track, record) in record::decode("state.json", &bytes).unwrap().tracks {
            let Some(numbers) = record.archive.numbers() else { continue };
            for number in numbers.end() + 1.. {
                let path = format!("live/a/{track}/{number}.m4s");
                let Some(body) = self.truth(&path).await else { break };
                orphans.insert(path, body);
            }
        }
        orphans
    }

    pub(super) async fn truth(&self, path: &str) -> Option<Bytes> {
        let object = self.faults.truth().get(&Path::from(path)).await.ok()?;
        Some(object.bytes().await.unwrap())
    }

    /// All that lies there, in whichever way it came.
    pub(super) async fn all(&self) -> BTreeSet<String> {
        let all: Vec<_> = self.faults.truth().list(None).try_collect().await.unwrap();
        all.into_iter().map(|object| object.location.to_string()).collect()
    }

    /// All that record, chapters and lists name.
    pub(super) async fn named(&self) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        let Some(bytes) = self.truth("live/a/state.json").await else { return named };
        for (track, record) in record::decode("state.json", &bytes).unwrap().tracks {
            let path = |number: i64| format!("live/a/{track}/{number}.m4s");
            named.extend(record.archive.tail().keys().map(|number| path(*number)));
            for chapter in record.archive.chapters() {
                let at = archive::path_in("live/a", &track, chapter);
                let bytes = self.truth(&at).await.unwrap_or_else(|| panic!("{at} is named and not there"));
                let entries = Chapter::read(&at, &bytes, chapter).unwrap().into_entries();
                named.extend(entries.map(|entry| path(entry.segment.number)));
                named.insert(at);
            }
        }
        for track in TRACKS {
            let list = self.truth(&format!("live/a/{track}/index.m3u8")).await.unwrap_or_default();
            let list = String::from_utf8(list.to_vec()).unwrap();
            let segments = list.lines().filter(|line| line.ends_with(".m4s"));
            named.extend(segments.map(|line| format!("live/a/{track}/{line}")));
        }
        named
    }

    /// What is listed can be fetched, from memory or from the store.
    pub(super) async fn assert_listed_is_there(&self) {
        let bodies = self.bodies();
        for track in TRACKS {
            for number in self.numbers(track) {
                let path = format!("live/a/{track}/{number}.m4s");
                assert!(bodies.contains_key(&path) || self.truth(&path).await.is_some(), "{path}");
            }
        }
    }
}

fn short() -> config::Channel {
    let seconds = Duration::from_secs;
    config::Channel { window: seconds(4), archive: seconds(4), ..config() }
}

/// Kills a server at its request number `requests`, and another goes on. Gives how many segments were in the store then that no
/// record named; `None` if the first had no such request.
async fn killed_after(requests: u64, room: Option<TempDir>) -> Option<usize> {
    let faults = FaultStore::new(1, Odds::default());
    let (at, remembers) = (i128::from(START + 58) * NANOS, room.is_some());
    let mut rig = Rig::start_slowly(&faults, &short(), at, MOMENT, room.map(Arc::new)).await;
    faults.crash_after(requests);
    rig.encoder_begins(30);
    let survived = rig.plays(START + 75).await;
    let seen = rig.bodies();
    let (named, all) = (rig.named().await, rig.all().await);
    assert!(named.is_subset(&all), "{requests}: {:?}", named.difference(&all).collect::<Vec<_>>());
    let newest =
        TRACKS.map(|track| rig.presentation.edge().tracks.get(track).and_then(|edge| edge.borrow().head));

    let left = rig.orphans().await;
    let mut rig = rig.restart(Duration::ZERO).await;
    let named = rig.named().await;
    for (path, body) in &left {
        let there = rig.truth(path).await;
        assert!(named.contains(path) && there.as_ref() == Some(body), "{requests}: {path} is not taken up");
    }
    let now = rig.bodies();
    // Nothing can be gone on with until a record has named something.
    if remembers && !named.is_empty() {
        let edge = rig.presentation.edge().tracks[TRACKS[0]].borrow().clone();
        let first = edge.first.unwrap_or_default().to_string();
        let listed = |name: &str| name.split(['/', '.']).nth(3).is_some_and(|number| *number >= *first);
        for (name, body) in seen.iter().filter(|(name, _)| listed(name)) {
            let there = now.get(name).cloned().or(rig.truth(name).await);
            assert_eq!(there.as_ref(), Some(body), "{requests}: {name} was told");
        }
    }
    rig.encoder_begins(30);
    assert!(rig.plays(START + 83).await);
    let now = rig.bodies();
    for (name, body) in seen {
        let after = now.get(&name).cloned().or(rig.truth(&name).await);
        assert!(after.is_none_or(|after| after == body), "{requests}: {name} has had two bodies");
    }
    for (track, newest) in TRACKS.into_iter().zip(newest) {
        let numbers = rig.numbers(track);
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{requests}: {numbers:?}");
        assert!(newest.is_none_or(|newest| newest.last < *numbers.last().unwrap()));
    }
    rig.assert_listed_is_there().await;
    let (named, all) = (rig.named().await, rig.all().await);
    assert!(named.is_subset(&all), "{requests}: {:?}", named.difference(&all).collect::<Vec<_>>());
    let fixed = ["init-", "index.m3u8", "manifest.mpd", "state.json", "opening.wire", "fence-"];
    let orphans: Vec<_> =
        all.difference(&named).filter(|path| fixed.iter().all(|fixed| !path.contains(fixed))).collect();
    assert!(orphans.is_empty(), "{requests}: nobody names {orphans:?}");
    assert!(!all.contains(&format!("live/a/180p/{}.m4s", START + 61)), "{requests}: the old chapter is gone");
    (!survived).then_some(left.len())
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_request_leaves_one_body_for_each_name_and_no_orphans() {
    for remembers in [false, true] {
        let room = || remembers.then(|| TempDir::new().unwrap());
        let (mut requests, mut orphans) = (0, 0);
        while let Some(left) = killed_after(requests, room()).await {
            (requests, orphans) = (requests + 1, orphans + left);
        }
        assert!(orphans > 20, "{orphans} that no record named are too few to be all of them");
        assert!(requests > 250, "{requests} requests are too few to be all of them");
    }
}

/// All numbers that are listed, of a track whose newest is `last`.
fn window_of(seconds: i64, last: i64) -> Vec<i64> {
    (last - seconds + 1..=last).collect()
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_any_length_the_list_ends_now_and_numbers_go_on() {
    // Killed at START + 70, so that the list is in a chapter and in the tail.
    for (pause, first) in [(1, 51), (15, 65), (30, 80), (21, 71), (3600, 3650)] {
        let faults = FaultStore::new(1, Odds::default());
        let mut rig = Rig::start(&faults, &config(), i128::from(START + 40) * NANOS).await;
        rig.encoder_begins(30);
        assert!(rig.plays(START + 70).await);
        let before: BTreeMap<String, Bytes> = rig.bodies();
        assert_eq!(rig.numbers("180p"), window_of(20, START + 69));

        let rig = rig.restart(Duration::from_secs(pause.try_into().unwrap())).await;
        let last = START + 70 + pause - 1;
        for track in TRACKS {
            let numbers = rig.numbers(track);
            assert_eq!(numbers, window_of(20, last), "{pause} s");
            assert_eq!(numbers[0], START + first, "{pause} s");
        }
        rig.assert_listed_is_there().await;
        for (name, body) in before {
            assert!(rig.truth(&name).await.is_none_or(|after| after == body), "{pause} s: {name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_configured_longer_or_shorter_grows_or_shrinks_from_the_next_segment_on() {
    for (window, listed) in [(10, 10), (40, 31)] {
        let faults = FaultStore::new(1, Odds::default());
        let mut rig = Rig::start(&faults, &config(), i128::from(START + 40) * NANOS).await;
        rig.encoder_begins(30);
        assert!(rig.plays(START + 70).await);
        let (window, archive) = (Duration::from_secs(window), Duration::from_secs(40));
        rig.config = config::Channel { window, archive, ..config() };
        let mut rig = rig.restart(Duration::ZERO).await;
        rig.encoder_begins(30);
        assert!(rig.plays(START + 81).await);
        assert_eq!(
            rig.numbers("180p"),
            window_of(listed, START + 80),
            "media sequence numbers do not go back"
        );
    }
}

async fn kept(bytes: Option<u64>) -> (Rig, u64) {
    let faults = FaultStore::new(1, Odds::default());
    let archive = Duration::from_secs(86_400);
    let config =
        config::Channel { archive, archive_bytes: bytes, window: Duration::from_secs(4), ..config() };
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 300).await);
    let kept = rig.presentation.archived().map(|(_, weight, _)| weight.bytes).sum();
    (rig, kept)
}

#[tokio::test(start_paused = true)]
async fn the_oldest_chapters_of_all_tracks_go_when_there_are_too_many_bytes_and_the_window_stays() {
    let (rig, all) = kept(None).await;
    assert!(rig.truth(&format!("live/a/180p/{}.m4s", START + 1)).await.is_some());
    let segment = all / 299;
    for (limit, most, least, first) in [(150 * segment, 150, 86, 192), (1, 64 + 5, 40, 256)] {
        let (rig, kept) = kept(Some(limit)).await;
        assert!((least * segment..=most * segment).contains(&kept), "{kept} of {all}");
        for track in TRACKS {
            let archive = rig.presentation.edge().tracks[track].borrow().archive.clone().unwrap();
            assert_eq!(archive.numbers().map(|numbers| *numbers.start()), Some(START + first), "{track}");
            for (number, there) in [(START + 1, false), (START + 63, false), (START + first, true)] {
                let path = format!("live/a/{track}/{number}.m4s");
                assert_eq!(rig.truth(&path).await.is_some(), there, "{path}");
            }
        }
        rig.assert_listed_is_there().await;
        let (named, all) = (rig.named().await, rig.all().await);
        assert!(named.is_subset(&all));
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_store_is_not_in_memory_once_it_is_listed_no_more() {
    let faults = FaultStore::new(1, Odds::default());
    let mut rig = Rig::start(&faults, &short(), i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 20).await);
    for index in (START + 21) * 10..(START + 620) * 10 {
        rig.now = i128::from(index + 1) * NANOS / 10;
        for track in [0, 1] {
            rig.presentation.take(media(track, false, index, track == 1 || index % 10 == 0), rig.now);
        }
        if index % 10 == 9 {
            rig.presentation.commits();
            rig.presentation.release();
            rig.presentation.publish(rig.now);
        }
    }
    let held = rig.presentation.edge().tracks["180p"].borrow().segments.len();
    assert!(held < 30, "{} are listed and {held} held in memory", rig.numbers("180p").len());
}

/// The encoder of another configuration begins, is killed after so many requests, and begins again.
async fn reconfigured(requests: u64) -> (FaultStore, Rig) {
    let faults = FaultStore::new(1, Odds::default());
    let mut rig = Rig::start(&faults, &config(), i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 20).await);
    faults.crash_after(requests);
    rig.encoder_begins(60);
    rig.plays(START + 24).await;
    let rig = rig.restart(Duration::from_secs(5)).await;
    (faults, rig)
}

#[tokio::test(start_paused = true)]
async fn every_init_segment_that_is_listed_is_there_whenever_it_is_killed() {
    for requests in 0..40 {
        let (_, rig) = reconfigured(requests).await;
        let list = rig.truth("live/a/180p/index.m3u8").await.unwrap();
        let list = String::from_utf8(list.to_vec()).unwrap();
        for line in list.lines().filter_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")) {
            let path = format!("live/a/180p/{}", line.trim_end_matches('"'));
            assert!(rig.truth(&path).await.is_some(), "{requests}: {path} is listed and not there");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn discontinuities_are_those_of_all_tracks_whenever_it_is_killed() {
    for requests in 0..40 {
        let (_, mut rig) = reconfigured(requests).await;
        rig.encoder_begins(60);
        rig.plays(START + 33).await;
        let edge = rig.presentation.edge();
        let counts = TRACKS.map(|track| {
            let list = edge.tracks[track].borrow().playlist.clone().unwrap().whole.body();
            let list = String::from_utf8(list.to_vec()).unwrap();
            list.lines().filter(|line| *line == "#EXT-X-DISCONTINUITY").count()
        });
        assert!(counts[0] == counts[1] && counts[0] > 0, "killed after {requests}: {counts:?}");
    }
}
