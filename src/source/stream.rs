//! Opens files and network sources: finds out what they hold, then leaves them to a [`Session`].

use std::{
    path::{Path, PathBuf},
    sync::mpsc::SyncSender,
    thread,
    time::Duration,
};

use gstreamer as gst;
use gstreamer_video::VideoInfo;
use headwater_packager::track::Colour;

use super::{
    AudioFormat, CHANNELS, Error, Item, Pace, Request, Source, VideoFormat,
    conform::usual_rate,
    lane::Lanes,
    media::{Stop, queue},
    pipeline::{Pass, Raw, Reference, Tap},
    session::Session,
    uri::{self, Location},
    wake::Wake,
};
use crate::clock;

/// How long pictures are watched to measure a frame rate that nobody tells.
const MEASURING: Duration = Duration::from_millis(1500);
/// How many pictures are enough for it.
const WATCHED: usize = 12;

/// What it takes to open a source again.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    pub location: Location,
    pub uri: String,
    pub wake: Wake,
    pub stop: Stop,
    pub languages: Vec<String>,
    /// The sender's time, where that is what counts.
    pub reference: Option<Reference>,
}

impl Opener {
    /// Opens a pass with the audio streams that are wanted.
    pub(super) fn open(&self, waiting: &mut dyn FnMut(String)) -> Result<Pass, Error> {
        let mut pass =
            Pass::open(&self.location, &self.uri, &self.wake, &self.stop, self.reference.as_ref(), waiting)?;
        if !self.languages.is_empty() {
            let wanted = |language: &str| self.languages.iter().any(|wanted| wanted == language);
            let (taken, others): (Vec<_>, Vec<_>) =
                std::mem::take(&mut pass.audio).into_iter().partition(|tap| wanted(&tap.language()));
            others.iter().for_each(|tap| tap.ignore());
            let has = others.iter().map(|tap| tap.language()).collect::<Vec<_>>().join(", ");
            if taken.is_empty() && !has.is_empty() {
                let wanted = self.languages.join(", ");
                return Err(Error::NoLanguage { uri: self.uri.clone(), wanted, has });
            }
            pass.audio = taken;
        }
        Ok(pass)
    }
}

pub(super) fn open(
    location: Location,
    request: Request,
    waiting: &mut dyn FnMut(String),
) -> Result<Source, Error> {
    let location = match location {
        Location::File { path, repeat } => {
            Location::File { path: check_file(&path, request.file_root.as_deref())?, repeat }
        }
        other => other,
    };
    let (sender, media) = queue();
    let wake = Wake::default();
    let uri = redact(&request.uri);
    let has_time = matches!(location, Location::Udp { .. } | Location::Srt(_));
    let reference = (has_time && request.pace == Pace::Source).then(Reference::default);
    let (stop, languages) = (media.stop(), request.audio_languages.clone());
    let opener = Opener { location, uri, wake, stop, languages, reference };
    let mut pass = opener.open(waiting)?;
    if pass.live && request.pace == Pace::Asap {
        return Err(Error::Endless(opener.uri));
    }
    let repeats = matches!(opener.location, Location::File { repeat: true, .. });
    let duration = pass.duration().filter(|_| !(repeats && request.pace != Pace::Asap));
    let caps = pass.video.as_ref().and_then(|tap| tap.caps());
    pass.play();
    let (video, seen) = match caps {
        Some(caps) => {
            describe(&caps, &request, &mut pass, &opener).map(|(format, seen)| (Some(format), seen))?
        }
        None => (None, Vec::new()),
    };
    let audio: Vec<_> =
        pass.audio.iter().map(|tap| AudioFormat { language: tap.language(), channels: CHANNELS }).collect();
    let mut lanes = Lanes::new(video.as_ref().map(|video| video.frame_rate), audio.len(), pass.live);
    lanes.accept(seen);
    run(Session::new(&request, opener, pass, lanes, video.clone(), sender.clone()), sender)?;
    Ok(Source { video, audio, media, duration })
}

fn run(session: Session, sender: SyncSender<Item>) -> Result<(), Error> {
    let body = move || {
        if let Some(last) = session.run() {
            // If nobody listens any more, nobody misses it.
            let _ = sender.send(last);
        }
    };
    let spawned = thread::Builder::new().name("source".into()).spawn(body);
    spawned.map(drop).map_err(|error| Error::Toolkit(format!("no thread for the source: {error}")))
}

fn check_file(path: &Path, root: Option<&Path>) -> Result<PathBuf, Error> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::Missing(path.into()),
        _ => Error::Unreadable { path: path.into(), why: error.to_string() },
    };
    let real = uri::resolve(path, root).map_err(unreadable)?;
    let real =
        real.ok_or_else(|| Error::OutsideRoot { path: path.into(), root: root.unwrap_or(path).into() })?;
    let file = std::fs::metadata(&real).map_err(unreadable)?;
    if !file.is_file() {
        return Err(Error::NotAFile(path.into()));
    }
    if file.len() == 0 {
        return Err(Error::Empty(path.into()));
    }
    std::fs::File::open(&real).map_err(unreadable)?;
    Ok(real)
}

/// The URI as it may be shown: without the passwords that it may hold.
fn redact(uri: &str) -> String {
    let mut shown = uri.to_owned();
    if let Some((scheme, rest)) = uri.split_once("://")
        && let Some((authority, _)) = rest.split_once('/').or(Some((rest, "")))
        && let Some((user, _)) = authority.rsplit_once('@')
    {
        let name = user.split(':').next().unwrap_or_default();
        shown = format!("{scheme}://{name}:***{}", &rest[user.len()..]);
    }
    match shown.split_once("passphrase=") {
        Some((before, after)) => {
            let rest = after.find('&').map_or("", |end| &after[end..]);
            format!("{before}passphrase=***{rest}")
        }
        None => shown,
    }
}

/// Finds out what the pictures are, and has them stay like that. Returns the pictures that it took to find out, too.
fn describe(
    caps: &gst::Caps,
    request: &Request,
    pass: &mut Pass,
    opener: &Opener,
) -> Result<(VideoFormat, Vec<Raw>), Error> {
    let info = VideoInfo::from_caps(caps).map_err(|error| Error::Toolkit(error.to_string()))?;
    let fraction = |value: gst::Fraction| (value.numer().max(0) as u32, value.denom().max(1) as u32);
    let (mut num, mut den) = fraction(info.fps());
    let mut seen = Vec::new();
    if num == 0 && request.frame_rate.is_none() {
        seen = watch(pass, opener)?;
        (num, den) = mean_rate(&seen);
    }
    let rate = request.frame_rate.or_else(|| usual_rate(num, den));
    let colorimetry = caps.structure(0).and_then(|structure| structure.get::<String>("colorimetry").ok());
    let format = VideoFormat {
        width: info.width(),
        height: info.height(),
        sample_aspect: fraction(info.par()),
        frame_rate: rate.ok_or_else(|| Error::NoStreams(opener.uri.clone()))?,
        colour: colorimetry.as_ref().map(|_| colour(&info)),
        colorimetry,
    };
    pin(pass, &format);
    Ok((format, seen))
}

fn colour(info: &VideoInfo) -> Colour {
    let colorimetry = info.colorimetry();
    Colour {
        primaries: colorimetry.primaries().to_iso() as u16,
        transfer: colorimetry.transfer().to_iso() as u16,
        matrix: colorimetry.matrix().to_iso() as u16,
        full_range: colorimetry.range() == gstreamer_video::VideoColorRange::Range0_255,
    }
}

/// Has pictures of other sizes scaled to `format`, so that what follows never sees a change.
pub(super) fn pin(pass: &Pass, format: &VideoFormat) {
    let (num, den) = format.sample_aspect;
    let mut caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", format.width as i32)
        .field("height", format.height as i32)
        .field("pixel-aspect-ratio", gst::Fraction::new(num.max(1) as i32, den as i32));
    if let Some(colorimetry) = &format.colorimetry {
        caps = caps.field("colorimetry", colorimetry);
    }
    if let Some(tap) = &pass.video {
        tap.pin(&caps.build());
    }
}

/// The first pictures.
fn watch(pass: &mut Pass, opener: &Opener) -> Result<Vec<Raw>, Error> {
    let deadline = clock::now() + MEASURING;
    let mut seen = Vec::new();
    while seen.len() < WATCHED && clock::now() < deadline && !pass.state()? {
        match pass.video.as_ref().and_then(Tap::picture) {
            Some(raw) => seen.push(raw),
            None => opener.wake.wait(Duration::from_millis(50)),
        }
    }
    Ok(seen)
}

/// The mean rate of pictures, in thousandths; zero if it does not show.
fn mean_rate(seen: &[Raw]) -> (u32, u32) {
    let stamps: Vec<i128> = seen.iter().filter_map(|raw| raw.stamp).collect();
    let span = stamps.last().zip(stamps.first()).map_or(0, |(last, first)| last - first);
    let millihertz = (stamps.len() as i128 - 1).max(0) * 1_000_000_000_000 / span.max(1);
    (u32::try_from(millihertz).unwrap_or(0), 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (uri, shown) in [
            ("rtsp://me:secret@cam/1", "rtsp://me:***@cam/1"),
            ("https://a/b@c", "https://a/b@c"),
            ("srt://:9000?passphrase=0123456789&latency=1", "srt://:9000?passphrase=***&latency=1"),
            ("file:a.mp4", "file:a.mp4"),
        ] {
            assert_eq!(redact(uri), shown);
        }
    }
}
