//! What a track of a file becomes.

use std::path::Path;

use bytes::Bytes;
use headwater_packager::{
    bmff::reader::{BoxRef, MovieTrack},
    codec::{CodecConfig, aac::AudioSpecificConfig},
    time::{FrameRate, Timescale},
    track::{Audio, Media, Track, Video},
};

use crate::package::Error;

/// The track as it will be presented. Its name is that of its kind, `720p` or `audio-en`.
pub(super) fn track(path: &Path, described: &MovieTrack, stbl: &BoxRef<'_>) -> Result<Track, Error> {
    let track = described.id;
    let damaged = |source| Error::Damaged { path: path.to_owned(), source };
    let broken = |source| Error::Configuration { path: path.to_owned(), track, source };
    let entry = described.entry.to_string();
    if matches!(&described.entry.0, b"encv" | b"enca") {
        return Err(Error::Encrypted { path: path.to_owned(), track, entry });
    }
    let codec = match described.codec.clone() {
        Some(codec) => codec,
        None => with_parameter_sets(stbl).map_err(damaged)?.ok_or_else(|| Error::Codec {
            path: path.to_owned(),
            track,
            entry: entry.clone(),
        })?,
    };
    codec.check().map_err(broken)?;
    let timescale = Timescale::new(described.timescale).ok_or_else(|| Error::Codec {
        path: path.to_owned(),
        track,
        entry: entry.clone(),
    })?;
    let media = match (&codec, &described.handler.0) {
        (CodecConfig::Aac(config), b"soun") => Media::Audio(audio(described, config).map_err(broken)?),
        (CodecConfig::Avc(_) | CodecConfig::Hevc(_), b"vide") => {
            let video = codec.video().map_err(broken)?;
            Media::Video(video.map(|video| completed(video, described)).ok_or_else(|| Error::Codec {
                path: path.to_owned(),
                track,
                entry: entry.clone(),
            })?)
        }
        _ => return Err(Error::Codec { path: path.to_owned(), track, entry }),
    };
    let name = match (&media, &codec) {
        (Media::Video(video), CodecConfig::Hevc(_)) => format!("{}p-hevc", video.height),
        (Media::Video(video), _) => format!("{}p", video.height),
        (Media::Audio(audio), _) => format!("audio-{}", audio.language),
    };
    Ok(Track { name, timescale, codec, media, bitrate: described.bitrate.unwrap_or(0), edit_start: 0 })
}

/// The configuration in an `avc3` or `hev1` entry: their parameter sets may be in the samples, but most writers
/// put them here all the same, and a record without them is refused.
fn with_parameter_sets(
    stbl: &BoxRef<'_>,
) -> Result<Option<CodecConfig>, headwater_packager::bmff::reader::Error> {
    let Some(entry) = stbl.get(*b"stsd")?.children().next().transpose()? else { return Ok(None) };
    let record = |kind| Ok(entry.find(kind)?.map(|record| Bytes::copy_from_slice(record.contents)));
    Ok(match &entry.kind.0 {
        b"avc3" => record(*b"avcC")?.map(CodecConfig::Avc),
        b"hev1" => record(*b"hvcC")?.map(CodecConfig::Hevc),
        _ => None,
    })
}

fn audio(described: &MovieTrack, config: &[u8]) -> Result<Audio, headwater_packager::codec::Error> {
    let config = AudioSpecificConfig::parse(config)?;
    let channels = match (config.channels, described.sound) {
        (0, Some((channels, _))) => channels,
        (channels, _) => channels,
    };
    Ok(Audio { sample_rate: config.sample_rate, channels, language: described.language_tag().to_owned() })
}

/// What the container says goes before what the parameter set says: it is the younger of the two.
fn completed(video: Video, described: &MovieTrack) -> Video {
    let aspect = described.sample_aspect.filter(|&(across, down)| across > 0 && down > 0);
    let samples = &described.samples;
    let constant = (samples.shortest == samples.longest).then_some(samples.shortest);
    Video {
        sample_aspect: aspect.unwrap_or(video.sample_aspect),
        colour: described.colour.or(video.colour),
        frame_rate: constant.and_then(|ticks| FrameRate::new(described.timescale, ticks)),
        ..video
    }
}
