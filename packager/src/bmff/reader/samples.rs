//! Sums over the sample tables of a track (ISO/IEC 14496-12 8.6 and 8.7).

use super::{BoxRef, Error};

/// Sums over the sample tables of a track; all zero if its samples are in fragments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Samples {
    /// Number of samples.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sum of their durations in ticks.
    pub duration: u64,
    /// Shortest and longest duration of a sample in ticks, leaving out the last one, which is often odd.
    pub shortest: u32,
    /// See `shortest`.
    pub longest: u32,
    /// Number of sync samples; `None` if all are.
    pub sync: Option<u64>,
    /// Longest time from one sync sample to the next or to the end, in ticks; `None` if all are.
    pub sync_interval: Option<u64>,
    /// Where the last chunk begins in the file.
    pub last_chunk: Option<u64>,
    /// True if presentation order differs from decode order (`ctts`).
    pub reordered: bool,
}

/// The entries of a table whose box is a FullBox with a count; none if the box is not there.
fn table<'a, const N: usize>(stbl: &BoxRef<'a>, kind: [u8; 4]) -> Result<Option<&'a [[u8; N]]>, Error> {
    stbl.find(kind)?
        .map(|found| {
            let mut fields = found.fields();
            fields.version()?;
            let count = fields.u32()?;
            fields.table(count)
        })
        .transpose()
}

/// Sums over the tables of an `stbl`.
pub(super) fn samples(stbl: &BoxRef<'_>) -> Result<Samples, Error> {
    let mut sum = Samples { shortest: u32::MAX, ..Samples::default() };
    let runs = table::<8>(stbl, *b"stts")?.unwrap_or_default();
    for &[a, b, c, d, e, f, g, h] in runs {
        let (count, duration) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        sum.count += u64::from(count);
        sum.duration = sum.duration.saturating_add(u64::from(count) * u64::from(duration));
    }
    for (at, &[a, b, c, d, e, f, g, h]) in runs.iter().enumerate() {
        let (count, duration) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
        let only_last = at > 0 && at + 1 == runs.len() && count == 1;
        if !only_last && count > 0 {
            sum.shortest = sum.shortest.min(duration);
            sum.longest = sum.longest.max(duration);
        }
    }
    sum.shortest = sum.shortest.min(sum.longest);
    sum.reordered = table::<8>(stbl, *b"ctts")?
        .is_some_and(|offsets| offsets.windows(2).any(|pair| pair[0][4..] != pair[1][4..]));
    let near =
        table::<4>(stbl, *b"stco")?.unwrap_or_default().iter().map(|at| u64::from(u32::from_be_bytes(*at)));
    let far = table::<8>(stbl, *b"co64")?.unwrap_or_default().iter().map(|at| u64::from_be_bytes(*at));
    sum.last_chunk = near.chain(far).max();
    if let Some(numbers) = table::<4>(stbl, *b"stss")? {
        sum.sync = Some(numbers.len() as u64);
        sum.sync_interval = Some(longest_interval(runs, numbers, sum.duration));
    }
    if let Some(stsz) = stbl.find(*b"stsz")? {
        let mut fields = stsz.fields();
        fields.skip(4)?;
        let (size, count) = (fields.u32()?, fields.u32()?);
        sum.bytes = match size {
            0 => fields.table::<4>(count)?.iter().map(|size| u64::from(u32::from_be_bytes(*size))).sum(),
            size => u64::from(size) * u64::from(count),
        };
    }
    Ok(sum)
}

/// The longest time between sync samples, given the runs of `stts` and the sample numbers of `stss`.
fn longest_interval(runs: &[[u8; 8]], numbers: &[[u8; 4]], total: u64) -> u64 {
    let mut runs = runs.iter();
    // The samples up to number `first` take `time`; `left` more have `duration` each.
    let (mut first, mut time, mut left, mut duration) = (1_u64, 0_u64, 0_u64, 0_u64);
    let mut longest = 0;
    let mut previous = None;
    for &number in numbers {
        let number = u64::from(u32::from_be_bytes(number));
        while first < number {
            if left == 0 {
                let Some(&[a, b, c, d, e, f, g, h]) = runs.next() else { break };
                left = u64::from(u32::from_be_bytes([a, b, c, d]));
                duration = u64::from(u32::from_be_bytes([e, f, g, h]));
            }
            let step = left.min(number - first);
            (first, left) = (first + step, left - step);
            time = time.saturating_add(step * duration);
        }
        longest = longest.max(time - previous.unwrap_or(time));
        previous = Some(time);
    }
    longest.max(total.saturating_sub(time))
}
