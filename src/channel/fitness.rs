//! Whether a channel is fit to be shown: a playlist that has not moved for too long is an error, so that caches and players
//! turn to another origin. Pure: a snapshot, limits and the time go in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::edge::{Edge, TrackEdge};

/// What is wrong with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Nothing has moved for too long.
    Stale,
    /// A track has not moved for too long, others have.
    Incomplete,
    /// All tracks have been made of the filler for too long.
    Slate,
    /// It ended long ago.
    Over,
}

impl Unfit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Stale, Self::Incomplete, Self::Slate, Self::Over];

    /// Its name in metrics and for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Incomplete => "incomplete",
            Self::Slate => "slate",
            Self::Over => "over",
        }
    }
}

/// From when on what is an error; `None` for never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long a playlist, or all that an MPD describes, may stay as it is.
    pub stale: Option<Duration>,
    /// How long one track may stay as it is while others go on, before the presentation is an error.
    pub incomplete: Option<Duration>,
    /// How long the filler may be on air.
    pub slate: Option<Duration>,
    /// How long it may be over.
    pub gone: Option<Duration>,
    /// How much is listed before viewers are sent here: one that was moved from an origin that lists more would see the
    /// media sequence number go back. A track that is new is as short on all origins, so the longest list counts.
    pub depth: Duration,
}

/// What is missing before viewers of another origin are sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// The longest playlist is not long enough yet.
    Short {
        /// So much it lists, in whole segments.
        listed: Duration,
        /// So much it will.
        of: Duration,
    },
    /// It has no parts of the newest segment, as it was begun before this server was: players that have read some of them elsewhere
    /// would wait for all of it.
    WithoutParts,
    /// Its encoder gives pictures, and the filler is on air until a segment of those begins. It waits for them with each part, as
    /// would players that have read some of the segment of the moment elsewhere.
    OnSlate,
}

/// Why a track's playlist is not to be shown at `now`, if it is not. Other tracks are looked at only if this one is of the
/// filler for long.
pub fn of_track(edge: &Edge, track: &TrackEdge, now: Instant) -> Option<Unfit> {
    let Limits { stale, slate, .. } = edge.limits;
    if edge.ended || track.ended {
        return over(edge, now);
    }
    if is_over(track.moved_at, stale, now) {
        return Some(Unfit::Stale);
    }
    (is_over(track.slate_since, slate, now) && tracks(edge).all(|it| is_over(it.slate_since, slate, now)))
        .then_some(Unfit::Slate)
}

/// Why a channel's multivariant playlist and MPD are not to be shown at `now`, if they are not.
pub fn of_channel(edge: &Edge, now: Instant) -> Option<Unfit> {
    let Limits { stale, incomplete, slate, .. } = edge.limits;
    if edge.ended || edge.tracks.is_empty() {
        return over(edge, now);
    }
    let all = |over: &dyn Fn(&TrackEdge) -> bool| tracks(edge).all(|track| over(&track));
    if all(&|track| is_over(track.moved_at, stale, now)) {
        return Some(Unfit::Stale);
    }
    if all(&|track| is_over(track.slate_since, slate, now)) {
        return Some(Unfit::Slate);
    }
    let stopped = tracks(edge).any(|track| !track.ended && is_over(track.moved_at, incomplete, now));
    stopped.then_some(Unfit::Incomplete)
}

/// Whether a channel ended too long ago.
fn over(edge: &Edge, now: Instant) -> Option<Unfit> {
    let is_gone = edge.ended && tracks(edge).all(|track| is_over(track.moved_at, edge.limits.gone, now));
    is_gone.then_some(Unfit::Over)
}

/// What a channel's playlists lack before viewers of another origin are sent here, if there is such a thing as another
/// ([`Limits::depth`]). One that is on slate and has no pictures is ready: others may have none either.
pub fn filling(edge: &Edge, has_pictures: bool) -> Option<Filling> {
    let of = edge.limits.depth;
    if of.is_zero() || edge.ended {
        return None;
    }
    // Of one whose edge is told while its record cannot be read, no more than the playlist is known.
    let count = |track: Arc<TrackEdge>| Some(track.head?.last - track.first? + 1);
    let segments = tracks(edge).map(|track| count(track).unwrap_or_default()).max().unwrap_or_default();
    let listed = edge.segment * u32::try_from(segments).unwrap_or_default();
    // A full window may lack a sixteenth of a segment.
    if listed + edge.segment / 16 < of {
        return Some(Filling::Short { listed, of });
    }
    if tracks(edge).any(|track| lacks_parts(&track)) {
        return Some(Filling::WithoutParts);
    }
    (has_pictures && tracks(edge).all(|track| track.slate_since.is_some())).then_some(Filling::OnSlate)
}

fn lacks_parts(track: &TrackEdge) -> bool {
    let newest = track.segments.last_key_value();
    track.low_latency.is_some() && !track.ended && newest.is_some_and(|(_, segment)| !segment.has_parts)
}

fn tracks(edge: &Edge) -> impl Iterator<Item = Arc<TrackEdge>> {
    edge.tracks.values().map(|track| track.borrow().clone())
}

/// True if it has been so `since` then for `limit` or longer.
fn is_over(since: Option<Instant>, limit: Option<Duration>, now: Instant) -> bool {
    matches!((since, limit), (Some(since), Some(limit)) if now.saturating_duration_since(since) >= limit)
}

#[cfg(test)]
mod tests {
    use tokio::sync::watch;

    use super::*;
    use crate::{
        channel::{
            edge::{Body, Head, LowLatency, Segment},
            status::{State, Status},
        },
        clock,
    };

    const LIMITS: Limits = Limits {
        stale: Some(Duration::from_secs(6)),
        incomplete: Some(Duration::from_secs(8)),
        slate: Some(Duration::from_secs(30)),
        gone: None,
        depth: Duration::ZERO,
    };

    /// A track that moved, and has been of the filler, so many seconds after `began`.
    fn track(began: Instant, moved: u64, slate: Option<u64>) -> TrackEdge {
        let at = |seconds| began + Duration::from_secs(seconds);
        TrackEdge { moved_at: Some(at(moved)), slate_since: slate.map(at), ..TrackEdge::default() }
    }

    fn edge(limits: Limits, tracks: Vec<TrackEdge>) -> Edge {
        let named =
            |(index, track): (usize, TrackEdge)| (index.to_string(), watch::channel(Arc::new(track)).1);
        Edge { tracks: tracks.into_iter().enumerate().map(named).collect(), limits, ..Edge::default() }
    }

    /// What is wrong with the channel and with its first track, after so many seconds.
    fn at(edge: &Edge, began: Instant, seconds: u64) -> (Option<Unfit>, Option<Unfit>) {
        let now = began + Duration::from_secs(seconds);
        let first = edge.tracks["0"].borrow().clone();
        (of_channel(edge, now), of_track(edge, &first, now))
    }

    #[test]
    fn a_channel_of_which_nothing_moves_is_stale_and_one_of_which_something_does_is_not() {
        let began = clock::now();
        let edge = edge(LIMITS, vec![track(began, 10, None), track(began, 12, None)]);
        for (seconds, channel, first) in [
            (15, None, None),
            (16, None, Some(Unfit::Stale)),
            (17, None, Some(Unfit::Stale)),
            (18, Some(Unfit::Stale), Some(Unfit::Stale)),
        ] {
            assert_eq!(at(&edge, began, seconds), (channel, first), "{seconds}");
        }
    }

    #[test]
    fn a_track_that_stops_alone_makes_the_presentation_incomplete() {
        let began = clock::now();
        let edge = edge(LIMITS, vec![track(began, 10, None), track(began, 17, None)]);
        assert_eq!(at(&edge, began, 17), (None, Some(Unfit::Stale)));
        assert_eq!(at(&edge, began, 18), (Some(Unfit::Incomplete), Some(Unfit::Stale)));
    }

    #[test]
    fn the_slate_is_an_error_when_all_tracks_have_shown_it_for_too_long() {
        let began = clock::now();
        let all = edge(LIMITS, vec![track(began, 40, Some(5)), track(began, 40, Some(10))]);
        assert_eq!(at(&all, began, 39), (None, None));
        assert_eq!(at(&all, began, 40), (Some(Unfit::Slate), Some(Unfit::Slate)));
        let sound_only = edge(LIMITS, vec![track(began, 40, Some(5)), track(began, 40, None)]);
        assert_eq!(at(&sound_only, began, 40), (None, None));
    }

    #[test]
    fn a_channel_fills_until_its_longest_list_is_as_long_as_it_has_to_be() {
        let listing = |count: i64| TrackEdge {
            first: (count > 0).then_some(7),
            head: (count > 0).then_some(Head { last: 6 + count, parts: 2 }),
            ..TrackEdge::default()
        };
        let seconds = Duration::from_secs;
        let filling_of = |counts: [i64; 2], depth| {
            let listed = counts.map(listing);
            let limits = Limits { depth, ..Limits::default() };
            filling(&Edge { segment: seconds(2), ..edge(limits, listed.into()) }, true)
        };
        let short = |listed, of| Some(Filling::Short { listed: seconds(listed), of: seconds(of) });
        assert_eq!(filling_of([0, 0], seconds(10)), short(0, 10));
        assert_eq!(filling_of([3, 4], seconds(10)), short(8, 10));
        assert_eq!(filling_of([5, 0], seconds(10)), None);
        assert_eq!(filling_of([5, 5], Duration::from_millis(10_100)), None);
        assert_eq!(filling_of([40, 40], seconds(60)), None);
        assert_eq!(filling_of([0, 0], Duration::ZERO), None);
        let over = Edge { ended: true, ..edge(Limits { depth: seconds(10), ..LIMITS }, Vec::new()) };
        assert_eq!(filling(&over, true), None);
    }

    #[test]
    fn who_comes_back_lacks_parts_until_a_segment_begins() {
        let layout = LowLatency { part_target: Duration::from_millis(400), parts_per_segment: 5 };
        let track = |with_parts: &[bool]| {
            let segment =
                |has_parts| Segment { has_parts, ..Segment::settled(Arc::new(Body::new(Vec::new()))) };
            let segments =
                (7..).zip(with_parts.iter().map(|has_parts| Arc::new(segment(*has_parts)))).collect();
            let head = Some(Head { last: 7, parts: 0 });
            TrackEdge { first: Some(3), head, segments, low_latency: Some(layout), ..TrackEdge::default() }
        };
        let lacking = |tracks: [TrackEdge; 2], depth: u64| {
            let limits = Limits { depth: Duration::from_secs(depth), ..Limits::default() };
            filling(&Edge { segment: Duration::from_secs(2), ..edge(limits, tracks.into()) }, true)
        };
        assert_eq!(lacking([track(&[false, false]), track(&[false, true])], 10), Some(Filling::WithoutParts));
        assert_eq!(lacking([track(&[false, true]), track(&[false, true])], 10), None);
        assert_eq!(lacking([track(&[false]), track(&[false])], 0), None, "nobody has an origin beside it");
        let plain = TrackEdge { low_latency: None, ..track(&[false]) };
        assert_eq!(lacking([plain.clone(), plain], 10), None);
    }

    #[test]
    fn who_comes_back_is_on_slate_until_its_encoder_is_on_air_and_that_is_no_reason_without_one() {
        let listed = |slate_since| TrackEdge {
            first: Some(3),
            head: Some(Head { last: 7, parts: 0 }),
            slate_since,
            ..TrackEdge::default()
        };
        let of = |slate: [bool; 2], status: Status| {
            let limits = Limits { depth: Duration::from_secs(10), ..Limits::default() };
            let tracks = slate.map(|slate| listed(slate.then(clock::now)));
            let edge = Edge { segment: Duration::from_secs(2), ..edge(limits, tracks.into()) };
            filling(&edge, status.has_pictures())
        };
        let live = Status { state: State::Live, encoder_starts: 1, ..Status::default() };
        let stalled = Status { state: State::Stalled { why: String::new() }, ..live.clone() };
        let node = Status { encoder_starts: 0, ..live.clone() };
        assert_eq!(of([true, true], live.clone()), Some(Filling::OnSlate));
        assert_eq!(of([true, true], stalled), None, "its source is gone, and perhaps that of all others");
        assert_eq!(of([true, true], node), None, "all nodes show what their packager does");
        assert_eq!(of([true, false], live.clone()), None, "a track that the source has no more");
        assert_eq!(of([false, false], live), None);
    }

    #[test]
    fn a_channel_that_ended_long_ago_is_over_if_that_is_wanted() {
        let began = clock::now();
        let ended = |seconds| TrackEdge { ended: true, ..track(began, seconds, None) };
        let limits = Limits { gone: Some(Duration::from_secs(60)), ..LIMITS };
        let goes_on = edge(limits, vec![ended(10), track(began, 100, None)]);
        assert_eq!(at(&goes_on, began, 100), (None, None));
        let over = Edge { ended: true, ..edge(limits, vec![ended(10), ended(20)]) };
        for (seconds, is) in [(79, None), (80, Some(Unfit::Over))] {
            assert_eq!(at(&over, began, seconds), (is, is), "{seconds}");
        }
    }

    #[test]
    fn what_is_not_limited_what_has_ended_and_what_has_not_begun_is_never_an_error() {
        let began = clock::now();
        let unlimited = edge(Limits::default(), vec![track(began, 0, Some(0))]);
        let ended = TrackEdge { ended: true, ..track(began, 0, Some(0)) };
        let ended = Edge { ended: true, ..edge(LIMITS, vec![ended]) };
        let begun = edge(LIMITS, vec![TrackEdge::default()]);
        for edge in [unlimited, ended, begun] {
            assert_eq!(at(&edge, began, 1_000_000), (None, None));
        }
        assert_eq!(of_channel(&edge(LIMITS, vec![]), began + Duration::from_secs(100)), None);
    }
}
