//! Channel and store together where everything goes wrong: requests that fail, are late or are answered from the past, and
//! a server that is killed in the midst of it and started again, over the end of a chapter and its deletion.

use std::collections::BTreeMap;

use headwater_test_support::fault::{Fault, FaultStore, Odds};
use tempfile::TempDir;

use super::{
    killed::{Rig, TRACKS},
    *,
};

const CASES: u64 = 60;
/// In which something happens, unless all is done.
const MOMENT: Duration = Duration::from_millis(600);

fn odds() -> Odds {
    Odds(vec![
        (Fault::Refused, 50),
        (Fault::LostAnswer, 50),
        (Fault::Conflict, 20),
        (Fault::Stale, 30),
        (Fault::Short, 10),
        (Fault::Flipped, 10),
        (Fault::Slow(Duration::from_millis(400)), 30),
        (Fault::Slow(Duration::from_secs(3)), 10),
    ])
}

/// What viewers have been given, which never changes.
#[derive(Default)]
struct Seen(BTreeMap<String, Bytes>);

impl Seen {
    fn look(&mut self, rig: &Rig, seed: u64) {
        for (name, body) in rig.bodies() {
            let first = self.0.entry(name.clone()).or_insert_with(|| body.clone());
            assert_eq!(*first, body, "seed {seed}: {name} has two bodies");
        }
    }
}

fn number_in(name: &str, track: &str) -> Option<i64> {
    name.strip_prefix(&format!("live/a/{track}/"))?.strip_suffix(".m4s")?.parse().ok()
}

/// Longer than a server is cut off from its store here, so that what is missed is filled.
fn lasting() -> config::Channel {
    let window = Duration::from_secs(16);
    config::Channel { window, archive: window, ..config() }
}

/// Gives how many segments were in the store when a server was killed that no record named, and how many of them the next
/// one went on with: where the store lied or was too slow, it did not.
async fn case(seed: u64) -> (usize, usize) {
    let faults = FaultStore::new(seed, odds()).lingering();
    let mut random = seed;
    let mut below = |end: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % end
    };
    let mut seen = Seen::default();
    let (mut orphans, mut adopted) = (0, 0);
    let room = (seed % 2 == 1).then(|| Arc::new(TempDir::new().unwrap()));
    let mut rig = Rig::start_slowly(&faults, &lasting(), i128::from(START + 56) * NANOS, MOMENT, room).await;
    for _ in 0..3 {
        rig.encoder_begins(30);
        faults.crash_after(40 + below(200));
        let to = rig.second() + 10;
        while rig.second() < to {
            // The store is late, or nothing is done any more: it goes on all the same.
            rig.plays(rig.second() + 4).await;
            seen.look(&rig, seed);
        }
        let (named, all) = (rig.named().await, rig.all().await);
        assert!(named.is_subset(&all), "seed {seed}: {:?}", named.difference(&all).collect::<Vec<_>>());
        assert!(rig.lost.is_empty(), "seed {seed}: {:?} are lost to the store", rig.lost);
        let left = rig.orphans().await;
        rig = rig.restart(Duration::from_millis(100 + below(2500))).await;
        for (path, body) in &left {
            let goes_on = rig.truth(path).await.as_ref() == Some(body);
            (orphans, adopted) = (orphans + 1, adopted + usize::from(goes_on));
        }
        seen.look(&rig, seed);
    }
    faults.calm(true);
    rig.encoder_begins(30);
    // Until all that is to go is gone, too.
    assert!(rig.plays(rig.second() + 45).await, "seed {seed}: a calm store has not got all");
    seen.look(&rig, seed);
    let (named, all) = (rig.named().await, rig.all().await);
    for track in TRACKS {
        let numbers = rig.numbers(track);
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "seed {seed}: {track} {numbers:?}");
        // Those that are kept, in chapters and in the record.
        let kept: Vec<_> = named.iter().filter_map(|name| number_in(name, track)).collect();
        let holes = kept.windows(2).find(|pair| pair[0] + 1 != pair[1]);
        assert!(holes.is_none() && kept.len() > 10, "seed {seed}: {track} {kept:?}");
    }
    rig.assert_listed_is_there().await;
    assert!(named.is_subset(&all), "seed {seed}: {:?}", named.difference(&all).collect::<Vec<_>>());
    for (name, body) in &seen.0 {
        let kept = rig.truth(name).await.filter(|_| named.contains(name));
        assert!(kept.is_none_or(|kept| kept == body), "seed {seed}: {name} has another body in the store");
    }
    let fixed = ["init-", "index.m3u8", "manifest.mpd", "state.json", "opening.wire", "fence-"];
    let unnamed: Vec<_> =
        all.difference(&named).filter(|path| fixed.iter().all(|fixed| !path.contains(fixed))).collect();
    assert!(unnamed.is_empty(), "seed {seed}: nobody names {unnamed:?}");
    (orphans, adopted)
}

#[tokio::test(start_paused = true)]
async fn through_faults_and_kills_nothing_named_is_missing_nothing_seen_changes_and_no_orphan_is_left() {
    let (mut orphans, mut adopted) = (0, 0);
    for seed in 0..CASES {
        let (left, gone_on_with) = case(seed).await;
        (orphans, adopted) = (orphans + left, adopted + gone_on_with);
    }
    eprintln!("{adopted} of {orphans} that no record named were gone on with");
    assert!(orphans > 20 && adopted * 4 > orphans * 3, "{adopted} of {orphans}");
}
