//! Holds what an encoder says until its time has come.
//!
//! A source whose own timestamps count is placed ahead of the time, by as much as it takes for all packagers to find the
//! same place (`source::epoch`). What it gives is published when it is due: at the same moment by all of them, whatever
//! their networks and encoders take, never before its date, and never before a DASH player can expect it.

use std::collections::VecDeque;

use headwater_packager::time::Timescale;

use super::supervisor::Report;
use crate::ladder::wire::Message;

/// What is due later than this is no delay but a mistake: nanoseconds.
const LONGEST: i128 = 20_000_000_000;
/// Reports that are held at most: those of a large ladder for as long.
const MOST: usize = 16_384;

/// What an encoder has said and nobody has heard yet.
#[derive(Default)]
pub(super) struct Delay {
    /// False to hold nothing.
    holds: bool,
    /// By the number of the track.
    timescales: Vec<Timescale>,
    /// In order, each with the time from which on it may be heard, in nanoseconds since the epoch.
    held: VecDeque<(i128, Report)>,
}

impl Delay {
    pub(super) fn new(holds: bool) -> Self {
        Self { holds, ..Self::default() }
    }

    /// Takes what comes at `now`.
    pub(super) fn push(&mut self, report: Report, now: i128) {
        let due = self.due_of(&report).filter(|due| self.holds && due - now < LONGEST);
        // A frame overtakes those that are due later, of tracks that come earlier. All else is heard behind what was said
        // before it, and before what is said behind it.
        let overtaken = |held: &&(i128, Report)| due.is_some_and(|due| due < held.0 && is_frame(&held.1));
        let at = self.held.len() - self.held.iter().rev().take_while(overtaken).count();
        let before = at.checked_sub(1).and_then(|last| self.held.get(last)).map_or(now, |(due, _)| *due);
        self.held.insert(at, (due.map_or(before, |due| due.max(before)), report));
    }

    /// The next that may be heard at `now`.
    pub(super) fn pop(&mut self, now: i128) -> Option<Report> {
        let (due, _) = self.held.front()?;
        if *due <= now || self.held.len() > MOST {
            self.held.pop_front().map(|(_, report)| report)
        } else {
            None
        }
    }

    /// When that is.
    pub(super) fn due(&self) -> Option<i128> {
        self.held.front().map(|(due, _)| *due)
    }

    /// The end of a frame: what was seen is known then.
    fn due_of(&mut self, report: &Report) -> Option<i128> {
        match report {
            Report::Message(Message::Catalog(catalog)) => {
                self.timescales = catalog.tracks.iter().map(|track| track.timescale).collect();
                None
            }
            Report::Message(Message::Media(media)) if !media.filler => {
                Some(self.timescales.get(usize::from(media.track))?.nanos(media.sample.end()))
            }
            _ => None,
        }
    }
}

fn is_frame(report: &Report) -> bool {
    matches!(report, Report::Message(Message::Media(media)) if !media.filler)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use headwater_packager::{
        codec::CodecConfig,
        sample::Sample,
        track::{Audio, Media as Kind, Track},
    };

    use super::*;
    use crate::ladder::wire::{Catalog, Event, Media};

    const SECOND: i128 = 1_000_000_000;

    fn catalog() -> Report {
        let audio = Audio { sample_rate: 48_000, channels: 2, language: "und".into() };
        let track = Track {
            name: "audio".into(),
            timescale: Timescale::new(48_000).unwrap(),
            codec: CodecConfig::Aac(vec![0x11, 0x90].into()),
            media: Kind::Audio(audio),
            bitrate: 100_000,
            edit_start: 0,
        };
        Report::Message(Message::Catalog(Catalog { tracks: vec![track] }))
    }

    fn media(seconds: i64, filler: bool) -> Report {
        let data = Bytes::from_static(b"a");
        let (dts, duration) = (seconds * 48_000, 48_000);
        let sample = Sample { dts, cts: 0, duration, sync: true, captured_at: 0, data };
        Report::Message(Message::Media(Media { track: 0, filler, video: false, sample }))
    }

    fn stalled() -> Report {
        Report::Message(Message::Event(Event::Stalled { why: "gone".into() }))
    }

    /// How many may be heard at each second from 100 on.
    fn heard(holds: bool, reports: impl IntoIterator<Item = Report>) -> [usize; 5] {
        let mut delay = Delay::new(holds);
        reports.into_iter().for_each(|report| delay.push(report, 100 * SECOND));
        [100, 101, 102, 103, 104].map(|now| std::iter::from_fn(|| delay.pop(now * SECOND)).count())
    }

    #[test]
    fn a_frame_is_heard_when_it_ends_and_what_is_said_behind_it_not_before() {
        let said = || [catalog(), media(0, true), media(100, false), media(102, false), stalled()];
        assert_eq!(heard(true, said()), [2, 1, 0, 2, 0]);
        assert_eq!(heard(false, said()), [5, 0, 0, 0, 0]);
    }

    #[test]
    fn a_frame_does_not_wait_for_later_ones_that_came_before_it() {
        let said = [catalog(), media(102, false), media(103, false), media(100, false), media(101, false)];
        assert_eq!(heard(true, said), [1, 1, 1, 1, 1]);
        assert_eq!(
            heard(true, [catalog(), media(102, false), stalled(), media(100, false)]),
            [1, 0, 0, 3, 0]
        );
    }

    #[test]
    fn what_is_due_in_a_year_is_not_waited_for_and_no_more_is_held_than_there_is_room_for() {
        assert_eq!(heard(true, [catalog(), media(31_000_000, false)])[0], 2);
        let many = (0..MOST + 10).map(|_| media(103, false));
        assert_eq!(heard(true, [catalog()].into_iter().chain(many)), [11, 0, 0, 0, MOST]);
    }
}
