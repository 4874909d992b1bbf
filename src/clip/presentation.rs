//! A presentation as `headwater package` makes them, of the channel's own segments.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use headwater_packager::{dash, hls};

use super::{Error, Part, Source, begin, target::Target};
use crate::{
    package::Progress,
    store::{Hashed, LIST, etag},
};

/// Writes media, then the documents, those that players begin with last.
pub(super) async fn write(
    source: &Source<'_>,
    parts: &[Part<'_>],
    target: &Target,
    progress: &mut Progress,
    segment: Duration,
) -> Result<(), Error> {
    let zero = begin(parts);
    for part in parts {
        let name = &part.track.name;
        let inits: BTreeSet<&str> =
            part.window.segments().iter().map(|segment| segment.era.init.as_str()).collect();
        let inits = inits.into_iter().map(str::to_owned);
        for file in inits {
            target.put(&format!("{name}/{file}"), source.read(name, &file).await?).await?;
        }
    }
    let mut hashes: BTreeMap<&str, Hashed> = BTreeMap::new();
    let longest = parts.iter().map(|part| part.window.segments().len()).max().unwrap_or(0);
    for index in 0..longest {
        for part in parts {
            let Some(segment) = part.window.segments().get(index) else { continue };
            let (name, file) = (&part.track.name, format!("{}.m4s", segment.number));
            let body = source.read(name, &file).await?;
            hashes.entry(name).or_default().add(&file, &etag([&body[..]]));
            target.put(&format!("{name}/{file}"), body).await?;
            let done = part.window.timescale().nanos(segment.end()) - zero;
            progress.at(Duration::from_nanos(u64::try_from(done).unwrap_or(0)));
        }
    }
    for (name, hashes) in hashes {
        target.put(&format!("{name}/{LIST}"), hashes.to_text().into()).await?;
    }
    documents(parts, target, segment).await
}

async fn documents(parts: &[Part<'_>], target: &Target, segment: Duration) -> Result<(), Error> {
    for part in parts {
        let media = hls::Media {
            window: &part.window,
            target_duration: hls::target_duration(segment),
            kind: hls::Kind::Recorded,
            low_latency: None,
        };
        target.put(&format!("{}/index.m3u8", part.track.name), hls::media(&media).into()).await?;
    }
    let representations: Vec<_> = parts
        .iter()
        .map(|part| dash::Representation {
            track: part.track,
            window: &part.window,
            bandwidth: part.window.bandwidth(),
            open: None,
            configurations: &part.configurations,
        })
        .collect();
    let presentation =
        dash::Presentation { representations: &representations, kind: dash::Kind::LiveEnded, segment };
    target.put("manifest.mpd", dash::mpd(&presentation).into()).await?;
    let renditions: Vec<_> = parts
        .iter()
        .map(|part| hls::Rendition {
            track: part.track,
            bandwidth: part.window.bandwidth(),
            configurations: &part.configurations,
        })
        .collect();
    target.put("index.m3u8", hls::multivariant(&renditions).into()).await
}
