//! What is left of a rung that the configuration does not have any more.

use headwater_test_support::fault::{FaultStore, Odds};

use super::{killed::Rig, *};

/// Keeps so many seconds, and at most so many bytes.
fn keeping(seconds: u64, bytes: Option<u64>) -> config::Channel {
    let (window, archive) = (Duration::from_secs(4), Duration::from_secs(seconds));
    config::Channel { window, archive, archive_bytes: bytes, ..config() }
}

/// The same with another rung.
fn reconfigured(before: &config::Channel) -> config::Channel {
    let mut config = before.clone();
    config.ladder.frame_rate = FrameRate::new(10, 1);
    config
}

fn other_tracks() -> Vec<Track> {
    let mut tracks = tracks(30);
    tracks[0].name = "90p".into();
    tracks
}

/// A channel that was on air for a while, and then started again with another rung instead of the one that it had.
async fn replaced(faults: &FaultStore, config: &config::Channel) -> Rig {
    let mut rig = Rig::start(faults, config, i128::from(START + 50) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 75).await);
    rig.config = reconfigured(config);
    let mut rig = rig.restart(Duration::ZERO).await;
    rig.encoder_begins_with(other_tracks());
    rig
}

/// What the store has of the rung that went, without init segments: these are kept for ever.
async fn left(rig: &Rig) -> Vec<String> {
    let all = rig.all().await.into_iter();
    all.filter(|path| path.contains("/180p/") && !path.contains("init-")).collect()
}

/// All that is named is there.
async fn assert_whole(rig: &Rig) {
    let (named, all) = (rig.named().await, rig.all().await);
    assert!(named.is_subset(&all), "{:?}", named.difference(&all).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_rung_that_is_dropped_goes_from_the_store_when_it_is_old_and_not_before() {
    let faults = FaultStore::new(1, Odds::default());
    let mut rig = replaced(&faults, &keeping(60, None)).await;
    assert!(rig.plays(START + 120).await);
    assert!(left(&rig).await.contains(&format!("live/a/180p/{}.m4s", START + 60)), "it is not old yet");
    // A restart in between has to know of it.
    let mut rig = rig.restart(Duration::ZERO).await;
    rig.encoder_begins_with(other_tracks());
    assert!(rig.plays(START + 150).await);
    let some = left(&rig).await;
    assert!(!some.contains(&format!("live/a/180p/{}.m4s", START + 60)), "{some:?}");
    assert!(some.contains(&format!("live/a/180p/{}.m4s", START + 70)), "{some:?}");
    assert!(rig.plays(START + 210).await);
    assert_eq!(left(&rig).await, [""; 0]);
    assert_whole(&rig).await;
}

#[tokio::test(start_paused = true)]
async fn a_rung_that_is_dropped_counts_among_the_bytes_and_goes_first() {
    let faults = FaultStore::new(1, Odds::default());
    let mut rig = replaced(&faults, &keeping(86_400, Some(1))).await;
    assert!(rig.plays(START + 150).await);
    assert_eq!(left(&rig).await, [""; 0]);
    assert_whole(&rig).await;

    let faults = FaultStore::new(1, Odds::default());
    let mut rig = replaced(&faults, &keeping(86_400, Some(1 << 30))).await;
    assert!(rig.plays(START + 150).await);
    assert!(left(&rig).await.len() > 20, "there is room for it");
}

#[tokio::test(start_paused = true)]
async fn a_rung_that_comes_back_keeps_what_it_makes_and_loses_what_it_had_when_that_is_old() {
    let faults = FaultStore::new(1, Odds::default());
    let config = keeping(60, None);
    let mut rig = replaced(&faults, &config).await;
    assert!(rig.plays(START + 80).await);
    rig.config = config;
    let mut rig = rig.restart(Duration::ZERO).await;
    rig.encoder_begins(30);
    for until in (START + 85..START + 300).step_by(5) {
        assert!(rig.plays(until).await);
        assert_whole(&rig).await;
    }
    let left = left(&rig).await;
    for number in START + 50..START + 128 {
        assert!(!left.contains(&format!("live/a/180p/{number}.m4s")), "{number}");
    }
    assert!(left.contains(&"live/a/180p/index.m3u8".to_owned()), "it has a list");
}

#[tokio::test(start_paused = true)]
async fn a_kill_at_any_request_of_the_deletion_leaves_nothing_of_a_rung_that_is_dropped() {
    // From one run to the next another request is hit, in all a few of each kind.
    for requests in (0..).step_by(31) {
        let faults = FaultStore::new(1, Odds::default());
        let mut rig = replaced(&faults, &keeping(4, None)).await;
        faults.crash_after(requests);
        let survived = rig.plays(START + 145).await;
        let mut rig = rig.restart(Duration::ZERO).await;
        rig.encoder_begins_with(other_tracks());
        assert!(rig.plays(START + 220).await);
        assert_eq!(left(&rig).await, [""; 0], "{requests}");
        assert_whole(&rig).await;
        if survived {
            assert!(requests > 250, "{requests} are too few to be all of them");
            break;
        }
    }
}
