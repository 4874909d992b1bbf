//! All tracks of a channel together: who gets which sample, what is written, what is published.

mod archiving;
mod followed;
mod gone;
mod inherited;
mod opening;
mod papers;
mod takeover;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use headwater_packager::{
    hls,
    time::Grid,
    window::{SHORTEST, Window},
};
use tokio::sync::watch;

use self::{
    archiving::Retention,
    opening::{descriptions, with_kept},
};
use super::{
    archive::Gone,
    cmsd::Format,
    commit::Work,
    edge::{Edge, LowLatency, TrackEdge},
    fence::Stamp,
    fitness::Limits,
    frames::{Fresh, Lineup, Publisher},
    journal::Journal,
    measure::Made,
    record::{self, Record},
    render::{self, View},
    track::{News, Writer},
};
use crate::{
    clock, config,
    ladder::wire::{self, Catalog, Media, Message},
    store,
};

/// How far the end of a source has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It goes on.
    No,
    /// All its segments are closed, and some are not listed yet.
    Closed,
    /// All are listed, and the record that says so is being written.
    Recorded,
    /// Players know.
    Published,
}

/// What a channel presents.
pub(super) struct Presentation {
    prefix: String,
    source: String,
    ladder: config::Ladder,
    grid: Grid,
    window: Duration,
    /// How much is kept beyond it.
    retention: Retention,
    /// From when on it is not fit to be shown.
    limits: Limits,
    /// True if its bit rates are told as configured.
    nominal: bool,
    /// True if parts are to be published one by one.
    wants_low_latency: bool,
    /// How they are laid out, where they are.
    low_latency: Option<LowLatency>,
    /// Why they are not.
    low_latency_off: Option<String>,
    /// The tracks of the running encoder in the order of its catalog, then those that only the filler keeps on air.
    writers: Vec<Writer>,
    /// What is left of tracks that there are no more.
    gone: BTreeMap<String, Gone>,
    /// True if what is kept was made with another ladder than the configured one.
    reconfigured: bool,
    /// What the encoder has said before its first picture: catalog and filler.
    opening: Vec<Message>,
    /// Entity tag of the opening that describes the tracks, as the store has it.
    described_by: Option<String>,
    /// True until its tracks have taken over.
    arriving: bool,
    ending: Ending,
    /// A record is on its way to the store.
    recording: bool,
    /// The store has yet to be told something that no segment brings with it.
    unrecorded: bool,
    /// The lists in the store say that nothing follows, and something does.
    reopened: bool,
    /// Who writes its records.
    stamp: Stamp,
    /// What viewers see that do not wait for parts.
    frames: Publisher,
    /// What is published of each track.
    tracks: BTreeMap<String, watch::Sender<Arc<TrackEdge>>>,
    edge: Arc<Edge>,
    /// How old what is shown next is when it is seen for the first time.
    age: Duration,
    /// Where what is told outlives the process, once somebody is told something.
    journal: Option<Arc<Journal>>,
    /// True if the store takes playlists and MPDs too.
    stores_manifests: bool,
    /// The beginnings of the tracks' lists as they were last put into the store.
    stored_lists: BTreeMap<String, Arc<hls::Past>>,
}

impl Presentation {
    /// Begins with nothing.
    pub(super) fn new(prefix: String, config: &config::Channel) -> Self {
        Self {
            prefix,
            source: config.source.clone(),
            ladder: config.ladder.clone(),
            grid: config.grid,
            window: config.window,
            retention: Retention::of(config),
            limits: limits(config),
            nominal: config.timing == config::Timing::Source,
            wants_low_latency: config.low_latency,
            low_latency: None,
            low_latency_off: None,
            writers: Vec::new(),
            gone: BTreeMap::new(),
            reconfigured: false,
            opening: Vec::new(),
            described_by: None,
            arriving: false,
            ending: Ending::No,
            recording: false,
            unrecorded: false,
            reopened: false,
            stamp: Stamp::default(),
            frames: Publisher::new(config.grid.segment),
            tracks: BTreeMap::new(),
            edge: Arc::new(Edge { limits: limits(config), ..Edge::default() }),
            age: Duration::ZERO,
            journal: None,
            stores_manifests: true,
            stored_lists: BTreeMap::new(),
        }
    }

    /// The same, which gives the store its record and no playlists, if this is false.
    #[must_use]
    pub(super) fn storing_manifests(self, stores_manifests: bool) -> Self {
        Self { stores_manifests, ..self }
    }

    fn resume(&mut self, record: &Record, opening: Vec<Message>) {
        if record.ended && record.source == self.source {
            self.ending = Ending::Published;
        }
        self.reopened = record.ended && !self.ended();
        self.unrecorded |= self.reopened;
        self.reconfigured = record.ladder != self.ladder;
        self.described_by.clone_from(&record.opening);
        for description in descriptions(&opening) {
            if let Some(kept) = record.tracks.get(&description.track.name) {
                let mut writer = Writer::resume(description, self.grid, kept);
                writer.shelf_mut().set_length(self.window);
                self.writers.push(writer);
            }
        }
        self.begin_eras_together();
        self.resume_gone(record);
    }

    /// Fills what was missed.
    fn catch_up(&mut self, now: i128) {
        if !self.ended() {
            self.writers.iter_mut().for_each(|writer| writer.catch_up(now));
        }
    }

    /// Finds out how long parts are with the tracks that there are.
    fn lay_out_parts(&mut self) {
        let part_target = hls::part_target(&self.grid, self.writers.iter().filter_map(Writer::step));
        let parts_per_segment = self.grid.parts_per_segment();
        let (layout, off) = match part_target {
            _ if !self.wants_low_latency => (None, None),
            Ok(part_target) => (Some(LowLatency { part_target, parts_per_segment }), None),
            Err(error) => (None, Some(error.to_string())),
        };
        (self.low_latency, self.low_latency_off) = (layout, off);
        let low_latency = self.low_latency.is_some();
        self.writers.iter_mut().for_each(|writer| writer.shelf_mut().set_low_latency(low_latency));
    }

    /// True once the source has come to its end.
    pub(super) fn ended(&self) -> bool {
        self.ending != Ending::No
    }

    /// The catalog of an encoder that begins.
    pub(super) fn open(&mut self, catalog: Catalog) {
        self.opening = vec![Message::Catalog(catalog)];
        self.arriving = true;
    }

    /// Takes a frame of the encoder, at `now` nanoseconds since the epoch.
    pub(super) fn take(&mut self, media: Media, now: i128) {
        if media.filler {
            self.opening.push(Message::Media(media));
        } else if let Some(writer) = self.writers.get_mut(usize::from(media.track)) {
            writer.take(media.sample, now);
        }
    }

    /// The encoder has said all that goes before its pictures: its tracks take over from those that are there.
    /// Gives what the store should know of it; nothing if that was done for this encoder.
    pub(super) fn begin(&mut self) -> Option<Work> {
        self.writers.iter_mut().for_each(Writer::expect);
        if !std::mem::take(&mut self.arriving) {
            return None;
        }
        let mut before = std::mem::take(&mut self.writers);
        let arriving = descriptions(&self.opening);
        // A discontinuity is one for all tracks, at the same number (rfc8216bis 6.2.4).
        let discontinuity = before.iter().any(|writer| {
            arriving.iter().any(|each| each.track.name == writer.name() && each.track != *writer.track())
        });
        // Who comes is where the others are: a discontinuity has the same number in all of them.
        let sequence = before.iter().map(|writer| writer.era().sequence).max().unwrap_or(0);
        for description in arriving {
            let name = &description.track.name;
            let writer = match before.iter().position(|writer| writer.name() == name) {
                Some(index) => {
                    let writer = before.remove(index);
                    if writer.begins_anew(&description) {
                        self.retire(&writer);
                    }
                    writer.succeed(description, discontinuity)
                }
                None => Writer::new(description, self.grid, self.window)
                    .joining(sequence + u64::from(discontinuity)),
            };
            self.writers.push(writer);
        }
        // A track that the source no longer has stays on air with its filler, as players have been told of it; one
        // that the configuration no longer has goes.
        let arrived = self.writers.len();
        if !self.reconfigured {
            self.writers.append(&mut before);
        }
        before.iter().for_each(|writer| self.retire(writer));
        self.reconfigured = false;
        self.lay_out_parts();
        self.keep_logs();
        let kept = self.writers[arrived..].iter().map(Writer::description);
        let said = with_kept(&self.opening, kept).iter().map(wire::encode).collect();
        let said = record::seal_opening(said);
        self.described_by = Some(store::etag(said.iter().map(|message| &message[..])));
        let opening = (record::opening_path_in(&self.prefix), said);
        let mut inits = Vec::new();
        for writer in &self.writers {
            inits.extend(
                writer.inits().map(|(name, body)| (self.path(writer.name(), &name), body.chunks.clone())),
            );
        }
        Some(Work::Foundation { opening, inits })
    }

    /// The encoder is gone, or has nothing to encode: every track goes on with its filler.
    pub(super) fn lose(&mut self) {
        self.writers.iter_mut().for_each(Writer::lose);
    }

    /// When the next filler part is due, in nanoseconds since the epoch.
    pub(super) fn due(&self) -> Option<i128> {
        if self.ended() { None } else { self.writers.iter().filter_map(Writer::due).min() }
    }

    /// Fills all parts that are due.
    pub(super) fn fill(&mut self, now: i128) {
        if !self.ended() {
            self.writers.iter_mut().for_each(|writer| writer.fill(now));
        }
    }

    /// The source has come to its end: what is open is closed.
    pub(super) fn end(&mut self) {
        self.ending = Ending::Closed;
        self.writers.iter_mut().for_each(Writer::end);
    }

    /// Why parts are not published one by one although they should be.
    pub(super) fn low_latency_off(&self) -> Option<&str> {
        self.low_latency_off.as_deref()
    }

    /// Filler parts made so far.
    pub(super) fn filler_parts(&self) -> u64 {
        self.writers.iter().map(Writer::filler_parts).sum()
    }

    /// What is closed and not submitted yet.
    pub(super) fn commits(&mut self) -> Vec<Work> {
        let mut commits = Vec::new();
        for index in 0..self.writers.len() {
            while let Some((number, body)) = self.writers[index].shelf_mut().next_commit() {
                let track = self.writers[index].name().to_owned();
                let path = self.path(&track, &format!("{number}.m4s"));
                commits.push(Work::Segment { track, number, path, body });
            }
        }
        commits
    }

    /// Lets readers have all closed segments before the store has taken them.
    pub(super) fn release(&mut self) {
        self.writers.iter_mut().for_each(|writer| writer.shelf_mut().release_all());
    }

    /// The store has taken a segment.
    pub(super) fn stored(&mut self, track: &str, number: i64) {
        self.writer(track).into_iter().for_each(|writer| writer.shelf_mut().durable(number));
    }

    /// The store will never have a segment.
    pub(super) fn lose_segment(&mut self, track: &str, number: i64) {
        self.writer(track).into_iter().for_each(|writer| writer.shelf_mut().lose(number));
    }

    /// The next record, if there is something new for it and none is on its way.
    pub(super) fn record_due(&mut self) -> Option<Work> {
        if self.recording {
            return None;
        }
        for writer in &mut self.writers {
            self.unrecorded |= writer.shelf_mut().enter();
        }
        let due = std::mem::take(&mut self.unrecorded);
        self.recording = due;
        due.then(|| self.record_work(false))
    }

    fn record_work(&mut self, ended: bool) -> Work {
        let record = self.record().stamped(self.stamp.next()).to_bytes();
        Work::Record { path: record::path_in(&self.prefix), record, ended }
    }

    /// The record is in the store. Gives the documents that may list more now, and what is to be done with chapters.
    pub(super) fn recorded(&mut self, now: i128) -> Vec<Work> {
        self.recording = false;
        let mut listed = Vec::new();
        for writer in &mut self.writers {
            if writer.shelf_mut().recorded() {
                listed.push(writer.name().to_owned());
            }
        }
        // When an ended source is in the store at last, all its lists say so.
        let concludes = self.is_over();
        let reopened = std::mem::take(&mut self.reopened);
        let tracks = self.writers.iter().map(Writer::name);
        let tracks: Vec<String> = tracks
            .filter(|track| concludes || reopened || listed.iter().any(|listed| listed == track))
            .map(str::to_owned)
            .collect();
        let mut papers = self.playlist_papers(&tracks, now);
        if !papers.is_empty() {
            papers.extend(self.manifest_papers(now));
        }
        let mut work = self.errands();
        work.extend((!papers.is_empty()).then_some(Work::Documents(papers)));
        work
    }

    /// True if nothing that is closed waits for the store.
    pub(super) fn all_settled(&self) -> bool {
        self.writers.iter().all(|writer| writer.shelf().all_settled())
    }

    /// True if something is to be written to the store that is not yet on its way, or is.
    pub(super) fn awaits_store(&self) -> bool {
        self.recording || self.unrecorded || !self.all_settled()
    }

    /// True if nothing follows, in the store either.
    fn is_over(&self) -> bool {
        self.ending == Ending::Published && self.all_settled()
    }

    fn writer(&mut self, track: &str) -> Option<&mut Writer> {
        self.writers.iter_mut().find(|writer| writer.name() == track)
    }

    /// Once everything of an ended source is listed: the record that says so, to be written before players are told.
    pub(super) fn conclusion(&mut self) -> Option<Work> {
        let due = self.ending == Ending::Closed && self.all_settled() && !self.recording;
        due.then(|| {
            self.ending = Ending::Recorded;
            self.record_work(true)
        })
    }

    /// Players are to be told that the source has ended although the store does not know it yet, as it fails.
    pub(super) fn conclude_without_store(&mut self) {
        if matches!(self.ending, Ending::Closed | Ending::Recorded) {
            self.ending = Ending::Published;
            self.unrecorded = true;
        }
    }

    /// Tells the store that nothing follows, if it has taken the record of it. Players are told with what is published
    /// next.
    pub(super) fn conclude(&mut self, durable: bool, now: i128) -> Work {
        self.ending = Ending::Published;
        self.unrecorded |= !durable;
        let tracks: Vec<String> = self.writers.iter().map(|writer| writer.name().to_owned()).collect();
        let mut papers = self.playlist_papers(&tracks, now);
        papers.extend(self.manifest_papers(now));
        Work::Documents(papers)
    }

    /// The tracks and their newest frames, as they will be published.
    pub(super) fn lineup(&self) -> watch::Receiver<Arc<Lineup>> {
        self.frames.subscribe()
    }

    /// Publishes what is new; gives the channel's edge if that is.
    pub(super) fn publish(&mut self, now: i128) -> Option<Arc<Edge>> {
        let mut fresh: Vec<Fresh<'_>> = self.writers.iter_mut().map(Writer::take_fresh).collect();
        self.frames.publish(&mut fresh, clock::now());
        let ended = self.ending == Ending::Published;
        let news: Vec<News> = self.writers.iter_mut().map(|writer| writer.shelf_mut().take_news()).collect();
        let turned = ended != self.edge.ended;
        let view = self.view(now);
        for (writer, news) in self.writers.iter().zip(&news) {
            if turned || *news != News::None {
                let news = if turned { News::Segment } else { *news };
                let edge = Arc::new(self.track_edge(writer, news, &view));
                match self.tracks.get(writer.name()) {
                    Some(track) => drop(track.send_replace(edge)),
                    None => drop(self.tracks.insert(writer.name().to_owned(), watch::channel(edge).0)),
                }
            }
        }
        self.tracks.retain(|name, _| self.writers.iter().any(|writer| writer.name() == name));
        self.stored_lists.retain(|name, _| self.tracks.contains_key(name));
        let fresh = turned || news.contains(&News::Segment) || self.is_another();
        fresh.then(|| self.publish_edge(&view))
    }

    fn publish_edge(&mut self, view: &View) -> Arc<Edge> {
        let whole = !self.writers.is_empty()
            && self.writers.iter().all(|writer| is_long_enough(writer.shelf().window(), view));
        let document = |text, format| Arc::new(render::document(text, format, view));
        self.edge = Arc::new(Edge {
            multivariant: whole.then(|| document(render::multivariant(&self.writers, view), Format::Hls)),
            mpd: whole.then(|| document(render::mpd(&self.writers, view), Format::Dash)),
            renditions: render::renditions(&self.writers),
            segment: self.grid.segment,
            tracks: self.tracks.iter().map(|(name, track)| (name.clone(), track.subscribe())).collect(),
            target_duration: render::target_duration(self.grid),
            ended: view.ended,
            limits: self.limits_of_lists(),
            by_bytes: self.retention.bytes.is_some(),
            epoch: self.stamp.epoch,
        });
        self.edge.clone()
    }

    /// The limits. What another server packages may have a shorter window than is configured here.
    fn limits_of_lists(&self) -> Limits {
        let lengths = self.writers.iter().map(|writer| writer.shelf().window().length());
        Limits { depth: lengths.fold(self.limits.depth, Duration::min), ..self.limits }
    }

    fn view(&self, now: i128) -> View {
        View {
            grid: self.grid,
            window: self.window,
            low_latency: self.low_latency,
            ended: self.ending == Ending::Published,
            nominal: self.nominal,
            now,
            at: clock::now().checked_sub(self.age).unwrap_or_else(clock::now),
        }
    }

    /// What is published of a track, with a new playlist if there is more to list than bytes.
    fn track_edge(&self, writer: &Writer, news: News, view: &View) -> TrackEdge {
        let before = self.tracks.get(writer.name()).map(|track| track.borrow().clone());
        let published = before.as_ref().and_then(|before| before.playlist.clone());
        let playlist = if news == News::Bytes && published.is_some() {
            published
        } else if is_long_enough(writer.shelf().window(), view) {
            let others = self.writers.iter().filter(|other| other.name() != writer.name());
            Some(Arc::new(render::playlist(writer, others, view, published.as_deref())))
        } else {
            None
        };
        writer.edge(before.as_deref(), playlist, view)
    }

    /// What the tracks have made since this was asked last, by their names.
    pub(super) fn take_made(&mut self) -> impl Iterator<Item = (&str, Made)> {
        self.writers.iter_mut().map(|writer| {
            let made = writer.take_made();
            (writer.name(), made)
        })
    }

    /// What is published now.
    pub(super) fn edge(&self) -> Arc<Edge> {
        self.edge.clone()
    }

    fn record(&self) -> Record {
        let tracks =
            self.writers.iter().map(|writer| (writer.name().to_owned(), writer.shelf().record())).collect();
        let complete = self.ended() && self.writers.iter().all(|writer| writer.shelf().all_entered());
        Record::new(&self.source, &self.ladder, self.ended(), tracks)
            .completed(complete)
            .within(self.retention.bytes)
            .opened_by(self.described_by.clone())
            .beside(self.gone.clone())
    }

    fn path(&self, track: &str, file: &str) -> String {
        format!("{}/{track}/{file}", self.prefix)
    }
}

/// From when on a channel is not fit to be shown, in time and not in target durations.
fn limits(config: &config::Channel) -> Limits {
    let config::Unfit { stale_after, incomplete_after, slate_after, gone_after, ready_after } = config.unfit;
    let targets = |count: u32| (count > 0).then(|| render::target_duration(config.grid) * count);
    Limits {
        stale: targets(stale_after),
        incomplete: targets(incomplete_after),
        slate: slate_after,
        gone: gone_after,
        depth: ready_after,
    }
}

/// A list is never shorter than three target durations, unless nothing follows (rfc8216bis 6.2.2).
fn is_long_enough(window: &Window, view: &View) -> bool {
    view.ended || window.segments().len() >= SHORTEST
}

#[cfg(test)]
mod tests;
