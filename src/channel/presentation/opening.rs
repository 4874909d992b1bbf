//! What an encoder says before its first picture: its tracks, and what is on air of each while nothing comes of it.

use std::sync::Arc;

use headwater_packager::track::Track;

use crate::{
    channel::{filler::Filler, track::Description},
    ladder::wire::{Media, Message},
};

/// What an encoder has said, and of tracks that it does not have and that stay on air: whoever goes on from it, or follows,
/// shows them too.
pub(super) fn with_kept<'a>(
    opening: &[Message],
    kept: impl Iterator<Item = &'a Description>,
) -> Vec<Message> {
    let mut said = opening.to_vec();
    for Description { track, filler } in kept {
        let Some(Message::Catalog(catalog)) = said.first_mut() else { continue };
        let Ok(index) = u8::try_from(catalog.tracks.len()) else { continue };
        catalog.tracks.push(Track::clone(track));
        let (filler_of, video) = (filler.samples().cloned(), track.video().is_some());
        said.extend(
            filler_of.map(|sample| Message::Media(Media { track: index, filler: true, video, sample })),
        );
    }
    said
}

/// Tracks and their fillers, from what an encoder says before its first picture.
pub(super) fn descriptions(opening: &[Message]) -> Vec<Description> {
    let mut descriptions = Vec::new();
    for message in opening {
        match message {
            Message::Catalog(catalog) => {
                let describe =
                    |track: &Track| Description { track: Arc::new(track.clone()), filler: Filler::default() };
                descriptions = catalog.tracks.iter().map(describe).collect();
            }
            Message::Media(media) if media.filler => {
                if let Some(description) = descriptions.get_mut(usize::from(media.track)) {
                    description.filler.collect(media.sample.clone());
                }
            }
            _ => {}
        }
    }
    descriptions
}
