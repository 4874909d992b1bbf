//! What an origin node is told of it, which has to be what is published here.

use futures_util::FutureExt;
use tokio::{sync::watch, task::unconstrained};

use super::*;
use crate::channel::{
    cmsd,
    edge::{self, Body, Coding},
    relay::{self, Hearer, Teller},
};

/// A node that listens, over a connection that cuts what is said anywhere.
struct Node {
    teller: Teller,
    hearer: Hearer,
    /// Bytes that it took to tell.
    told: usize,
}

impl Node {
    fn joins(edge: &watch::Sender<Arc<Edge>>) -> Self {
        Self { teller: Teller::new(edge.subscribe()), hearer: Hearer::default(), told: 0 }
    }

    /// One for which a frame is too small for what is new of a track.
    fn joins_in_small_frames(edge: &watch::Sender<Arc<Edge>>) -> Self {
        Self { teller: Teller::new(edge.subscribe()).in_frames_of(400), ..Self::joins(edge) }
    }

    fn listens(&mut self) {
        // A test that never waits would use up what a task may do at a time.
        while let Some(said) = unconstrained(self.teller.next()).now_or_never() {
            let said = said.expect("it goes on");
            self.told += said.len();
            for piece in said.chunks(said.len().div_ceil(3)) {
                self.hearer.hear(piece).unwrap();
            }
        }
    }

    /// How many segments of the track are in memory and the same; none may be another.
    fn has_the_same(&self, rig: &Rig, track: &str) -> usize {
        let (here, there) = (rig.track(track), &self.hearer.picture().tracks[track]);
        let playlist = |edge: &TrackEdge| edge.playlist.clone().map(|list| (list.whole.body(), list));
        assert_eq!(playlist(there), playlist(&here));
        if let (Some(one), Some(other)) = (&here.playlist, &there.playlist) {
            assert_eq!(one.whole.coded(Coding::Gzip), other.whole.coded(Coding::Gzip));
        }
        assert_eq!((there.head, there.low_latency, there.ended), (here.head, here.low_latency, here.ended));
        assert_eq!(there.first, here.first);
        assert_eq!((&there.inits, &there.cmsd, &there.stored), (&here.inits, &here.cmsd, &here.stored));
        assert_eq!(there.slate_since.is_some(), here.slate_since.is_some());
        for (number, segment) in &there.segments {
            let same = &here.segments[number];
            let bytes = |body: &Body| (body.chunks.concat(), body.etag.clone(), body.cmsd.clone());
            let all = |chunks: &[Arc<Body>]| chunks.iter().map(|chunk| bytes(chunk)).collect::<Vec<_>>();
            assert_eq!(all(&segment.chunks), all(&same.chunks), "{number}");
            let whole = [segment, same].map(|it| it.whole.as_ref().map(|whole| bytes(whole)));
            assert_eq!(whole[0], whole[1], "{number}");
            assert_eq!((segment.has_parts, segment.settled), (same.has_parts, same.settled), "{number}");
        }
        there.segments.len()
    }

    fn has_the_same_documents(&self, rig: &Rig) {
        let (here, there) = (rig.presentation.edge(), self.hearer.picture().channel.clone().unwrap());
        assert_eq!((&there.mpd, &there.multivariant), (&here.mpd, &here.multivariant));
        assert_eq!((there.segment, there.target_duration), (here.segment, here.target_duration));
        assert_eq!((there.ended, there.epoch), (here.ended, here.epoch));
    }
}

/// A channel that has played for a while, as far as it is published, and a node that has heard of it.
fn listening() -> (watch::Sender<Arc<Edge>>, Node) {
    let mut rig = Rig::new(None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 4);
    let edge = watch::channel(rig.presentation.edge()).0;
    let mut node = Node::joins(&edge);
    node.listens();
    (edge, node)
}

fn published(edge: &watch::Sender<Arc<Edge>>, rig: &Rig) {
    let now = rig.presentation.edge();
    edge.send_if_modified(|before| {
        let is_new = !Arc::ptr_eq(before, &now);
        before.clone_from(&now);
        is_new
    });
}

#[tokio::test(start_paused = true)]
async fn a_node_has_what_is_published_whatever_happens_and_whenever_it_joins() {
    let mut rig = Rig::new(None, START);
    let edge = watch::channel(rig.presentation.edge()).0;
    rig.encoder_begins(30);
    rig.plays(START, START + 1);
    published(&edge, &rig);
    let mut nodes = vec![Node::joins(&edge)];
    let mut step = |rig: &mut Rig, play: &dyn Fn(&mut Rig)| {
        play(rig);
        published(&edge, rig);
        nodes.iter_mut().for_each(Node::listens);
        for node in &nodes {
            for track in ["180p", "audio-und"] {
                node.has_the_same(rig, track);
            }
            node.has_the_same_documents(rig);
        }
        nodes.push(Node::joins(&edge));
        nodes.push(Node::joins_in_small_frames(&edge));
        while nodes.len() > 8 {
            nodes.remove(1);
        }
    };
    rig.next = (START + 1) * 10;
    for _ in 0..80 {
        step(&mut rig, &|rig| rig.plays_samples(1));
    }
    rig.store_hangs = true;
    for _ in 0..40 {
        step(&mut rig, &|rig| rig.plays_samples(1));
    }
    rig.presentation.lose();
    let until = rig.now / NANOS + 6;
    while rig.now < until * NANOS {
        step(&mut rig, &|rig| rig.passes(i64::try_from(rig.now / NANOS).unwrap() + 1));
    }
    rig.store_hangs = false;
    step(&mut rig, &|rig| rig.settle());
    step(&mut rig, &|rig| {
        rig.presentation.end();
        rig.settle();
        rig.presentation.conclude(true, rig.now);
        rig.presentation.publish(rig.now);
    });
    let last = nodes.pop().unwrap();
    drop(last);
    assert!(nodes[0].hearer.picture().channel.as_ref().unwrap().ended);
    assert!(nodes[0].has_the_same(&rig, "180p") > 10);
}

#[tokio::test(start_paused = true)]
async fn a_long_list_is_told_once_and_then_what_is_new_of_it() {
    let long = Duration::from_secs(4000);
    let config = config::Channel { window: long, archive: long, ..config() };
    let mut rig = Rig::configured(&config, None, START);
    rig.encoder_begins(30);
    rig.plays(START, START + 2000);
    let edge = watch::channel(rig.presentation.edge()).0;
    let mut node = Node::joins(&edge);
    node.listens();
    assert!(node.told > 2 * rig.playlist("180p").len(), "both tracks");
    assert!(rig.playlist("180p").len() > 65_000);
    node.has_the_same(&rig, "180p");
    node.told = 0;
    for _ in 0..10 {
        rig.plays_samples(1);
        published(&edge, &rig);
        node.listens();
        node.has_the_same(&rig, "180p");
    }
    assert!(node.told < 60_000, "{} bytes for a second", node.told);
    assert!(node.has_the_same(&rig, "180p") < 20, "who joins does not need what the store has");
}

#[tokio::test(start_paused = true)]
async fn a_node_can_join_however_many_words_there_are_of_what_the_store_does_not_have() {
    let body = |bytes| Arc::new(Body::new(vec![bytes]).described(cmsd::init(true)));
    let chunks = vec![body(Bytes::from_static(b"sound")); 20];
    let whole = Some(body(Bytes::from_static(&[7; 100])));
    let segment = Arc::new(edge::Segment { chunks, has_parts: true, whole, settled: false });
    let segments = (0..2000).map(|number| (number, segment.clone())).collect();
    let (_track, track) = watch::channel(Arc::new(TrackEdge { segments, ..TrackEdge::default() }));
    let tracks = [("audio".to_owned(), track)].into();
    let edge = watch::channel(Arc::new(Edge { tracks, ..Edge::default() })).0;
    let mut node = Node::joins(&edge);
    node.listens();
    assert_eq!(node.hearer.picture().tracks["audio"].segments.len(), 2000);
}

#[tokio::test(start_paused = true)]
async fn something_is_said_while_nothing_happens_and_no_more_once_nothing_is_published() {
    let (edge, mut node) = listening();
    let beat = tokio::time::timeout(relay::BEAT * 2, node.teller.next()).await.unwrap().unwrap();
    assert_eq!(node.hearer.hear(&beat), Ok(false), "nothing new");
    edge.send_replace(Arc::default());
    assert_eq!(node.teller.next().await, None, "another one publishes it");
}

#[tokio::test(start_paused = true)]
async fn a_track_that_is_gone_keeps_nobody_from_hearing_of_the_others() {
    let track = |last| Arc::new(TrackEdge { stored: Some(0..=last), ..TrackEdge::default() });
    let [(gone, first), (stays, second)] = [1, 1].map(|last| watch::channel(track(last)));
    let tracks = [("a".to_owned(), first), ("b".to_owned(), second)].into();
    let edge = watch::channel(Arc::new(Edge { tracks, ..Edge::default() })).0;
    let mut node = Node::joins(&edge);
    node.listens();
    drop(gone);
    stays.send_replace(track(2));
    node.listens();
    assert_eq!(node.hearer.picture().tracks["b"].stored, Some(0..=2));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_too_slow_to_see_another_beginning_is_to_begin_anew() {
    let (edge, mut node) = listening();
    let mut other = Rig::new(None, START);
    other.encoder_begins(30);
    other.plays(START, START + 5);
    edge.send_replace(Arc::default());
    edge.send_replace(other.presentation.edge());
    assert_eq!(node.teller.next().await, None, "its tracks are others, though they have the same names");
}

#[test]
fn what_is_no_feed_is_refused_in_words() {
    let frame = |words: &str, bytes: &[u8]| {
        let lengths = [words.len(), bytes.len()].map(|length| (length as u32).to_be_bytes()).concat();
        [&lengths[..], words.as_bytes(), bytes].concat()
    };
    let hello = frame("{\"what\":\"hello\",\"version\":2}", b"");
    let list = "{\"pieces\":[7],\"rest\":1}";
    let track = |playlist: &str, inits: &str| {
        format!(
            "{{\"what\":\"track\",\"name\":\"a\",\"ended\":false,\"first\":null,\"head\":null,\"low_latency\":null,\"cmsd\":null,\
             \"stored\":null,\"moved_ms\":null,\"slate_ms\":null,\"playlist\":{playlist},\"delta\":null,\"inits\":{inits},\
             \"segments\":[],\"gone\":[]}}"
        )
    };
    let init = "[{\"name\":\"i\",\"object\":{\"length\":9,\"cmsd\":null}}]";
    for (said, expected) in [
        (frame("{\"what\":\"hello\",\"version\":9}", b""), "version 9"),
        (frame("{\"what\":\"beat\"}", b""), "greeting"),
        ([hello.clone(), frame("{\"what\":\"dance\"}", b"")].concat(), "dance"),
        ([hello.clone(), frame("<html>", b"")].concat(), "expected"),
        (b"HTTP/1.1 200 OK".to_vec(), "a frame of"),
        ([hello.clone(), frame(&track(list, "[]"), b"x")].concat(), "missing"),
        ([hello.clone(), frame(&track("null", init), b"x")].concat(), "bytes are missing"),
        ([hello, frame(&track("null", "[]"), b"x")].concat(), "left over"),
    ] {
        let error = Hearer::default().hear(&said).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}: {expected}");
    }
}
