//! What players behind a cache cost its origin, and what they noticed.

use std::{collections::HashMap, fmt, ops::Range, time::Duration};

use headwater_test_support::cache::Program;
use serde::{Serialize, Serializer};

use super::audience::{Receipt, Seen, What};
use crate::{
    child::{Counts, Publication},
    player::Position,
    report::percentile,
    run::Failures,
    server::{PART, SEGMENT},
};

/// A part has to be there when the one before has been played. A player that begins PART-HOLD-BACK, three parts, behind
/// the end of the playlist has played it two parts after it was published.
const PART_BUFFER: Duration = Duration::from_millis(2 * PART.as_millis() as u64);
/// Likewise of whole segments and HOLD-BACK.
const SEGMENT_BUFFER: Duration = Duration::from_secs(2 * SEGMENT.as_secs());

/// Few players and many behind one cache.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    #[serde(serialize_with = "name")]
    pub(super) program: Program,
    pub(super) few: Run,
    pub(super) many: Run,
}

fn name<S: Serializer>(program: &Program, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(program.name())
}

/// So many players for a while.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Run {
    pub(super) players: u32,
    pub(super) seconds: f64,
    /// Replies with segments and parts.
    pub(super) media: usize,
    /// Requests for them that reached the origin.
    pub(super) origin_media: u64,
    /// Share of the former that the cache gave by itself.
    pub(super) hits: f64,
    /// Requests of all kinds that reached the origin in a second.
    pub(super) origin_requests_a_second: f64,
    /// Segments and parts that came after a player had played all it had.
    pub(super) stalls: usize,
    /// From the publication to the last byte of the playlist that says so, in milliseconds.
    pub(super) playlist_p50_ms: f64,
    pub(super) playlist_p99_ms: f64,
    /// Why players gave up, and how many.
    pub(super) failures: Failures,
    /// Milliseconds for which the system has kept the origin from running at most.
    pub(super) held_up_ms: u64,
}

impl Run {
    pub(super) fn new(
        players: u32,
        window: Range<u64>,
        (before, after): (Counts, Counts),
        published: &[Publication],
        seen: Seen,
    ) -> Self {
        let published: HashMap<Position, u64> =
            published.iter().map(|part| (part.position, part.at)).collect();
        let receipts: Vec<Receipt> =
            seen.receipts.into_iter().filter(|receipt| window.contains(&receipt.at)).collect();
        // What is older than the players was there before them.
        let late = |receipt: &Receipt| receipt.at.checked_sub(*published.get(&receipt.about)?);
        let mut playlists: Vec<f64> = receipts
            .iter()
            .filter(|receipt| receipt.what == What::Playlist)
            .filter_map(|receipt| Some(late(receipt)? as f64 / 1e6))
            .collect();
        playlists.sort_by(f64::total_cmp);
        let stalled = |receipt: &&Receipt| {
            let buffer = match receipt.what {
                What::Playlist => return false,
                What::Part => PART_BUFFER,
                What::Segment => SEGMENT_BUFFER,
            };
            late(receipt).is_some_and(|late| late > buffer.as_nanos() as u64)
        };
        let media = receipts.iter().filter(|receipt| receipt.what != What::Playlist).count();
        let origin_media = after.media - before.media;
        let seconds = (window.end - window.start) as f64 / 1e9;
        Self {
            players,
            seconds,
            media,
            origin_media,
            hits: 1.0 - origin_media as f64 / media.max(1) as f64,
            origin_requests_a_second: (after.requests - before.requests) as f64 / seconds,
            stalls: receipts.iter().filter(stalled).count(),
            playlist_p50_ms: percentile(&playlists, 0.5),
            playlist_p99_ms: percentile(&playlists, 0.99),
            failures: seen.failures,
            held_up_ms: after.held_up_ms,
        }
    }

    /// What is wrong with it, whatever the cache is.
    fn flaw(&self) -> Option<String> {
        let gave_up: usize = self.failures.values().sum();
        (self.media == 0 || self.stalls > 0 || gave_up > 0).then(|| {
            let Self { players, media, stalls, failures, .. } = self;
            format!("of {players} players, {media} replies with media, {stalls} stalls, {gave_up} gave up {failures:?}")
        })
    }
}

/// More players mean no more requests to the origin: this leaves room for where in a segment a run begins.
const INDEPENDENT: f64 = 1.25;

impl Report {
    /// Where it is below what a cache has to do.
    pub(super) fn flaws(&self, min_hits: f64) -> Vec<String> {
        let Self { program, few, many } = self;
        let mut flaws: Vec<String> = [few, many].into_iter().filter_map(Run::flaw).collect();
        if program.collapses() {
            if many.hits < min_hits {
                flaws.push(format!("{:.2} % of media come from the cache", 100.0 * many.hits));
            }
            if many.origin_requests_a_second > INDEPENDENT * few.origin_requests_a_second {
                flaws.push(format!(
                    "{:.1} requests a second reach the origin of {} players, {:.1} of {}",
                    many.origin_requests_a_second, many.players, few.origin_requests_a_second, few.players
                ));
            }
        }
        flaws.into_iter().map(|flaw| format!("{program}: {flaw}")).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.program, self.few, self.many)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "  {:>4} players, {:.0} s   {:.2} % of {} media from the cache   {:.1} requests/s at the origin   {} stalls   \
             playlists p50 {:.1} ms p99 {:.1} ms   held up for {} ms",
            self.players,
            self.seconds,
            100.0 * self.hits,
            self.media,
            self.origin_requests_a_second,
            self.stalls,
            self.playlist_p50_ms,
            self.playlist_p99_ms,
            self.held_up_ms,
        )?;
        for (why, count) in &self.failures {
            write!(f, "\n    {count} gave up: {why}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn run(receipts: &[(What, u64)], origin_media: u64) -> Run {
        let about = Position { segment: 7, part: 4 };
        let published = [Publication { position: about, at: 1000 * MS, bytes: 1 }];
        let receipts = receipts.iter().map(|&(what, ms)| Receipt { what, about, at: ms * MS }).collect();
        let counts = |n| Counts { requests: 2 * n, media: n, ..Counts::default() };
        let seen = Seen { receipts, failures: Failures::new() };
        Run::new(9, 0..20_000 * MS, (counts(0), counts(origin_media)), &published, seen)
    }

    #[test]
    fn what_comes_later_than_a_player_has_media_for_is_a_stall() {
        for (what, ms, stalls) in [
            (What::Playlist, 9000, 0),
            (What::Part, 1799, 0),
            (What::Part, 1801, 1),
            (What::Segment, 4999, 0),
            (What::Segment, 5001, 1),
        ] {
            assert_eq!(run(&[(what, ms)], 1).stalls, stalls, "{what:?} {ms}");
        }
    }

    #[test]
    fn what_a_cache_misses_is_told() {
        let receipts = [(What::Part, 1001); 100];
        let report =
            |program, few, many| Report { program, few: run(&receipts, few), many: run(&receipts, many) };
        assert!((run(&receipts, 2).hits - 0.98).abs() < 1e-9);
        assert_eq!(report(Program::Nginx, 1, 1).flaws(0.99), [""; 0]);
        let flaws = report(Program::Varnish, 1, 2).flaws(0.99);
        assert!(
            flaws.len() == 2 && flaws[0].contains("98.00 %") && flaws[1].contains("0.2 requests"),
            "{flaws:?}"
        );
        assert_eq!(report(Program::Haproxy, 1, 90).flaws(0.99), [""; 0], "it collapses nothing");
        let late = Report { many: run(&[(What::Part, 9000)], 0), ..report(Program::Haproxy, 1, 1) };
        assert!(late.flaws(0.99)[0].contains("1 stalls"));
    }
}
