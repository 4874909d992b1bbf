//! When media came into this process: before it waited to be parsed, decoded and put into order.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use gstreamer::{self as gst, prelude::*};

use super::Reference;
use crate::clock;

/// Frames that are remembered; more than any decoder holds.
const REMEMBERED: usize = 256;
/// How long a frame takes from a parser to its decoder at most: microseconds.
const WAY: i64 = 1_000_000;
/// Decoders compute the stamps of sound anew, which moves them a little: nanoseconds.
const ROUNDING: u64 = 1_000_000;
/// How far sound may lie behind the stamp of the packet that it came in: nanoseconds.
const LONGEST: u64 = 1_000_000_000;

/// When the last frames of one kind came in, by timestamp.
#[derive(Clone, Debug, Default)]
pub(super) struct Arrivals(Arc<Mutex<VecDeque<(u64, i64)>>>);

impl Arrivals {
    /// Notes that the frame with `stamp` came in `at` microseconds, unless it was seen on its way just before.
    fn note(&self, stamp: u64, at: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.iter().any(|(other, before)| *other == stamp && at - before < WAY) {
            return;
        }
        // A source whose time jumps back gives the same stamps to other frames.
        known.retain(|(other, _)| *other != stamp);
        if known.len() == REMEMBERED {
            known.pop_front();
        }
        known.push_back((stamp, at));
    }

    /// When the frame with `stamp`, or the packet of several that it came in, came in.
    pub(super) fn of(&self, stamp: u64) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let possible = stamp.saturating_sub(LONGEST)..=stamp + ROUNDING;
        known.iter().filter(|(other, _)| possible.contains(other)).max().map(|(_, at)| *at)
    }
}

/// Arrivals of pictures and of sound, and the sender's time, where that is what counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Entrance {
    pub(super) video: Arrivals,
    pub(super) audio: Arrivals,
    pub(super) reference: Option<Reference>,
}

impl Entrance {
    /// Takes down what comes to the parsers and decoders of `pipeline`: what is a frame first shows there.
    pub(super) fn watch(&self, pipeline: &gst::Pipeline) {
        self.reference.iter().for_each(|reference| reference.watch(pipeline));
        let entrance = self.clone();
        pipeline.connect_deep_element_added(move |_, _, element| {
            let Some(arrivals) = entrance.arrivals(element) else { return };
            let Some(pad) = element.static_pad("sink") else { return };
            let arrivals = arrivals.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
                if let Some(stamp) = info.buffer().and_then(|buffer| buffer.pts()) {
                    arrivals.note(stamp.nseconds(), micros());
                }
                gst::PadProbeReturn::Ok
            });
        });
    }

    fn arrivals(&self, element: &gst::Element) -> Option<&Arrivals> {
        let class = element.metadata(gst::ELEMENT_METADATA_KLASS)?;
        match class.starts_with("Codec/") {
            true if class.contains("Video") => Some(&self.video),
            true if class.contains("Audio") => Some(&self.audio),
            _ => None,
        }
    }
}

/// Microseconds since the Unix epoch.
pub(super) fn micros() -> i64 {
    (clock::unix_nanos() / 1000) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_came_in_when_its_packet_did() {
        const MILLI: u64 = 1_000_000;
        let arrivals = Arrivals::default();
        // In decode order; the third is shown first.
        for (stamp, at) in [(40, 1), (160, 2), (80, 3), (120, 4), (160, 9)] {
            arrivals.note(stamp * MILLI, at);
        }
        let of = |stamp| arrivals.of(stamp);
        assert_eq!([40, 80, 120, 160].map(|stamp| of(stamp * MILLI)), [Some(1), Some(3), Some(4), Some(2)]);
        assert_eq!(of(80 * MILLI - 5), Some(3), "rounded");
        assert_eq!(of(70 * MILLI), Some(1), "sound in the middle of a packet");
        assert_eq!((of(0), of(9_000 * MILLI)), (None, None));
        arrivals.note(80 * MILLI, WAY + 3);
        assert_eq!(of(80 * MILLI), Some(WAY + 3), "another frame, from before a jump");
        for stamp in 0..2 * REMEMBERED as u64 {
            arrivals.note(stamp * MILLI + 10_000 * MILLI, 7);
        }
        assert_eq!(arrivals.of(40 * MILLI), None, "not remembered for ever");
    }
}
