//! Boxes as text, for people and for snapshot tests.

use std::fmt::Write;

use chrono::DateTime;

use super::{BoxRef, Boxes, Error, ReferenceTime, fragment::Run, movie, sample_entry};
use crate::{
    bmff::language,
    codec::{CodecConfig, aac::AudioSpecificConfig},
};

/// So many rows of a table are shown.
const ROWS: u32 = 8;

/// Appends a line for each box, and under it those in it.
pub(super) fn boxes(out: &mut String, boxes: Boxes<'_>, depth: usize) {
    for found in boxes {
        let indent = "  ".repeat(depth);
        // Writing into a String cannot fail.
        let _ = match found {
            Ok(found) => {
                let text = describe(&found).unwrap_or_else(|error| format!("!! {error}"));
                let space = if text.is_empty() { "" } else { "  " };
                let line = writeln!(out, "{indent}{} {}{space}{text}", found.kind, found.size());
                self::boxes(out, found.children(), depth + 1);
                line
            }
            Err(error) => writeln!(out, "{indent}!! {error}"),
        };
    }
}

fn describe(found: &BoxRef<'_>) -> Result<String, Error> {
    let mut fields = found.fields();
    Ok(match &found.kind.0 {
        b"ftyp" | b"styp" => {
            let (major, minor) = (fields.four_cc()?, fields.u32()?);
            let brands = fields.rest().as_chunks::<4>().0;
            let brands: Vec<_> =
                brands.iter().take(32).map(|&brand| super::FourCc(brand).to_string()).collect();
            format!("{major} version {minor}, compatible with {}", brands.join(" "))
        }
        b"mvhd" | b"mdhd" => media_header(found)?,
        b"tkhd" => track_header(found)?,
        b"hdlr" => {
            fields.skip(8)?;
            let handler = fields.four_cc()?;
            fields.skip(12)?;
            let name = String::from_utf8_lossy(fields.rest());
            format!("{handler} {:?}", name.trim_end_matches('\0').chars().take(64).collect::<String>())
        }
        b"elng" => format!(
            "{:?}",
            String::from_utf8_lossy(fields.rest().get(4..).unwrap_or_default()).trim_end_matches('\0')
        ),
        b"colr" => movie::colour(found)?.map_or_else(String::new, |colour| {
            let range = if colour.full_range { "full" } else { "limited" };
            format!("nclx {}/{}/{} {range} range", colour.primaries, colour.transfer, colour.matrix)
        }),
        b"pasp" => format!("{}:{}", fields.u32()?, fields.u32()?),
        b"btrt" => {
            fields.skip(4)?;
            format!("at most {} bit/s, {} on average", fields.u32()?, fields.u32()?)
        }
        b"avcC" | b"hvcC" | b"esds" => configuration(found),
        b"elst" => edit_list(found)?,
        b"stts" | b"ctts" | b"stss" | b"stco" | b"co64" | b"stsc" | b"stsd" | b"dref" => {
            fields.version()?;
            entries(fields.u32()?)
        }
        b"stsz" => {
            fields.skip(4)?;
            let (size, count) = (fields.u32()?, fields.u32()?);
            if size == 0 { format!("{count} samples") } else { format!("{count} samples of {size} bytes") }
        }
        b"trex" | b"mfhd" | b"tfhd" | b"tfdt" | b"trun" | b"prft" => fragment(found)?,
        b"free" | b"skip" | b"mdat" => format!("{} bytes", found.contents.len()),
        _ if found.parent == super::FourCc(*b"stsd") => entry(found)?,
        _ => String::new(),
    })
}

fn entries(count: u32) -> String {
    if count == 1 { "1 entry".into() } else { format!("{count} entries") }
}

fn media_header(found: &BoxRef<'_>) -> Result<String, Error> {
    let mut fields = found.fields();
    let (version, _) = fields.version()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let (timescale, duration) = (fields.u32()?, fields.time(version == 1)?);
    let mut text = format!("timescale {timescale}, duration {duration}");
    if &found.kind.0 == b"mdhd" {
        let _ = write!(text, ", language {}", language::unpacked(fields.u16()?));
    }
    Ok(text)
}

fn track_header(found: &BoxRef<'_>) -> Result<String, Error> {
    let mut fields = found.fields();
    let (version, flags) = fields.version()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let id = fields.u32()?;
    fields.skip(4)?;
    let duration = fields.time(version == 1)?;
    fields.skip(8 + 8 + 36)?;
    let size = |fixed: u32| f64::from(fixed) / 65536.0;
    let (width, height) = (size(fields.u32()?), size(fields.u32()?));
    Ok(format!("track {id}, flags {flags:#x}, duration {duration}, {width}x{height}"))
}

fn edit_list(found: &BoxRef<'_>) -> Result<String, Error> {
    let edits = movie::edit_list(found)?;
    let mut text = entries(edits.len() as u32);
    for edit in edits.iter().take(ROWS as usize) {
        let _ = write!(text, "; from media time {}, duration {}", edit.media_time, edit.duration);
    }
    Ok(text)
}

/// What a sample entry's own fields say.
fn entry(found: &BoxRef<'_>) -> Result<String, Error> {
    const VISUAL: usize = 78;
    let mut fields = found.fields();
    Ok(match sample_entry::preamble(found) {
        Some(VISUAL) => {
            fields.skip(24)?;
            format!("{}x{}", fields.u16()?, fields.u16()?)
        }
        Some(_) => {
            fields.skip(16)?;
            let channels = fields.u16()?;
            fields.skip(6)?;
            format!("{channels} channels, {} Hz", fields.u32()? >> 16)
        }
        None => String::new(),
    })
}

/// What a decoder configuration says, or why it cannot be read.
fn configuration(found: &BoxRef<'_>) -> String {
    let config = match &found.kind.0 {
        b"avcC" => CodecConfig::Avc(found.contents.to_vec().into()),
        b"hvcC" => CodecConfig::Hevc(found.contents.to_vec().into()),
        _ => match sample_entry::audio_config(found) {
            Some(config) => CodecConfig::Aac(config.to_vec().into()),
            None => return "not MPEG-4 audio".into(),
        },
    };
    let details = match &config {
        CodecConfig::Aac(bytes) => AudioSpecificConfig::parse(bytes)
            .map(|audio| format!("{} channels, {} Hz", audio.channels, audio.sample_rate)),
        video => video.video().map(|video| {
            video.map_or_else(String::new, |video| {
                let (across, down) = video.sample_aspect;
                let rate = video.frame_rate.map_or_else(String::new, |rate| format!(", {rate} frames/s"));
                format!("{}x{}, samples {across}:{down}{rate}", video.width, video.height)
            })
        }),
    };
    match details {
        Ok(details) => format!("{}, {details}", config.rfc6381()),
        Err(error) => format!("{} !! {error}", config.rfc6381()),
    }
}

fn fragment(found: &BoxRef<'_>) -> Result<String, Error> {
    if &found.kind.0 == b"prft" {
        let time = ReferenceTime::read(found)?;
        let utc = DateTime::from_timestamp_micros(time.unix_micros)
            .map_or_else(|| "?".into(), |utc| utc.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        return Ok(format!(
            "track {}, {} at {utc}, media time {}",
            time.track,
            time.event(),
            time.media_time
        ));
    }
    if &found.kind.0 == b"trun" {
        return Ok(run(&Run::read(found)?));
    }
    let mut fields = found.fields();
    let (version, flags) = fields.version()?;
    match &found.kind.0 {
        b"mfhd" => return Ok(format!("sequence {}", fields.u32()?)),
        b"tfdt" => return Ok(format!("version {version}, {}", fields.time(version == 1)?)),
        _ => {}
    }
    let mut text = format!("track {}", fields.u32()?);
    let (always, base) = (&found.kind.0 == b"trex", 0x02_0000);
    if flags & base != 0 {
        text.push_str(", default-base-is-moof");
    }
    if !always && flags & 1 != 0 {
        let _ = write!(text, ", base offset {}", fields.u64()?);
    }
    for (flag, name) in [(0x02, "description"), (0x08, "duration"), (0x10, "size")] {
        if always || flags & flag != 0 {
            let _ = write!(text, ", {name} {}", fields.u32()?);
        }
    }
    if always || flags & 0x20 != 0 {
        let _ = write!(text, ", flags {:#010x}", fields.u32()?);
    }
    Ok(text)
}

fn run(run: &Run<'_>) -> String {
    let mut text = format!("version {}, {} samples", run.version, run.count);
    if let Some(offset) = run.data_offset {
        let _ = write!(text, ", data offset {}", offset.cast_signed());
    }
    if let Some(flags) = run.first_flags {
        let _ = write!(text, ", first flags {flags:#010x}");
    }
    for row in 0..run.rows().min(ROWS) {
        let number = |column, name| run.value(row, column).map(|value| format!("{name} {value}"));
        let columns = [
            number(Run::DURATION, "duration"),
            number(Run::SIZE, "size"),
            run.value(row, Run::FLAGS).map(|flags| format!("flags {flags:#010x}")),
            run.value(row, Run::OFFSET).map(|offset| format!("offset {:+}", offset.cast_signed())),
        ];
        let _ = write!(text, "; {}", columns.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }
    if run.rows() > ROWS {
        let _ = write!(text, "; and {} more", run.rows() - ROWS);
    }
    text
}
