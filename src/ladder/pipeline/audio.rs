//! The sound's half of the pipeline.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_packager::{codec::CodecConfig, sample::Sample};

use super::{AudioTrack, Failed, Outlet, Shared, input, link, output, queue};
use crate::{
    ladder::{
        aac,
        access_unit::{bytes, codec_data},
        wire::{Media, Message},
    },
    source::BLOCK,
};

/// Blocks that wait: as much time as the pictures that do.
const WAITING: u32 = 8;

/// Where one track's sound goes in.
#[derive(Debug)]
pub(super) struct Input {
    /// Index of the source's sound.
    pub(super) stream: usize,
    source: gst_app::AppSrc,
    encoder: aac::Candidate,
    shared: Arc<Shared>,
}

impl Input {
    pub(super) fn push(&self, block: i64, buffer: &gst::Buffer, captured_at: i64) -> Result<(), String> {
        let stopped = |error| format!("the audio encoder stopped: {error}");
        let padding = self.encoder.padding();
        if self.shared.first.get().is_none() && padding > 0 {
            self.source.push_buffer(aac::placed(&aac::silence(padding), 0, padding)).map_err(stopped)?;
        }
        let start = padding + self.shared.feed(block, captured_at) * BLOCK;
        self.source.push_buffer(aac::placed(buffer, start, BLOCK)).map(drop).map_err(stopped)
    }

    /// Pushes the delayed end of the sound out with silence: not every encoder does that itself.
    pub(super) fn end(&self) {
        let end = self.encoder.padding() + self.shared.fed.load(Relaxed) * BLOCK;
        let tail = self.encoder.priming() * BLOCK;
        // Both fail only where nothing runs any more.
        let _ = self.source.push_buffer(aac::placed(&aac::silence(tail), end, tail));
        let _ = self.source.end_of_stream();
    }
}

pub(super) fn build(
    pipeline: &gst::Pipeline,
    track: &AudioTrack,
    outlet: &Outlet,
    failed: &Failed,
) -> Result<Input, String> {
    let shared = Arc::new(Shared::default());
    let source = input(&aac::source_caps(), WAITING.into());
    let mut packer = Packer { track: track.clone(), frames: 0, shared: shared.clone() };
    let outlet = outlet.clone();
    let sink = output(failed.clone(), move |sample| {
        if let Some(media) = packer.pack(&sample)? {
            outlet.send(&Message::Media(media));
        }
        Ok(())
    });
    let mut elements = vec![source.upcast_ref::<gst::Element>().clone(), queue(WAITING)?];
    elements.extend(track.encoder.chain(&track.audio).map_err(|error| error.to_string())?);
    elements.push(sink.upcast());
    link(pipeline, &elements)?;
    Ok(Input { stream: track.audio.stream, source, encoder: track.encoder, shared })
}

/// Makes messages of what a track's encoder gives.
struct Packer {
    track: AudioTrack,
    /// Frames that the encoder gave so far.
    frames: i64,
    shared: Arc<Shared>,
}

impl Packer {
    /// `None` for what is no sound of the source: the priming in front and the silence behind.
    fn pack(&mut self, sample: &gst::Sample) -> Result<Option<Media>, String> {
        let name = &self.track.audio.name;
        let index = self.frames - self.track.encoder.priming();
        self.frames += 1;
        if index < 0 || index >= self.shared.fed.load(Relaxed) {
            return Ok(None);
        }
        if index == 0 && codec_data(sample).map(CodecConfig::Aac).as_ref() != Some(&self.track.codec) {
            return Err(format!(
                "track {name}: {} gives another decoder configuration than in its trial",
                self.track.encoder.element
            ));
        }
        let data = sample.buffer().map(bytes).ok_or_else(|| format!("track {name}: a frame without data"))?;
        let block = self.shared.first() + index;
        let sample = Sample {
            dts: block * BLOCK,
            cts: 0,
            duration: BLOCK as u32,
            sync: true,
            captured_at: self.shared.captures.get(block),
            data: data.map_err(|error| format!("track {name}: {error}"))?,
        };
        Ok(Some(Media { track: self.track.index, filler: false, video: false, sample }))
    }
}
