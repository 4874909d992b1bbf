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

/// `buffer` at `start` samples after the beginning, `samples` long.
pub(super) fn placed(buffer: &gst::Buffer, start: i64, samples: i64) -> gst::Buffer {
    let time = |samples: i64| gst::ClockTime::from_nseconds(sample_nanos(samples) as u64);
    let mut buffer = buffer.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_pts(time(start));
        buffer.set_dts(None);
        buffer.set_duration(time(start + samples) - time(start));
    }
    buffer
}

/// How long `samples` samples are, in nanoseconds.
fn sample_nanos(samples: i64) -> i128 {
    i128::from(samples) * 1_000_000_000 / i128::from(crate::source::SAMPLE_RATE)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Command};

    use super::*;
    use crate::{ladder::trial::encode, source::FRAME_BYTES};

    const CLICK: usize = 20_000;

    /// 20 blocks of silence with one loud sample, behind the padding that `candidate` needs.
    fn click(candidate: Candidate) -> Vec<gst::Buffer> {
        let mut bytes = vec![0; (20 * BLOCK) as usize * FRAME_BYTES];
        for channel in 0..2 {
            let at = CLICK * FRAME_BYTES + 4 * channel;
            bytes[at..at + 4].copy_from_slice(&0.9_f32.to_le_bytes());
        }
        let blocks =
            bytes.chunks(BLOCK as usize * FRAME_BYTES).map(<[u8]>::to_vec).map(gst::Buffer::from_slice);
        let padding = Some(candidate.padding()).filter(|&samples| samples > 0).map(silence);
        padding.into_iter().chain(blocks).chain([silence(candidate.priming() * BLOCK)]).collect()
    }

    /// A raw frame of 48 kHz stereo AAC-LC with an ADTS header (ISO/IEC 14496-3 1.A.3.2).
    fn adts(frame: &[u8]) -> Vec<u8> {
        let length = frame.len() + 7;
        let header = [
            0xff,
            0xf1,
            0x4c,
            0x80 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        [&header[..], frame].concat()
    }

    #[test]
    fn a_click_is_decoded_at_the_very_sample_at_which_it_was_encoded() {
        gst::init().unwrap();
        let audio = PlannedAudio {
            name: "audio".into(),
            stream: 0,
            language: "und".into(),
            bitrate: 128_000,
            channels: 2,
        };
        for candidate in Candidate::installed() {
            let frames =
                encode(&source_caps(), candidate.chain(&audio).unwrap(), click(candidate).into_iter())
                    .unwrap();
            let mut file = tempfile::NamedTempFile::with_suffix(".aac").unwrap();
            for sample in &frames[candidate.priming() as usize..] {
                file.write_all(&adts(&sample.buffer().unwrap().map_readable().unwrap())).unwrap();
            }
            let decoded = Command::new("ffmpeg")
                .args(["-v", "error", "-i"])
                .arg(file.path())
                .args(["-f", "f32le", "-ac", "1", "-"])
                .output()
                .unwrap();
            let loudness = |it: &[u8]| f32::from_le_bytes([it[0], it[1], it[2], it[3]]).abs();
            let (at, _) = decoded
                .stdout
                .chunks_exact(4)
                .map(loudness)
                .enumerate()
                .max_by(|(_, a), (_, b)| a.total_cmp(b))
                .unwrap();
            assert_eq!(at, CLICK, "{}", candidate.element);
        }
    }
}
