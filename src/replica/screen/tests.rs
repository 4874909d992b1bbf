use std::time::Duration;

use super::*;
use crate::channel::edge::Body;

/// A channel of one track that has come so far, in which `word` tells who shows it.
struct Stage {
    recorded: watch::Sender<Arc<Edge>>,
    feed: watch::Sender<Feed>,
    screen: Screen,
    shown: watch::Receiver<Arc<Edge>>,
    status: watch::Receiver<Status>,
}

fn track(last: i64, parts: u32) -> Arc<TrackEdge> {
    Arc::new(TrackEdge { head: Some(Head { last, parts }), ..TrackEdge::default() })
}

fn recorded(last: i64) -> Arc<Edge> {
    let track = TrackEdge { stored: Some(0..=last), ..TrackEdge::clone(&track(last, 0)) };
    let tracks = [("a".to_owned(), watch::channel(Arc::new(track)).1)].into();
    Arc::new(Edge { tracks, target_duration: Duration::from_secs(2), ..Edge::default() })
}

fn told(connection: u64, last: i64, parts: u32) -> Feed {
    let whole = Whole {
        multivariant: None,
        mpd: None,
        ended: false,
        segment: Duration::from_secs(2),
        target_duration: Duration::from_secs(2),
        epoch: 1,
    };
    let picture =
        Picture { channel: Some(Arc::new(whole)), tracks: [("a".into(), track(last, parts))].into() };
    Feed::Here { connection, from: "http://packager".into(), picture }
}

fn away() -> Feed {
    Feed::Away { why: "http://packager:8080: refused".into() }
}

impl Stage {
    fn new() -> Self {
        let (recorded, records) = watch::channel(Arc::new(Edge::default()));
        let (feed, feeds) = watch::channel(Feed::Awaited);
        let (told, status) = watch::channel(Status::default());
        let (screen, shown) = Screen::new(records, feeds, told, true);
        Self { recorded, feed, screen, shown, status }
    }

    fn records(&mut self, last: i64) -> Option<(i64, u32)> {
        self.recorded.send_replace(recorded(last));
        self.look()
    }

    fn hears(&mut self, feed: Feed) -> Option<(i64, u32)> {
        self.feed.send_replace(feed);
        self.look()
    }

    /// What is shown once packagers have been asked.
    fn look(&mut self) -> Option<(i64, u32)> {
        self.screen.show();
        if self.screen.due.is_some() {
            self.screen.due = Some(clock::now());
            self.screen.show();
        }
        let edge = self.shown.borrow().clone();
        let head = edge.tracks.get("a")?.borrow().head?;
        Some((head.last, head.parts))
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_is_shown_only_once_no_packager_could_be_asked() {
    let mut stage = Stage::new();
    assert_eq!(stage.records(9), None, "the packager is being asked");
    assert_eq!(stage.hears(away()), Some((9, 0)));
    assert!(stage.status.borrow().low_latency_off.as_ref().unwrap().contains("packager:8080"));
    assert_eq!(stage.hears(told(1, 10, 2)), Some((10, 2)));
    assert_eq!(stage.status.borrow().low_latency_off, None);
    let edge = stage.shown.borrow().tracks["a"].borrow().clone();
    assert_eq!(edge.stored, Some(0..=9), "what only the store knows comes from there");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_shown_is_missing_in_what_is_shown_next() {
    let mut stage = Stage::new();
    stage.records(9);
    assert_eq!(stage.hears(told(0, 11, 3)), Some((11, 3)));
    assert_eq!(stage.hears(away()), Some((11, 3)), "it stands still");
    assert_eq!(stage.records(11), Some((11, 3)), "parts of 12 were shown");
    assert_eq!(stage.hears(told(1, 11, 2)), Some((11, 3)), "another packager is not so far");
    assert_eq!(stage.hears(told(1, 11, 4)), Some((11, 4)));
    assert_eq!(stage.hears(away()), Some((11, 4)));
    assert_eq!(stage.records(12), Some((12, 0)), "all of what was shown in part");
    assert_eq!(stage.hears(told(2, 11, 4)), Some((12, 0)));
    assert_eq!(stage.records(13), Some((13, 0)), "the store goes on while the packager is behind");
    assert_eq!(stage.hears(told(2, 13, 0)), Some((13, 0)));
    assert_eq!(stage.hears(told(2, 12, 4)), Some((12, 4)), "of one packager, all is shown as it is");
}

#[tokio::test(start_paused = true)]
async fn the_same_without_parts_is_not_shown_until_it_goes_on_or_is_the_end() {
    let mut stage = Stage::new();
    stage.records(9);
    assert_eq!(stage.hears(told(0, 9, 0)), Some((9, 0)));
    let shows_parts = |stage: &Stage| stage.screen.source != Source::Store;
    stage.hears(away());
    assert!(shows_parts(&stage), "who waits for the first part of 10 waits on");
    assert_eq!(stage.hears(told(1, 9, 1)), Some((9, 1)), "it is back");
    stage.hears(told(1, 10, 0));
    stage.hears(away());
    let end = Edge { ended: true, ..Edge::clone(&recorded(10)) };
    stage.recorded.send_replace(Arc::new(end));
    stage.look();
    assert!(!shows_parts(&stage), "that nothing follows is more");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_written_a_record_is_asked_for_parts_before_it_is_shown_without() {
    for (told_after, shown) in
        [(400, Some(Head { last: 10, parts: 2 })), (600, Some(Head { last: 10, parts: 0 }))]
    {
        let Stage { recorded: records, feed, screen, shown: edges, .. } = Stage::new();
        records.send_replace(recorded(9));
        feed.send_replace(told(0, 9, 3));
        let running = tokio::spawn(screen.run());
        let head = || edges.borrow().tracks.get("a")?.borrow().head;
        tokio::time::sleep(Duration::from_millis(1)).await;
        feed.send_replace(away());
        records.send_replace(recorded(10));
        tokio::time::sleep(Duration::from_millis(told_after - 1)).await;
        let before = head();
        assert_eq!(before.is_some_and(|head| head.parts == 3), told_after < 500, "{before:?}");
        if told_after < 500 {
            feed.send_replace(told(1, 10, 2));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(head(), shown);
        running.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_record_what_was_told_stays_and_what_the_store_has_is_what_was_told_of_it() {
    let mut stage = Stage::new();
    let Feed::Here { connection, from, mut picture } = told(0, 11, 3) else { unreachable!() };
    let track = TrackEdge { stored: Some(4..=10), ..TrackEdge::clone(&picture.tracks["a"]) };
    picture.tracks.insert("a".into(), Arc::new(track));
    assert_eq!(stage.hears(Feed::Here { connection, from, picture }), Some((11, 3)));
    let stored = |stage: &Stage| stage.shown.borrow().tracks["a"].borrow().stored.clone();
    assert_eq!(stored(&stage), Some(4..=10), "listed segments that nobody has told can be fetched");
    assert_eq!(stage.records(11), Some((11, 3)));
    assert_eq!(stored(&stage), Some(0..=11));
    let mut stage = Stage::new();
    stage.hears(told(0, 11, 3));
    assert_eq!(stage.hears(away()), Some((11, 3)), "nothing is known of the store");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_track_hears_of_it_from_whichever_side_it_comes() {
    let mut stage = Stage::new();
    stage.records(9);
    stage.hears(told(0, 9, 4));
    let mut waiting = stage.shown.borrow().tracks["a"].clone();
    waiting.mark_unchanged();
    stage.hears(away());
    stage.records(10);
    assert!(waiting.has_changed().unwrap());
    assert_eq!(waiting.borrow_and_update().head, Some(Head { last: 10, parts: 0 }));
    stage.hears(told(1, 10, 1));
    assert!(waiting.has_changed().unwrap());
}

#[tokio::test(start_paused = true)]
async fn numbers_that_begin_anew_are_shown_in_the_end() {
    let mut stage = Stage::new();
    stage.records(1000);
    stage.hears(told(0, 1000, 2));
    stage.hears(away());
    assert_eq!(stage.records(500), Some((1000, 2)));
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(stage.records(501), Some((501, 0)));
}

#[tokio::test(start_paused = true)]
async fn what_a_packager_that_is_gone_has_left_is_not_gone_back_to_however_long_it_is_gone() {
    let mut stage = Stage::new();
    stage.records(9);
    stage.hears(told(0, 10, 3));
    stage.hears(away());
    assert_eq!(stage.records(10), Some((10, 3)), "its last record, without the parts of 11");
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(21)).await;
        assert_eq!(stage.hears(away()), Some((10, 3)));
    }
    assert_eq!(stage.records(11), Some((11, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_packager_that_begins_numbers_anew_is_shown_in_the_end_and_one_that_hangs_is_not() {
    let mut stage = Stage::new();
    stage.records(1000);
    stage.hears(told(0, 1000, 2));
    stage.hears(away());
    assert_eq!(stage.hears(told(1, 500, 1)), Some((1000, 2)));
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(stage.hears(told(1, 500, 1)), Some((1000, 2)));
    assert_eq!(stage.hears(told(1, 500, 2)), Some((500, 2)));
}

#[tokio::test(start_paused = true)]
async fn parts_of_who_is_gone_are_there_for_as_long_as_somebody_may_have_a_list_with_them() {
    let chunk = Arc::new(Body::new(vec!["part".into()]));
    let segment =
        Segment { chunks: vec![chunk], has_parts: true, ..Segment::settled(Arc::new(Body::new(Vec::new()))) };
    let mut stage = Stage::new();
    stage.records(4);
    let Feed::Here { connection, from, mut picture } = told(1, 5, 0) else { unreachable!() };
    let segments = (3..=5).map(|number| (number, Arc::new(segment.clone()))).collect();
    let edge = TrackEdge { segments, stored: Some(0..=4), ..TrackEdge::clone(&picture.tracks["a"]) };
    picture.tracks.insert("a".into(), Arc::new(edge));
    stage.hears(Feed::Here { connection, from, picture });
    let left = |stage: &Stage| -> Vec<i64> {
        stage.shown.borrow().tracks["a"].borrow().left.keys().copied().collect()
    };
    assert_eq!(left(&stage), [] as [i64; 0]);
    stage.hears(away());
    stage.records(6);
    assert_eq!(left(&stage), [3, 4, 5]);
    stage.hears(told(2, 6, 0));
    assert_eq!(left(&stage), [3, 4, 5]);
    tokio::time::sleep(Duration::from_secs(13)).await;
    stage.hears(told(2, 7, 0));
    assert_eq!(left(&stage), [] as [i64; 0]);
}
