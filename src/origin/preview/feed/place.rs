//! Which tracks there are for a viewer.

use std::mem::discriminant;

use crate::{
    channel::frames::{Lane, Lineup},
    origin::preview::query::Want,
};

/// Tracks of one kind, best first, with their indexes.
fn of_kind(lineup: &Lineup, video: bool) -> impl DoubleEndedIterator<Item = (u8, &Lane)> {
    let numbered = lineup.lanes.iter().enumerate().map(|(index, lane)| (index as u8, lane));
    numbered.filter(move |(_, lane)| lane.track.video().is_some() == video)
}

/// The track that is wanted.
pub(super) fn resolve(lineup: &Lineup, want: &Want, video: bool) -> Option<u8> {
    let first = of_kind(lineup, video).next();
    let found = match want {
        Want::None => None,
        Want::First => first,
        Want::Named(name) => of_kind(lineup, video).find(|(_, lane)| lane.track.name == *name).or(first),
        Want::Height(most) => {
            let fits = |lane: &Lane| lane.track.video().is_some_and(|video| video.height <= *most);
            of_kind(lineup, video).find(|(_, lane)| fits(lane)).or(of_kind(lineup, video).next_back())
        }
    };
    found.map(|(index, _)| index)
}

/// The next lower video track of the same codec: nobody knows whether the viewer has another one.
pub(super) fn lower(lineup: &Lineup, lane: u8) -> Option<u8> {
    alike(lineup, lane).find(|&index| index > lane)
}

/// The next better video track of the same codec.
pub(super) fn better(lineup: &Lineup, lane: u8) -> Option<u8> {
    alike(lineup, lane).rev().find(|&index| index < lane)
}

fn alike(lineup: &Lineup, lane: u8) -> impl DoubleEndedIterator<Item = u8> {
    let codec = lineup.lanes.get(usize::from(lane)).map(|lane| discriminant(&lane.track.codec));
    let same = move |lane: &Lane| Some(discriminant(&lane.track.codec)) == codec;
    of_kind(lineup, true).filter(move |(_, lane)| same(lane)).map(|(index, _)| index)
}
