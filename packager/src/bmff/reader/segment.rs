//! A media segment as one: what it says of itself, if nothing of it is missing.

use super::{BoxRef, Boxes, Defaults, Error, FourCc, FragmentRun, MovieFragment, ReferenceTime};
use crate::{bmff::init::TRACK_ID, time::Ticks};

/// A CMAF segment of one track: `styp`, and chunks of `[prft] moof mdat` that follow each other in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaSegment {
    /// Which init segment it needs: [`init_mark`](crate::bmff::init_mark) of that.
    pub mark: u32,
    /// `mfhd.sequence_number` of its first chunk. Those of the others follow it.
    pub sequence: u32,
    /// Decode time of its first sample, which is a sync sample.
    pub start: Ticks,
    /// Sum of its samples' durations.
    pub duration: Ticks,
    /// When its first sample was captured: microseconds since the Unix epoch, 0 if it does not say.
    pub captured_at: i64,
}

impl MediaSegment {
    /// Reads all of a segment. That a whole chunk is missing at its end is not seen: its duration tells.
    ///
    /// # Errors
    /// If something else of it is missing, or in it that the segmenter does not write.
    pub fn read(segment: &[u8]) -> Result<Self, Error> {
        let mut boxes = Boxes::new(segment, 0);
        let styp = boxes.next().ok_or(Error::HeaderCut { offset: 0, left: 0 })??;
        if styp.kind != FourCc(*b"styp") {
            return Err(wrong(&styp, "the place of a `styp`"));
        }
        let mut fields = styp.fields();
        fields.four_cc()?;
        let mark = fields.u32()?;
        let (mut read, mut chunks, mut reference): (Option<Self>, u32, _) = (None, 0, None);
        while let Some(found) = boxes.next() {
            let found = found?;
            match &found.kind.0 {
                b"prft" if reference.is_none() => reference = Some(ReferenceTime::read(&found)?),
                b"moof" => {
                    let (sequence, run) = run_of(&found)?;
                    let data = boxes.next().ok_or(wrong(&found, "nothing behind it"))??;
                    if data.kind != FourCc(*b"mdat") || data.contents.len() as u64 != run.bytes {
                        return Err(wrong(&found, "other media data behind it than its samples"));
                    }
                    let captured_at = reference.take().map_or(0, |reference| reference.unix_micros);
                    let chunk = Self::of(mark, sequence, &run, captured_at);
                    let chunk = chunk.ok_or(wrong(&found, "no samples, or none at a time"))?;
                    read = match read {
                        None if run.starts_with_sync => Some(chunk),
                        None => return Err(wrong(&found, "a first sample that is no sync sample")),
                        Some(read) => Some(
                            read.with(chunk, chunks).ok_or(wrong(&found, "a place that is not its own"))?,
                        ),
                    };
                    chunks += 1;
                }
                _ => return Err(wrong(&found, "no place in a segment")),
            }
        }
        read.filter(|_| reference.is_none()).ok_or(wrong(&styp, "no chunk behind it"))
    }

    /// A chunk by itself.
    fn of(mark: u32, sequence: u32, run: &FragmentRun, captured_at: i64) -> Option<Self> {
        // Times that nobody has could not be added up.
        let ticks = |ticks: u64| Ticks::try_from(ticks).ok().filter(|ticks| *ticks <= Ticks::MAX / 4);
        let (start, duration) = (ticks(run.start?)?, ticks(run.duration)?);
        (run.samples > 0 && duration > 0).then_some(Self { mark, sequence, start, duration, captured_at })
    }

    /// The same with the chunk that comes next, behind so many.
    fn with(self, chunk: Self, chunks: u32) -> Option<Self> {
        let follows = self.start.checked_add(self.duration) == Some(chunk.start)
            && self.sequence.wrapping_add(chunks) == chunk.sequence;
        let duration = self.duration.checked_add(chunk.duration).filter(|_| follows)?;
        Some(Self { duration, ..self })
    }
}

/// Sequence number and samples of a fragment that has one track.
fn run_of(moof: &BoxRef<'_>) -> Result<(u32, FragmentRun), Error> {
    let fragment = MovieFragment::read(moof, |_| Defaults::default())?;
    match <[FragmentRun; 1]>::try_from(fragment.tracks) {
        Ok([run]) if run.track == TRACK_ID => Ok((fragment.sequence, run)),
        _ => Err(wrong(moof, "samples of another track")),
    }
}

fn wrong(found: &BoxRef<'_>, what: &'static str) -> Error {
    Error::Value { kind: found.kind, offset: found.offset, what }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use bytes::Bytes;

    use super::*;
    use crate::{
        bmff::{init_mark, init_segment},
        codec::CodecConfig,
        sample::Sample,
        segmenter::{Cut, Output, Segmenter, sequence_of},
        time::{Grid, Timescale},
        track::{Audio, Media, Track},
    };

    const GRID: Grid = Grid { segment: Duration::from_secs(1), part: Duration::from_millis(400) };

    fn track() -> Track {
        Track {
            name: "a".into(),
            timescale: Timescale::new(1000).unwrap(),
            codec: CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
            media: Media::Audio(Audio { sample_rate: 48_000, channels: 2, language: "und".into() }),
            bitrate: 0,
            edit_start: 0,
        }
    }

    /// Chunks of segment 7, whose first sample was captured at 5 s.
    fn chunks() -> Vec<Bytes> {
        let mut segmenter = Segmenter::new(Arc::new(track()), Cut::Grid(GRID));
        let mut chunks = Vec::new();
        for index in 0..10 {
            let captured_at = if index == 0 { 5_000_000 } else { 0 };
            let data = Bytes::from(vec![9; 3 + index as usize]);
            let dts = 7000 + 100 * index;
            let sample = Sample { dts, cts: 0, duration: 100, sync: true, captured_at, data };
            for output in segmenter.push(sample).unwrap() {
                if let Output::Chunk { chunk, .. } = output {
                    chunks.push(chunk.to_bytes());
                }
            }
        }
        chunks
    }

    #[test]
    fn a_segment_is_read_as_it_was_written() {
        let read = MediaSegment::read(&chunks().concat()).unwrap();
        let mark = init_mark(&init_segment(&track()));
        let sequence = sequence_of(7, 0);
        assert_eq!(
            read,
            MediaSegment { mark, sequence, start: 7000, duration: 1000, captured_at: 5_000_000 }
        );
    }

    #[test]
    fn one_of_which_something_is_missing_is_refused_unless_it_is_whole_chunks_at_its_end() {
        let chunks = chunks();
        let whole = chunks.concat();
        let ends: Vec<usize> = (1..=chunks.len()).map(|count| chunks[..count].concat().len()).collect();
        for length in 0..whole.len() {
            let read = MediaSegment::read(&whole[..length]);
            assert_eq!(read.is_ok(), ends.contains(&length), "{length} of {}: {read:?}", whole.len());
        }
        assert_eq!(MediaSegment::read(&chunks[..2].concat()).unwrap().duration, 800);
        for others in [&[0, 2][..], &[1, 0], &[0, 0, 1, 2], &[1, 2]] {
            let segment: Vec<u8> = others.iter().flat_map(|at| chunks[*at].to_vec()).collect();
            assert!(MediaSegment::read(&segment).is_err(), "{others:?}");
        }
    }
}
