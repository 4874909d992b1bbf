//! A check of everything that readers trust: run it before a reader that allocates what length fields say.

use super::{BoxRef, Boxes, Error};

/// Verifies, for all boxes in `data` (a whole `moov`, or several boxes), that sizes nest, that fixed fields are there,
/// that every table fits into its box, and that no timescale is zero and no `stsc` runs backwards.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_tables(data: &[u8]) -> Result<(), Error> {
    check_tables_at(data, 0)
}

/// Like [`check_tables`], for `data` whose first byte is byte `offset` of its file.
///
/// # Errors
/// The first thing that is wrong.
pub fn check_tables_at(data: &[u8], offset: u64) -> Result<(), Error> {
    check(Boxes::new(data, offset))
}

fn check(mut boxes: Boxes<'_>) -> Result<(), Error> {
    boxes.try_for_each(|found| {
        let found = found?;
        check_length(&found)?;
        check_table(&found)?;
        // A reader that does not know QuickTime's terminator takes it for a box of size 0, and never gets past it.
        check(found.children().strict())
    })
}

/// Fixed fields that a reader takes for granted.
fn check_length(found: &BoxRef<'_>) -> Result<(), Error> {
    let wide = found.contents.first() == Some(&1);
    let least = match &found.kind.0 {
        b"mvhd" => {
            if wide {
                112
            } else {
                100
            }
        }
        b"tkhd" => {
            if wide {
                96
            } else {
                84
            }
        }
        b"mdhd" => {
            if wide {
                36
            } else {
                24
            }
        }
        b"trex" => 24,
        b"hdlr" => 24,
        b"vmhd" => 12,
        b"smhd" | b"stsd" | b"dref" | b"data" | b"ftyp" | b"styp" => 8,
        b"meta" | b"esds" | b"url " => 4,
        _ => found.preamble().unwrap_or(0),
    };
    if found.contents.len() < least {
        let least = found.header + least as u64;
        return Err(Error::TooSmall { kind: found.kind, offset: found.offset, size: found.size(), least });
    }
    Ok(())
}

fn check_table(found: &BoxRef<'_>) -> Result<(), Error> {
    let fields = &mut found.fields();
    let value = |what| Error::Value { kind: found.kind, offset: found.offset, what };
    match &found.kind.0 {
        b"mvhd" | b"mdhd" => {
            let (version, _) = fields.version()?;
            fields.skip(if version == 1 { 16 } else { 8 })?;
            if fields.u32()? == 0 {
                return Err(value("a timescale of 0 ticks per second"));
            }
        }
        b"stts" | b"ctts" => entries::<8>(found)?,
        b"stco" | b"stss" => entries::<4>(found)?,
        b"co64" => entries::<8>(found)?,
        b"stsc" => check_chunks(found)?,
        b"stsz" => {
            fields.skip(4)?;
            let (size, count) = (fields.u32()?, fields.u32()?);
            if size == 0 {
                fields.table::<4>(count)?;
            }
        }
        b"stz2" => {
            fields.skip(7)?;
            let (bits, count) = (fields.u8()?, fields.u32()?);
            fields.skip((u64::from(bits) * u64::from(count)).div_ceil(8) as usize)?;
        }
        b"elst" => match fields.version()? {
            (1, _) => entries::<20>(found)?,
            _ => entries::<12>(found)?,
        },
        b"trun" => super::fragment::check_run(found)?,
        _ => {}
    }
    Ok(())
}

/// A FullBox whose contents are a count and so many entries of `N` bytes.
fn entries<const N: usize>(found: &BoxRef<'_>) -> Result<(), Error> {
    let mut fields = found.fields();
    fields.version()?;
    let count = fields.u32()?;
    fields.table::<N>(count).map(drop)
}

/// Chunk numbers in `stsc` count from one and grow, and no chunk is empty (ISO/IEC 14496-12 8.7.4).
fn check_chunks(found: &BoxRef<'_>) -> Result<(), Error> {
    let mut fields = found.fields();
    fields.version()?;
    let count = fields.u32()?;
    let mut previous = 0;
    for entry in fields.table::<12>(count)? {
        let [a, b, c, d, samples @ .., _, _, _, _] = *entry;
        let first = u32::from_be_bytes([a, b, c, d]);
        let value = |what| Error::Value { kind: found.kind, offset: found.offset, what };
        if first <= previous || previous == 0 && first != 1 {
            return Err(value("chunk numbers that do not grow from 1"));
        }
        if samples == [0; 4] {
            return Err(value("chunks of 0 samples"));
        }
        previous = first;
    }
    Ok(())
}
