//! From what is written to what it means. Every refusal names the key and what would be right.

use std::{collections::BTreeMap, time::Duration};

use headwater_packager::time::Grid;

use super::{AudioRung, Channel, Config, Ladder, Rung, Server, Store, defaults, file, unit::Span};

const SHORTEST_SEGMENT: Duration = Duration::from_secs(1);
const LONGEST_SEGMENT: Duration = Duration::from_secs(10);
const SHORTEST_PART: Duration = Duration::from_millis(100);
/// A playlist has to list three segments; one more leaves room for the one that is leaving.
const SEGMENTS_IN_WINDOW: u32 = 4;
const MAX_SIDE: u32 = 8192;

/// A key, and what is wrong with its value.
pub(super) type Refusal = (String, String);

pub(super) fn check(file: file::File) -> Result<Config, Refusal> {
    let server = Server {
        media: file.server.media.unwrap_or(defaults::MEDIA),
        control: file.server.control.unwrap_or(defaults::CONTROL),
        file_root: file.server.file_root,
    };
    if server.media.port() == server.control.port() && server.media.port() != 0 {
        let what = format!(
            "port {} is the media listener's; give the control listener another",
            server.media.port()
        );
        return Err(("server.control".into(), what));
    }
    if file.channel.is_empty() {
        return Err((
            "channel".into(),
            "there is no channel; add a table [channel.NAME] with a source".into(),
        ));
    }
    let mut channels = BTreeMap::new();
    for (name, written) in file.channel {
        let channel = channel(&name, written)?;
        channels.insert(name, channel);
    }
    let store = Store { url: file.store.url.unwrap_or_else(|| defaults::STORE.into()) };
    Ok(Config { server, store, channels })
}

fn channel(name: &str, written: file::Channel) -> Result<Channel, Refusal> {
    let key = |key: &str| format!("channel.{name}.{key}");
    if !is_name(name) {
        let what =
            "a channel's name has up to 64 letters, digits, '_', '-' and '.', and does not begin with '.'";
        return Err((format!("channel.{name:?}"), what.into()));
    }
    let grid = Grid {
        segment: duration(written.segment, defaults::SEGMENT),
        part: duration(written.part, defaults::PART),
    };
    let window = duration(written.window, defaults::WINDOW);
    if !(SHORTEST_SEGMENT..=LONGEST_SEGMENT).contains(&grid.segment) {
        return Err((key("segment"), format!("{:?} is not between 1s and 10s", grid.segment)));
    }
    if grid.part < SHORTEST_PART || grid.part > grid.segment {
        let what = format!("{:?} is not between 100ms and the segment's {:?}", grid.part, grid.segment);
        return Err((key("part"), what));
    }
    if window < grid.segment * SEGMENTS_IN_WINDOW {
        let what =
            format!("{window:?} is too short: at least {SEGMENTS_IN_WINDOW} segments of {:?}", grid.segment);
        return Err((key("window"), what));
    }
    if written.ladder.is_some() && !written.video.is_empty() {
        return Err((key("ladder"), "\"auto\" and [[video]] rungs exclude each other; keep one".into()));
    }
    let video = written.video.into_iter().enumerate();
    let video = video
        .map(|(index, rung)| self::rung(&key(&format!("video[{index}]")), rung))
        .collect::<Result<_, _>>()?;
    let audio = written.audio.into_iter().enumerate();
    let audio = audio
        .map(|(index, rung)| audio_rung(&key(&format!("audio[{index}]")), rung))
        .collect::<Result<_, _>>()?;
    let frame_rate = written.frame_rate.map(|rate| rate.0);
    let ladder = Ladder { video, audio, frame_rate, encoder: written.encoder };
    Ok(Channel { source: written.source, grid, window, ladder })
}

fn rung(key: &str, rung: file::Video) -> Result<Rung, Refusal> {
    for (name, side) in [("height", Some(rung.height)), ("width", rung.width)] {
        if side.is_some_and(|side| !(16..=MAX_SIDE).contains(&side) || side % 2 != 0) {
            let what = format!("{} is not an even number from 16 to {MAX_SIDE}", side.unwrap_or_default());
            return Err((format!("{key}.{name}"), what));
        }
    }
    Ok(Rung {
        height: rung.height,
        width: rung.width,
        bitrate: rung.bitrate.0,
        codec: rung.codec,
        preset: rung.preset.unwrap_or_else(|| defaults::PRESET.into()),
        profile: rung.profile,
        b_frames: rung.b_frames,
        tune: rung.tune,
    })
}

fn audio_rung(key: &str, rung: file::Audio) -> Result<AudioRung, Refusal> {
    let channels = rung.channels.unwrap_or(defaults::AUDIO_CHANNELS);
    if !(1..=2).contains(&channels) {
        return Err((format!("{key}.channels"), format!("{channels} channels; AAC is made with 1 or 2")));
    }
    Ok(AudioRung {
        bitrate: rung.bitrate.map_or(defaults::AUDIO_BITRATE, |bitrate| bitrate.0),
        language: rung.language,
        channels,
    })
}

fn duration(written: Option<Span>, default: Duration) -> Duration {
    written.map_or(default, |span| span.0)
}

/// The grammar of a name in a URL.
fn is_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    name.len() <= 64 && name.starts_with(letter) && name.chars().all(|each| letter(each) || each == '.')
}
