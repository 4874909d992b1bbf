//! Init segments (`moov`).

use super::{
    Defaults, Error, Init, Kind, Pictures,
    fields::{Fields, boxes, find, require},
};

/// Reads an init segment.
pub(in crate::check) fn init(data: &[u8]) -> Result<Init, Error> {
    let known = [*b"ftyp", *b"styp", *b"moov", *b"free", *b"sidx"];
    if !data.get(4..8).is_some_and(|kind| known.iter().any(|each| each == kind)) {
        return Err(Error::Foreign(data.iter().take(8).copied().collect()));
    }
    let moov = require(data, b"moov", "the init segment", "moov")?;
    let tracks = boxes(moov)?.into_iter().filter(|each| each.kind == *b"trak");
    let tracks = tracks.map(|each| track(each.body)).collect::<Result<Vec<_>, _>>()?;
    let video = tracks.iter().find(|track| track.kind == Kind::Video);
    let chosen = video.or(tracks.first()).ok_or(Error::Missing { within: "moov", kind: "trak" })?;
    let defaults = match find(moov, b"mvex")? {
        Some(mvex) => defaults(mvex.body, chosen.track)?,
        None => Defaults::default(),
    };
    Ok(Init { defaults, ..*chosen })
}

fn track(trak: &[u8]) -> Result<Init, Error> {
    let mdia = require(trak, b"mdia", "trak", "mdia")?;
    let kind = match require(mdia, b"hdlr", "mdia", "hdlr")?.get(8..12) {
        Some(b"vide") => Kind::Video,
        Some(b"soun") => Kind::Audio,
        _ => Kind::Other,
    };
    let minf = require(mdia, b"minf", "mdia", "minf")?;
    let stbl = require(minf, b"stbl", "minf", "stbl")?;
    Ok(Init {
        track: track_id(require(trak, b"tkhd", "trak", "tkhd")?)?,
        kind,
        timescale: timescale(require(mdia, b"mdhd", "mdia", "mdhd")?)?,
        pictures: if kind == Kind::Video { pictures(require(stbl, b"stsd", "stbl", "stsd")?)? } else { None },
        edit_start: edit_start(trak)?,
        defaults: Defaults::default(),
    })
}

fn track_id(tkhd: &[u8]) -> Result<u32, Error> {
    let mut fields = Fields::new(tkhd, "tkhd");
    let (version, _) = fields.version()?;
    fields.bytes(if version == 0 { 8 } else { 16 })?;
    fields.u32()
}

fn timescale(mdhd: &[u8]) -> Result<u32, Error> {
    let mut fields = Fields::new(mdhd, "mdhd");
    let (version, _) = fields.version()?;
    fields.bytes(if version == 0 { 8 } else { 16 })?;
    fields.u32().map(|hz| hz.max(1))
}

/// Media time of the first edit that presents something.
fn edit_start(trak: &[u8]) -> Result<i64, Error> {
    let Some(edts) = find(trak, b"edts")? else { return Ok(0) };
    let Some(elst) = find(edts.body, b"elst")? else { return Ok(0) };
    let mut fields = Fields::new(elst.body, "elst");
    let (version, _) = fields.version()?;
    for _ in 0..fields.u32()? {
        fields.time(version)?;
        let start = match version {
            0 => i64::from(fields.u32()?.cast_signed()),
            _ => fields.u64()?.cast_signed(),
        };
        fields.u32()?;
        if start >= 0 {
            return Ok(start);
        }
    }
    Ok(0)
}

/// The decoder configuration of the first sample entry, clear or encrypted, says how NAL units are laid out.
fn pictures(stsd: &[u8]) -> Result<Option<Pictures>, Error> {
    const VISUAL_SAMPLE_ENTRY: usize = 78;
    let mut fields = Fields::new(stsd, "stsd");
    fields.bytes(8)?;
    let entries = boxes(fields.rest())?;
    let Some(entry) = entries.first() else { return Ok(None) };
    let Some(inner) = entry.body.get(VISUAL_SAMPLE_ENTRY..) else { return Ok(None) };
    for each in boxes(inner)? {
        // lengthSizeMinusOne (ISO/IEC 14496-15 5.3.3.1.2 and 8.3.3.1.2).
        let size = |at: usize| each.body.get(at).map_or(4, |byte| (byte & 3) + 1);
        match &each.kind {
            b"avcC" => return Ok(Some(Pictures::Avc(size(4)))),
            b"hvcC" => return Ok(Some(Pictures::Hevc(size(21)))),
            _ => {}
        }
    }
    Ok(None)
}

fn defaults(mvex: &[u8], track: u32) -> Result<Defaults, Error> {
    for each in boxes(mvex)?.into_iter().filter(|each| each.kind == *b"trex") {
        let mut fields = Fields::new(each.body, "trex");
        fields.version()?;
        let (id, _) = (fields.u32()?, fields.u32()?);
        let defaults = Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? };
        if id == track {
            return Ok(defaults);
        }
    }
    Ok(Defaults::default())
}
