//! The trial encode: each rung encodes the slate with exactly its settings before there is a picture. That chooses
//! the encoder, and gives the decoder configuration and the filler.

use std::{collections::BTreeSet, sync::mpsc, thread, time::Duration};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_packager::{codec::CodecConfig, sample::Sample};
use thiserror::Error;

use super::{
    aac,
    access_unit::{self, AccessUnit, DecodeOrder, access_unit, codec_data, video_config},
    encoder::{self, Candidate, Chain, candidates, force_keys, raw, timing},
    pipeline::link,
    rungs::{PlannedAudio, PlannedRung},
};
use crate::source::{BLOCK, pattern};

/// A device that is there and does nothing is given up soon.
const HARDWARE: Duration = Duration::from_secs(2);
/// x264 encodes two seconds of slate in a fraction of one; a loaded machine may need longer.
const SOFTWARE: Duration = Duration::from_secs(30);
/// Blocks of silence to encode, and the one of them that is kept: no start and no end is heard in it.
const SILENCE: i64 = 12;
const STEADY: usize = 6;

/// Why nothing can encode a track.
#[derive(Debug, Error)]
pub enum Error {
    /// No element is left to try.
    #[error("no encoder works for {track}: {}", tried.join("; "))]
    NoEncoder {
        /// Track name.
        track: String,
        /// Each element with what it said.
        tried: Vec<String>,
    },
    /// A wrong name in the configuration.
    #[error(transparent)]
    Candidates(#[from] encoder::Error),
}

/// What a trial encode yielded.
#[derive(Clone, Debug)]
pub(super) struct Trial<C> {
    /// The encoder that works.
    pub(super) encoder: C,
    pub(super) codec: CodecConfig,
    /// Runs of samples that begin with a sync sample and count from zero.
    pub(super) filler: Vec<Vec<Sample>>,
}

/// Tries the encoders for `rung` in turn. The filler has a run of each of `lengths` frames.
pub(super) fn video(
    rung: &PlannedRung,
    threads: u32,
    insisted: Option<&str>,
    lengths: &BTreeSet<u32>,
) -> Result<Trial<Candidate>, Error> {
    let mut tried = Vec::new();
    for candidate in candidates(rung.codec, insisted)? {
        let (owned, lengths) = (rung.clone(), lengths.clone());
        let deadline = if candidate.hardware { HARDWARE } else { SOFTWARE };
        match within(deadline, move || try_video(candidate, &owned, threads, &lengths)) {
            Ok(trial) => return Ok(trial),
            Err(why) => {
                tracing::debug!(track = rung.name, encoder = candidate.element, why, "cannot be used");
                tried.push(format!("{}: {why}", candidate.element));
            }
        }
    }
    Err(Error::NoEncoder { track: rung.name.clone(), tried })
}

/// Tries the AAC encoders in turn. The filler is one silent frame.
pub(super) fn audio(audio: &PlannedAudio) -> Result<Trial<aac::Candidate>, Error> {
    let mut tried = Vec::new();
    for candidate in aac::Candidate::installed() {
        let planned = audio.clone();
        match within(SOFTWARE, move || try_audio(candidate, &planned)) {
            Ok(trial) => return Ok(trial),
            Err(why) => tried.push(format!("{}: {why}", candidate.element)),
        }
    }
    Err(Error::NoEncoder { track: audio.name.clone(), tried })
}

/// Runs `work` on a thread of its own; one that hangs in a driver is left behind.
fn within<T: Send + 'static>(
    deadline: Duration,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (sender, result) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("trial".into())
        .spawn(move || sender.send(work()))
        .map_err(|error| format!("no thread for it: {error}"))?;
    result.recv_timeout(deadline).unwrap_or_else(|_| Err(format!("no answer in {} s", deadline.as_secs())))
}

fn try_video(
    candidate: Candidate,
    rung: &PlannedRung,
    threads: u32,
    lengths: &BTreeSet<u32>,
) -> Result<Trial<Candidate>, String> {
    let chain = Chain::build(&candidate, rung, threads).map_err(|error| error.to_string())?;
    let starts: BTreeSet<i64> = run_starts(lengths).collect();
    force_keys(&chain.encoder_sink, rung.frame_rate, move |frame| starts.contains(&frame));
    let slate = gst::Buffer::from_slice(pattern::slate(rung.width, rung.height));
    let frames = (0..lengths.iter().copied().map(i64::from).sum()).map(|frame| {
        let mut picture = slate.copy();
        timing::stamp(picture.make_mut(), rung.frame_rate, frame);
        picture
    });
    let outputs = encode(&raw::rung_caps(rung), chain.elements, frames)?;
    let codec = outputs.first().and_then(|sample| video_config(sample, rung.codec));
    let units: Result<Vec<_>, _> =
        outputs.iter().map(|sample| access_unit(sample, rung.codec, rung.frame_rate)).collect();
    Ok(Trial {
        encoder: candidate,
        codec: codec.ok_or("it tells no decoder configuration")?,
        filler: runs(&units.map_err(|error| error.to_string())?, rung, lengths)?,
    })
}

/// The first frame of each run.
fn run_starts(lengths: &BTreeSet<u32>) -> impl Iterator<Item = i64> {
    lengths.iter().scan(0, |next, &length| {
        let start = *next;
        *next += i64::from(length);
        Some(start)
    })
}

/// Cuts what was encoded into runs, and sees that the encoder did what it was told.
fn runs(
    units: &[AccessUnit],
    rung: &PlannedRung,
    lengths: &BTreeSet<u32>,
) -> Result<Vec<Vec<Sample>>, String> {
    let syncs: Vec<i64> = units.iter().filter(|unit| unit.sync).map(|unit| unit.frame).collect();
    let starts: Vec<i64> = run_starts(lengths).collect();
    let frames: i64 = lengths.iter().copied().map(i64::from).sum();
    if syncs != starts || units.len() as i64 != frames {
        let told = format!("told to make {frames} frames with key frames at {starts:?}");
        return Err(format!("{told}, it made {} with key frames at {syncs:?}", units.len()));
    }
    let mut order = DecodeOrder::default();
    let (_, ticks) = rung.frame_rate.timescale();
    let mut runs: Vec<Vec<Sample>> = Vec::new();
    for unit in units {
        let decoded = order.place(unit).map_err(|error| error.to_string())?;
        if unit.sync {
            runs.push(Vec::new());
        }
        let Some(run) = runs.last_mut() else { continue };
        run.push(Sample {
            dts: run.len() as i64 * ticks,
            cts: ((unit.frame - decoded) * ticks) as i32,
            duration: ticks as u32,
            sync: unit.sync,
            captured_at: 0,
            data: unit.data.clone(),
        });
    }
    Ok(runs)
}

fn try_audio(candidate: aac::Candidate, audio: &PlannedAudio) -> Result<Trial<aac::Candidate>, String> {
    let block = aac::silence(BLOCK);
    let blocks = (0..SILENCE).map(|index| aac::placed(&block, index * BLOCK, BLOCK));
    let chain = candidate.chain(audio).map_err(|error| error.to_string())?;
    let outputs = encode(&aac::source_caps(), chain, blocks)?;
    let steady = outputs.get(STEADY).ok_or("it encodes no silence")?;
    let data = steady.buffer().map(access_unit::bytes).ok_or("it gave no data")?;
    let sample = Sample {
        dts: 0,
        cts: 0,
        duration: BLOCK as u32,
        sync: true,
        captured_at: 0,
        data: data.map_err(|error| error.to_string())?,
    };
    let codec = codec_data(steady).ok_or("it tells no decoder configuration")?;
    Ok(Trial { encoder: candidate, codec: CodecConfig::Aac(codec), filler: vec![vec![sample]] })
}

/// Pushes all of `input` through `chain` and returns what comes out.
pub(super) fn encode(
    caps: &gst::Caps,
    chain: Vec<gst::Element>,
    input: impl Iterator<Item = gst::Buffer>,
) -> Result<Vec<gst::Sample>, String> {
    let pipeline = gst::Pipeline::new();
    let source = gst_app::AppSrc::builder().caps(caps).format(gst::Format::Time).max_bytes(0).build();
    let sink = gst_app::AppSink::builder().sync(false).build();
    let ends = [source.upcast_ref::<gst::Element>().clone(), sink.upcast_ref::<gst::Element>().clone()];
    let [first, last] = ends;
    let elements: Vec<_> = [first].into_iter().chain(chain).chain([last]).collect();
    let result = link(&pipeline, &elements).and_then(|()| run(&pipeline, &source, &sink, input));
    let _ = pipeline.set_state(gst::State::Null);
    result
}

fn run(
    pipeline: &gst::Pipeline,
    source: &gst_app::AppSrc,
    sink: &gst_app::AppSink,
    input: impl Iterator<Item = gst::Buffer>,
) -> Result<Vec<gst::Sample>, String> {
    let failed = |_| fault(pipeline).unwrap_or_else(|| "it does not start".into());
    pipeline.set_state(gst::State::Playing).map_err(failed)?;
    for buffer in input {
        source.push_buffer(buffer).map_err(|error| fault(pipeline).unwrap_or_else(|| error.to_string()))?;
    }
    source.end_of_stream().map_err(|error| error.to_string())?;
    let mut outputs = Vec::new();
    loop {
        if let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(20)) {
            outputs.push(sample);
        } else if let Some(why) = fault(pipeline) {
            return Err(why);
        } else if sink.is_eos() {
            return Ok(outputs);
        }
    }
}

/// The first error on the pipeline's bus.
fn fault(pipeline: &gst::Pipeline) -> Option<String> {
    let message = pipeline.bus()?.pop_filtered(&[gst::MessageType::Error])?;
    match message.view() {
        gst::MessageView::Error(error) => Some(super::pipeline::in_words(error)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use headwater_packager::time::FrameRate;

    use super::*;
    use crate::{config::Ladder, ladder::rungs};

    #[test]
    fn an_encoder_gives_runs_of_any_length() {
        gst::init().unwrap();
        let frame_rate = FrameRate::new(30, 1).unwrap();
        let picture =
            rungs::Picture { width: 320, height: 180, sample_aspect: (1, 1), frame_rate, colour: None };
        let rung = rungs::plan(&Ladder::default(), &picture).unwrap().rungs.remove(0);
        for (preset, b_frames) in [("superfast", 0), ("superfast", 2), ("medium", 3)] {
            let rung =
                PlannedRung { b_frames, profile: "main".into(), preset: preset.into(), ..rung.clone() };
            for lengths in [vec![1, 2], vec![2, 3], vec![3, 4], vec![6, 7], vec![11, 12]] {
                let trial = video(&rung, 2, None, &lengths.iter().copied().collect()).unwrap();
                let runs: Vec<u32> = trial.filler.iter().map(|run| run.len() as u32).collect();
                assert_eq!(runs, lengths, "{preset}, {b_frames} B-frames");
            }
        }
    }
}
