//! One track of a channel: takes samples while they come, covers holes with the filler, and keeps what is published.

mod shelf;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headwater_packager::{
    bmff,
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::{Grid, Ticks, Timescale},
    track::Track,
    window::{Bandwidth, Era, Window},
};
use http::HeaderValue;

use super::{
    cmsd,
    edge::{Body, Playlist, TrackEdge},
    filler::Filler,
    frames::Fresh,
    journal::Told,
    lateness::{Feed, Lateness},
    listing::Listing,
    measure::{CutPart, Made},
    record::TrackRecord,
    render::View,
};
use crate::metrics::Part;
pub(super) use shelf::{News, Shelf};

/// A track as the encoder describes it.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) track: Arc<Track>,
    pub(super) filler: Filler,
}

/// Number from which on the first era of a track counts, whenever that begins, so that interchangeable origins say the
/// same. Not 0: for ffmpeg 5.1, a DASH period at 0 in a presentation from 1970 has no place in time.
const FIRST: i64 = 1;

/// Owns a track.
pub(super) struct Writer {
    description: Description,
    /// What the encoder now sends, where that needs another init segment: it applies when its first segment begins.
    successor: Option<Description>,
    grid: Grid,
    segmenter: Segmenter,
    feed: Feed,
    lateness: Lateness,
    era: Arc<Era>,
    inits: BTreeMap<String, Arc<Body>>,
    shelf: Shelf,
    /// Numbers of the first and of the last segment that it may make.
    first: i64,
    last: i64,
    filler_parts: u64,
    /// When the encoder's last sample came, in nanoseconds since the epoch; `None` while the filler is on air.
    arrived: Option<i128>,
    /// Samples that viewers have not been shown yet.
    fresh: Vec<Sample>,
    made: Made,
}

impl Writer {
    /// A track that begins with the encoder's first segment.
    pub(super) fn new(description: Description, grid: Grid, length: Duration) -> Self {
        let shelf = Shelf::new(&grid, length, description.track.timescale);
        let (init, body) = init(&description.track);
        Self {
            segmenter: Segmenter::new(description.track.clone(), Cut::Grid(grid)),
            description,
            successor: None,
            grid,
            feed: Feed::Awaited,
            lateness: Lateness::default(),
            era: Arc::new(Era { first: FIRST, init: init.clone(), sequence: 0 }),
            inits: BTreeMap::from([(init, body)]),
            shelf,
            first: FIRST,
            last: i64::MAX,
            filler_parts: 0,
            arrived: None,
            fresh: Vec::new(),
            made: Made::default(),
        }
    }

    /// A track that goes on where its record ends.
    pub(super) fn resume(description: Description, grid: Grid, record: &TrackRecord) -> Self {
        let mut writer = Self::new(description, grid, Duration::ZERO);
        writer.shelf.resume(record);
        writer.go_on_behind_the_list();
        writer
    }

    fn go_on_behind_the_list(&mut self) {
        let Some(last) = self.shelf.window().segments().back() else { return };
        self.segmenter.resume_at(last.start + last.duration);
        self.era = if last.era.init == self.era.init {
            last.era.clone()
        } else {
            let (first, sequence) = (last.number + 1, last.era.sequence + 1);
            Arc::new(Era { first, init: self.era.init.clone(), sequence })
        };
    }

    /// What its next samples need.
    pub(super) fn era(&self) -> &Era {
        &self.era
    }

    /// Begins another era with segment `number`, or with the next one that it makes, as the era `sequence`.
    pub(super) fn begin_era_at(&mut self, number: i64, sequence: u64) {
        let first = number.max(self.unused());
        self.era = Arc::new(Era { first, init: self.era.init.clone(), sequence });
    }

    /// The same that comes to a channel whose other tracks are in the era `sequence`.
    #[must_use]
    pub(super) fn joining(mut self, sequence: u64) -> Self {
        self.era = Arc::new(Era { sequence, ..Era::clone(&self.era) });
        self
    }

    /// A track that another server makes, as far as its record goes.
    pub(super) fn follow(description: Description, grid: Grid, record: &TrackRecord) -> Self {
        // Whether it is of the filler is not recorded.
        Self { arrived: Some(0), ..Self::resume(description, grid, record) }
    }

    /// The same one record later; false if the record has to be [followed](Self::follow) from its beginning.
    pub(super) fn advance(&mut self, record: &TrackRecord) -> bool {
        let advanced = self.shelf.advance(record);
        self.go_on_behind_the_list();
        advanced
    }

    /// Closes filler segments for the time from the end of the record to the segment at `now`.
    pub(super) fn catch_up(&mut self, now: i128) {
        self.skip_unseen(now);
        let current = self.grid.segment_of(self.timescale().floor(now), self.timescale());
        self.fill_to(self.aligned(self.grid.segment_start(current, self.timescale())));
    }

    /// True if what was `told`, as far as it is not recorded, comes right behind what is, and parts are as long as they were.
    pub(super) fn is_followed_by(&self, told: &[Told]) -> bool {
        if told.iter().any(|told| told.part != self.grid.part) {
            return false;
        }
        let last = self.window().segments().back();
        let mut due = last.map(|last| (last.number + 1, last.end()));
        told.iter().filter(|told| last.is_none_or(|last| told.number > last.number)).all(|told| {
            let follows = due.is_none_or(|due| (told.number, told.start) == due)
                && told.era == *self.era
                && self.grid.segment_of(told.start, self.timescale()) == told.number;
            due = Some((told.number + 1, told.end()));
            follows
        })
    }

    /// Goes on behind what was `told`, of which the last segment may not be complete. Of what the `record` has, parts are listed again.
    pub(super) fn recall(&mut self, record: Option<&TrackRecord>, told: &[Told]) {
        let last = self.window().segments().back().map_or(i64::MIN, |last| last.number);
        let whole_only = told.iter().filter(|told| !told.has_parts).map(|told| told.number).max();
        whole_only.into_iter().for_each(|number| self.shelf.without_parts(number));
        for told in told {
            if told.number > last {
                self.recall_one(told);
            } else if let Some(entry) = record.and_then(|record| record.entry(told.number)) {
                let track = self.track().clone();
                self.shelf.restore_parts(entry, told, |duration| cmsd_of(&track, duration));
            }
        }
    }

    fn recall_one(&mut self, told: &Told) {
        let (number, start, end) = (told.number, told.start, told.end());
        for chunk in &told.chunks {
            self.shelf.add(number, chunk, &self.era, self.cmsd(chunk.duration));
        }
        if end >= self.grid.segment_start(number + 1, self.timescale()) {
            self.shelf.close(number, start, end - start, self.cmsd(end - start));
            self.segmenter.resume_at(end);
        } else {
            self.segmenter.resume_within(number, start, told.chunks.len() as u32, end);
        }
    }

    /// Lists what there is up to the segment at `now` without parts: others may have been published under their names.
    pub(super) fn without_parts(&mut self, now: i128) {
        let current = self.grid.segment_of(self.timescale().floor(now), self.timescale());
        self.shelf.without_parts(current);
        self.fresh.clear();
    }

    /// Goes on with what another encoder says of this track, behind a discontinuity if there is one for all tracks.
    pub(super) fn succeed(mut self, description: Description, discontinuity: bool) -> Self {
        if self.begins_anew(&description) {
            tracing::warn!(track = self.name(), "the timescale has changed: the track begins anew");
            let anew = Self::new(description, self.grid, self.window().length());
            let sequence = self.era.sequence + u64::from(discontinuity);
            return Self { first: self.unused(), ..anew }.joining(sequence);
        }
        if discontinuity {
            self.successor = Some(description);
        } else {
            self.description = description;
            self.successor = None;
        }
        self
    }

    /// True if what it has made cannot be gone on with as `description` says: times in one list are all of one timescale.
    pub(super) fn begins_anew(&self, description: &Description) -> bool {
        description.track.timescale != self.timescale()
    }

    /// The number of the first segment of which nothing was ever published.
    pub(super) fn unused(&self) -> i64 {
        let opened = self.shelf.opened().map(|open| open.number);
        let last = opened.max(self.shelf.window().segments().back().map(|last| last.number));
        last.map_or(self.first, |last| last + 1)
    }

    /// Takes a sample of the encoder, at `now` nanoseconds since the epoch.
    pub(super) fn take(&mut self, sample: Sample, now: i128) {
        if self.grid.segment_of(sample.dts, self.timescale()) > self.last {
            return;
        }
        self.lateness.observe(now - self.timescale().nanos(sample.end()), self.feed);
        if self.feed != Feed::Encoder && !self.take_over(&sample, now) {
            self.feed = Feed::Awaited;
            return;
        }
        self.feed = Feed::Encoder;
        self.arrived = Some(now);
        if let Err(error) = self.push(sample) {
            tracing::warn!(track = self.name(), %error, "the encoder's samples do not fit");
            self.hold();
        }
    }

    /// The samples of the encoder stop here: what is complete stays, the filler goes on from there.
    fn hold(&mut self) {
        self.segmenter.discard_open_chunk();
        self.feed = Feed::Awaited;
    }

    /// As [`Writer::hold`], and no samples are to be waited for.
    pub(super) fn lose(&mut self) {
        self.hold();
        self.feed = Feed::Gone;
        self.lateness.lose();
    }

    /// An encoder says that its samples come next.
    pub(super) fn expect(&mut self) {
        if self.feed == Feed::Gone {
            self.feed = Feed::Awaited;
        }
    }

    /// When the next part is due from the filler, in nanoseconds since the epoch.
    pub(super) fn due(&self) -> Option<i128> {
        if self.is_complete() {
            return None;
        }
        let end = self.timescale().nanos(self.part_end()?);
        Some(end + self.lateness.allowance(self.feed))
    }

    /// Fills all parts that are due at `now`.
    pub(super) fn fill(&mut self, now: i128) {
        self.skip_unseen(now);
        while self.due().is_some_and(|due| due <= now) {
            if self.feed == Feed::Encoder {
                tracing::info!(track = self.name(), "no samples for too long: the filler takes over");
                self.hold();
            }
            let Some(end) = self.part_end() else { return };
            self.fill_to(end);
        }
    }

    /// Makes no segment behind `last`.
    pub(super) fn stop_behind(&mut self, last: i64) {
        self.last = last;
    }

    /// True if it has made the last segment that it is to make, or none before.
    pub(super) fn is_complete(&self) -> bool {
        self.segmenter.position().is_none_or(|(number, _)| number > self.last)
    }

    /// True if nobody was told of anything of the segment that comes next.
    pub(super) fn knows_what_comes_next(&self) -> bool {
        let is_recorded = self.window().segments().back().map(|last| last.number)
            == self.shelf.stored().segments().back().map(|last| last.number);
        is_recorded && self.shelf.opened().is_none() && self.shelf.publishes_parts(self.unused())
    }

    /// Closes what is open, for good.
    pub(super) fn end(&mut self) {
        let outputs = self.segmenter.finish();
        self.absorb(outputs);
    }

    /// True if the sample begins a segment at or behind the end of what is there; the hole before it is then filled.
    fn take_over(&mut self, sample: &Sample, now: i128) -> bool {
        let number = self.grid.segment_of(sample.dts, self.timescale());
        let step = Ticks::from(sample.duration);
        let begins = sample.sync
            && self.aligned_by(self.grid.segment_start(number, self.timescale()), step) == sample.dts;
        if !begins || number < self.first || self.segmenter.next().is_some_and(|next| sample.dts < next) {
            return false;
        }
        if self.segmenter.next().is_some() {
            self.skip_unseen(now);
            self.fill_to(sample.dts);
        }
        if let Some(successor) = self.successor.take() {
            self.begin_era(successor, number);
        }
        self.segmenter.resume_at(sample.dts);
        true
    }

    fn begin_era(&mut self, successor: Description, first: i64) {
        let outputs = self.segmenter.finish();
        self.absorb(outputs);
        let (name, body) = init(&successor.track);
        self.segmenter = Segmenter::new(successor.track.clone(), Cut::Grid(self.grid));
        self.era = Arc::new(Era { first, init: name.clone(), sequence: self.era.sequence + 1 });
        self.inits.insert(name, body);
        self.description = successor;
    }

    /// After a pause longer than the window, goes on where the window begins: nobody sees what would lie before.
    fn skip_unseen(&mut self, now: i128) {
        let timescale = self.timescale();
        let from =
            self.grid.segment_of(timescale.floor(now - self.window().length().as_nanos() as i128), timescale);
        let from = self.aligned(self.grid.segment_start(from, timescale));
        if self.segmenter.next().is_some_and(|next| next < from) {
            tracing::warn!(track = self.name(), "a pause longer than the window: its segments are left out");
            self.hold();
            self.shelf.abandon_open();
            self.segmenter.resume_at(from);
        }
    }

    /// Fills from where the track is up to `to`, part by part, each from a sync sample.
    fn fill_to(&mut self, to: Ticks) {
        while let Some(next) = self.segmenter.next().filter(|&next| next < to) {
            let end = self.part_end().map_or(to, |end| end.min(to));
            let Some(samples) = self.description.filler.cover(next, end) else {
                tracing::error!(track = self.name(), next, end, "the filler does not fit: a hole remains");
                self.shelf.abandon_open();
                return self.segmenter.resume_at(to);
            };
            self.filler_parts += 1;
            self.arrived = None;
            for sample in samples {
                if let Err(error) = self.push(sample) {
                    tracing::error!(track = self.name(), %error, "the filler does not fit");
                    return;
                }
            }
        }
    }

    fn push(&mut self, sample: Sample) -> Result<(), headwater_packager::segmenter::Error> {
        let outputs = self.segmenter.push(sample.clone())?;
        self.fresh.push(sample);
        self.absorb(outputs);
        Ok(())
    }

    fn absorb(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Chunk { number, chunk, .. } => {
                    self.shelf.add(number, &chunk, &self.era, self.cmsd(chunk.duration));
                    let part = Part { captured_at: chunk.captured_at, arrived: self.arrived };
                    self.made.parts.push(CutPart { part, published: self.shelf.publishes_parts(number) });
                }
                Output::Segment { number, start, duration } => {
                    self.shelf.close(number, start, duration, self.cmsd(duration));
                }
            }
        }
    }

    /// CMSD-Static of media that is so long.
    fn cmsd(&self, duration: Ticks) -> HeaderValue {
        cmsd_of(self.track(), duration)
    }

    fn timescale(&self) -> Timescale {
        self.description.track.timescale
    }

    /// Where the chunk that is open or comes next has to end, if the track has begun.
    fn part_end(&self) -> Option<Ticks> {
        let (number, part) = self.segmenter.position()?;
        Some(self.aligned(self.grid.part_start(number, part + 1, self.timescale())))
    }

    /// The first sample boundary at or behind `tick`: samples are laid from the epoch without gaps.
    fn aligned(&self, tick: Ticks) -> Ticks {
        self.description.filler.step().map_or(tick, |step| self.aligned_by(tick, step))
    }

    fn aligned_by(&self, tick: Ticks, step: Ticks) -> Ticks {
        -(-tick).div_euclid(step.max(1)) * step.max(1)
    }
}

/// What others ask of a track.
impl Writer {
    pub(super) fn name(&self) -> &str {
        &self.description.track.name
    }

    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    pub(super) fn track(&self) -> &Arc<Track> {
        &self.description.track
    }

    /// What has been cut.
    pub(super) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// What has been cut, to be changed.
    pub(super) fn shelf_mut(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    fn window(&self) -> &Window {
        self.shelf.window()
    }

    /// The timescale, and the ticks from one sample to the next.
    pub(super) fn step(&self) -> Option<(Timescale, Ticks)> {
        Some((self.timescale(), self.description.filler.step()?))
    }

    /// What was measured; the peak is at least what the encoder may use at any time, however still the picture was so
    /// far, so that a player is not surprised and rungs keep their order.
    pub(super) fn bandwidth(&self) -> Bandwidth {
        let measured = self.window().bandwidth();
        Bandwidth { peak: measured.peak.max(self.track().bitrate.into()), ..measured }
    }

    pub(super) fn filler_parts(&self) -> u64 {
        self.filler_parts
    }

    /// What was made since this was asked last.
    pub(super) fn take_made(&mut self) -> Made {
        Made { segments: self.shelf.take_listed(), ..std::mem::take(&mut self.made) }
    }

    /// What viewers have not been shown yet.
    pub(super) fn take_fresh(&mut self) -> Fresh<'_> {
        let samples = std::mem::take(&mut self.fresh);
        let init = self.inits.get(&self.era.init).map_or(&[][..], |body| &body.chunks);
        Fresh { track: &self.description.track, init, samples }
    }

    /// Init segments made since the start, by file name, and the one that is about to be needed.
    pub(super) fn inits(&self) -> impl Iterator<Item = (String, Arc<Body>)> {
        let made = self.inits.iter().map(|(name, body)| (name.clone(), body.clone()));
        made.chain(self.successor.iter().map(|successor| init(&successor.track)))
    }

    /// What is published after `before`, with its rendered playlist.
    pub(super) fn edge(
        &self,
        before: Option<&TrackEdge>,
        playlist: Option<Arc<Playlist>>,
        view: &View,
    ) -> TrackEdge {
        let head = playlist.as_ref().and_then(|_| self.shelf.head());
        let first = head.and_then(|_| self.window().segments().front());
        let unmoved = before.filter(|before| before.head == head).and_then(|before| before.moved_at);
        // A list that has not come further is as it was.
        let listed = before.filter(|before| before.listing.last() == self.shelf.head().map(|head| head.last));
        let listing = listed.map_or_else(
            || {
                Arc::new(
                    before.map_or(&Listing::default(), |before| &*before.listing).followed_by(self.window()),
                )
            },
            |before| before.listing.clone(),
        );
        let on_slate = before.and_then(|before| before.slate_since).or(Some(view.at));
        TrackEdge {
            moved_at: unmoved.or(head.map(|_| view.at)),
            slate_since: on_slate.filter(|_| self.arrived.is_none()),
            first: first.map(|first| first.number),
            head,
            playlist,
            listing,
            ended: view.ended,
            low_latency: view.low_latency,
            inits: self.inits.clone(),
            segments: self.shelf.segments().clone(),
            left: BTreeMap::new(),
            stored: self.shelf.kept(),
            archive: Some(self.shelf.archive().clone()),
            cmsd: Some(cmsd::media(self.track(), None)),
            published_at: Some(view.at),
        }
    }
}

/// CMSD-Static of media of `track` that is so long.
fn cmsd_of(track: &Track, duration: Ticks) -> HeaderValue {
    let nanos = u64::try_from(track.timescale.nanos(duration)).unwrap_or_default();
    cmsd::media(track, Some(Duration::from_nanos(nanos)))
}

fn init(track: &Track) -> (String, Arc<Body>) {
    let bytes = bmff::init_segment(track);
    (bmff::init_name(&bytes), Arc::new(Body::new(vec![bytes]).described(cmsd::init(true))))
}
