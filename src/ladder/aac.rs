//! AAC encoders and their delay.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    encoder::{Error, capsfilter, make, raw},
    rungs::PlannedAudio,
};
use crate::source::BLOCK;

/// An AAC encoder element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) element: &'static str,
    /// Samples by which what is decoded comes late: measured by a test, with a click.
    delay: i64,
}

/// The preferred first.
const CANDIDATES: [Candidate; 3] = [
    Candidate { element: "fdkaacenc", delay: 2048 },
    Candidate { element: "avenc_aac", delay: 1024 },
    Candidate { element: "voaacenc", delay: 1600 },
];

impl Candidate {
    /// Those that are installed.
    pub(super) fn installed() -> impl Iterator<Item = Self> {
        CANDIDATES.into_iter().filter(|candidate| gst::ElementFactory::find(candidate.element).is_some())
    }

    /// Samples of silence to put in front, so that the delay becomes a whole number of frames.
    pub(super) fn padding(self) -> i64 {
        (-self.delay).rem_euclid(BLOCK)
    }

    /// Frames that carry nothing but the delay: they are dropped, and the next one is the first block.
    pub(super) fn priming(self) -> i64 {
        (self.delay + self.padding()) / BLOCK
    }

    /// The elements in order, from the source's sound to raw AAC frames.
    pub(super) fn chain(self, audio: &PlannedAudio) -> Result<Vec<gst::Element>, Error> {
        let encoder = make(self.element)?;
        encoder.set_property("bitrate", audio.bitrate as i32);
        // The sample format is left to the encoder: floats for some, integers for others.
        let mix = gst::Caps::builder("audio/x-raw").field("channels", i32::from(audio.channels)).build();
        let frames = gst::Caps::builder("audio/mpeg").field("stream-format", "raw").build();
        Ok(vec![make("audioconvert")?, capsfilter(&mix)?, encoder, capsfilter(&frames)?])
    }
}

/// `samples` samples of silence in the source's format.
pub(super) fn silence(samples: i64) -> gst::Buffer {
    gst::Buffer::from_slice(vec![0; samples.max(0) as usize * crate::source::FRAME_BYTES])
}

/// Caps of the source's sound.
pub(super) fn source_caps() -> gst::Caps {
    raw::audio_caps(crate::source::CHANNELS)
}

/// How long `samples` samples are, in nanoseconds.
pub(super) fn sample_nanos(samples: i64) -> i128 {
    i128::from(samples) * 1_000_000_000 / i128::from(crate::source::SAMPLE_RATE)
}
