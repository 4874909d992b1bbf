//! The rules of rfc8216bis 6.2.5.2 as tables: a track with segments 100 to 104, of which 102 came without parts, and two
//! of five parts of 105.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::channel::edge::LowLatency;

const PARTS: u32 = 5;

fn body(tag: &str) -> Arc<Body> {
    Arc::new(Body::new(vec![Bytes::from(tag.to_owned())]))
}

fn whole(number: i64) -> Arc<Body> {
    body(&number.to_string())
}

fn segment(number: i64, parts: u32, has_parts: bool, complete: bool) -> (i64, Arc<Segment>) {
    let chunks = (0..parts).map(|part| body(&format!("{number}.{part}"))).collect();
    let whole = complete.then(|| whole(number));
    (number, Arc::new(Segment { chunks, has_parts, whole, settled: complete }))
}

fn document(text: &str) -> Arc<Document> {
    Arc::new(Document::new(text.to_owned()))
}

fn track() -> TrackEdge {
    let closed = (100..=104).map(|number| segment(number, PARTS, number != 102, true));
    TrackEdge {
        playlist: Some(Arc::new(Playlist { whole: document("whole"), delta: Some(document("delta")) })),
        head: Some(Head { last: 104, parts: 2 }),
        low_latency: Some(LowLatency { part_target: Duration::from_millis(400), parts_per_segment: PARTS }),
        segments: closed.chain([segment(105, 2, true, false)]).collect(),
        stored: Some(90..=104),
        ..TrackEdge::default()
    }
}

/// `whole`, `delta`, `soon`, or the name of the refusal.
fn reply(track: &TrackEdge, msn: Option<u64>, part: Option<u64>, skip: bool) -> String {
    match playlist(track, Directives { msn, part, skip }) {
        Outlook::Now(document) => String::from_utf8(document.body().to_vec()).unwrap(),
        Outlook::Soon => "soon".into(),
        Outlook::No(error) => error.cause.name().into(),
    }
}

#[test]
fn a_playlist_is_given_once_it_lists_what_is_asked_for_or_more() {
    for (msn, part, answer) in [
        (None, None, "whole"),
        (Some(0), None, "whole"),
        (Some(104), None, "whole"),
        (Some(104), Some(4), "whole"),
        // A part behind the last of its segment is the first of the next.
        (Some(104), Some(5), "whole"),
        (Some(104), Some(99), "whole"),
        (Some(105), Some(0), "whole"),
        (Some(105), Some(1), "whole"),
        (Some(105), Some(2), "soon"),
        (Some(105), Some(4), "soon"),
        (Some(105), Some(5), "soon"),
        (Some(105), None, "soon"),
        (Some(106), None, "soon"),
        (Some(106), Some(0), "soon"),
        // Three seconds of parts of 0.4 s are seven.
        (Some(105), Some(8), "soon"),
        (Some(105), Some(9), "too-far-ahead"),
        (Some(106), Some(6), "soon"),
        (Some(106), Some(7), "too-far-ahead"),
        (Some(107), None, "too-far-ahead"),
        (Some(u64::MAX), Some(u64::MAX), "too-far-ahead"),
    ] {
        assert_eq!(reply(&track(), msn, part, false), answer, "_HLS_msn={msn:?} _HLS_part={part:?}");
    }
}

#[test]
fn the_part_behind_the_last_of_a_segment_is_waited_for_as_the_first_of_the_next() {
    let rolled = TrackEdge { head: Some(Head { last: 104, parts: 0 }), ..track() };
    assert_eq!(reply(&rolled, Some(104), Some(4), false), "whole");
    assert_eq!(reply(&rolled, Some(104), Some(5), false), "soon");
    assert_eq!(reply(&rolled, Some(105), Some(0), false), "soon");
    let without_parts = TrackEdge { head: Some(Head { last: 102, parts: 0 }), ..track() };
    assert_eq!(reply(&without_parts, Some(102), Some(3), false), "whole");
}

#[test]
fn without_parts_only_segments_are_waited_for() {
    let plain = TrackEdge { low_latency: None, head: Some(Head { last: 104, parts: 0 }), ..track() };
    for (msn, part, answer) in [
        (Some(104), None, "whole"),
        (Some(105), None, "soon"),
        (Some(105), Some(3), "soon"),
        (Some(106), None, "soon"),
        (Some(107), None, "too-far-ahead"),
    ] {
        assert_eq!(reply(&plain, msn, part, false), answer, "_HLS_msn={msn:?} _HLS_part={part:?}");
    }
}

#[test]
fn a_delta_update_is_given_to_those_who_ask_where_there_is_one() {
    assert_eq!(reply(&track(), None, None, true), "delta");
    assert_eq!(reply(&track(), Some(105), Some(1), true), "delta");
    let playlist = Some(Arc::new(Playlist { whole: document("whole"), delta: None }));
    assert_eq!(reply(&TrackEdge { playlist, ..track() }, None, None, true), "whole");
}

#[test]
fn nothing_is_waited_for_once_the_stream_has_ended() {
    let ended = TrackEdge { ended: true, ..track() };
    assert_eq!(reply(&ended, Some(110), None, false), "whole");
    assert_eq!(super::segment(&ended, 106), Outlook::No(Refusal::UnknownSegment.into()));
    assert_eq!(super::part(&ended, 106, 0), Outlook::No(Refusal::UnknownPart.into()));
}

#[test]
fn a_segment_is_whole_or_growing_or_stored_or_soon_or_gone_or_unknown() {
    let unknown = || Outlook::No(Refusal::UnknownSegment.into());
    let gone = || Outlook::No(Refusal::SegmentGone.into());
    for (number, outlook) in [
        (0, gone()),
        (89, gone()),
        (90, Outlook::Now(Media::Stored)),
        (99, Outlook::Now(Media::Stored)),
        (100, Outlook::Now(Media::Whole(whole(100)))),
        (104, Outlook::Now(Media::Whole(whole(104)))),
        (105, Outlook::Now(Media::Growing)),
        (106, Outlook::Soon),
        (107, unknown()),
        (i64::MAX, unknown()),
    ] {
        assert_eq!(super::segment(&track(), number), outlook, "{number}");
    }
    assert_eq!(super::segment(&TrackEdge::default(), 0), unknown());
    let unstored = TrackEdge { stored: None, ..track() };
    assert_eq!(super::segment(&unstored, 99), gone());
}

#[test]
fn a_complete_segment_is_not_given_before_it_is_safe() {
    let mut track = track();
    let segment = Segment { settled: false, ..(*track.segments[&104]).clone() };
    track.segments.insert(104, Arc::new(segment));
    track.stored = Some(90..=103);
    assert_eq!(super::segment(&track, 104), Outlook::Soon);
    assert_eq!(super::part(&track, 104, 4), Outlook::Now(body("104.4")), "but its parts are");
}

#[test]
fn the_next_parts_are_waited_for_and_those_that_never_come_are_not() {
    let unknown = || Outlook::No(Refusal::UnknownPart.into());
    for (number, part, outlook) in [
        (100, 0, Outlook::Now(body("100.0"))),
        (104, 4, Outlook::Now(body("104.4"))),
        (104, 5, unknown()),
        (102, 0, unknown()),
        (99, 0, Outlook::No(Refusal::PartGone.into())),
        (105, 1, Outlook::Now(body("105.1"))),
        (105, 2, Outlook::Soon),
        (105, 4, Outlook::Soon),
        (105, 5, unknown()),
        (106, 0, Outlook::Soon),
        (106, 5, unknown()),
        (107, 0, unknown()),
    ] {
        assert_eq!(super::part(&track(), number, part), outlook, "{number}.{part}");
    }
    let plain = TrackEdge { low_latency: None, ..track() };
    assert_eq!(super::part(&plain, 105, 0), unknown());
}
