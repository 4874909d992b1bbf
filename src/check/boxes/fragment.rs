//! Segments and parts: `prft`, `moof` with `mdat`.

use super::{
    Chunk, Defaults, Error, Init, Reference,
    fields::{Box, Fields, boxes},
    nal,
};

/// All movie fragments of the init segment's track in a segment or part.
pub(in crate::check) fn chunks(data: &[u8], init: &Init) -> Result<Vec<Chunk>, Error> {
    let mut list = Vec::new();
    let (mut reference, mut open) = (None, None);
    for each in boxes(data)? {
        match &each.kind {
            b"prft" => reference = producer_reference(each.body, init.track)?,
            b"moof" => open = movie_fragment(data, &each, init)?,
            b"mdat" => {
                let chunk =
                    open.take().map(|chunk| Chunk { reference: reference.take(), end: each.end, ..chunk });
                list.extend(chunk);
            }
            _ => {}
        }
    }
    match open {
        Some(_) => Err(Error::Missing { within: "the fragment", kind: "mdat" }),
        None => Ok(list),
    }
}

/// ISO/IEC 14496-12 8.16.5.
fn producer_reference(body: &[u8], track: u32) -> Result<Option<Reference>, Error> {
    const UNIX_EPOCH: i128 = 2_208_988_800;
    let mut fields = Fields::new(body, "prft");
    let (version, _) = fields.version()?;
    let of = fields.u32()?;
    let ntp = i128::from(fields.u64()?);
    let media_time = fields.time(version)?;
    let nanos = ((ntp >> 32) - UNIX_EPOCH) * 1_000_000_000 + (((ntp & 0xffff_ffff) * 1_000_000_000) >> 32);
    let wall_clock = i64::try_from(nanos).unwrap_or(i64::MAX);
    Ok((of == track).then_some(Reference { wall_clock, media_time }))
}

/// What samples of a fragment are unless their run says otherwise, and where their data is counted from.
struct Header {
    defaults: Defaults,
    base: usize,
}

fn movie_fragment(data: &[u8], moof: &Box<'_>, init: &Init) -> Result<Option<Chunk>, Error> {
    for traf in boxes(moof.body)?.into_iter().filter(|each| each.kind == *b"traf") {
        let inner = boxes(traf.body)?;
        let one = |kind: &[u8; 4]| inner.iter().find(|each| each.kind == *kind).map(|each| each.body);
        let tfhd = one(b"tfhd").ok_or(Error::Missing { within: "traf", kind: "tfhd" })?;
        let Some(header) = header(tfhd, moof.start, init)? else { continue };
        let tfdt = one(b"tfdt").ok_or(Error::Missing { within: "traf", kind: "tfdt" })?;
        let mut fields = Fields::new(tfdt, "tfdt");
        let (version, _) = fields.version()?;
        let start = fields.time(version)?;
        let mut samples = Samples { at: start, earliest: None, first: None };
        for trun in inner.iter().filter(|each| each.kind == *b"trun") {
            run(trun.body, &header, &mut samples)?;
        }
        return Ok(samples.first.as_ref().map(|first| chunk(data, start, &samples, first, init)));
    }
    Ok(None)
}

fn chunk(data: &[u8], start: i64, samples: &Samples, first: &First, init: &Init) -> Chunk {
    const NOT_SYNC: u32 = 0x1_0000;
    let sample = first.at.checked_add(first.size).and_then(|end| data.get(first.at..end));
    Chunk {
        start,
        duration: samples.at - start,
        earliest: samples.earliest.unwrap_or(start),
        sync: first.flags & NOT_SYNC == 0,
        idr: init.pictures.and_then(|pictures| nal::begins_with_idr(sample?, pictures)),
        reference: None,
        end: 0,
    }
}

/// `None` for another track's fragment.
fn header(tfhd: &[u8], moof: usize, init: &Init) -> Result<Option<Header>, Error> {
    const BASE_DATA_OFFSET: u32 = 0x01;
    const DESCRIPTION: u32 = 0x02;
    let mut fields = Fields::new(tfhd, "tfhd");
    let (_, flags) = fields.version()?;
    if fields.u32()? != init.track {
        return Ok(None);
    }
    let base = match flags & BASE_DATA_OFFSET {
        0 => moof,
        _ => usize::try_from(fields.u64()?).unwrap_or(usize::MAX),
    };
    if flags & DESCRIPTION != 0 {
        fields.u32()?;
    }
    let mut defaults = init.defaults;
    for (flag, value) in
        [(0x08, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)]
    {
        if flags & flag != 0 {
            *value = fields.u32()?;
        }
    }
    Ok(Some(Header { defaults, base }))
}

/// What was gathered over the runs of a fragment.
struct Samples {
    /// Decode time of the next sample.
    at: i64,
    earliest: Option<i64>,
    first: Option<First>,
}

/// The first sample: where its data is, and its flags.
struct First {
    at: usize,
    size: usize,
    flags: u32,
}

fn run(trun: &[u8], header: &Header, samples: &mut Samples) -> Result<(), Error> {
    let mut fields = Fields::new(trun, "trun");
    let (_, flags) = fields.version()?;
    let count = fields.u32()?;
    let offset = if flags & 0x01 != 0 { fields.u32()?.cast_signed() } else { 0 };
    let mut first_flags = if flags & 0x04 != 0 { Some(fields.u32()?) } else { None };
    for _ in 0..count {
        let mut value = |flag: u32, default: u32| if flags & flag != 0 { fields.u32() } else { Ok(default) };
        let duration = value(0x100, header.defaults.duration)?;
        let size = value(0x200, header.defaults.size)?;
        let own_flags = value(0x400, header.defaults.flags)?;
        // In version 0 it has no sign, but nobody writes offsets of 2^31 ticks: both are read alike.
        let composition = value(0x800, 0)?.cast_signed();
        let presented = samples.at.saturating_add(i64::from(composition));
        samples.earliest = Some(samples.earliest.map_or(presented, |earliest| earliest.min(presented)));
        samples.first.get_or_insert(First {
            at: header.base.saturating_add_signed(offset as isize),
            size: size as usize,
            flags: first_flags.take().unwrap_or(own_flags),
        });
        samples.at = samples.at.saturating_add(i64::from(duration));
        // A count that is a lie costs no more than the box is long, unless nothing is said of each sample.
        if flags & 0xf00 == 0 && count > 1_000_000 {
            return Err(Error::Short("trun"));
        }
    }
    Ok(())
}
