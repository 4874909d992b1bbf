//! The sample tables of a track (ISO/IEC 14496-12 8.6 and 8.7), read where they lie, one sample after the other.

use bytes::Bytes;
use headwater_packager::{
    bmff::reader::{BoxRef, Error},
    time::Ticks,
};

/// No frame is larger: what says so would only fill the memory.
const LARGEST_SAMPLE: u32 = 64 << 20;

/// A sample by its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::package) struct Entry {
    /// Where its data begins in the file.
    pub(in crate::package) offset: u64,
    /// Bytes.
    pub(in crate::package) size: u32,
    /// Sum of the durations before it.
    pub(in crate::package) dts: Ticks,
    /// Ticks.
    pub(in crate::package) duration: u32,
    /// Composition minus decode time.
    pub(in crate::package) cts: i32,
    /// Whether decoding can begin here.
    pub(in crate::package) sync: bool,
}

/// Entries of `N` bytes.
#[derive(Clone, Debug)]
struct Table<const N: usize>(Bytes);

impl<const N: usize> Table<N> {
    /// The entries of a FullBox that are counted first, `skip` bytes behind its flags.
    fn read(found: &BoxRef<'_>, moov: &Bytes, skip: usize) -> Result<Self, Error> {
        let mut fields = found.fields();
        fields.version()?;
        fields.skip(skip)?;
        let count = fields.u32()?;
        let entries = fields.table::<N>(count)?;
        Ok(Self(moov.slice_ref(entries.as_flattened())))
    }

    fn get(&self, index: usize) -> Option<&[u8; N]> {
        self.0.as_chunks::<N>().0.get(index)
    }

    /// The big-endian number at byte `at` of an entry.
    fn u32(&self, index: usize, at: usize) -> Option<u32> {
        self.get(index)?.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }
}

/// Where the chunks begin.
#[derive(Clone, Debug)]
enum Offsets {
    Short(Table<4>),
    Long(Table<8>),
}

/// How long the samples are.
#[derive(Clone, Debug)]
enum Sizes {
    All(u32),
    Each(Table<4>),
}

/// The tables of a track. Cloning is cheap.
#[derive(Clone, Debug)]
pub(in crate::package) struct Tables {
    count: u32,
    sizes: Sizes,
    durations: Table<8>,
    compositions: Option<Table<8>>,
    /// Numbers of the sync samples; `None` if all are.
    sync: Option<Table<4>>,
    chunks: Table<12>,
    offsets: Offsets,
}

impl Tables {
    /// The tables in an `stbl` of this `moov`; `None` if there are no samples.
    pub(super) fn read(stbl: &BoxRef<'_>, moov: &Bytes) -> Result<Option<Self>, Error> {
        let sizes = stbl.get(*b"stsz")?;
        let mut fields = sizes.fields();
        fields.version()?;
        let (all, count) = (fields.u32()?, fields.u32()?);
        if count == 0 {
            return Ok(None);
        }
        let offsets = match stbl.find(*b"co64")? {
            Some(co64) => Offsets::Long(Table::read(&co64, moov, 0)?),
            None => Offsets::Short(Table::read(&stbl.get(*b"stco")?, moov, 0)?),
        };
        let optional = |kind| stbl.find(kind);
        Ok(Some(Self {
            count,
            sizes: if all == 0 { Sizes::Each(Table::read(&sizes, moov, 4)?) } else { Sizes::All(all) },
            durations: Table::read(&stbl.get(*b"stts")?, moov, 0)?,
            compositions: optional(*b"ctts")?.map(|ctts| Table::read(&ctts, moov, 0)).transpose()?,
            sync: optional(*b"stss")?.map(|stss| Table::read(&stss, moov, 0)).transpose()?,
            chunks: Table::read(&stbl.get(*b"stsc")?, moov, 0)?,
            offsets,
        }))
    }

    /// Verifies that the tables cover all samples, and that these lie in a file of `length` bytes. The error is the
    /// predicate of a sentence about the track.
    pub(super) fn check(&self, length: u64) -> Result<(), String> {
        if let Sizes::All(size) = self.sizes
            && u64::from(size) * u64::from(self.count) > length
        {
            let count = self.count;
            return Err(format!(
                "has {count} samples of {size} bytes, more than the {length} bytes of the file"
            ));
        }
        let mut seen = 0;
        for (index, entry) in (1_u32..).zip(self.cursor()) {
            let end = entry.offset.saturating_add(u64::from(entry.size));
            if end > length {
                return Err(format!(
                    "has its sample {index} at bytes {} to {end}, but the file ends at {length}: it is cut short",
                    entry.offset
                ));
            }
            if entry.size > LARGEST_SAMPLE {
                return Err(format!(
                    "has a sample of {} bytes; {LARGEST_SAMPLE} is the most that is carried",
                    entry.size
                ));
            }
            seen = index;
        }
        if seen < self.count {
            return Err(format!(
                "has {} samples by its `stsz`, but the other tables cover {seen}",
                self.count
            ));
        }
        Ok(())
    }

    /// The samples in decode order.
    pub(in crate::package) fn cursor(&self) -> Cursor {
        Cursor {
            tables: self.clone(),
            index: 0,
            dts: 0,
            durations: Runs::default(),
            compositions: Runs::default(),
            next_sync: 0,
            place: Place::default(),
        }
    }
}

/// Goes through run-length coded values.
#[derive(Clone, Copy, Debug, Default)]
struct Runs {
    index: usize,
    left: u32,
    value: u32,
}

impl Runs {
    fn next(&mut self, table: &Table<8>) -> Option<u32> {
        while self.left == 0 {
            self.left = table.u32(self.index, 0)?;
            self.value = table.u32(self.index, 4)?;
            self.index += 1;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// Where in the chunks the cursor is.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Chunks begun.
    chunk: u32,
    /// The entry of `stsc` that applies.
    run: usize,
    /// Samples left in the chunk.
    left: u32,
    offset: u64,
}

/// Goes through the samples of a track, in constant time and memory for each.
#[derive(Clone, Debug)]
pub(in crate::package) struct Cursor {
    tables: Tables,
    index: u32,
    dts: Ticks,
    durations: Runs,
    compositions: Runs,
    next_sync: usize,
    place: Place,
}

impl Cursor {
    /// Where the next sample begins, `size` bytes long.
    fn locate(&mut self, size: u32) -> Option<u64> {
        let Self { tables, place, .. } = self;
        if place.left == 0 {
            // Chunk numbers count from 1.
            let next = place.chunk + 1;
            if tables.chunks.u32(place.run + 1, 0) == Some(next) {
                place.run += 1;
            }
            place.left = tables.chunks.u32(place.run, 4).filter(|&samples| samples > 0)?;
            place.offset = match &tables.offsets {
                Offsets::Short(table) => table.u32(place.chunk as usize, 0)?.into(),
                Offsets::Long(table) => u64::from_be_bytes(*table.get(place.chunk as usize)?),
            };
            place.chunk = next;
        }
        place.left -= 1;
        let offset = place.offset;
        place.offset = offset.checked_add(u64::from(size))?;
        Some(offset)
    }

    fn is_sync(&mut self) -> bool {
        let Some(sync) = &self.tables.sync else { return true };
        // Entries grow; one that does not is passed over.
        while sync.u32(self.next_sync, 0).is_some_and(|number| number <= self.index) {
            self.next_sync += 1;
        }
        sync.u32(self.next_sync, 0) == Some(self.index + 1)
    }
}

impl Iterator for Cursor {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.index == self.tables.count {
            return None;
        }
        let size = match &self.tables.sizes {
            Sizes::All(size) => *size,
            Sizes::Each(table) => table.u32(self.index as usize, 0)?,
        };
        let offset = self.locate(size)?;
        let mut duration = self.durations.next(&self.tables.durations)?;
        if duration == 0 && self.index + 1 == self.tables.count && self.index > 0 {
            // Some writers do not know how long the last sample lasts: as long as the average one.
            duration = u32::try_from(self.dts / Ticks::from(self.index)).unwrap_or(0);
        }
        let compositions = &mut self.compositions;
        // Version 0 has no sign by the letter, but writers put negative numbers there too.
        let cts = self.tables.compositions.as_ref().and_then(|table| compositions.next(table)).unwrap_or(0);
        let sync = self.is_sync();
        let entry = Entry { offset, size, dts: self.dts, duration, cts: cts.cast_signed(), sync };
        self.dts += Ticks::from(duration);
        self.index += 1;
        Some(entry)
    }
}
