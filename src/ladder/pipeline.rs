//! The encode pipeline: one stretch of raw media without a gap, into all tracks in parallel.
//!
//! ```text
//! appsrc - tee -+- queue - encoder (rung as large as the source) - appsink
//!               `- queue - videoscale - tee -+- queue - encoder - appsink
//!                                            `- queue - videoscale - tee - ...
//! appsrc - queue - audioconvert - AAC encoder - appsink
//! ```
//!
//! Inside, time counts from the first frame or block; the tracks' own threads put it back on the timeline.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    time::Duration,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_packager::{codec::CodecConfig, time::Grid};

use super::{
    aac, encoder,
    outlet::Outlet,
    rungs::{Picture, PlannedAudio, PlannedRung},
};

mod audio;
mod video;

/// A video track and what encodes it.
#[derive(Clone, Debug)]
pub(super) struct VideoTrack {
    /// Index in the catalog.
    pub(super) index: u8,
    pub(super) rung: PlannedRung,
    pub(super) encoder: encoder::Candidate,
    pub(super) threads: u32,
    /// As promised in the catalog.
    pub(super) codec: CodecConfig,
}

/// An audio track and what encodes it.
#[derive(Clone, Debug)]
pub(super) struct AudioTrack {
    /// Index in the catalog.
    pub(super) index: u8,
    pub(super) audio: PlannedAudio,
    pub(super) encoder: aac::Candidate,
    /// As promised in the catalog.
    pub(super) codec: CodecConfig,
}

/// Everything that is encoded.
#[derive(Clone, Debug)]
pub(super) struct Tracks {
    pub(super) grid: Grid,
    /// The source's pictures.
    pub(super) picture: Option<Picture>,
    /// Best first.
    pub(super) video: Vec<VideoTrack>,
    pub(super) audio: Vec<AudioTrack>,
}

/// Which tracks were asked for a key frame, by index in the catalog.
#[derive(Debug)]
pub(super) struct KeyRequests([AtomicBool; 256]);

impl Default for KeyRequests {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicBool::new(false)))
    }
}

impl KeyRequests {
    pub(super) fn ask(&self, track: u8) {
        self.0[usize::from(track)].store(true, Relaxed);
    }

    fn take(&self, track: u8) -> bool {
        self.0[usize::from(track)].swap(false, Relaxed)
    }
}

/// A running pipeline.
#[derive(Debug)]
pub(super) struct Pipeline {
    pipeline: gst::Pipeline,
    video: Option<video::Input>,
    audio: Vec<audio::Input>,
    /// Tells that all that went in has come out.
    drained: Receiver<()>,
}

impl Pipeline {
    /// Starts encoding to `outlet`. Errors that come later are given to `failed`, in any thread.
    ///
    /// # Errors
    /// Why the pipeline cannot be built or started, in words.
    pub(super) fn start(
        tracks: &Tracks,
        outlet: &Outlet,
        keys: &Arc<KeyRequests>,
        failed: impl Fn(String) + Clone + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let pipeline = gst::Pipeline::new();
        let failed: Failed = Arc::new(failed);
        let video = tracks
            .picture
            .filter(|_| !tracks.video.is_empty())
            .map(|picture| video::build(&pipeline, &picture, tracks, outlet, keys, &failed))
            .transpose()?;
        let audio = tracks.audio.iter().map(|track| audio::build(&pipeline, track, outlet, &failed));
        let audio = audio.collect::<Result<_, _>>()?;
        let (sender, drained) = sync_channel(1);
        watch(&pipeline, failed, move || _ = sender.try_send(()));
        pipeline.set_state(gst::State::Playing).map_err(|error| error.to_string())?;
        Ok(Self { pipeline, video, audio, drained })
    }

    /// Takes a picture. Waits while the encoders have enough to do.
    ///
    /// # Errors
    /// The pipeline has failed.
    pub(super) fn video(&self, frame: i64, buffer: gst::Buffer, captured_at: i64) -> Result<(), String> {
        self.video.as_ref().map_or(Ok(()), |input| input.push(frame, buffer, captured_at))
    }

    /// Takes a block of sound of the source's stream `stream`. Waits while the encoders have enough to do.
    ///
    /// # Errors
    /// The pipeline has failed.
    pub(super) fn audio(
        &self,
        stream: usize,
        block: i64,
        buffer: &gst::Buffer,
        captured_at: i64,
    ) -> Result<(), String> {
        let mut listening = self.audio.iter().filter(|input| input.stream == stream);
        listening.try_for_each(|input| input.push(block, buffer, captured_at))
    }

    /// Encodes what is still inside. Without a deadline it takes as long as the server takes to read it.
    ///
    /// # Errors
    /// It did not come to its end in time.
    pub(super) fn finish(self, deadline: Option<Duration>) -> Result<(), String> {
        self.video.iter().for_each(video::Input::end);
        self.audio.iter().for_each(audio::Input::end);
        let drained = match deadline {
            Some(deadline) => self.drained.recv_timeout(deadline),
            None => self.drained.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        drained.map_err(|_| "the encoders did not come to their end".to_owned())
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Called with what went wrong, in words.
type Failed = Arc<dyn Fn(String) + Send + Sync>;

/// Looks at the bus in the thread that posts: nothing waits for anybody to look.
fn watch(pipeline: &gst::Pipeline, failed: Failed, ended: impl Fn() + Send + Sync + 'static) {
    let Some(bus) = pipeline.bus() else { return };
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => failed(in_words(error)),
            gst::MessageView::Eos(_) => ended(),
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
}

/// An error message of GStreamer: which element, what, and the detail that it keeps for who looks closer.
pub(super) fn in_words(error: &gst::message::Error) -> String {
    let element = error.src().map_or_else(|| "GStreamer".into(), |source| source.name());
    match error.debug() {
        Some(detail) => {
            format!("{element}: {} ({})", error.error(), detail.lines().last().unwrap_or_default())
        }
        None => format!("{element}: {}", error.error()),
    }
}

/// Adds `elements` to `pipeline` and links them in order.
pub(super) fn link(pipeline: &gst::Pipeline, elements: &[gst::Element]) -> Result<(), String> {
    pipeline.add_many(elements).map_err(|error| error.to_string())?;
    gst::Element::link_many(elements).map_err(|error| error.to_string())
}

/// A queue that decouples two threads by a few buffers.
fn queue(buffers: u32) -> Result<gst::Element, String> {
    let queue = encoder::make("queue").map_err(|error| error.to_string())?;
    queue.set_property("max-size-buffers", buffers);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}

/// A source element that makes who pushes wait while it holds `buffers` buffers.
fn input(caps: &gst::Caps, buffers: u64) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .caps(caps)
        .format(gst::Format::Time)
        .max_bytes(0)
        .max_buffers(buffers)
        .block(true)
        .build()
}

/// A sink element that gives what it gets to `take`; what `take` refuses is given to `failed`.
fn output(
    failed: Failed,
    mut take: impl FnMut(gst::Sample) -> Result<(), String> + Send + 'static,
) -> gst_app::AppSink {
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        take(sample).map(|()| gst::FlowSuccess::Ok).map_err(|why| {
            failed(why);
            gst::FlowError::Error
        })
    });
    gst_app::AppSink::builder().sync(false).async_(false).callbacks(callbacks.build()).build()
}

/// When the last frames or blocks were captured, by number.
#[derive(Debug)]
struct Captures(Box<[AtomicI64]>);

impl Default for Captures {
    fn default() -> Self {
        // No encoder holds more than a few hundred frames back.
        Self((0..1024).map(|_| AtomicI64::new(0)).collect())
    }
}

impl Captures {
    fn slot(&self, number: i64) -> &AtomicI64 {
        &self.0[number.rem_euclid(self.0.len() as i64) as usize]
    }

    fn put(&self, number: i64, captured_at: i64) {
        self.slot(number).store(captured_at, Relaxed);
    }

    fn get(&self, number: i64) -> i64 {
        self.slot(number).load(Relaxed)
    }
}

/// What the two ends of a pipeline know of one another.
#[derive(Debug, Default)]
struct Shared {
    /// The first frame or block: the pipeline's time counts from it.
    first: OnceLock<i64>,
    captures: Captures,
    /// Frames or blocks that went in.
    fed: AtomicI64,
}

impl Shared {
    /// Notes frame or block `number`, and returns its number counted from the first.
    fn feed(&self, number: i64, captured_at: i64) -> i64 {
        let first = *self.first.get_or_init(|| number);
        self.captures.put(number, captured_at);
        self.fed.store(number - first + 1, Relaxed);
        number - first
    }

    fn first(&self) -> i64 {
        self.first.get().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
