//! A place in the newest frames of one track.

use std::{future::pending, sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::channel::frames::{Frame, Lineup, Tail};

/// The next frame of a track.
#[derive(Debug)]
pub(super) struct Cursor {
    /// Index of the track.
    pub(super) lane: u8,
    tail: watch::Receiver<Arc<Tail>>,
    next: u64,
    /// True until a frame is found with which a decoder can begin.
    needs_key: bool,
    /// The first frame that was left out, while the next key frame is looked for.
    skipped: Option<u64>,
    /// Where the last frame that was taken ends, in nanoseconds since the Unix epoch.
    taken: Option<i128>,
}

impl Cursor {
    fn new(lineup: &Lineup, lane: u8, next: impl FnOnce(&Tail) -> u64, needs_key: bool) -> Option<Self> {
        let tail = lineup.lanes.get(usize::from(lane))?.tail.clone();
        let next = next(&tail.borrow());
        Some(Self { lane, tail, next, needs_key, skipped: None, taken: None })
    }

    /// At the newest key frame, or the first one to come.
    pub(super) fn at_newest_key(lineup: &Lineup, lane: u8) -> Option<Self> {
        Self::new(lineup, lane, |tail| tail.newest_key().unwrap_or(tail.end()), true)
    }

    /// At the next key frame to come.
    pub(super) fn at_next_key(lineup: &Lineup, lane: u8) -> Option<Self> {
        Self::new(lineup, lane, Tail::end, true)
    }

    /// At the frame of `time`, in nanoseconds since the Unix epoch, or the next one to come.
    pub(super) fn at_time(lineup: &Lineup, lane: u8, time: Option<i128>) -> Option<Self> {
        Self::new(lineup, lane, |tail| time.map_or(tail.end(), |time| tail.at_or_after(time)), false)
    }

    /// Time of the next frame, or where the last one ended.
    pub(super) fn time(&self) -> Option<i128> {
        self.tail.borrow().get(self.next).map(|frame| frame.time).or(self.taken)
    }

    /// The next frame, unless a key frame is looked for.
    pub(super) fn peek(&self) -> Option<Arc<Frame>> {
        if self.needs_key { None } else { self.tail.borrow().get(self.next).cloned() }
    }

    /// Takes the next frame.
    pub(super) fn advance(&mut self) -> Option<Arc<Frame>> {
        let frame = self.peek()?;
        self.next += 1;
        self.taken = Some(frame.end);
        Some(frame)
    }

    /// Leaves out what waits, up to the newest key frame if that `will_do`, else up to the next one.
    pub(super) fn skip(&mut self, will_do: impl Fn(&Frame) -> bool) {
        let tail = self.tail.borrow();
        let newest = tail.newest_key().filter(|&key| key > self.next);
        let newest = newest.filter(|&key| tail.get(key).is_some_and(|frame| will_do(frame)));
        self.skipped.get_or_insert(self.next);
        (self.next, self.needs_key) = (newest.unwrap_or(tail.end()), true);
    }

    /// True while frames are left out.
    pub(super) fn is_skipping(&self) -> bool {
        self.skipped.is_some()
    }

    /// How many frames are left out up to `time`, if frames are left out.
    pub(super) fn left_out(&self, time: i128) -> Option<u64> {
        Some(self.tail.borrow().at_or_after(time).saturating_sub(self.skipped?))
    }

    /// Looks for the key frame that is needed. Gives how many frames were left out, if that has just ended.
    pub(super) fn find_key(&mut self) -> Option<u64> {
        let tail = self.tail.borrow();
        if !self.needs_key && self.next < tail.first() {
            // Forgotten, while it waited for the viewer.
            self.skipped.get_or_insert(self.next);
            self.needs_key = true;
        }
        if !self.needs_key {
            return None;
        }
        let key = tail.key_from(self.next)?;
        (self.next, self.needs_key) = (key, false);
        self.skipped.take().map(|first| key - first)
    }

    /// The key frame with which this track can begin, once there is one.
    pub(super) fn found_key(&mut self) -> Option<Arc<Frame>> {
        let _ = self.find_key();
        self.peek()
    }

    /// True if all that is before `time` has been taken.
    pub(super) fn has_reached(&self, time: i128) -> bool {
        match self.peek() {
            Some(next) => next.time >= time,
            None => self.taken.is_none_or(|end| end >= time),
        }
    }

    /// How far away the key frame is that is looked for, in nanoseconds, where nobody asks for one sooner.
    pub(super) fn next_key_in(&self, segment: Duration) -> Option<i128> {
        let newest = self.tail.borrow().newest().filter(|_| self.needs_key)?.time;
        let segment = (segment.as_nanos() as i128).max(1);
        Some(segment - newest.rem_euclid(segment))
    }
}

/// Waits until there are more frames behind a place; for ever, if there is no place or there will be none.
pub(super) async fn news(cursor: Option<&mut Cursor>) {
    let more = match cursor {
        Some(cursor) => cursor.tail.changed().await.is_ok(),
        None => false,
    };
    if !more {
        pending().await
    }
}
