//! Whatever a broken encoder may send.

use headwater_packager::{
    sample::Sample,
    segmenter::{Cut, Output, Segmenter},
    time::Ticks,
};
use proptest::prelude::*;

use crate::made::{TWO_SECONDS, video};

fn ticks() -> impl Strategy<Value = Ticks> {
    prop_oneof![any::<i64>(), 0i64..1000, Just(i64::MAX), Just(i64::MIN), Just(-1)]
}

fn cuts() -> impl Strategy<Value = Cut> {
    prop_oneof![Just(Cut::Grid(TWO_SECONDS)), Just(Cut::Sync(TWO_SECONDS))]
}

proptest! {
    #[test]
    fn it_is_refused_or_it_is_contiguous(
        cut in cuts(),
        resumes in ticks(),
        frames in prop::collection::vec((ticks(), any::<u32>(), any::<bool>(), any::<bool>()), 0..60),
    ) {
        let made = video(360, 25, 1);
        let mut segmenter = Segmenter::new(made.track.clone(), cut);
        let mut last: Option<Ticks> = None;
        let mut see = |outputs: Vec<Output>| {
            for output in outputs {
                if let Output::Chunk { chunk, .. } = output {
                    prop_assert!(last.is_none_or(|last| last == chunk.start));
                    last = Some(chunk.start + chunk.duration);
                }
            }
            Ok(())
        };
        for (index, (dts, duration, sync, follows)) in frames.into_iter().enumerate() {
            let due = segmenter.next().filter(|_| follows).unwrap_or(if follows { 0 } else { dts });
            let before = format!("{segmenter:?}");
            match segmenter.push(Sample { duration, ..made.sample(due, sync) }) {
                Ok(outputs) => see(outputs)?,
                Err(_) => prop_assert_eq!(format!("{segmenter:?}"), before),
            }
            if index % 7 == 6 {
                segmenter.discard_open_chunk();
            }
        }
        see(segmenter.finish())?;
        segmenter.resume_at(resumes);
        drop(segmenter.push(made.sample(resumes, true)));
    }
}
