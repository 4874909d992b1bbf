//! What a viewer gets next: its place in the tracks' newest frames, and how that changes. No socket, and no clock.

mod cursor;
mod place;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use self::{
    cursor::{Cursor, news},
    place::{better, lower, resolve},
};
use super::{
    pace::Choice,
    query::{Format, Query, Want},
};
use crate::{
    channel::frames::{Frame, Lineup},
    ladder::wire::viewer::{self, Notice, Selection, Selector},
};

/// A viewer that has just begun is sent what was made before it came: that much longer, its line may take.
const GRACE: Duration = Duration::from_secs(1);
/// How long the last frames before a change may be late.
const STRAGGLERS: Duration = Duration::from_millis(100);
/// A key frame that is not as far away as this is worth waiting for.
const SOON: i128 = 1_000_000_000;
/// Not that of a lower track for a viewer that is slow already: in a second it would be too late.
const AT_ONCE: i128 = 300_000_000;
/// A key frame younger than this is as good as the next one.
const YOUNG: Duration = Duration::from_millis(350);
/// How long a wish for a key frame may take before it is repeated.
const REPEAT: Duration = Duration::from_secs(1);

/// Something to send.
#[derive(Debug)]
pub(super) struct Item {
    /// One frame of the wire protocol.
    pub(super) frame: Bytes,
    /// Since when a frame of media could have been sent.
    pub(super) since: Option<Instant>,
}

/// A video track that takes over at its next key frame.
#[derive(Debug)]
struct Change {
    to: Cursor,
    why: Selector,
}

/// A viewer's place in the stream.
#[derive(Debug)]
pub(super) struct Feed {
    lineup: Arc<Lineup>,
    format: Format,
    wanted: (Want, Want),
    video: Option<Cursor>,
    audio: Option<Cursor>,
    change: Option<Change>,
    queue: VecDeque<Bytes>,
    paused: bool,
    began: Instant,
    wished: Option<Instant>,
}

impl Feed {
    pub(super) fn new(query: &Query, now: Instant) -> Self {
        Self {
            lineup: Arc::default(),
            format: query.format,
            wanted: (query.video.clone(), query.audio.clone()),
            video: None,
            audio: None,
            change: None,
            queue: VecDeque::new(),
            paused: false,
            began: now,
            wished: None,
        }
    }

    /// Tells the viewer something before what comes next.
    pub(super) fn tell(&mut self, notice: &Notice) {
        self.queue.push_back(viewer::notice(notice));
    }

    /// Answers a ping behind what is queued.
    pub(super) fn pong(&mut self) {
        self.queue.push_back(viewer::pong());
    }

    /// Goes on with other tracks, if there are some.
    pub(super) fn line_up(&mut self, lineup: Arc<Lineup>, now: Instant) {
        (self.lineup, self.video, self.audio, self.change) = (lineup, None, None, None);
        if self.lineup.lanes.is_empty() {
            return;
        }
        self.queue.push_back(self.lineup.catalog.clone());
        if !self.paused {
            self.begin(Selector::Start, now);
        }
    }

    /// Begins with the newest key frame, and with the sound of the same time.
    fn begin(&mut self, why: Selector, now: Instant) {
        self.began = now;
        self.change = None;
        let (video, audio) = &self.wanted;
        let (video, audio) = (resolve(&self.lineup, video, true), resolve(&self.lineup, audio, false));
        self.video = video.and_then(|lane| Cursor::at_newest_key(&self.lineup, lane));
        let from = self.video.as_ref().and_then(Cursor::time);
        self.audio = audio.and_then(|lane| Cursor::at_time(&self.lineup, lane, from));
        self.select(why, true, true);
    }

    /// Tells which tracks come from here on, with what a decoder of CMAF needs for those that are new.
    fn select(&mut self, why: Selector, video: bool, audio: bool) {
        let [video_lane, audio_lane] =
            [&self.video, &self.audio].map(|cursor| cursor.as_ref().map(|cursor| cursor.lane));
        self.tell(&Notice::Selected { video: video_lane, audio: audio_lane, why });
        if self.format == Format::Cmaf {
            let fresh = [video_lane.filter(|_| video), audio_lane.filter(|_| audio)];
            for lane in fresh.into_iter().flatten() {
                if let Some(described) = self.lineup.lanes.get(usize::from(lane)) {
                    self.queue.push_back(viewer::init(lane, &described.init));
                }
            }
        }
    }

    /// Sends nothing until [`Feed::resume`].
    pub(super) fn pause(&mut self) {
        (self.video, self.audio, self.change, self.paused) = (None, None, None, true);
        self.tell(&Notice::Paused);
    }

    /// Begins again.
    pub(super) fn resume(&mut self, now: Instant) {
        self.paused = false;
        if !self.lineup.lanes.is_empty() {
            self.begin(Selector::Start, now);
        }
    }

    /// Does what the viewer asks for.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    pub(super) fn ask(&mut self, selection: Selection, now: Instant) -> Result<(), String> {
        self.check(selection.video, true)?;
        self.check(selection.audio, false)?;
        let wanted = |lane: Option<u8>| match lane.and_then(|lane| self.lineup.lanes.get(usize::from(lane))) {
            Some(lane) => Want::Named(lane.track.name.clone()),
            None => Want::None,
        };
        let (video, audio) = (selection.video.map(wanted), selection.audio.map(wanted));
        self.wanted = (video.unwrap_or(self.wanted.0.clone()), audio.unwrap_or(self.wanted.1.clone()));
        if self.paused {
            return Ok(());
        }
        if let Some(audio) = selection.audio {
            let from = self.video.as_ref().and_then(Cursor::time);
            self.audio = audio.and_then(|lane| Cursor::at_time(&self.lineup, lane, from));
            self.select(Selector::Asked, false, true);
        }
        match selection.video {
            None => {}
            Some(None) => {
                (self.video, self.change) = (None, None);
                self.select(Selector::Asked, false, false);
            }
            Some(Some(lane)) if self.video.is_some() => self.change_to(lane, Selector::Asked),
            Some(Some(_)) => self.begin(Selector::Asked, now),
        }
        Ok(())
    }

    fn check(&self, lane: Option<Option<u8>>, video: bool) -> Result<(), String> {
        let Some(Some(index)) = lane else { return Ok(()) };
        let kind = if video { "video" } else { "audio" };
        match self.lineup.lanes.get(usize::from(index)) {
            Some(lane) if lane.track.video().is_some() == video => Ok(()),
            Some(lane) => Err(format!("track {index}, {}, is not a track of {kind}", lane.track.name)),
            None => Err(format!("there is no track {index}; the catalog has {}", self.lineup.lanes.len())),
        }
    }

    /// What else there is for who keeps pace or does not.
    pub(super) fn choice(&self) -> Choice {
        let Some(video) = self.video.as_ref().filter(|_| self.change.is_none()) else {
            return Choice::default();
        };
        Choice {
            lower: lower(&self.lineup, video.lane).is_some(),
            higher: self.best().is_some_and(|best| best < video.lane),
        }
    }

    fn best(&self) -> Option<u8> {
        resolve(&self.lineup, &self.wanted.0, true)
    }

    /// Goes on with the next lower track.
    pub(super) fn lower(&mut self) {
        if let Some(lane) = self.video.as_ref().and_then(|video| lower(&self.lineup, video.lane)) {
            self.change_to(lane, Selector::Slow);
        }
    }

    /// Goes on with the next better track that the viewer would like.
    pub(super) fn higher(&mut self) {
        let best = self.best();
        let next = self.video.as_ref().and_then(|video| better(&self.lineup, video.lane));
        if let (Some(lane), Some(best)) = (next, best) {
            self.change_to(lane.max(best), Selector::Recovered);
        }
    }

    fn change_to(&mut self, lane: u8, why: Selector) {
        let stays = self.video.as_ref().is_some_and(|video| video.lane == lane);
        self.change = Cursor::at_next_key(&self.lineup, lane).filter(|_| !stays).map(|to| Change { to, why });
        self.wished = None;
        if stays && why == Selector::Asked {
            self.select(why, false, false);
        }
    }

    /// Leaves out what waits, up to the next key frame. Sound goes on with the picture.
    pub(super) fn skip(&mut self, now: Instant) {
        self.wished = None;
        match (&mut self.video, &mut self.audio) {
            (Some(video), _) => video.skip(|key| now.saturating_duration_since(key.published) < YOUNG),
            (None, Some(audio)) => audio.skip(|_| false),
            (None, None) => {}
        }
    }

    /// Frames were left out, up to one that is before the viewer now.
    fn skipped(&mut self, frames: u64) {
        self.tell(&Notice::Skipped { frames });
        let (audio, from) = (self.audio.as_ref(), self.video.as_ref().and_then(Cursor::time));
        if let (Some(audio), Some(_)) = (audio, from) {
            self.audio = Cursor::at_time(&self.lineup, audio.lane, from);
        }
    }

    /// The next thing to send.
    pub(super) fn pull(&mut self, now: Instant) -> Option<Item> {
        self.try_change(now);
        if let Some(frames) = self.video.as_mut().or(self.audio.as_mut()).and_then(Cursor::find_key) {
            self.skipped(frames);
        }
        if let Some(frame) = self.queue.pop_front() {
            return Some(Item { frame, since: None });
        }
        let cursor = self.next_cursor()?;
        let frame = cursor.advance()?;
        let bytes = match self.format {
            Format::Frames => frame.media(),
            Format::Cmaf => frame.chunk(),
        };
        Some(Item { frame: bytes, since: Some(self.since(&frame)) })
    }

    /// The next picture and the next sound.
    fn peek(&self) -> [Option<Arc<Frame>>; 2] {
        let skipping = self.video.as_ref().is_some_and(Cursor::is_skipping);
        [&self.video, &self.audio].map(|cursor| cursor.as_ref().filter(|_| !skipping)?.peek())
    }

    /// The track whose next frame came first.
    fn next_cursor(&mut self) -> Option<&mut Cursor> {
        let [video, audio] = self.peek().map(|frame| frame.map(|frame| frame.order));
        match (video, audio) {
            (Some(video), Some(audio)) if audio < video => self.audio.as_mut(),
            (None, Some(_)) => self.audio.as_mut(),
            (Some(_), _) => self.video.as_mut(),
            (None, None) => None,
        }
    }

    /// Since when `frame` could have been sent to this viewer.
    fn since(&self, frame: &Frame) -> Instant {
        if frame.published < self.began { self.began + GRACE } else { frame.published }
    }

    /// Since when the next frame waits, if there is one.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        self.peek().into_iter().flatten().map(|frame| self.since(&frame)).min()
    }

    /// Changes the video track, if the new one has had a key frame and the old one has come as far.
    fn try_change(&mut self, now: Instant) {
        let Some(change) = &mut self.change else { return };
        let Some(key) = change.to.found_key() else { return };
        let hurried = change.why == Selector::Slow
            || now.saturating_duration_since(key.published) > STRAGGLERS
            || self.video.as_ref().is_none_or(|video| video.has_reached(key.time));
        if !hurried {
            return;
        }
        if let Some(Change { to, why }) = self.change.take() {
            let left_out = self.video.replace(to).and_then(|before| before.left_out(key.time));
            if let Some(frames) = left_out {
                self.skipped(frames);
            }
            self.select(why, true, false);
        }
    }

    /// The track in which a key frame should be asked for: one that somebody waits for and that is not near.
    pub(super) fn wish(&mut self, now: Instant) -> Option<u8> {
        let (cursor, soon) = match &self.change {
            Some(Change { why: Selector::Recovered, .. }) => return None,
            Some(Change { to, why: Selector::Slow }) => (to, AT_ONCE),
            Some(Change { to, .. }) => (to, SOON),
            None => (self.video.as_ref()?, SOON),
        };
        let pending = self.wished.is_none_or(|wished| now.duration_since(wished) >= REPEAT);
        let far = cursor.next_key_in(self.lineup.segment).is_some_and(|nanos| nanos > soon);
        if !pending || !far {
            return None;
        }
        self.wished = Some(now);
        Some(cursor.lane)
    }

    /// Waits until there may be more to pull.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            () = news(self.video.as_mut()) => {}
            () = news(self.audio.as_mut()) => {}
            () = news(self.change.as_mut().map(|change| &mut change.to)) => {}
        }
    }
}

#[cfg(test)]
mod tests;
