//! What a viewer has seen, and whether it is what the protocol promises.

use std::collections::BTreeMap;

use serde::Serialize;

use super::message::{Media, Message};

/// What one viewer has seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// From the making of each frame to its last byte here, in microseconds.
    pub(crate) delays: Vec<u32>,
    /// Times that it was told of another track, or of frames that were left out.
    pub(crate) lowered: u64,
    pub(crate) raised: u64,
    pub(crate) skipped: u64,
    /// Frames that did not follow the ones before, although nothing was said of it.
    pub(crate) gaps: BTreeMap<&'static str, u64>,
    /// The code of the close frame.
    pub(crate) closed: Option<u16>,
    /// How the connection ended.
    pub(crate) end: Option<String>,
    /// Where the next frame of each track begins; a track that has to begin with a key frame is not in it.
    next: BTreeMap<u8, i64>,
}

impl Seen {
    pub(crate) fn take(&mut self, message: Message, now: u64, (from, until): (u64, u64)) {
        match message {
            Message::Media(media) => {
                self.follow(&media);
                if (from..until).contains(&media.made) {
                    self.delays
                        .push(u32::try_from(now.saturating_sub(media.made) / 1000).unwrap_or(u32::MAX));
                }
            }
            Message::Selected(why) => {
                self.lowered += u64::from(why == "slow");
                self.raised += u64::from(why == "recovered");
                self.next.clear();
            }
            Message::Skipped(_) => {
                self.skipped += 1;
                self.next.clear();
            }
            Message::Close(code) => self.closed = Some(code),
            Message::Ping | Message::Other => {}
        }
    }

    fn follow(&mut self, media: &Media) {
        let next = self.next.insert(media.track, media.dts + i64::from(media.duration));
        let flaw = match next {
            None if media.video && !media.key => "video did not begin with a key frame",
            Some(next) if next != media.dts && media.video => "video with a gap",
            Some(next) if next != media.dts => "audio with a gap",
            _ => return,
        };
        *self.gaps.entry(flaw).or_default() += 1;
    }

    pub(crate) fn over(&mut self, why: String) {
        self.end = Some(why);
    }
}

/// What has become of many viewers.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Fates {
    pub(crate) viewers: usize,
    /// Viewers that were given a lower track, for which frames were left out, and that were closed as too slow. One may be
    /// all of it.
    pub(crate) lowered: usize,
    pub(crate) skipped: usize,
    pub(crate) closed: usize,
    /// Viewers whose connection ended without a word.
    pub(crate) dropped: usize,
    /// Viewers to which nothing of that has happened.
    pub(crate) untouched: usize,
}

impl Fates {
    pub(crate) fn of<'s>(all: impl Iterator<Item = &'s Seen>) -> Self {
        let mut fates = Self::default();
        for seen in all {
            let dropped = seen.closed.is_none() && seen.end.is_some();
            let happened = [seen.lowered > 0, seen.skipped > 0, seen.closed.is_some(), dropped];
            fates.viewers += 1;
            fates.lowered += usize::from(happened[0]);
            fates.skipped += usize::from(happened[1]);
            fates.closed += usize::from(happened[2]);
            fates.dropped += usize::from(happened[3]);
            fates.untouched += usize::from(!happened.contains(&true));
        }
        fates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(dts: i64, key: bool, made: u64) -> Message {
        Message::Media(Media { track: 0, video: true, key, dts, duration: 10, made })
    }

    #[test]
    fn frames_follow_one_another_unless_it_is_said_that_they_do_not() {
        let mut seen = Seen::default();
        let window = (1_000, 3_000);
        for (message, now) in [
            (media(0, true, 500), 600),
            (media(10, false, 1_000), 4_000),
            (Message::Skipped(1), 4_000),
            (media(30, true, 2_000), 4_000),
            (media(40, false, 3_000), 4_000),
        ] {
            seen.take(message, now, window);
        }
        assert_eq!((&seen.delays[..], seen.skipped, seen.gaps.len()), (&[3, 2][..], 1, 0));
        seen.take(media(60, false, 0), 0, window);
        seen.take(Message::Selected("slow".into()), 0, window);
        seen.take(media(70, false, 0), 0, window);
        assert_eq!((seen.lowered, seen.gaps.values().sum()), (1, 2_u64));
    }

    #[test]
    fn fates_are_of_viewers_and_not_of_events() {
        let slow = Seen { lowered: 3, skipped: 2, closed: Some(1013), ..Seen::default() };
        let lost = Seen { end: Some("gone".into()), ..Seen::default() };
        let fates = Fates::of([slow, lost, Seen::default()].iter());
        let Fates { viewers, lowered, skipped, closed, dropped, untouched } = fates;
        assert_eq!([viewers, lowered, skipped, closed, dropped, untouched], [3, 1, 1, 1, 1, 1]);
    }
}
