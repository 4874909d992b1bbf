//! All tracks of a channel together: who gets which sample, what is written, what is published.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use headwater_packager::{time::Grid, track::Track};

use super::{
    commit::Work,
    edge::{Document, Edge},
    filler::Filler,
    record::{self, Record},
    render,
    track::{Description, Writer},
};
use crate::{
    config,
    ladder::wire::{self, Catalog, Media, Message},
};

/// A playlist is never shorter than this (rfc8216bis 6.2.2: three target durations).
const SHORTEST_LIST: usize = 3;

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
    /// The tracks of the running encoder in the order of its catalog, then those that only the filler keeps on air.
    writers: Vec<Writer>,
    /// True if what is kept was made with another ladder than the configured one.
    reconfigured: bool,
    /// What the encoder has said before its first picture: catalog and filler.
    opening: Vec<Message>,
    /// True until its tracks have taken over.
    arriving: bool,
    ending: Ending,
    edge: Arc<Edge>,
}

impl Presentation {
    /// Goes on from what is kept, or begins with nothing.
    pub(super) fn new(
        prefix: String,
        config: &config::Channel,
        kept: Option<(Record, Vec<Message>)>,
        now: i128,
    ) -> Self {
        let mut presentation = Self {
            prefix,
            source: config.source.clone(),
            ladder: config.ladder.clone(),
            grid: config.grid,
            window: config.window,
            writers: Vec::new(),
            reconfigured: false,
            opening: Vec::new(),
            arriving: false,
            ending: Ending::No,
            edge: Arc::default(),
        };
        if let Some((record, opening)) = kept {
            presentation.resume(&record, opening, now);
        }
        presentation
    }

    fn resume(&mut self, record: &Record, opening: Vec<Message>, now: i128) {
        if record.ended && record.source == self.source {
            self.ending = Ending::Published;
        }
        self.reconfigured = record.ladder != self.ladder;
        for description in descriptions(&opening) {
            if let Some(kept) = record.tracks.get(&description.track.name) {
                let mut writer = Writer::resume(description, self.grid, kept);
                if !self.ended() {
                    writer.catch_up(now);
                }
                self.writers.push(writer);
            }
        }
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
        if !std::mem::take(&mut self.arriving) {
            return None;
        }
        let mut before = std::mem::take(&mut self.writers);
        let arriving = descriptions(&self.opening);
        // A discontinuity is one for all tracks, at the same number (rfc8216bis 6.2.4).
        let discontinuity = before.iter().any(|writer| {
            arriving.iter().any(|each| each.track.name == writer.name() && each.track != *writer.track())
        });
        for description in arriving {
            let name = &description.track.name;
            let writer = match before.iter().position(|writer| writer.name() == name) {
                Some(index) => before.remove(index).succeed(description, discontinuity),
                None => Writer::new(description, self.grid, self.window),
            };
            self.writers.push(writer);
        }
        // A track that the source no longer has stays on air with its filler, as players have been told of it; one
        // that the configuration no longer has goes.
        if !self.reconfigured {
            self.writers.append(&mut before);
        }
        self.reconfigured = false;
        let mut objects =
            vec![(record::opening_path_in(&self.prefix), self.opening.iter().map(wire::encode).collect())];
        for writer in &self.writers {
            objects.extend(
                writer.inits().map(|(name, body)| (self.path(writer.name(), name), body.chunks.clone())),
            );
        }
        Some(Work::Objects(objects))
    }

    /// The encoder is gone: every track goes on with its filler.
    pub(super) fn hold(&mut self) {
        self.writers.iter_mut().for_each(Writer::hold);
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

    /// Filler parts made so far.
    pub(super) fn filler_parts(&self) -> u64 {
        self.writers.iter().map(Writer::filler_parts).sum()
    }

    /// What is closed and not submitted yet, each segment with the record that counts it in.
    pub(super) fn commits(&mut self) -> Vec<Work> {
        let mut commits = Vec::new();
        for index in 0..self.writers.len() {
            while let Some((number, body)) = self.writers[index].next_commit() {
                let track = self.writers[index].name().to_owned();
                let path = self.path(&track, &format!("{number}.m4s"));
                commits.push(Work::Segment { track, number, path, body, record: self.record().to_bytes() });
            }
        }
        commits
    }

    /// Lists a segment that was submitted. Gives the documents to be stored and the objects to be deleted.
    pub(super) fn list(&mut self, track: &str, number: i64, now: i128) -> Vec<Work> {
        let Some(writer) = self.writers.iter_mut().find(|writer| writer.name() == track) else {
            return Vec::new();
        };
        let forgotten = writer.list(number);
        self.publish(now);
        let mut work = vec![Work::Objects(self.documents(track))];
        if !forgotten.is_empty() {
            let path = |number: &i64| self.path(track, &format!("{number}.m4s"));
            work.push(Work::Delete(forgotten.iter().map(path).collect()));
        }
        work
    }

    /// Once everything of an ended source is listed: the record that says so, to be written before players are told.
    pub(super) fn conclusion(&self) -> Option<Work> {
        if self.ending != Ending::Closed || !self.writers.iter().all(Writer::all_listed) {
            return None;
        }
        Some(Work::End { path: record::path_in(&self.prefix), record: self.record().to_bytes() })
    }

    /// The conclusion is on its way to the store.
    pub(super) fn concluding(&mut self) {
        self.ending = Ending::Recorded;
    }

    /// Tells players, and the store, that nothing follows.
    pub(super) fn conclude(&mut self, now: i128) -> Work {
        self.ending = Ending::Published;
        self.publish(now);
        Work::Objects(self.writers.iter().flat_map(|writer| self.documents(writer.name())).collect())
    }

    /// Renders what is published now.
    pub(super) fn publish(&mut self, now: i128) {
        let complete = self.ending == Ending::Published;
        let view = render::View { grid: self.grid, window: self.window, ended: complete, now };
        let ready = |writer: &Writer| complete || writer.window().segments().len() >= SHORTEST_LIST;
        let mut tracks = HashMap::with_capacity(self.writers.len());
        for writer in &self.writers {
            let playlist = ready(writer).then(|| self.playlist(writer, &view));
            tracks.insert(writer.name().to_owned(), Arc::new(writer.edge(playlist)));
        }
        let whole = !self.writers.is_empty() && self.writers.iter().all(ready);
        self.edge = Arc::new(Edge {
            multivariant: whole.then(|| Arc::new(Document::new(render::multivariant(&self.writers)))),
            mpd: whole.then(|| Arc::new(Document::new(render::mpd(&self.writers, &view)))),
            tracks,
            target_duration: render::target_duration(self.grid),
            ended: complete,
        });
    }

    /// Renders a playlist, unless it is what is published already.
    fn playlist(&self, writer: &Writer, view: &render::View) -> Arc<Document> {
        let text = render::media(writer, view);
        let published = self.edge.tracks.get(writer.name()).and_then(|track| track.playlist.as_ref());
        match published {
            Some(document) if document.body == text => document.clone(),
            _ => Arc::new(Document::new(text)),
        }
    }

    /// What is published now.
    pub(super) fn edge(&self) -> Arc<Edge> {
        self.edge.clone()
    }

    fn documents(&self, track: &str) -> Vec<(String, Vec<Bytes>)> {
        let edge = &self.edge;
        let playlist = edge.tracks.get(track).and_then(|track| track.playlist.as_ref());
        [
            (format!("{}/{track}/index.m3u8", self.prefix), playlist),
            (format!("{}/index.m3u8", self.prefix), edge.multivariant.as_ref()),
            (format!("{}/manifest.mpd", self.prefix), edge.mpd.as_ref()),
        ]
        .into_iter()
        .filter_map(|(path, document)| Some((path, vec![document?.body.clone()])))
        .collect()
    }

    fn record(&self) -> Record {
        let tracks = self.writers.iter().map(|writer| (writer.name().to_owned(), writer.record())).collect();
        Record::new(&self.source, &self.ladder, self.ended(), tracks)
    }

    fn path(&self, track: &str, file: &str) -> String {
        format!("{}/{track}/{file}", self.prefix)
    }
}

/// Tracks and their fillers, from what an encoder says before its first picture.
fn descriptions(opening: &[Message]) -> Vec<Description> {
    let mut descriptions = Vec::new();
    for message in opening {
        match message {
            Message::Catalog(catalog) => {
                let describe =
                    |track: &Track| Description { track: Arc::new(track.clone()), filler: Filler::default() };
                descriptions = catalog.tracks.iter().map(describe).collect();
            }
            Message::Media(media) if media.filler => {
                if let Some(description) = descriptions.get_mut(usize::from(media.track)) {
                    description.filler.collect(media.sample.clone());
                }
            }
            _ => {}
        }
    }
    descriptions
}

#[cfg(test)]
mod tests;
