//! From what is written to what it means. Every refusal names the key and what would be right.

mod server;

use std::{collections::BTreeMap, ops::RangeInclusive, os::unix::ffi::OsStrExt, path::Path, time::Duration};

use headwater_packager::time::Grid;

use super::{
    AudioRung, Channel, Config, Ladder, Role, Rung, Server, Timing, Unfit, access, defaults, file, grid,
    store, unit::Span,
};

/// A playlist has to list three segments; one more leaves room for the one that is leaving.
const SEGMENTS_IN_WINDOW: u32 = 4;
/// Tracks are numbered by a byte on the wire, and nobody has needed as many.
const MOST_RUNGS: usize = 32;
/// Bits per second.
const AUDIO_BITRATES: RangeInclusive<u32> = 16_000..=512_000;

/// What the system leaves for a path in the address of a socket: 108 bytes with a zero at the end (unix(7)).
const LONGEST_SOCKET: usize = 107;

/// A key, and what is wrong with its value.
pub(super) type Refusal = (String, String);

pub(super) fn check(file: file::File) -> Result<Config, Refusal> {
    let server = server::check(file.server)?;
    listeners(&server).map_err(|reason| ("server.control".to_owned(), reason))?;
    if file.channel.is_empty() {
        return Err((
            "channel".into(),
            "there is no channel; add a table [channel.NAME] with a source".into(),
        ));
    }
    let access = access::check(file.access)?;
    let mut channels = BTreeMap::new();
    for (name, written) in file.channel {
        let channel = channel(&name, written, server.role)?;
        own_socket(&name, &channel, &channels)?;
        access::has_key(&access, channel.access, &format!("channel.{name}.access"))?;
        channels.insert(name, channel);
    }
    let store = store::check(file.store)?;
    Ok(Config { server, store, access, channels })
}

/// Two listeners need two addresses. Port 0 is whichever port is free.
pub(super) fn listeners(server: &Server) -> Result<(), String> {
    let Server { media, control, .. } = server;
    let overlap = media.ip() == control.ip() || media.ip().is_unspecified() || control.ip().is_unspecified();
    if media.port() != control.port() || media.port() == 0 || !overlap {
        return Ok(());
    }
    Err(format!(
        "{control} is taken by the media listener on {media}; give the control listener another port"
    ))
}

fn channel(name: &str, written: file::Channel, role: Role) -> Result<Channel, Refusal> {
    if !is_name(name) {
        let reason =
            "a channel's name has up to 64 letters, digits, '_', '-' and '.', and does not begin with '.'";
        return Err((format!("channel.{name:?}"), reason.into()));
    }
    let within = |(key, reason): Refusal| (format!("channel.{name}.{key}"), reason);
    let grid = Grid {
        segment: duration(written.segment, defaults::SEGMENT),
        part: duration(written.part, defaults::PART),
    };
    let window = duration(written.window, defaults::WINDOW);
    let rate = written.frame_rate.map(|rate| rate.0);
    let wrong = |error: grid::Error| within((error.key().into(), error.to_string()));
    grid::check(&grid, rate).map_err(wrong)?;
    has_segments(window, &grid).map_err(within)?;
    let archive = archive(written.archive, window).map_err(within)?;
    let archive_bytes = written.archive_bytes.map(|size| size.0);
    let source = source(written.source.clone(), role).map_err(within)?;
    let (access, timing) = (written.access, written.timing);
    if !source.is_empty() {
        has_timestamps(&source, timing).map_err(within)?;
    }
    let encoder_socket = written.encoder_socket.clone();
    encoder_socket.iter().try_for_each(|path| socket(path)).map_err(within)?;
    let low_latency = written.low_latency.unwrap_or(defaults::LOW_LATENCY);
    let usual = Unfit::default();
    let unfit = Unfit {
        stale_after: written.stale_after.map_or(usual.stale_after, |targets| targets.0),
        incomplete_after: written.incomplete_after.map_or(usual.incomplete_after, |targets| targets.0),
        slate_after: slate(written.slate_after).map_err(within)?,
        gone_after: gone(written.gone_after).map_err(within)?,
        ready_after: ready(written.ready_after, window).map_err(within)?,
    };
    let ladder = ladder(written).map_err(within)?;
    if low_latency {
        grid::check_parts(&grid, rate).map_err(wrong)?;
        without_delay(&ladder).map_err(within)?;
    }
    Ok(Channel {
        source,
        access,
        timing,
        grid,
        window,
        archive,
        archive_bytes,
        low_latency,
        ladder,
        encoder_socket,
        unfit,
    })
}

fn has_segments(window: Duration, grid: &Grid) -> Result<(), Refusal> {
    if window >= grid.segment * SEGMENTS_IN_WINDOW {
        return Ok(());
    }
    let reason = format!(
        "{} is too short: at least {SEGMENTS_IN_WINDOW} segments of {}",
        Span(window),
        Span(grid.segment)
    );
    Err(("window".into(), reason))
}

/// What is listed can be fetched, so it is kept.
fn archive(written: Option<Span>, window: Duration) -> Result<Duration, Refusal> {
    let archive = duration(written, window);
    if archive >= window {
        return Ok(archive);
    }
    let reason = format!(
        "{} is shorter than the window of {}, which playlists list; write at least that, or leave it out",
        Span(archive),
        Span(window)
    );
    Err(("archive".into(), reason))
}

/// Who packages has to have one. The file may be that of a packager all the same.
fn source(written: Option<String>, role: Role) -> Result<String, Refusal> {
    match (written, role) {
        (Some(source), _) => Ok(source),
        (None, Role::Origin) => Ok(String::new()),
        (None, Role::All) => Err((
            "source".into(),
            "is missing; write for example \"test:\" or \"srt://:9000\", or role = \"origin\" under [server] if \
             another server packages this channel into the same store"
                .into(),
        )),
    }
}

/// Whether the source has timestamps that mean the same to all who receive it.
fn has_timestamps(source: &str, timing: Timing) -> Result<(), Refusal> {
    let transport_stream = ["srt://", "udp://"].iter().any(|scheme| source.starts_with(scheme));
    if transport_stream || timing == Timing::Clock {
        return Ok(());
    }
    let reason = "\"source\" is for transport streams over srt:// and udp://, whose timestamps say which media is which; \
                  leave it out, as all others go by the clock";
    Err(("timing".into(), reason.into()))
}

fn slate(after: Option<Span>) -> Result<Option<Duration>, Refusal> {
    if after == Some(Span(Duration::ZERO)) {
        let reason =
            "0s would make every slate an error; write for example \"30s\", or leave it out for never";
        return Err(("slate_after".into(), reason.into()));
    }
    Ok(after.map(|span| span.0))
}

fn gone(after: Option<Span>) -> Result<Option<Duration>, Refusal> {
    if after == Some(Span(Duration::ZERO)) {
        let reason = "0s would keep the end from players that have not seen it; write for example \"1h\", \
                      or leave it out for never";
        return Err(("gone_after".into(), reason.into()));
    }
    Ok(after.map(|span| span.0))
}

/// A list never has more than the window.
fn ready(written: Option<Span>, window: Duration) -> Result<Duration, Refusal> {
    let after = duration(written, Unfit::default().ready_after);
    if after <= window {
        return Ok(after);
    }
    let reason =
        format!("{} is never listed: the window is {}; write at most that", Span(after), Span(window));
    Err(("ready_after".into(), reason))
}

/// Whether a socket can have this path. What is there is seen when it is opened.
fn socket(path: &Path) -> Result<(), Refusal> {
    let refused = |reason| Err(("encoder_socket".to_owned(), reason));
    let length = path.as_os_str().len();
    if !path.is_absolute() || path.as_os_str().as_bytes().ends_with(b"/") {
        let reason = "is no absolute path of a file; write for example \"/run/headwater/NAME.sock\"";
        return refused(format!("{path:?} {reason}"));
    }
    if length > LONGEST_SOCKET {
        return refused(format!(
            "{length} bytes are too long for the path of a socket; {LONGEST_SOCKET} are possible"
        ));
    }
    Ok(())
}

/// Who connects to a socket is given the job of the one channel that it belongs to.
fn own_socket(name: &str, channel: &Channel, others: &BTreeMap<String, Channel>) -> Result<(), Refusal> {
    let Some(path) = &channel.encoder_socket else { return Ok(()) };
    let taken = |(_, other): &(&String, &Channel)| other.encoder_socket.as_ref() == Some(path);
    others.iter().find(taken).map_or(Ok(()), |(other, _)| {
        let reason = format!("{path:?} is that of channel {other}; give this one another");
        Err((format!("channel.{name}.encoder_socket"), reason))
    })
}

/// Low latency leaves an encoder no later pictures to look at.
fn without_delay(ladder: &Ladder) -> Result<(), Refusal> {
    let delayed = ladder.video.iter().enumerate().find(|(_, rung)| rung.b_frames > 0);
    delayed.map_or(Ok(()), |(index, rung)| {
        let reason = format!(
            "each of {} B-frames in a row waits for a later picture, which low latency excludes; \
             leave b_frames out, or write low_latency = false in this channel",
            rung.b_frames
        );
        Err((format!("video[{index}].b_frames"), reason))
    })
}

fn ladder(written: file::Channel) -> Result<Ladder, Refusal> {
    if written.ladder.is_some() && !written.video.is_empty() {
        let reason = "\"auto\" and [[video]] rungs exclude each other; keep one";
        return Err(("ladder".into(), reason.into()));
    }
    for (key, count) in [("video", written.video.len()), ("audio", written.audio.len())] {
        if count > MOST_RUNGS {
            return Err((key.into(), format!("{count} are too many; at most {MOST_RUNGS} are possible")));
        }
    }
    let video = written.video.into_iter().enumerate();
    let video =
        video.map(|(index, rung)| self::rung(&format!("video[{index}]"), rung)).collect::<Result<_, _>>()?;
    let audio = written.audio.into_iter().enumerate();
    let audio =
        audio.map(|(index, rung)| audio_rung(&format!("audio[{index}]"), rung)).collect::<Result<_, _>>()?;
    Ok(Ladder { video, audio, frame_rate: written.frame_rate.map(|rate| rate.0), encoder: written.encoder })
}

fn rung(key: &str, rung: file::Video) -> Result<Rung, Refusal> {
    let rung = Rung {
        height: rung.height,
        width: rung.width,
        bitrate: rung.bitrate.0,
        codec: rung.codec,
        preset: rung.preset.unwrap_or_else(|| defaults::PRESET.into()),
        profile: rung.profile,
        b_frames: rung.b_frames,
        tune: rung.tune,
    };
    rung.check().map_err(|error| (key.to_owned(), error.to_string()))?;
    Ok(rung)
}

fn audio_rung(key: &str, rung: file::Audio) -> Result<AudioRung, Refusal> {
    let channels = rung.channels.unwrap_or(defaults::AUDIO_CHANNELS);
    if !(1..=2).contains(&channels) {
        return Err((format!("{key}.channels"), format!("{channels} channels; AAC is made with 1 or 2")));
    }
    let bitrate = rung.bitrate.map_or(defaults::AUDIO_BITRATE, |bitrate| bitrate.0);
    if !AUDIO_BITRATES.contains(&bitrate) {
        let reason = format!("{bitrate} bit/s is impossible; \"16k\" to \"512k\" are possible");
        return Err((format!("{key}.bitrate"), reason));
    }
    Ok(AudioRung { bitrate, language: rung.language, channels })
}

fn duration(written: Option<Span>, default: Duration) -> Duration {
    written.map_or(default, |span| span.0)
}

/// The grammar of a name in a URL.
pub(super) fn is_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    name.len() <= 64 && name.starts_with(letter) && name.chars().all(|each| letter(each) || each == '.')
}
