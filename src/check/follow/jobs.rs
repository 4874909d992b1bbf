//! What of a new list is to be fetched, in the order of the media.

use std::time::Duration;

use crate::check::{
    exact::{Date, Seconds},
    hls::{Part, Playlist, Resource, Segment},
    watch::span,
};

/// Of the list that comes first, so many segments at its start and at its end are fetched.
const OLDEST: usize = 2;
const NEWEST: usize = 4;

/// Something that is listed.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) number: u64,
    pub(super) what: What,
    pub(super) resource: Resource,
    pub(super) duration: Seconds,
    pub(super) map: Option<Resource>,
    pub(super) discontinuities: u64,
    /// For how long the list goes.
    pub(super) listed: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Part { index: usize, independent: bool },
    Segment { parts: usize, date: Option<Date>, sealed: bool },
}

/// What is in `now` and was not in `before`.
pub(super) fn jobs(before: Option<&Playlist>, now: &Playlist) -> Vec<Job> {
    let listed = span(now.duration());
    let mut list = Vec::new();
    let count = now.segments.len();
    for (index, segment) in now.segments.iter().enumerate() {
        let sampled = index < OLDEST || index + NEWEST >= count;
        let is_new = before.map_or(sampled, |before| segment.number >= before.next_number());
        if is_new && !segment.gap {
            let known = before.map_or(0, |before| known_parts(before, segment.number));
            let place = (segment.number, segment.map.as_ref(), segment.discontinuities);
            list.extend(parts(place, &segment.parts, known, listed));
            list.push(whole(segment, listed));
        }
    }
    let number = now.next_number();
    let known = before.map_or(0, |before| known_parts(before, number));
    let discontinuities = now.segments.last().map_or(0, |last| last.discontinuities);
    list.extend(parts((number, now.map.as_ref(), discontinuities), &now.open, known, listed));
    list
}

/// How many parts of a segment have been handed out with the list before.
fn known_parts(before: &Playlist, number: u64) -> usize {
    if before.next_number() == number { before.open.len() } else { 0 }
}

fn parts(
    (number, map, discontinuities): (u64, Option<&Resource>, u64),
    parts: &[Part],
    known: usize,
    listed: Duration,
) -> impl Iterator<Item = Job> {
    parts.iter().enumerate().skip(known).filter(|(_, part)| !part.gap).map(move |(index, part)| Job {
        number,
        what: What::Part { index, independent: part.independent },
        resource: part.resource.clone(),
        duration: part.duration,
        map: map.cloned(),
        discontinuities,
        listed,
    })
}

fn whole(segment: &Segment, listed: Duration) -> Job {
    Job {
        number: segment.number,
        what: What::Segment { parts: segment.parts.len(), date: segment.date, sealed: segment.sealed },
        resource: segment.resource.clone(),
        duration: segment.duration,
        map: segment.map.clone(),
        discontinuities: segment.discontinuities,
        listed,
    }
}

/// What is no longer in `now`, but has to be there for a while yet.
#[derive(Debug, Default)]
pub(super) struct Left {
    pub(super) segments: Vec<(u64, Resource, Seconds)>,
    /// One part of each segment whose parts have left: to try all would be to fetch everything twice.
    pub(super) parts: Vec<(u64, usize, Resource)>,
}

pub(super) fn left(before: &Playlist, now: &Playlist) -> Left {
    let mut left = Left::default();
    for old in before.segments.iter().filter(|old| !old.gap) {
        let still = now.segment(old.number);
        if still.is_none() && old.number < now.sequence {
            left.segments.push((old.number, old.resource.clone(), old.duration));
        }
        if still.is_none_or(|still| still.parts.is_empty()) && !old.parts.is_empty() {
            let index = old.number as usize % old.parts.len();
            let part = old.parts.get(index).filter(|part| !part.gap);
            left.parts.extend(part.map(|part| (old.number, index, part.resource.clone())));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, NEXT, playlist};

    fn told(jobs: &[Job]) -> Vec<String> {
        let tell = |job: &Job| match job.what {
            What::Part { index, .. } => format!("{}.{index}", job.number),
            What::Segment { .. } => job.number.to_string(),
        };
        jobs.iter().map(tell).collect()
    }

    #[test]
    fn the_first_list_gives_its_ends_and_the_next_one_what_is_new() {
        let (list, next) = (playlist(LIST), playlist(NEXT));
        assert_eq!(told(&jobs(None, &list)), ["7", "8", "9.0", "9.1", "9", "10.0"]);
        assert_eq!(told(&jobs(Some(&list), &next)), ["10.1", "10"]);
        assert_eq!(told(&jobs(Some(&next), &next)), [""; 0]);
        let job = &jobs(None, &list)[5];
        assert_eq!(job.map.as_ref().unwrap().uri, "init.mp4");
    }

    #[test]
    fn of_a_long_list_the_middle_is_left_out() {
        let mut text = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n".to_owned();
        (0..100).for_each(|number| text += &format!("#EXTINF:1,\n{number}\n"));
        assert_eq!(told(&jobs(None, &playlist(&text))), ["0", "1", "96", "97", "98", "99"]);
    }

    #[test]
    fn what_leaves_is_noted() {
        let later = NEXT
            .replace("#EXT-X-PART:DURATION=1.000,URI=\"9.0.m4s\",INDEPENDENT=YES\n", "")
            .replace("#EXT-X-PART:DURATION=1.000,URI=\"9.1.m4s\"\n", "");
        let left = left(&playlist(LIST), &playlist(&later));
        assert_eq!(left.segments.iter().map(|each| each.0).collect::<Vec<_>>(), [7]);
        assert_eq!(left.parts.iter().map(|each| (each.0, each.1)).collect::<Vec<_>>(), [(9, 1)]);
    }
}
