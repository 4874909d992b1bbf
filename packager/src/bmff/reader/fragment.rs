//! Movie fragments: what a `moof` and a `prft` say.

use super::{BoxRef, Error};

/// What `trex` says for samples whose fragment is silent (ISO/IEC 14496-12 8.8.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Ticks.
    pub duration: u32,
    /// Bytes.
    pub size: u32,
    /// Sample flags.
    pub flags: u32,
}

/// A `moof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovieFragment {
    /// `mfhd.sequence_number`.
    pub sequence: u32,
    /// One for each `traf`.
    pub tracks: Vec<FragmentRun>,
}

/// The samples of one track in a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentRun {
    /// Track ID.
    pub track: u32,
    /// `tfdt`, if there is one.
    pub start: Option<u64>,
    /// Number of samples.
    pub samples: u64,
    /// Sum of their durations.
    pub duration: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// How many of them are sync samples.
    pub sync: u64,
    /// True if the first one is.
    pub starts_with_sync: bool,
}

impl MovieFragment {
    /// Reads a `moof`; `defaults` gives what the init segment says for a track ID.
    ///
    /// # Errors
    /// If it is damaged or lacks a box.
    pub fn read(moof: &BoxRef<'_>, defaults: impl Fn(u32) -> Defaults) -> Result<Self, Error> {
        let mut fields = moof.get(*b"mfhd")?.fields();
        fields.version()?;
        let sequence = fields.u32()?;
        let mut tracks = Vec::new();
        for child in moof.children() {
            let child = child?;
            if &child.kind.0 == b"traf" {
                tracks.push(track_fragment(&child, &defaults)?);
            }
        }
        Ok(Self { sequence, tracks })
    }
}

fn track_fragment(traf: &BoxRef<'_>, defaults: impl Fn(u32) -> Defaults) -> Result<FragmentRun, Error> {
    let mut fields = traf.get(*b"tfhd")?.fields();
    let (_, flags) = fields.version()?;
    let track = fields.u32()?;
    let mut defaults = defaults(track);
    for (flag, width) in [(0x01, 8), (0x02, 4)] {
        fields.skip(if flags & flag != 0 { width } else { 0 })?;
    }
    for (flag, value) in
        [(0x08, &mut defaults.duration), (0x10, &mut defaults.size), (0x20, &mut defaults.flags)]
    {
        if flags & flag != 0 {
            *value = fields.u32()?;
        }
    }
    let start = traf.find(*b"tfdt")?.map(|tfdt| {
        let mut fields = tfdt.fields();
        let (version, _) = fields.version()?;
        fields.time(version == 1)
    });
    let start = start.transpose()?;
    let mut sum =
        FragmentRun { track, start, samples: 0, duration: 0, bytes: 0, sync: 0, starts_with_sync: false };
    for child in traf.children() {
        let child = child?;
        if &child.kind.0 == b"trun" {
            add_run(&mut sum, &Run::read(&child)?, defaults);
        }
    }
    Ok(sum)
}

fn add_run(sum: &mut FragmentRun, run: &Run<'_>, defaults: Defaults) {
    const NOT_SYNC: u32 = 1 << 16;
    let count = u64::from(run.count);
    let first_flags = run.first_flags.or(run.flags(0)).unwrap_or(defaults.flags);
    if sum.samples == 0 && count > 0 {
        sum.starts_with_sync = first_flags & NOT_SYNC == 0;
    }
    // Without a column the value is the same for all: no loop over a count that nothing backs.
    let column = |values: Option<u64>, default: u32| values.unwrap_or(count * u64::from(default));
    sum.samples += count;
    sum.duration = sum.duration.saturating_add(column(run.sum(Run::DURATION), defaults.duration));
    sum.bytes = sum.bytes.saturating_add(column(run.sum(Run::SIZE), defaults.size));
    let others = match run.has(Run::FLAGS) {
        true => (1..run.count).filter(|&at| run.flags(at).is_some_and(|flags| flags & NOT_SYNC == 0)).count()
            as u64,
        false if defaults.flags & NOT_SYNC == 0 => count.saturating_sub(1),
        false => 0,
    };
    sum.sync += others + u64::from(count > 0 && first_flags & NOT_SYNC == 0);
}

/// A `trun`, whose rows have the columns that its flags name.
pub(super) struct Run<'a> {
    pub(super) version: u8,
    pub(super) flags: u32,
    pub(super) count: u32,
    pub(super) data_offset: Option<u32>,
    pub(super) first_flags: Option<u32>,
    rows: &'a [u8],
}

impl<'a> Run<'a> {
    pub(super) const DURATION: u32 = 0x100;
    pub(super) const SIZE: u32 = 0x200;
    pub(super) const FLAGS: u32 = 0x400;
    pub(super) const OFFSET: u32 = 0x800;

    pub(super) fn read(trun: &BoxRef<'a>) -> Result<Self, Error> {
        let mut fields = trun.fields();
        let (version, flags) = fields.version()?;
        let count = fields.u32()?;
        let mut optional = |flag| if flags & flag != 0 { fields.u32().map(Some) } else { Ok(None) };
        let (data_offset, first_flags) = (optional(0x01)?, optional(0x04)?);
        let run = Self { version, flags, count, data_offset, first_flags, rows: fields.rest() };
        let room = run.rows.len().checked_div(run.row_length()).map_or(u64::MAX, |room| room as u64);
        if u64::from(count) > room {
            return Err(Error::Table {
                kind: trun.kind,
                offset: trun.offset,
                entries: u64::from(count),
                room,
            });
        }
        Ok(run)
    }

    pub(super) fn has(&self, column: u32) -> bool {
        self.flags & column != 0
    }

    /// How many rows there are: none if all columns are left to defaults.
    pub(super) fn rows(&self) -> u32 {
        if self.row_length() == 0 { 0 } else { self.count }
    }

    /// A value; `None` if the column or the row is not there.
    pub(super) fn value(&self, row: u32, column: u32) -> Option<u32> {
        if !self.has(column) || row >= self.count {
            return None;
        }
        let in_front = [Self::DURATION, Self::SIZE, Self::FLAGS]
            .iter()
            .filter(|&&other| other < column && self.has(other));
        let at = row as usize * self.row_length() + 4 * in_front.count();
        self.rows.get(at..)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    fn flags(&self, row: u32) -> Option<u32> {
        self.value(row, Self::FLAGS)
    }

    fn sum(&self, column: u32) -> Option<u64> {
        self.has(column)
            .then(|| (0..self.count).filter_map(|row| self.value(row, column)).map(u64::from).sum())
    }

    fn row_length(&self) -> usize {
        4 * (self.flags & (Self::DURATION | Self::SIZE | Self::FLAGS | Self::OFFSET)).count_ones() as usize
    }
}

/// Verifies that the rows of a `trun` fit into it. Rows without columns take no room, and there could be billions of
/// them, over which a reader loops: so many as nobody puts into a fragment are refused.
pub(super) fn check_run(trun: &BoxRef<'_>) -> Result<(), Error> {
    const MOST: u32 = 1 << 20;
    let run = Run::read(trun)?;
    if run.count > MOST {
        let (entries, room) = (u64::from(run.count), u64::from(MOST));
        return Err(Error::Table { kind: trun.kind, offset: trun.offset, entries, room });
    }
    Ok(())
}

/// A `prft`: which instant a media time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReferenceTime {
    /// Track ID.
    pub track: u32,
    /// Microseconds since the Unix epoch, if the NTP timestamp is of the era that began in 1900.
    pub unix_micros: i64,
    /// Presentation time in ticks of the track.
    pub media_time: u64,
    /// What happened then (8.16.5): 0 the encoder took it in, 24 it was captured.
    pub flags: u32,
}

impl ReferenceTime {
    /// Reads a `prft`.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn read(prft: &BoxRef<'_>) -> Result<Self, Error> {
        const UNIX_EPOCH: i64 = 2_208_988_800;
        let mut fields = prft.fields();
        let (version, flags) = fields.version()?;
        let (track, seconds, fraction) = (fields.u32()?, fields.u32()?, fields.u32()?);
        // Half a fraction's step makes up for what writing rounded down.
        let micros = ((u64::from(fraction) * 1_000_000 + (1 << 31)) >> 32) as i64;
        let unix_micros = (i64::from(seconds) - UNIX_EPOCH) * 1_000_000 + micros;
        Ok(Self { track, unix_micros, media_time: fields.time(version == 1)?, flags })
    }

    /// What happened at that instant, in words.
    pub fn event(&self) -> &'static str {
        match self.flags {
            0 => "taken in by the encoder",
            1 => "given out by the encoder",
            2 => "fragment finished",
            4 => "fragment written",
            8 => "arbitrary but consistent",
            24 => "captured",
            _ => "of unknown meaning",
        }
    }
}
