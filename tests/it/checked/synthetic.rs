//! A live channel that needs no encoder: two renditions of a picture and one of sound, made of nothing as time goes by,
//! and published as the channel task does.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use headwater::{
    channel::{
        edge::{Body, Document, Edge, Head, LowLatency, Playlist, Segment, TrackEdge},
        status::{State, Status},
    },
    clock,
    metrics::Metrics,
    origin::{
        Origin,
        waiters::{Limits, Waiters},
    },
    store::Store,
};
use headwater_packager::{
    bmff, dash, hls,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::Grid,
    track::UNCHANGED,
    window::{self, Era, Open, Part, Window},
};
use tokio::{sync::watch, task::JoinHandle};

use super::made::{self, Made};
use crate::origin::{admission, reading};

/// Segments of two seconds, so that a machine that is busy for a moment does not break a promise.
pub(super) const GRID: Grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(500) };
const PARTS: u32 = 4;
const TARGET: u32 = 2;
const WINDOW: Duration = Duration::from_secs(20);
/// So many segments are there when it starts.
const BACKLOG: i64 = 16;
/// So often it looks what is due.
const STEP: Duration = Duration::from_millis(10);

/// A channel `demo` on the air until it is dropped.
pub(super) struct Synthetic {
    pub(super) origin: Arc<Origin>,
    pub(super) edge: watch::Receiver<Arc<Edge>>,
    task: JoinHandle<()>,
}

impl Synthetic {
    pub(super) fn start() -> Self {
        let tracks = vec![made::video(720, 25, 1), made::video(360, 25, 1), made::audio("en", 48_000)];
        Self::of(Channel::new(tracks, WINDOW, BACKLOG))
    }

    /// With a list that is sent in pieces.
    pub(super) fn long() -> Self {
        // Two frames a second: half an hour of them is made in a moment.
        let tracks = vec![made::video(720, 2, 1), made::audio("en", 48_000)];
        let minutes = Duration::from_secs(40 * 60);
        Self::of(Channel::new(tracks, minutes, 1000))
    }

    fn of(mut channel: Channel) -> Self {
        channel.advance(unix_nanos());
        let edge = channel.edge.subscribe();
        let status = Status {
            state: State::Live,
            epoch: 1,
            takeovers: 0,
            encoder_starts: 1,
            encoder_pid: None,
            filler_parts: 0,
            encoders: BTreeMap::new(),
            store_degraded: None,
            unfenced: None,
            low_latency_off: None,
            edge_from: None,
        };
        let reader = reading(edge.clone(), watch::channel(status).1);
        let waiters = Waiters::new(Limits { all: 10_000, of_connection: 1000 }, Metrics::default().waiting);
        let store = Store::open("memory://").unwrap();
        let origin =
            Arc::new(Origin::new(Arc::new([("demo".to_owned(), reader)].into()), store, admission(waiters)));
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(STEP).await;
                channel.advance(unix_nanos());
            }
        });
        Self { origin, edge, task }
    }
}

impl Drop for Synthetic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn unix_nanos() -> i128 {
    i128::from(i64::try_from(clock::unix_nanos()).unwrap())
}

struct Channel {
    window: Duration,
    makers: Vec<Maker>,
    part_target: Duration,
    edge: watch::Sender<Arc<Edge>>,
}

/// Makes and keeps one track.
struct Maker {
    made: Made,
    segmenter: Segmenter,
    next: i64,
    init: (String, Arc<Body>),
    era: Arc<Era>,
    window: Window,
    open: Option<Open>,
    segments: BTreeMap<i64, Arc<Segment>>,
    chunks: Vec<Arc<Body>>,
    captured_at: i64,
    published: watch::Sender<Arc<TrackEdge>>,
}

impl Channel {
    fn new(tracks: Vec<Made>, window: Duration, backlog: i64) -> Self {
        let first = GRID.first_segment_at_or_after(unix_nanos()) - backlog;
        let steps = tracks.iter().map(|made| (made.track.timescale, made.step.into()));
        let part_target = hls::part_target(&GRID, steps).unwrap();
        let makers: Vec<_> = tracks.into_iter().map(|made| Maker::new(made, first, window)).collect();
        let published = |maker: &Maker| (maker.made.track.name.clone(), maker.published.subscribe());
        let edge = Edge {
            tracks: makers.iter().map(published).collect::<HashMap<_, _>>(),
            target_duration: Duration::from_secs(TARGET.into()),
            ..Edge::default()
        };
        Self { window, makers, part_target, edge: watch::channel(Arc::new(edge)).0 }
    }

    /// Makes and publishes what is over at `now`.
    fn advance(&mut self, now: i128) {
        let news: Vec<_> = self.makers.iter_mut().map(|maker| maker.advance(now)).collect();
        if news.iter().any(|news| *news) {
            for index in 0..self.makers.len() {
                let playlist = self.playlist(index);
                self.makers[index].publish(playlist, self.part_target);
            }
            let edge = Arc::make_mut(&mut self.edge.borrow().clone()).clone();
            let (multivariant, mpd) = (self.multivariant(), self.mpd(now));
            self.edge.send_replace(Arc::new(Edge { multivariant, mpd, ..edge }));
        }
    }

    fn playlist(&self, index: usize) -> Playlist {
        let others = self.makers.iter().enumerate().filter(|(other, _)| *other != index);
        let reports: Vec<_> = others.map(|(_, maker)| maker.report()).collect();
        let maker = &self.makers[index];
        let head = maker.head();
        let low_latency = Some(hls::LowLatency {
            part_target: self.part_target,
            open: maker.open.as_ref(),
            hint: Some((head.last + 1, head.parts)),
            reports: &reports,
        });
        let (window, kind) = (&maker.window, hls::Kind::Live);
        let media = hls::Media { window, target_duration: TARGET, kind, low_latency };
        let before = maker.published.borrow().playlist.clone();
        let before = before.as_ref().map(|before| &*before.whole);
        let list = hls::list(&media, before.and_then(Document::past));
        let delta = hls::delta(&media).map(|text| Arc::new(Document::new(text)));
        Playlist { whole: Arc::new(Document::list(&list, before)), delta }
    }

    fn multivariant(&self) -> Option<Arc<Document>> {
        let renditions: Vec<_> = self.makers.iter().map(Maker::rendition).collect();
        Some(Arc::new(Document::new(hls::multivariant(&renditions))))
    }

    fn mpd(&self, now: i128) -> Option<Arc<Document>> {
        let representations: Vec<_> = self.makers.iter().map(Maker::representation).collect();
        let listed = self.makers.iter().map(|maker| maker.window.depth()).min().unwrap();
        let kind = dash::Kind::Live {
            published_at: now,
            time_shift: listed.min(self.window),
            delay: 3 * GRID.part,
            low_latency: Some(dash::LowLatency {
                part: GRID.part,
                part_target: self.part_target,
                from_capture: true,
            }),
        };
        let representations = &representations;
        let mpd = dash::mpd(&dash::Presentation { representations, kind, segment: GRID.segment });
        Some(Arc::new(Document::new(mpd)))
    }
}

impl Maker {
    fn new(made: Made, first: i64, window: Duration) -> Self {
        let init = bmff::init_segment(&made.track);
        let name = bmff::init_name(&init);
        Self {
            segmenter: Segmenter::new(made.track.clone(), Cut::Grid(GRID)),
            next: made.start(GRID, first),
            era: Arc::new(Era { first: 0, init: name.clone(), sequence: 0 }),
            init: (name, Arc::new(Body::new(vec![init]))),
            window: Window::new(window, made.track.timescale),
            open: None,
            segments: BTreeMap::new(),
            chunks: Vec::new(),
            captured_at: 0,
            published: watch::channel(Arc::default()).0,
            made,
        }
    }

    /// Makes the samples that are over at `now`; true if something is to be told of.
    fn advance(&mut self, now: i128) -> bool {
        let mut news = false;
        loop {
            let sample = self.sample();
            if self.made.track.timescale.nanos(sample.end()) > now {
                return news;
            }
            self.next = sample.end();
            for output in self.segmenter.push(sample).unwrap() {
                self.keep(output);
                news = true;
            }
        }
    }

    /// One that says what it is, and is captured when its time says.
    fn sample(&self) -> Sample {
        let (track, dts) = (&self.made.track, self.next);
        let number = GRID.segment_of(dts, track.timescale);
        let sync = track.audio().is_some() || self.made.start(GRID, number) == dts;
        // An access unit of one slice: nal_unit_type 5 is IDR, 1 is not (ISO/IEC 14496-10 table 7-1).
        let kind: u8 = if sync { 0x65 } else { 0x41 };
        let words = format!("{} at {dts}|", track.name).repeat(4);
        let mut data = BytesMut::new();
        data.extend_from_slice(&(words.len() as u32 + 1).to_be_bytes());
        data.extend_from_slice(&[kind]);
        data.extend_from_slice(words.as_bytes());
        let captured_at = i64::try_from(track.timescale.nanos(dts) / 1000).unwrap();
        Sample { data: data.freeze(), captured_at, ..self.made.sample(dts, sync) }
    }

    fn keep(&mut self, output: Output) {
        match output {
            Output::Chunk { number, chunk, part } => {
                if part == 0 {
                    self.captured_at = chunk.captured_at;
                }
                let listing = Open { number, start: chunk.start, parts: Vec::new(), era: self.era.clone() };
                let open = self.open.get_or_insert(listing);
                let (duration, size, independent) = (chunk.duration, chunk.size(), chunk.independent);
                open.parts.push(Part { duration, size, independent });
                self.chunks.push(Arc::new(Body::new(vec![chunk.to_bytes()])));
                self.insert(number, self.chunks.clone(), None);
            }
            Output::Segment { number, start, duration } => {
                let chunks = std::mem::take(&mut self.chunks);
                let bytes: Vec<Bytes> = chunks.iter().flat_map(|chunk| chunk.chunks.clone()).collect();
                let body = Arc::new(Body::new(bytes));
                let (parts, size) = (self.open.take().unwrap().parts, body.length);
                let (era, captured_at) = (self.era.clone(), self.captured_at);
                self.window.push(window::Segment { number, start, duration, size, parts, era, captured_at });
                self.insert(number, chunks, Some(body));
            }
        }
    }

    fn insert(&mut self, number: i64, chunks: Vec<Arc<Body>>, whole: Option<Arc<Body>>) {
        let settled = whole.is_some();
        self.segments.insert(number, Arc::new(Segment { chunks, has_parts: true, whole, settled }));
    }

    fn head(&self) -> Head {
        let last = self.window.segments().back().unwrap().number;
        Head { last, parts: self.open.as_ref().map_or(0, |open| open.parts.len() as u32) }
    }

    fn report(&self) -> hls::Report<'_> {
        let Head { last, parts } = self.head();
        let (msn, parts) = if parts > 0 { (last + 1, parts) } else { (last, PARTS) };
        hls::Report { track: &self.made.track.name, msn, part: Some(parts - 1) }
    }

    fn rendition(&self) -> hls::Rendition<'_> {
        hls::Rendition {
            track: &self.made.track,
            bandwidth: self.window.bandwidth(),
            configurations: &UNCHANGED,
        }
    }

    fn representation(&self) -> dash::Representation<'_> {
        dash::Representation {
            track: &self.made.track,
            window: &self.window,
            bandwidth: self.window.bandwidth(),
            open: self.open.as_ref(),
            configurations: &UNCHANGED,
        }
    }

    fn publish(&self, playlist: Playlist, part_target: Duration) {
        let head = Some(self.head());
        self.published.send_replace(Arc::new(TrackEdge {
            playlist: Some(Arc::new(playlist)),
            head,
            low_latency: Some(LowLatency { part_target, parts_per_segment: PARTS }),
            inits: [self.init.clone()].into(),
            segments: self.segments.clone(),
            ..TrackEdge::default()
        }));
    }
}
