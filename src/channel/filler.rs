//! What is on air while an encoder gives nothing: the slate and the silence that it encoded beforehand with the
//! settings of each rung, so that they fit the same init segment.

use std::collections::BTreeMap;

use headwater_packager::{sample::Sample, time::Ticks};

/// The filler of one track: closed runs of samples, by their number of frames.
#[derive(Clone, Debug, Default)]
pub(super) struct Filler {
    runs: BTreeMap<usize, Vec<Sample>>,
    last: Vec<Sample>,
}

impl Filler {
    /// Takes the next filler sample from the wire. A sync sample at zero begins a run.
    pub(super) fn collect(&mut self, sample: Sample) {
        if sample.sync && sample.dts == 0 {
            self.last.clear();
        } else {
            self.runs.remove(&self.last.len());
        }
        self.last.push(sample);
        self.runs.insert(self.last.len(), self.last.clone());
    }

    /// What was collected, in an order in which it can be collected again.
    pub(super) fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.runs.values().flatten()
    }

    /// Ticks from one sample to the next, once there is one.
    pub(super) fn step(&self) -> Option<Ticks> {
        self.last.first().map(|sample| Ticks::from(sample.duration).max(1))
    }

    /// Samples that cover `[from, to)` exactly; `None` if no choice of runs does.
    pub(super) fn cover(&self, from: Ticks, to: Ticks) -> Option<Vec<Sample>> {
        let step = self.step()?;
        let mut frames = usize::try_from((to - from).div_euclid(step)).ok()?;
        if (to - from) % step != 0 {
            return None;
        }
        let mut samples = Vec::with_capacity(frames);
        let mut start = from;
        while frames > 0 {
            let run = self.run(frames)?;
            samples.extend(run.iter().map(|sample| Sample {
                dts: start + sample.dts,
                captured_at: 0,
                ..sample.clone()
            }));
            frames -= run.len();
            start += step * run.len() as Ticks;
        }
        Some(samples)
    }

    /// The longest run of at most `frames`; else the front of a longer one, if none of its frames is reordered.
    fn run(&self, frames: usize) -> Option<&[Sample]> {
        if let Some((_, run)) = self.runs.range(..=frames).next_back() {
            return Some(run);
        }
        let (_, run) = self.runs.range(frames..).next()?;
        run.iter().all(|sample| sample.cts == 0).then(|| &run[..frames])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn filler(lengths: &[usize], cts: i32) -> Filler {
        let mut filler = Filler::default();
        for &length in lengths {
            for index in 0..length {
                let dts = 1000 * index as Ticks;
                let data = Bytes::from(vec![length as u8; 2]);
                filler.collect(Sample { dts, cts, duration: 1000, sync: index == 0, captured_at: 5, data });
            }
        }
        filler
    }

    #[test]
    fn a_part_is_covered_by_the_run_of_its_length() {
        let samples = filler(&[12, 11], 0).cover(50_000, 61_000).unwrap();
        assert_eq!(samples.len(), 11);
        assert!(samples.iter().enumerate().all(|(index, sample)| sample.dts == 50_000 + 1000 * index as i64));
        assert!(samples[0].sync && samples[0].data[0] == 11 && samples[0].captured_at == 0);
    }

    #[test]
    fn a_longer_hole_takes_several_runs_and_each_begins_with_a_sync_sample() {
        let samples = filler(&[12], 0).cover(0, 30_000).unwrap();
        let starts: Vec<_> = samples.iter().filter(|sample| sample.sync).map(|sample| sample.dts).collect();
        assert_eq!((samples.len(), starts), (30, vec![0, 12_000, 24_000]));
    }

    #[test]
    fn a_run_with_reordered_frames_is_never_cut() {
        assert!(filler(&[12], -1000).cover(0, 5_000).is_none());
        assert!(filler(&[12], 0).cover(0, 5_500).is_none());
    }

    #[test]
    fn one_audio_frame_repeats() {
        assert_eq!(filler(&[1], 0).cover(0, 5_000).unwrap().len(), 5);
    }
}
