//! What an encoder has said while its channel stands by: enough to go on where another packager has stopped.
//!
//! Nothing is packaged in the meantime. What is to become of a sample depends on where the other's record ends, and to
//! package a few seconds takes milliseconds: so the samples are kept as they came, and are heard again at the takeover as if
//! they came then, by the very code that takes over from a record after a restart.

use std::{collections::VecDeque, time::Duration};

use crate::ladder::wire::{Media, Message};

/// The newest that a channel has heard. Times are nanoseconds since the epoch.
#[derive(Debug)]
pub(super) struct Backlog {
    kept: i128,
    /// Catalog and filler of the running encoder.
    pub(super) opening: Vec<Message>,
    /// Frames, each with when it came.
    pub(super) frames: VecDeque<(i128, Media)>,
    /// The encoder has said that its frames come next.
    pub(super) begun: bool,
    /// It is gone, or has nothing to encode.
    pub(super) lost: bool,
    /// The source has come to its end.
    pub(super) ended: bool,
}

impl Backlog {
    /// Keeps frames for so long, of an encoder that has said `opening` and, if that is not empty, has begun.
    pub(super) fn new(kept: Duration, opening: Vec<Message>) -> Self {
        let begun = !opening.is_empty();
        let kept = kept.as_nanos() as i128;
        Self { kept, opening, frames: VecDeque::new(), begun, lost: false, ended: false }
    }

    /// The catalog of an encoder that begins.
    pub(super) fn open(&mut self, catalog: Message) {
        self.opening = vec![catalog];
        self.frames.clear();
        (self.begun, self.lost) = (false, false);
    }

    /// Takes a frame that comes at `now`.
    pub(super) fn take(&mut self, media: Media, now: i128) {
        if media.filler {
            self.opening.push(Message::Media(media));
            return;
        }
        self.frames.push_back((now, media));
        while self.frames.front().is_some_and(|(came, _)| *came < now - self.kept) {
            self.frames.pop_front();
        }
    }

    /// Frames come next.
    pub(super) fn begin(&mut self) {
        (self.begun, self.lost) = (true, false);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_packager::sample::Sample;

    use super::*;
    use crate::ladder::wire::Catalog;

    fn frame(dts: i64, filler: bool) -> Media {
        let sample = Sample { dts, cts: 0, duration: 1, sync: true, captured_at: 0, data: Bytes::new() };
        Media { track: 0, filler, video: true, sample }
    }

    #[test]
    fn it_keeps_the_opening_of_the_running_encoder_and_the_newest_frames() {
        let mut backlog = Backlog::new(Duration::from_nanos(10), Vec::new());
        for _ in 0..2 {
            backlog.open(Message::Catalog(Catalog { tracks: Vec::new() }));
            backlog.take(frame(0, true), 0);
            backlog.begin();
            (0..30).for_each(|time| backlog.take(frame(time, false), time.into()));
        }
        assert_eq!((backlog.opening.len(), backlog.begun), (2, true));
        let kept: Vec<i64> = backlog.frames.iter().map(|(_, frame)| frame.sample.dts).collect();
        assert_eq!(kept, (19..30).collect::<Vec<_>>());
        backlog.open(Message::Catalog(Catalog { tracks: Vec::new() }));
        assert!(backlog.frames.is_empty() && !backlog.begun);
    }
}
