//! One pass over a source: a GStreamer pipeline from its URI to raw streams that are pulled.

mod arrival;
mod chain;
mod failure;
mod head;
mod reference;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gstreamer::{self as gst, prelude::*};
use gstreamer_app::AppSink;
use gstreamer_audio as gst_audio;

pub(super) use self::reference::Reference;
use self::{
    arrival::{Arrivals, Entrance},
    chain::Chain,
};
use super::{CHANNELS, Error, FRAME_BYTES, SAMPLE_RATE, media::Stop, uri::Location, wake::Wake};
use crate::clock;

const NAP: Duration = Duration::from_millis(100);
/// How long anything but a listener may take until its streams are known.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long nothing may run in a pipeline until it is taken for one that has given up.
const IDLE: Duration = Duration::from_millis(500);
/// How long is waited for streams that are announced but give nothing, once the others flow.
const STRAGGLERS: Duration = Duration::from_secs(3);

/// A raw picture or a run of samples.
#[derive(Debug)]
pub(super) struct Raw {
    /// Running time, or the sender's time, in nanoseconds; `None` if it came without a stamp.
    pub stamp: Option<i128>,
    /// How long it lasts, in nanoseconds, where that is known.
    pub length: Option<i128>,
    /// Microseconds since the Unix epoch when it came into this process.
    pub captured_at: i64,
    pub buffer: gst::Buffer,
}

/// One decoded stream.
#[derive(Debug)]
pub(super) struct Tap {
    sink: AppSink,
    filter: gst::Element,
    /// Set when the first picture or run of samples has come: only then are its format and its tags final.
    flows: Arc<AtomicBool>,
    arrivals: Arrivals,
    /// Tells the sender's time, where that is what counts.
    reference: Option<Reference>,
}

/// What decoders have brought up so far.
#[derive(Debug, Default)]
struct Found {
    video: Option<Tap>,
    audio: Vec<Tap>,
    complete: bool,
    /// Caps without a decoder.
    unknown: Vec<gst::Caps>,
    /// Why a stream could not be linked.
    failure: Option<String>,
}

type Shared = Arc<Mutex<Found>>;

/// A running pass. Dropping it closes the source.
#[derive(Debug)]
pub(super) struct Pass {
    uri: String,
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    /// Media comes when it wants, not when it is asked for.
    pub live: bool,
    pub video: Option<Tap>,
    pub audio: Vec<Tap>,
    /// Its streams are known.
    open: bool,
    ended: bool,
}

impl Pass {
    /// Opens a source and returns when its streams are known. `waiting` hears once that a listener waits.
    pub(super) fn open(
        location: &Location,
        uri: &str,
        wake: &Wake,
        stop: &Stop,
        reference: Option<&Reference>,
        waiting: &mut dyn FnMut(String),
    ) -> Result<Self, Error> {
        let deadline = (!waits_for_ever(location)).then_some(DEADLINE);
        let pipeline = gst::Pipeline::new();
        let bus = pipeline.bus().ok_or_else(|| Error::Toolkit("a pipeline has no bus".into()))?;
        let ring = wake.clone();
        bus.set_sync_handler(move |_, _| {
            ring.ring();
            gst::BusSyncReply::Pass
        });
        let found = Shared::default();
        let entrance = Entrance { reference: reference.cloned(), ..Entrance::default() };
        entrance.watch(&pipeline);
        let decoder = head::build(location, &pipeline)?;
        watch(&decoder, &pipeline, &found, &entrance, wake);
        let mut pass = Self {
            uri: uri.into(),
            pipeline,
            bus,
            live: false,
            video: None,
            audio: Vec::new(),
            open: false,
            ended: false,
        };
        pass.start(&found)?;
        pass.wait_for_streams(&found, deadline, wake, stop, waiting)?;
        Ok(pass)
    }

    fn start(&mut self, found: &Shared) -> Result<(), Error> {
        match self.pipeline.set_state(gst::State::Paused) {
            Ok(gst::StateChangeSuccess::NoPreroll) => {
                self.live = true;
                self.play();
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(_) => Err(self.check(found).err().unwrap_or_else(|| Error::Unreachable {
                uri: self.uri.clone(),
                why: "its pipeline does not start".into(),
            })),
        }
    }

    fn wait_for_streams(
        &mut self,
        found: &Shared,
        deadline: Option<Duration>,
        wake: &Wake,
        stop: &Stop,
        waiting: &mut dyn FnMut(String),
    ) -> Result<(), Error> {
        let started = clock::now();
        let (mut flowing_since, mut told, mut busy) = (None, false, started);
        loop {
            self.check(found)?;
            let (flowing, all) = progress(found);
            if flowing && flowing_since.is_none() {
                flowing_since = Some(clock::now());
            }
            let late = flowing_since.is_some_and(|since| clock::now() - since > STRAGGLERS);
            if all || late || self.ended {
                return self.adopt(found);
            }
            if flowing || self.live || self.is_busy() {
                busy = clock::now();
            } else if clock::now() - busy > IDLE {
                return Err(Error::Damaged { uri: self.uri.clone(), why: failure::UNREADABLE.into() });
            }
            let elapsed = clock::now() - started;
            if deadline.is_none() && elapsed > Duration::from_secs(1) && !told {
                told = true;
                waiting(format!("{} waits for a sender", self.uri));
            }
            if stop.is_set() || deadline.is_some_and(|deadline| elapsed > deadline) {
                return Err(Error::Silent { uri: self.uri.clone(), seconds: elapsed.as_secs() });
            }
            wake.wait(NAP);
        }
    }

    /// Whether any thread runs in the pipeline. decodebin of GStreamer 1.22 drops the error of a demultiplexer that
    /// fails while it is being plugged in, and waits for it for ever; then this is all that shows.
    fn is_busy(&self) -> bool {
        let elements = self.pipeline.iterate_recurse().into_iter().flatten();
        elements.flat_map(|element| element.pads()).any(|pad| pad.task_state() == gst::TaskState::Started)
    }

    /// Takes over the streams that have been found.
    fn adopt(&mut self, found: &Shared) -> Result<(), Error> {
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.video.take_if(|tap| !tap.flows());
        found.audio.retain(Tap::flows);
        failure::undecoded(&self.uri, &found)?;
        self.video = found.video.take();
        self.audio = std::mem::take(&mut found.audio);
        self.open = true;
        Ok(())
    }

    /// Lets media flow. A live source flows already.
    pub(super) fn play(&self) {
        // A failure to start comes as a message, and Pass::state tells it.
        let _ = self.pipeline.set_state(gst::State::Playing);
    }

    /// True when all streams have come to their end; an error if the source broke.
    pub(super) fn state(&mut self) -> Result<bool, Error> {
        self.check(&Shared::default())?;
        Ok(self.ended)
    }

    fn check(&mut self, found: &Shared) -> Result<(), Error> {
        while let Some(message) = self.bus.pop() {
            match message.view() {
                gst::MessageView::Eos(_) => self.ended = true,
                gst::MessageView::Error(error) => {
                    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    return Err(failure::explain(&self.uri, error, &found, self.open));
                }
                gst::MessageView::Warning(warning) => {
                    tracing::debug!(source = self.uri, warning = %warning.error(), "GStreamer warns");
                }
                _ => {}
            }
        }
        let why = found.lock().unwrap_or_else(PoisonError::into_inner).failure.take();
        why.map_or(Ok(()), |why| Err(Error::Damaged { uri: self.uri.clone(), why }))
    }

    /// Gives up the source: its port is free from now on.
    pub(super) fn close(&self) {
        self.bus.unset_sync_handler();
        // A pipeline that cannot stop is beyond help; the process ends with its source.
        let _ = self.pipeline.set_state(gst::State::Null);
    }

    /// How long the media is, where that is known.
    pub(super) fn duration(&self) -> Option<Duration> {
        let duration = self.pipeline.query_duration::<gst::ClockTime>().filter(|_| !self.live)?;
        Some(Duration::from_nanos(duration.nseconds()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.close();
    }
}

fn waits_for_ever(location: &Location) -> bool {
    match location {
        Location::Udp { .. } => true,
        Location::Srt(srt) => srt.caller_of.is_none(),
        _ => false,
    }
}

/// Whether any stream flows, and whether all do.
fn progress(found: &Shared) -> (bool, bool) {
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    let mut taps = found.video.iter().chain(&found.audio);
    let any = taps.clone().any(Tap::flows);
    (any, found.complete && taps.all(|tap| tap.flows() || tap.is_over()))
}

/// Links what the decoder brings up.
fn watch(decoder: &gst::Element, pipeline: &gst::Pipeline, found: &Shared, entrance: &Entrance, wake: &Wake) {
    let (pipeline, shared, ring) = (pipeline.downgrade(), found.clone(), wake.clone());
    let entrance = entrance.clone();
    decoder.connect_pad_added(move |_, pad| {
        let Some(pipeline) = pipeline.upgrade() else { return };
        if let Err(why) = link(&pipeline, pad, &shared, &entrance, &ring) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).failure = Some(why);
        }
        ring.ring();
    });
    let (shared, ring) = (found.clone(), wake.clone());
    decoder.connect_no_more_pads(move |_| {
        shared.lock().unwrap_or_else(PoisonError::into_inner).complete = true;
        ring.ring();
    });
    let shared = found.clone();
    decoder.connect("unknown-type", false, move |arguments| {
        if let Some(Ok(caps)) = arguments.get(2).map(|caps| caps.get::<gst::Caps>()) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).unknown.push(caps);
        }
        None
    });
    head::decode_one_video(decoder);
}

fn link(
    pipeline: &gst::Pipeline,
    pad: &gst::Pad,
    found: &Shared,
    entrance: &Entrance,
    wake: &Wake,
) -> Result<(), String> {
    let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
    let kind = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
    let is_first_video = || found.lock().unwrap_or_else(PoisonError::into_inner).video.is_none();
    let chain = match kind.as_str() {
        "video/x-raw" if is_first_video() => Chain::video(wake, entrance.video.clone()),
        "audio/x-raw" => Chain::audio(wake, entrance.audio.clone()),
        _ => return chain::discard(pipeline, pad).map_err(|error| error.to_string()),
    };
    let chain = chain.map_err(|error| error.to_string())?;
    let mut tap = chain.attach(pipeline, pad).map_err(|error| error.to_string())?;
    tap.reference = entrance.reference.clone();
    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
    if kind.starts_with("video") {
        found.video = Some(tap);
    } else {
        found.audio.push(tap);
    }
    Ok(())
}

impl Tap {
    fn flows(&self) -> bool {
        self.flows.load(Ordering::Relaxed)
    }

    /// The format of the stream.
    pub(super) fn caps(&self) -> Option<gst::Caps> {
        self.sink.static_pad("sink")?.current_caps()
    }

    /// The language in its tags; `und` if they name none.
    pub(super) fn language(&self) -> String {
        let Some(pad) = self.sink.static_pad("sink") else { return "und".into() };
        (0..)
            .map_while(|index| pad.sticky_event::<gst::event::Tag>(index))
            .find_map(|event| event.tag().get::<gst::tags::LanguageCode>().map(|code| code.get().to_owned()))
            .unwrap_or_else(|| "und".into())
    }

    /// From now on the stream is converted to `caps`, whatever comes.
    pub(super) fn pin(&self, caps: &gst::Caps) {
        self.filter.set_property("caps", caps);
    }

    /// From now on what comes is thrown away.
    pub(super) fn ignore(&self) {
        self.sink.set_drop(true);
        self.sink.set_max_buffers(1);
    }

    /// True when nothing more comes.
    pub(super) fn is_over(&self) -> bool {
        self.sink.is_eos()
    }

    /// When what became `buffer` came in.
    fn captured_at(&self, buffer: &gst::BufferRef) -> i64 {
        let arrival = buffer.pts().and_then(|stamp| self.arrivals.of(stamp.nseconds()));
        arrival.unwrap_or_else(arrival::micros)
    }

    /// Its time in nanoseconds, and whether it is to be left out, as it has no place.
    fn time(&self, sample: &gst::Sample, pts: Option<gst::ClockTime>) -> (Option<i128>, bool) {
        match (&self.reference, pts) {
            (Some(reference), Some(stamp)) => {
                let time = reference.time_of(stamp.nseconds());
                (time, time.is_none())
            }
            _ => running_time(sample, pts),
        }
    }

    /// The next picture, if it is there.
    pub(super) fn picture(&self) -> Option<Raw> {
        loop {
            let sample = self.sink.try_pull_sample(gst::ClockTime::ZERO)?;
            let buffer = sample.buffer_owned()?;
            let (stamp, outside) = self.time(&sample, buffer.pts());
            if !outside {
                let length = buffer.duration().map(|length| length.nseconds().into());
                let captured_at = self.captured_at(&buffer);
                return Some(Raw { stamp, length, captured_at, buffer });
            }
        }
    }

    /// The next run of samples, if it is there.
    pub(super) fn samples(&self) -> Option<Raw> {
        loop {
            let sample = self.sink.try_pull_sample(gst::ClockTime::ZERO)?;
            let mut buffer = sample.buffer_owned()?;
            let captured_at = self.captured_at(&buffer);
            if let Some(segment) = sample.segment().filter(|_| buffer.pts().is_some()) {
                // Priming that the container wants discarded lies before the segment, in front of zero.
                match gst_audio::audio_buffer_clip(buffer, segment, SAMPLE_RATE, FRAME_BYTES as u32) {
                    Some(clipped) => buffer = clipped,
                    None => continue,
                }
            }
            let (stamp, unknown) = self.time(&sample, buffer.pts());
            if unknown && self.reference.is_some() {
                continue;
            }
            let frames = (buffer.size() / FRAME_BYTES) as i128;
            let length = Some(frames * 1_000_000_000 / i128::from(SAMPLE_RATE));
            return Some(Raw { stamp, length, captured_at, buffer });
        }
    }
}

/// Running time in nanoseconds, and whether the stamp lies outside the segment that is to be played.
fn running_time(sample: &gst::Sample, pts: Option<gst::ClockTime>) -> (Option<i128>, bool) {
    let (Some(pts), Some(segment)) = (pts, sample.segment().and_then(|segment| segment.downcast_ref()))
    else {
        return (None, false);
    };
    let segment: &gst::FormattedSegment<gst::ClockTime> = segment;
    match segment.to_running_time(pts) {
        Some(time) => (Some(time.nseconds().into()), false),
        None => (None, true),
    }
}

/// Caps of the samples of every audio stream.
fn audio_caps() -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "F32LE")
        .field("layout", "interleaved")
        .field("rate", SAMPLE_RATE as i32)
        .field("channels", i32::from(CHANNELS))
        .build()
}
