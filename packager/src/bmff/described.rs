//! What a track was when its init segment was made.

use super::reader::{BoxRef, Boxes, Error, FourCc, Movie, MovieTrack};
use crate::{
    codec::{CodecConfig, aac::AudioSpecificConfig},
    time::Timescale,
    track::{Audio, Media, Track, Video},
};

/// The track that `init`, a CMAF header of ours, was made of. What is not in it (the name, the language as it was told) is
/// that of `track`, which is the same one at another time; the frame rate is known if the codec tells it. `None` if it is of
/// another kind, or has nothing that we carry.
///
/// # Errors
/// If it is damaged.
pub fn described(init: &[u8], track: &Track) -> Result<Option<Track>, Error> {
    let Some(movie) = movie(init)? else { return Ok(None) };
    let [told] = &movie.tracks[..] else { return Ok(None) };
    let (Some(codec), Some(timescale)) = (told.codec.clone(), Timescale::new(told.timescale)) else {
        return Ok(None);
    };
    let media = match &track.media {
        Media::Video(_) => video(told, &codec).map(Media::Video),
        Media::Audio(audio) => sound(told, &codec, audio).map(Media::Audio),
    };
    let bitrate = told.bitrate.unwrap_or(0);
    Ok(media.map(|media| Track { timescale, codec, media, bitrate, ..track.clone() }))
}

fn movie(init: &[u8]) -> Result<Option<Movie>, Error> {
    for each in Boxes::new(init, 0) {
        let each: BoxRef<'_> = each?;
        if each.kind == FourCc(*b"moov") {
            return Movie::read(&each).map(Some);
        }
    }
    Ok(None)
}

fn video(told: &MovieTrack, codec: &CodecConfig) -> Option<Video> {
    let (width, height) = told.size?;
    // Of a parameter set that cannot be read the boxes around it say what matters.
    let frame_rate =
        codec.is_video().then(|| codec.video().ok().flatten())?.and_then(|video| video.frame_rate);
    Some(Video {
        width: width.into(),
        height: height.into(),
        sample_aspect: told.sample_aspect.unwrap_or((1, 1)),
        frame_rate,
        colour: told.colour,
    })
}

fn sound(told: &MovieTrack, codec: &CodecConfig, audio: &Audio) -> Option<Audio> {
    let CodecConfig::Aac(config) = codec else { return None };
    let (channels, _) = told.sound?;
    let sample_rate = AudioSpecificConfig::parse(config).ok()?.sample_rate;
    Some(Audio { sample_rate, channels, language: audio.language.clone() })
}
