//! What was hinted, and what came (rfc8216bis 4.4.5.3).

use crate::check::{
    finding::{Check, Place},
    hls::{Edge, Part, Playlist, Range, Resource},
    judge::Judge,
};

/// Judges whether the part that came first after `before` is the one that `before` hinted.
pub(in crate::check) fn hints(judge: &mut Judge, before: &Playlist, now: &Playlist) {
    let Some(hint) = before.hints.iter().find(|hint| hint.is_part) else { return };
    let Some((place, part)) = next_part(before, now) else { return };
    let (was, is) = (&hint.resource, &part.resource);
    judge.holds(Check::HintWrong, place, is_same(was, is), || {
        format!("{} was hinted, and {} came", was.uri, is.uri)
    });
}

/// Whether what was hinted behind `edge` was published after all; `None` while `now` has not come so far. A server may cut a
/// segment otherwise than it had planned, and then says of what was hinted that it is not found (rfc8216bis 6.2.6).
pub(in crate::check) fn came(now: &Playlist, edge: Edge, hinted: &Resource) -> Option<bool> {
    let same = |part: &Part| is_same(hinted, &part.resource);
    (now.edge() > edge).then(|| parts_of(now, edge.number).is_some_and(|parts| parts.iter().any(same)))
}

/// True if it is a part that was hinted. A hint of a range may not know its length yet.
fn is_same(hinted: &Resource, part: &Resource) -> bool {
    let offset = |range: Option<Range>| range.map_or(0, |range| range.offset);
    hinted.uri == part.uri && offset(hinted.range) == offset(part.range)
}

/// The first part in `now` that was not in `before`, if it can be told.
fn next_part<'a>(before: &Playlist, now: &'a Playlist) -> Option<(Place, &'a Part)> {
    let edge = before.edge();
    let own = parts_of(now, edge.number)?;
    match own.get(edge.parts) {
        Some(part) => Some((Place::part(edge.number, edge.parts), part)),
        // It ended there: the next one is the first of the segment behind.
        None if edge.parts > 0 && own.len() == edge.parts && now.next_number() > edge.number => {
            let first = parts_of(now, edge.number + 1)?.first()?;
            Some((Place::part(edge.number + 1, 0), first))
        }
        None => None,
    }
}

fn parts_of(list: &Playlist, number: u64) -> Option<&Vec<Part>> {
    match list.segment(number) {
        Some(segment) => Some(&segment.parts),
        None => (number == list.next_number()).then_some(&list.open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, NEXT, judge, playlist};

    #[track_caller]
    fn assert_found(before: &str, now: &str, expected: &[Check], looked: u64) {
        let mut judge = judge();
        hints(&mut judge, &playlist(before), &playlist(now));
        assert_eq!((judge.found().as_slice(), judge.looked(Check::HintWrong)), (expected, looked));
    }

    #[test]
    fn the_hinted_part_comes_next() {
        let later = format!("{NEXT}#EXT-X-PART:DURATION=1.000,URI=\"11.0.m4s\"\n");
        assert_found(LIST, NEXT, &[], 1);
        assert_found(NEXT, &later, &[], 1);
        assert_found(LIST, LIST, &[], 0);
        assert_found(&LIST.replace("URI=\"10.1.m4s\"", "URI=\"10.7.m4s\""), NEXT, &[Check::HintWrong], 1);
        assert_found(&NEXT.replace("11.0", "10.2"), &later, &[Check::HintWrong], 1);
    }

    #[test]
    fn a_hint_that_came_to_nothing_is_told_from_one_that_was_refused() {
        let whole = NEXT.lines().filter(|line| !line.starts_with("#EXT-X-PART:") || !line.contains("\"10."));
        let whole: String = whole.map(|line| format!("{line}\n")).collect();
        let (edge, hinted) = (playlist(LIST).edge(), playlist(LIST).hints[0].resource.clone());
        let came = |list: &str| came(&playlist(list), edge, &hinted);
        assert_eq!((came(LIST), came(NEXT), came(&whole)), (None, Some(true), Some(false)));
    }

    #[test]
    fn a_segment_that_ends_where_another_part_was_hinted_is_told() {
        let ended = NEXT.replace("#EXT-X-PART:DURATION=1.000,URI=\"10.1.m4s\"\n", "");
        let ended = format!("{ended}#EXT-X-PART:DURATION=1.000,URI=\"11.0.m4s\"\n");
        assert_found(LIST, &ended, &[Check::HintWrong], 1);
    }
}
