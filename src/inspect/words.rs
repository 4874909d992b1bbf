//! The description, in words.

use std::{
    fmt::Display,
    io::{self, Write},
};

use headwater_packager::{
    bmff::reader::{FourCc, Movie, MovieTrack},
    codec::CodecConfig,
    codec::aac::AudioSpecificConfig,
    time::{FrameRate, Timescale},
    track::{Colour, Video},
};

use super::scan::{Scan, Shown, TrackFragments};

/// Writes everything but the box tree about the file `name` of `length` bytes.
pub(super) fn describe(scan: &Scan, name: &str, length: u64, out: &mut impl Write) -> io::Result<()> {
    let brands = list(scan.brands.iter().map(FourCc::to_string));
    let brands = if brands.is_empty() { "no brands".into() } else { format!("brands {brands}") };
    writeln!(out, "{name}: {}, {}, {brands}", kind(scan), bytes(length))?;
    if let Some(init) = &scan.init {
        let init = init.file_name().unwrap_or_default().to_string_lossy();
        writeln!(out, "codec and timescale by {init} beside it")?;
    } else if scan.movie.is_none() && scan.fragments > 0 {
        writeln!(
            out,
            "no init segment (init*.mp4) lies beside it, so times are in ticks and the codec is not known"
        )?;
    }
    if let Some(movie) = &scan.movie {
        for track in &movie.tracks {
            describe_track(movie, track, scan.tracks.get(&track.id), out)?;
            if let Some(at) = track.samples.last_chunk.filter(|&at| at >= length) {
                writeln!(
                    out,
                    "  damaged: its samples should lie up to byte {at} and beyond, where the file has ended"
                )?;
            }
        }
    }
    for (&id, sums) in &scan.tracks {
        describe_fragments(id, sums, timescale(scan, id), out)?;
    }
    scan.shown
        .iter()
        .try_for_each(|shown| describe_fragment(shown, timescale(scan, shown.run.track), out))?;
    let shown = scan.shown.len() as u64;
    let all: u64 = scan.tracks.values().map(|track| track.fragments).sum();
    if all > shown { writeln!(out, "  and {} more fragments", all - shown) } else { Ok(()) }
}

fn kind(scan: &Scan) -> &'static str {
    let has = |brand: &[u8; 4]| scan.brands.contains(&FourCc(*brand));
    let cmaf = has(b"cmfc") || has(b"cmf2");
    let own_movie = scan.movie.as_ref().filter(|_| scan.init.is_none());
    match (own_movie, scan.fragments > 0) {
        (Some(_), true) => "fragmented MP4 file",
        (Some(movie), false) if movie.fragmented && cmaf => "CMAF header (init segment)",
        (Some(movie), false) if movie.fragmented => "init segment of fragmented MP4",
        (Some(_), false) => "MP4 file",
        (None, true) if scan.segments == 0 => "CMAF chunk (a part of a segment)",
        (None, true) if cmaf => "CMAF media segment",
        (None, true) => "media segment of fragmented MP4",
        (None, false) => "boxes without a description of media",
    }
}

fn timescale(scan: &Scan, id: u32) -> Option<Timescale> {
    let movie = scan.movie.as_ref()?;
    let track = movie.tracks.iter().find(|track| track.id == id)?;
    Timescale::new(track.timescale)
}

fn describe_track(
    movie: &Movie,
    track: &MovieTrack,
    fragments: Option<&TrackFragments>,
    out: &mut impl Write,
) -> io::Result<()> {
    let video = track.codec.as_ref().and_then(|codec| codec.video().ok().flatten());
    let mut facts = vec![codec(track)];
    match &track.handler.0 {
        b"vide" => facts.extend(picture(track, video.as_ref())),
        b"soun" => facts.extend(sound(track)),
        _ => {}
    }
    facts.extend(frame_rate(track, video.as_ref(), fragments));
    match track.rotation {
        Some(0) => {}
        Some(degrees) => facts.push(format!("to be turned {degrees} degrees clockwise")),
        None => facts.push("to be transformed for display".into()),
    }
    if track.language != "und" {
        facts.push(format!("language {}", track.language));
    }
    facts.push(format!("timescale {}", track.timescale));
    writeln!(out, "track {}: {}", track.id, facts.join(", "))?;
    if let Some(error) = track.codec.as_ref().and_then(|codec| codec.check().err()) {
        writeln!(out, "  its codec configuration cannot be used: {error}")?;
    }
    describe_samples(track, out)?;
    for edit in &track.edits {
        let length = f64::from(movie.timescale);
        let duration = match edit.duration {
            0 => "to the end".into(),
            ticks => format!("for {:.3} s", ticks as f64 / length),
        };
        match edit.media_time {
            -1 => writeln!(out, "  edit list: nothing {duration}")?,
            start => {
                let seconds = start as f64 / f64::from(track.timescale);
                writeln!(out, "  edit list: from media time {start} ({seconds:.3} s) {duration}")?;
            }
        }
    }
    Ok(())
}

fn codec(track: &MovieTrack) -> String {
    let kind = match &track.handler.0 {
        b"vide" => "video".into(),
        b"soun" => "audio".into(),
        b"text" | b"sbtl" | b"subt" => "text".into(),
        b"tmcd" => "time code".into(),
        _ => track.handler.to_string(),
    };
    match &track.codec {
        Some(codec) => format!("{kind} {}", codec.rfc6381()),
        None => format!("{kind} `{}` (cannot be repackaged without encoding)", track.entry),
    }
}

fn picture(track: &MovieTrack, video: Option<&Video>) -> Vec<String> {
    let size = video.map(|video| (video.width, video.height));
    let Some((width, height)) = size.or(track.size.map(|(width, height)| (width.into(), height.into())))
    else {
        return Vec::new();
    };
    let (across, down) = track.sample_aspect.or(video.map(|video| video.sample_aspect)).unwrap_or((1, 1));
    let mut facts = vec![format!("{width}x{height}")];
    // A fraction in lowest terms, which FrameRate happens to be too.
    let aspect =
        width.checked_mul(across).zip(height.checked_mul(down)).and_then(|(x, y)| FrameRate::new(x, y));
    let aspect = aspect.map_or_else(String::new, |aspect| format!(" ({}:{})", aspect.num, aspect.den));
    facts.push(match across == down {
        true => format!("square pixels{aspect}"),
        false => format!("pixel aspect {across}:{down}{aspect}"),
    });
    facts.extend(track.colour.or(video.and_then(|video| video.colour)).map(colour));
    facts
}

fn colour(colour: Colour) -> String {
    let name = match (colour.primaries, colour.transfer) {
        (9, 16) => "BT.2020 PQ",
        (9, 18) => "BT.2020 HLG",
        (9, _) => "BT.2020",
        (1, _) => "BT.709",
        (5, _) => "BT.601 (625 lines)",
        (6, _) => "BT.601 (525 lines)",
        _ => "colour",
    };
    let range = if colour.full_range { "full" } else { "limited" };
    format!("{name} {}/{}/{} {range} range", colour.primaries, colour.transfer, colour.matrix)
}

fn sound(track: &MovieTrack) -> Vec<String> {
    let config = track.codec.as_ref().and_then(|codec| match codec {
        CodecConfig::Aac(bytes) => AudioSpecificConfig::parse(bytes).ok(),
        _ => None,
    });
    let (channels, rate) =
        config.map(|config| (config.channels, config.sample_rate)).or(track.sound).unwrap_or_default();
    let channels = match channels {
        1 => "mono".into(),
        2 => "stereo".into(),
        channels => format!("{channels} channels"),
    };
    vec![channels, format!("{rate} Hz")]
}

/// Frames per second of a video track: by its sample table, its parameter set, or its fragments.
fn frame_rate(
    track: &MovieTrack,
    video: Option<&Video>,
    fragments: Option<&TrackFragments>,
) -> Option<String> {
    if &track.handler.0 != b"vide" {
        return None;
    }
    let samples = &track.samples;
    let average = |count: u64, ticks: u64| count as f64 * f64::from(track.timescale) / ticks as f64;
    if samples.count > 0 && samples.duration > 0 {
        let average = average(samples.count, samples.duration);
        // Frames that differ by one tick are an even rate that the timescale does not divide.
        return Some(match samples.longest - samples.shortest {
            0 => exact(track.timescale, samples.longest),
            1 => format!("{average:.2} frames/s"),
            _ => format!("variable frame rate ({average:.2} frames/s on average)"),
        });
    }
    if let Some(rate) = video.and_then(|video| video.frame_rate) {
        return Some(exact(rate.num.get(), rate.den.get()));
    }
    let sums = fragments.filter(|sums| sums.duration > 0)?;
    Some(format!("{:.2} frames/s", average(sums.samples, sums.duration)))
}

fn exact(timescale: u32, duration: u32) -> String {
    FrameRate::new(timescale, duration)
        .map_or_else(|| "no frame rate".into(), |rate| format!("{rate} frames/s"))
}

fn describe_samples(track: &MovieTrack, out: &mut impl Write) -> io::Result<()> {
    let samples = &track.samples;
    let Some(timescale) = Timescale::new(track.timescale).filter(|_| samples.count > 0) else {
        return Ok(());
    };
    let seconds = seconds(timescale, samples.duration);
    let mut facts = vec![format!("{} in {seconds:.3} s", plural(samples.count, "sample"))];
    facts.extend(rate(samples.bytes, seconds));
    match (samples.sync, samples.sync_interval) {
        (Some(0), _) => facts.push("no key frame".into()),
        (Some(sync), Some(interval)) => {
            let interval = self::seconds(timescale, interval);
            facts.push(format!("{}, at most {interval:.3} s apart", plural(sync, "key frame")));
        }
        _ => facts.push("every sample is a sync sample".into()),
    }
    if samples.reordered {
        facts.push("presented in another order than decoded".into());
    }
    writeln!(out, "  {}", facts.join(", "))
}

fn describe_fragments(
    id: u32,
    sums: &TrackFragments,
    timescale: Option<Timescale>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut facts = vec![
        plural(sums.fragments, "fragment"),
        format!("{}, {} of them sync", plural(sums.samples, "sample"), sums.sync),
        time(sums.duration, timescale),
    ];
    facts.extend(timescale.and_then(|timescale| rate(sums.bytes, seconds(timescale, sums.duration))));
    facts.push(match sums.jumps {
        0 => "without a gap".into(),
        jumps => format!("{} where one does not start at the end of the one before", plural(jumps, "place")),
    });
    writeln!(out, "fragments of track {id}: {}", facts.join(", "))
}

fn describe_fragment(shown: &Shown, timescale: Option<Timescale>, out: &mut impl Write) -> io::Result<()> {
    let run = &shown.run;
    let start = match run.start {
        Some(start) => format!("starts at tfdt {}", time(start, timescale)),
        None => "does not say when it starts (no tfdt)".into(),
    };
    let first = if run.starts_with_sync { "starts with" } else { "does not start with" };
    write!(
        out,
        "  fragment {} of track {}: {start}, lasts {}, {}, {}, {first} a sync sample",
        shown.sequence,
        run.track,
        time(run.duration, timescale),
        plural(run.samples, "sample"),
        bytes(run.bytes),
    )?;
    if let Some(reference) = shown.reference {
        let utc = chrono::DateTime::from_timestamp_micros(reference.unix_micros);
        let utc = utc.map_or_else(
            || "an impossible time".into(),
            |utc| utc.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        );
        write!(out, ", {} at {utc}", reference.event())?;
    }
    writeln!(out)
}

fn time(ticks: u64, timescale: Option<Timescale>) -> String {
    match timescale {
        Some(timescale) => format!("{ticks} ({:.3} s)", seconds(timescale, ticks)),
        None => format!("{ticks} ticks"),
    }
}

fn seconds(timescale: Timescale, ticks: u64) -> f64 {
    timescale.seconds(i64::try_from(ticks).unwrap_or(i64::MAX))
}

fn rate(bytes: u64, seconds: f64) -> Option<String> {
    (seconds > 0.0).then(|| format!("{:.0} kbit/s", bytes as f64 * 8.0 / seconds / 1000.0))
}

fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn list(items: impl Iterator<Item = impl Display>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(" ")
}
