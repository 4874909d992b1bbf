//! What nodes show of a channel, record by record: the same as one shows that has only seen the last.

use headwater_test_support::fault::{Fault, FaultStore, Odds};
use tokio::time::timeout;

use super::{killed::Rig, *};
use crate::{
    channel::{
        edge::Document,
        mirror::{Mirror, Sight},
    },
    store::Store,
};

const TRACKS: [&str; 2] = ["180p", "audio-und"];

/// A node, and what it shows.
struct Node {
    mirror: Mirror,
    edge: watch::Receiver<Arc<Edge>>,
    /// The requests that it makes.
    faults: FaultStore,
}

impl Node {
    fn start(faults: &FaultStore, config: &config::Channel) -> Self {
        let faults = faults.for_another();
        let (mirror, edge) = Mirror::new("a", config, Store::over(Arc::new(faults.clone())));
        Self { mirror, edge, faults }
    }

    fn newest(&self) -> [i64; 2] {
        TRACKS.map(|name| self.track(name).listing.last().expect("something is listed"))
    }

    async fn looks(&mut self) -> Sight {
        self.mirror.look().await.unwrap()
    }

    fn track(&self, name: &str) -> Arc<TrackEdge> {
        self.edge.borrow().tracks[name].borrow().clone()
    }

    /// All that a viewer may be told.
    fn told(&self) -> Vec<String> {
        let text = |document: &Arc<Document>| String::from_utf8(document.body().to_vec()).unwrap();
        let edge = self.edge.borrow().clone();
        let mut told: Vec<_> = edge.multivariant.iter().chain(&edge.mpd).map(text).collect();
        for name in TRACKS {
            let track = self.track(name);
            let playlist = track.playlist.as_ref().expect("a playlist");
            told.extend([text(&playlist.whole), format!("{:?}", playlist.delta.as_ref().map(text))]);
            told.push(format!("{:?} {:?} {:?}", track.head, track.stored, track.ended));
            let listed = track.listing.segments(0..=i64::MAX).map(|segment| segment.number);
            told.push(format!("{:?}", listed.collect::<Vec<_>>()));
        }
        told
    }
}

fn lasting(window: u64) -> config::Channel {
    let window = Duration::from_secs(window);
    config::Channel { window, archive: window, low_latency: false, ..config() }
}

#[tokio::test(start_paused = true)]
async fn whoever_sees_every_record_or_some_shows_what_one_does_who_sees_the_last() {
    let (faults, config) = (FaultStore::new(1, Odds::default()), lasting(100));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 5).await);
    let mut nodes = [1, 7, 49].map(|every| (every, Node::start(&faults, &config)));
    for round in 0..200 {
        match round {
            40 => {
                rig = rig.restart(Duration::from_secs(3)).await;
                rig.encoder_begins(30);
            }
            // Another configuration of the codec, and the discontinuity leaves the window in time.
            70 => {
                rig = rig.restart(Duration::ZERO).await;
                rig.encoder_begins(31);
            }
            // Longer than the window.
            150 => {
                rig = rig.restart(Duration::from_secs(200)).await;
                rig.encoder_begins(31);
            }
            _ => {}
        }
        // A second of the filler, and one of the encoder.
        assert!(rig.plays(rig.second() + 2).await);
        let mut last = Node::start(&faults, &config);
        last.looks().await;
        for (every, node) in nodes.iter_mut().filter(|(every, _)| round % every == 0) {
            node.looks().await;
            assert_eq!(node.told(), last.told(), "every {every}, round {round}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_costs_no_look_at_what_was_known_before_however_long_the_list_is() {
    let (faults, config) = (FaultStore::new(1, Odds::default()), lasting(1000));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 300).await);
    let mut node = Node::start(&faults, &config);
    node.looks().await;
    let first = node.faults.asked();
    for _ in 0..99 {
        assert!(rig.plays(rig.second() + 2).await);
        node.looks().await;
    }
    let asked = node.faults.asked() - first;
    assert!(asked <= 2 * 99, "record and opening, and no chapter: {asked} requests for 99 records");
    assert!(first > 4, "the chapters that are listed were read in the beginning: {first} requests");
}

#[tokio::test(start_paused = true)]
async fn a_node_knows_who_has_taken_over_before_more_is_recorded() {
    let (faults, config) = (FaultStore::new(1, Odds::default()), lasting(20));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 10).await);
    let mut node = Node::start(&faults, &config);
    node.looks().await;
    let newest = node.newest();
    assert_eq!(node.edge.borrow().epoch, 1);
    let _successor = rig.restart(Duration::ZERO).await;
    assert_eq!(node.looks().await, Sight::Same);
    assert_eq!((node.newest(), node.edge.borrow().epoch), (newest, 2));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_has_ended_and_goes_on_with_another_source_goes_on_everywhere() {
    let (faults, config) = (FaultStore::new(1, Odds::default()), lasting(20));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 10).await);
    rig.ends().await;
    let mut node = Node::start(&faults, &config);
    assert_eq!(node.looks().await, Sight::More { level: true, ended: true });
    assert!(node.told()[2].ends_with("#EXT-X-ENDLIST\n"));
    rig.config.source = "test:?rate=30".into();
    let mut rig = rig.restart(Duration::from_secs(1)).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 15).await);
    assert!(matches!(node.looks().await, Sight::More { ended: false, .. }));
    let mut last = Node::start(&faults, &config);
    last.looks().await;
    assert_eq!(node.told(), last.told());
    assert!(!node.edge.borrow().ended && TRACKS.iter().all(|track| !node.track(track).ended));
    assert!(node.told().iter().all(|text| !text.contains("ENDLIST") && !text.contains("static")));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_answers_from_the_past_takes_nobody_back() {
    // The packager meets none of them, and what was before is there for who does.
    let (faults, config) = (FaultStore::new(1, Odds(vec![(Fault::Stale, 0)])), lasting(20));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 3).await);
    let mut node = Node::start(&faults, &config);
    node.looks().await;
    node.faults = node.faults.clone().meeting(Odds(vec![(Fault::Stale, 300)]));
    let store = Store::over(Arc::new(node.faults.clone()));
    node.mirror = node.mirror.over(store);
    let mut newest = node.newest();
    for _ in 0..100 {
        assert!(rig.plays(rig.second() + 2).await);
        // What is needed may be answered from the past too: then it is looked again, and not waited for, as the packager makes
        // nothing meanwhile.
        let _ = timeout(Duration::from_millis(100), node.mirror.look()).await;
        let now = node.newest();
        assert!(now.iter().zip(newest).all(|(now, before)| *now >= before), "{newest:?}, and then {now:?}");
        newest = now;
    }
    node.faults.calm(true);
    node.looks().await;
    assert_eq!(node.newest(), TRACKS.map(|_| rig.second() - 1));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_begun_afresh_is_followed_after_a_while() {
    let [old, new] = [(); 2].map(|()| FaultStore::new(1, Odds::default()));
    let config = lasting(20);
    let mut rig = Rig::start(&old, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 40).await);
    let mut node = Node::start(&old, &config);
    node.looks().await;
    let mut afresh = Rig::start(&new, &config, i128::from(START + 50) * NANOS).await;
    afresh.encoder_begins(30);
    assert!(afresh.plays(START + 60).await);
    node.mirror = node.mirror.over(Store::over(Arc::new(new.clone())));
    node.looks().await;
    assert_eq!(node.newest(), TRACKS.map(|_| START + 39), "it may be an answer from the past");
    tokio::time::sleep(Duration::from_secs(7)).await;
    node.looks().await;
    assert_eq!(node.newest(), TRACKS.map(|_| START + 59));
}

#[tokio::test(start_paused = true)]
async fn a_track_that_the_source_has_no_more_stays_on_air_at_nodes_and_after_a_restart_too() {
    let (faults, config) = (FaultStore::new(1, Odds::default()), lasting(20));
    let mut rig = Rig::start(&faults, &config, i128::from(START) * NANOS).await;
    rig.encoder_begins(30);
    assert!(rig.plays(START + 5).await);
    let mut node = Node::start(&faults, &config);
    node.looks().await;
    rig.encoder_begins_with(vec![tracks(30).remove(0)]);
    assert!(rig.plays(START + 10).await);
    node.looks().await;
    assert_eq!(node.newest(), [START + 9; 2]);
    let rig = rig.restart(Duration::from_secs(3)).await;
    assert_eq!(TRACKS.map(|track| *rig.numbers(track).last().unwrap()), [START + 12; 2]);
}
