//! What is in segments and parts, against each other and against what was printed.

use std::collections::BTreeMap;

use crate::check::{
    boxes::{Chunk, Init, Kind},
    exact::{Date, NANOS, Seconds, in_seconds, ticks_to_nanos},
    finding::{Check, Place},
    judge::Judge,
};

/// So many numbers are remembered, to compare renditions that are read one behind the other.
const REMEMBERED: usize = 256;
/// Renditions of one picture may have timescales in which an instant is not a whole tick.
const SAME_INSTANT: i64 = NANOS / 1000;

/// Where one piece of media is, and what it is one of.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Piece<'a> {
    pub(in crate::check) place: Place,
    pub(in crate::check) init: &'a Init,
    pub(in crate::check) chunks: &'a [Chunk],
}

impl Piece<'_> {
    /// Ticks from the first sample to behind the last.
    pub(in crate::check) fn duration(&self) -> i64 {
        self.chunks.iter().map(|chunk| chunk.duration).sum()
    }

    fn nanos(&self, ticks: i64) -> i64 {
        ticks_to_nanos(ticks, self.init.timescale)
    }
}

/// Judges whether the chunks of a piece follow each other.
pub(in crate::check) fn inner(judge: &mut Judge, piece: Piece<'_>) {
    for pair in piece.chunks.windows(2) {
        let [before, after] = pair else { continue };
        gap(judge, piece, before.end_time(), after.start);
    }
}

fn gap(judge: &mut Judge, piece: Piece<'_>, due: i64, start: i64) {
    judge.holds(Check::MediaGap, piece.place, due == start, || {
        format!("tfdt is {start} where {due} was due, {:+.6} s", in_seconds(piece.nanos(start - due)))
    });
}

/// Judges a duration that was printed.
pub(in crate::check) fn printed(judge: &mut Judge, piece: Piece<'_>, printed: Seconds) {
    let media = piece.nanos(piece.duration());
    // Half a unit if it was rounded, a whole one if it was cut.
    let true_enough = (printed.nanos() - media).abs() <= 2 * printed.slack();
    judge.holds(Check::DurationUntrue, piece.place, true_enough, || {
        format!("{} s are printed, and the media is {:.9} s long", printed.seconds(), in_seconds(media))
    });
}

/// Judges the first sample of a segment of pictures.
pub(in crate::check) fn starts_with_idr(judge: &mut Judge, piece: Piece<'_>) {
    let Some(first) = piece.chunks.first().filter(|_| piece.init.kind == Kind::Video) else { return };
    judge.holds(Check::NoIdr, piece.place, first.sync && first.idr != Some(false), || match first.sync {
        true => "its first sample is flagged as a sync sample, but is no IDR picture".into(),
        false => "its first sample is not flagged as a sync sample".into(),
    });
}

/// Judges a part that calls itself independent.
pub(in crate::check) fn independent(judge: &mut Judge, piece: Piece<'_>) {
    let Some(first) = piece.chunks.first().filter(|_| piece.init.kind == Kind::Video) else { return };
    judge.holds(Check::IndependentUntrue, piece.place, first.sync, || {
        "its first sample is no sync sample".into()
    });
}

/// Follows a track from segment to segment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct Chain {
    last: Option<Link>,
    dated: Option<(u64, i64, i64)>,
}

/// The segment before.
#[derive(Clone, Copy, Debug)]
struct Link {
    number: u64,
    discontinuities: u64,
    end: i64,
    timescale: u32,
}

impl Chain {
    /// Judges whether a segment begins where the one before it ended, unless there is a discontinuity between. Only
    /// neighbours are compared.
    pub(in crate::check) fn follow(
        &mut self,
        judge: &mut Judge,
        piece: Piece<'_>,
        number: u64,
        discontinuities: u64,
    ) {
        let (Some(first), Some(last)) = (piece.chunks.first(), piece.chunks.last()) else { return };
        let timescale = piece.init.timescale;
        if let Some(before) = self.last
            && before.number + 1 == number
            && (before.discontinuities, before.timescale) == (discontinuities, timescale)
        {
            gap(judge, piece, before.end, first.start);
        }
        self.last = Some(Link { number, discontinuities, end: last.end_time(), timescale });
    }

    /// Judges a segment's date: it goes on as media time does.
    pub(in crate::check) fn date(
        &mut self,
        judge: &mut Judge,
        piece: Piece<'_>,
        discontinuities: u64,
        date: Date,
    ) {
        let Some(first) = piece.chunks.first() else { return };
        let ahead = date.nanos() - piece.nanos(first.start);
        let Some((_, known, slack)) = self.dated.filter(|dated| dated.0 == discontinuities) else {
            self.dated = Some((discontinuities, ahead, date.slack()));
            return;
        };
        let moved = ahead - known;
        judge.holds(Check::DateJumps, piece.place, moved.abs() <= slack + date.slack(), || {
            format!("its date moved by {:+.6} s against the media", in_seconds(moved))
        });
    }
}

/// Where segments begin, of all renditions of the picture.
#[derive(Clone, Debug, Default)]
pub(in crate::check) struct Starts {
    known: BTreeMap<u64, (i64, String)>,
}

impl Starts {
    /// Judges the start of a segment of rendition `name` against that of the rendition that was read first.
    pub(in crate::check) fn meet(&mut self, judge: &mut Judge, piece: Piece<'_>, number: u64, name: &str) {
        let Some(first) = piece.chunks.first().filter(|_| piece.init.kind == Kind::Video) else { return };
        let start = piece.nanos(first.earliest);
        match self.known.get(&number) {
            Some((_, other)) if other == name => {}
            Some((known, other)) => {
                let off = start - known;
                judge.holds(Check::StartDiffers, piece.place, off.abs() <= SAME_INSTANT, || {
                    format!("it begins {:+.6} s from where it does in {other}", in_seconds(off))
                });
            }
            None => {
                self.known.insert(number, (start, name.to_owned()));
            }
        }
        while self.known.len() > REMEMBERED {
            self.known.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{boxes::Defaults, rules::made::judge};

    const VIDEO: Init = Init {
        track: 1,
        kind: Kind::Video,
        timescale: 30_000,
        pictures: None,
        edit_start: 0,
        defaults: Defaults { duration: 0, size: 0, flags: 0 },
    };

    fn chunk(start: i64, duration: i64) -> Chunk {
        Chunk { start, duration, earliest: start, sync: true, idr: Some(true), reference: None, end: 0 }
    }

    fn piece(chunks: &[Chunk]) -> Piece<'_> {
        Piece { place: Place::segment(1), init: &VIDEO, chunks }
    }

    #[test]
    fn a_gap_of_one_tick_is_found() {
        for (second, expected) in [(1001, &[][..]), (1002, &[Check::MediaGap]), (1000, &[Check::MediaGap])] {
            let mut a = judge();
            inner(&mut a, piece(&[chunk(0, 1001), chunk(second, 1001)]));
            assert_eq!(a.found(), expected);
            let (mut b, mut chain) = (judge(), Chain::default());
            chain.follow(&mut b, piece(&[chunk(0, 1001)]), 7, 0);
            chain.follow(&mut b, piece(&[chunk(second, 1001)]), 8, 0);
            assert_eq!(b.found(), expected);
        }
    }

    #[test]
    fn only_neighbours_of_one_stretch_are_compared() {
        for (number, discontinuities) in [(9, 0), (8, 1)] {
            let (mut judge, mut chain) = (judge(), Chain::default());
            chain.follow(&mut judge, piece(&[chunk(0, 1001)]), 7, 0);
            chain.follow(&mut judge, piece(&[chunk(5000, 1001)]), number, discontinuities);
            assert_eq!(judge.found(), []);
        }
    }

    #[test]
    fn printed_durations_are_true_to_their_last_digit() {
        // 12 frames of 1001/30000 s.
        for (text, good) in [
            ("0.4004", true),
            ("0.400400000", true),
            ("0.400", true),
            ("0.401", true),
            ("0.4005", true),
            ("0.40041", true),
            ("0.40042", false),
            ("0.402", false),
            ("0.400399990", false),
        ] {
            let mut judge = judge();
            printed(&mut judge, piece(&[chunk(0, 12_012)]), Seconds::parse(text).unwrap());
            assert_eq!(judge.found().is_empty(), good, "{text}");
        }
    }

    #[test]
    fn a_segment_of_pictures_starts_with_an_idr() {
        for (sync, idr, good) in [
            (true, Some(true), true),
            (true, None, true),
            (true, Some(false), false),
            (false, Some(true), false),
        ] {
            let (mut judge, first) = (judge(), Chunk { sync, idr, ..chunk(0, 1) });
            starts_with_idr(&mut judge, piece(&[first]));
            assert_eq!(judge.found().is_empty(), good);
        }
        let mut judge = judge();
        independent(&mut judge, piece(&[Chunk { sync: false, ..chunk(0, 1) }]));
        assert_eq!(judge.found(), [Check::IndependentUntrue]);
    }

    #[test]
    fn dates_move_with_the_media() {
        let date = |text| Date::parse(text).unwrap();
        let (mut judge, mut chain) = (judge(), Chain::default());
        chain.date(&mut judge, piece(&[chunk(0, 1)]), 0, date("2026-01-01T00:00:00.000Z"));
        chain.date(&mut judge, piece(&[chunk(60_060, 1)]), 0, date("2026-01-01T00:00:02.002Z"));
        assert_eq!(judge.found(), []);
        chain.date(&mut judge, piece(&[chunk(120_120, 1)]), 0, date("2026-01-01T00:00:04.010Z"));
        assert_eq!(judge.found(), [Check::DateJumps]);
        chain.date(&mut judge, piece(&[chunk(0, 1)]), 1, date("2026-01-01T00:10:00.000Z"));
        assert_eq!(judge.found().len(), 1);
    }

    #[test]
    fn renditions_start_together() {
        let (mut judge, mut starts) = (judge(), Starts::default());
        starts.meet(&mut judge, piece(&[chunk(60_060, 1)]), 5, "a");
        starts.meet(&mut judge, piece(&[chunk(60_060, 1)]), 5, "b");
        starts.meet(&mut judge, piece(&[chunk(61_061, 1)]), 6, "a");
        assert_eq!(judge.found(), []);
        starts.meet(&mut judge, piece(&[chunk(61_100, 1)]), 6, "b");
        assert_eq!(judge.found(), [Check::StartDiffers]);
        (0..1000).for_each(|number| starts.meet(&mut judge, piece(&[chunk(0, 1)]), number, "a"));
        assert_eq!(starts.known.len(), REMEMBERED);
    }
}
