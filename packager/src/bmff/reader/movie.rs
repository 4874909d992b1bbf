//! A `moov`: tracks, and sums over their sample tables.

use super::{
    BoxRef, Defaults, Error, FourCc, sample_entry,
    samples::{Samples, samples},
};
use crate::{bmff::language, codec::CodecConfig, track::Colour};

/// A `moov`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movie {
    /// Ticks per second of its own times.
    pub timescale: u32,
    /// Duration in those, 0 if it is that of the fragments.
    pub duration: u64,
    /// True if samples come in fragments (`mvex`).
    pub fragmented: bool,
    /// Its tracks.
    pub tracks: Vec<MovieTrack>,
}

/// A `trak`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovieTrack {
    /// Track ID.
    pub id: u32,
    /// Clockwise rotation for display by the `tkhd` matrix: 0, 90, 180 or 270 degrees; `None` for another transform.
    pub rotation: Option<u16>,
    /// `vide`, `soun`, ...
    pub handler: FourCc,
    /// Ticks per second.
    pub timescale: u32,
    /// `mdhd` duration in ticks.
    pub duration: u64,
    /// ISO 639-2/T code.
    pub language: String,
    /// Type of its (first) sample entry, `avc1` and the like.
    pub entry: FourCc,
    /// Codec configuration, if it is a codec that we carry.
    pub codec: Option<CodecConfig>,
    /// Width and height of the sample entry, for video.
    pub size: Option<(u16, u16)>,
    /// Channels and samples per second of the sample entry, for audio.
    pub sound: Option<(u16, u32)>,
    /// `pasp`.
    pub sample_aspect: Option<(u32, u32)>,
    /// `colr` of type `nclx`.
    pub colour: Option<Colour>,
    /// Average bits per second by `btrt`.
    pub bitrate: Option<u32>,
    /// Edit list.
    pub edits: Vec<Edit>,
    /// Sums over the sample tables.
    pub samples: Samples,
    /// What fragments leave out.
    pub defaults: Defaults,
}

/// An entry of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Duration in ticks of the movie.
    pub duration: u64,
    /// Media time at which it starts, in ticks of the track; -1 for nothing.
    pub media_time: i64,
}

impl Movie {
    /// Reads a `moov`.
    ///
    /// # Errors
    /// If it is damaged or lacks a box.
    pub fn read(moov: &BoxRef<'_>) -> Result<Self, Error> {
        let (timescale, duration) = header_times(&moov.get(*b"mvhd")?)?;
        let mvex = moov.find(*b"mvex")?;
        let mut tracks = Vec::new();
        for child in moov.children() {
            let child = child?;
            if &child.kind.0 == b"trak" {
                tracks.push(track(&child)?);
            }
        }
        for child in mvex.iter().flat_map(BoxRef::children) {
            let child = child?;
            if &child.kind.0 == b"trex" {
                let (id, defaults) = track_extends(&child)?;
                tracks.iter_mut().filter(|track| track.id == id).for_each(|track| track.defaults = defaults);
            }
        }
        Ok(Self { timescale, duration, fragmented: mvex.is_some(), tracks })
    }

    /// What fragments of the track `id` leave out.
    pub fn defaults(&self, id: u32) -> Defaults {
        self.tracks.iter().find(|track| track.id == id).map_or(Defaults::default(), |track| track.defaults)
    }
}

impl MovieTrack {
    /// Its language as an RFC 5646 tag, `en` for `eng`.
    pub fn language_tag(&self) -> &str {
        language::tag(&self.language)
    }
}

/// Timescale and duration of an `mvhd` or `mdhd`.
fn header_times(header: &BoxRef<'_>) -> Result<(u32, u64), Error> {
    let mut fields = header.fields();
    let (version, _) = fields.version()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?;
    let duration = fields.time(version == 1)?;
    if timescale == 0 {
        let what = "a timescale of 0 ticks per second";
        return Err(Error::Value { kind: header.kind, offset: header.offset, what });
    }
    // All ones mean that it is not known (8.2.2.3).
    let unknown = duration == u64::MAX || version == 0 && duration == u64::from(u32::MAX);
    Ok((timescale, if unknown { 0 } else { duration }))
}

fn track_extends(trex: &BoxRef<'_>) -> Result<(u32, Defaults), Error> {
    let mut fields = trex.fields();
    fields.version()?;
    let id = fields.u32()?;
    fields.skip(4)?;
    Ok((id, Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? }))
}

fn track(trak: &BoxRef<'_>) -> Result<MovieTrack, Error> {
    let mdia = trak.get(*b"mdia")?;
    let mdhd = mdia.get(*b"mdhd")?;
    let (timescale, duration) = header_times(&mdhd)?;
    let stbl = mdia.get(*b"minf")?.get(*b"stbl")?;
    let (id, rotation) = track_header(&trak.get(*b"tkhd")?)?;
    let mut track = MovieTrack {
        id,
        rotation,
        handler: handler(&mdia.get(*b"hdlr")?)?,
        timescale,
        duration,
        language: media_language(&mdhd)?,
        entry: FourCc::default(),
        codec: None,
        size: None,
        sound: None,
        sample_aspect: None,
        colour: None,
        bitrate: None,
        edits: edits(trak)?,
        samples: samples(&stbl)?,
        defaults: Defaults::default(),
    };
    if let Some(entry) = stbl.get(*b"stsd")?.children().next().transpose()? {
        describe_entry(&mut track, &entry)?;
    }
    Ok(track)
}

/// Track ID and rotation.
fn track_header(tkhd: &BoxRef<'_>) -> Result<(u32, Option<u16>), Error> {
    let mut fields = tkhd.fields();
    let (version, _) = fields.version()?;
    let wide = version == 1;
    fields.skip(if wide { 16 } else { 8 })?;
    let id = fields.u32()?;
    fields.skip(if wide { 12 } else { 8 } + 16)?;
    let mut matrix = [0; 5];
    for value in &mut matrix {
        *value = fields.signed_time(false)? >> 16;
    }
    // The upper left of {a, b, u, c, d, v, x, y, w} in 16.16 fixed point (8.3.2.3).
    let rotation = match matrix {
        [1, 0, _, 0, 1] => Some(0),
        [0, 1, _, -1, 0] => Some(90),
        [-1, 0, _, 0, -1] => Some(180),
        [0, -1, _, 1, 0] => Some(270),
        _ => None,
    };
    Ok((id, rotation))
}

fn handler(hdlr: &BoxRef<'_>) -> Result<FourCc, Error> {
    let mut fields = hdlr.fields();
    fields.skip(8)?;
    fields.four_cc()
}

fn media_language(mdhd: &BoxRef<'_>) -> Result<String, Error> {
    let mut fields = mdhd.fields();
    let (version, _) = fields.version()?;
    fields.skip(if version == 1 { 28 } else { 16 })?;
    Ok(language::unpacked(fields.u16()?))
}

fn edits(trak: &BoxRef<'_>) -> Result<Vec<Edit>, Error> {
    let elst = trak.find(*b"edts")?.map_or(Ok(None), |edts| edts.find(*b"elst"))?;
    elst.map_or(Ok(Vec::new()), |elst| edit_list(&elst))
}

/// The entries of an `elst`.
pub(super) fn edit_list(elst: &BoxRef<'_>) -> Result<Vec<Edit>, Error> {
    let mut fields = elst.fields();
    let (version, _) = fields.version()?;
    let wide = version == 1;
    let count = fields.u32()?;
    // Reading stops at the box's end, so the count cannot make this long.
    (0..count)
        .map(|_| {
            let edit = Edit { duration: fields.time(wide)?, media_time: fields.signed_time(wide)? };
            fields.skip(4)?;
            Ok(edit)
        })
        .collect()
}

fn describe_entry(track: &mut MovieTrack, entry: &BoxRef<'_>) -> Result<(), Error> {
    track.entry = entry.kind;
    track.codec = sample_entry::codec(entry)?;
    let mut fields = entry.fields();
    match &track.handler.0 {
        b"vide" => {
            fields.skip(24)?;
            track.size = Some((fields.u16()?, fields.u16()?));
        }
        b"soun" => {
            fields.skip(16)?;
            let channels = fields.u16()?;
            fields.skip(6)?;
            track.sound = Some((channels, fields.u32()? >> 16));
        }
        _ => {}
    }
    if let Some(pasp) = entry.find(*b"pasp")? {
        let mut fields = pasp.fields();
        track.sample_aspect = Some((fields.u32()?, fields.u32()?));
    }
    if let Some(colr) = entry.find(*b"colr")? {
        track.colour = colour(&colr)?;
    }
    if let Some(btrt) = entry.find(*b"btrt")? {
        let mut fields = btrt.fields();
        fields.skip(8)?;
        track.bitrate = Some(fields.u32()?);
    }
    Ok(())
}

/// The code points of a `colr`, unless it has an ICC profile. QuickTime's `nclc` has no range flag.
pub(super) fn colour(colr: &BoxRef<'_>) -> Result<Option<Colour>, Error> {
    let mut fields = colr.fields();
    let kind = fields.four_cc()?;
    if &kind.0 != b"nclx" && &kind.0 != b"nclc" {
        return Ok(None);
    }
    let (primaries, transfer, matrix) = (fields.u16()?, fields.u16()?, fields.u16()?);
    let full_range = &kind.0 == b"nclx" && fields.u8()? & 0x80 != 0;
    Ok(Some(Colour { primaries, transfer, matrix, full_range }))
}
