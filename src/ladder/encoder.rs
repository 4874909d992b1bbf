//! Encoder elements: which could encode a rung, and the chain of elements around one, with the rung's settings.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use headwater_packager::time::FrameRate;
use thiserror::Error;

use super::rungs::PlannedRung;
use crate::config::VideoCodec;

mod hardware;
pub(super) mod raw;
mod software;
pub(super) mod timing;

/// Why an encoder element was not built.
#[derive(Debug, Error)]
pub enum Error {
    /// `encoder = "..."` names nothing that is known.
    #[error("encoder {0:?} is unknown; known are {known}", known = known())]
    Unknown(String),
    /// The plugin is not there, or sees no device.
    #[error("{0} is not installed or sees no device")]
    Missing(&'static str),
    /// A setting that the element does not know.
    #[error("{element} has no {property} {value:?}")]
    Setting {
        /// The element.
        element: &'static str,
        /// Its property.
        property: &'static str,
        /// The refused value.
        value: String,
    },
}

/// An element that may be able to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) element: &'static str,
    pub(super) codec: VideoCodec,
    pub(super) hardware: bool,
}

const fn hardware(element: &'static str, codec: VideoCodec) -> Candidate {
    Candidate { element, codec, hardware: true }
}

/// All that are known, the preferred first.
const CANDIDATES: [Candidate; 16] = [
    hardware("vah264enc", VideoCodec::H264),
    hardware("vah264lpenc", VideoCodec::H264),
    hardware("vaapih264enc", VideoCodec::H264),
    hardware("nvcudah264enc", VideoCodec::H264),
    hardware("nvh264enc", VideoCodec::H264),
    hardware("qsvh264enc", VideoCodec::H264),
    hardware("v4l2h264enc", VideoCodec::H264),
    Candidate { element: "x264enc", codec: VideoCodec::H264, hardware: false },
    hardware("vah265enc", VideoCodec::H265),
    hardware("vah265lpenc", VideoCodec::H265),
    hardware("vaapih265enc", VideoCodec::H265),
    hardware("nvcudah265enc", VideoCodec::H265),
    hardware("nvh265enc", VideoCodec::H265),
    hardware("qsvh265enc", VideoCodec::H265),
    hardware("v4l2h265enc", VideoCodec::H265),
    Candidate { element: "x265enc", codec: VideoCodec::H265, hardware: false },
];

fn known() -> String {
    CANDIDATES.map(|candidate| candidate.element).join(", ")
}

/// The elements to try for `codec`, the preferred first. Insisting on one, by its name with or without `enc`,
/// leaves a codec that it is not for as it is.
pub(super) fn candidates(codec: VideoCodec, insisted: Option<&str>) -> Result<Vec<Candidate>, Error> {
    let named = |candidate: &Candidate| {
        insisted.is_none_or(|name| {
            candidate.element == name || candidate.element.strip_suffix("enc") == Some(name)
        })
    };
    if let (Some(name), false) = (insisted, CANDIDATES.iter().any(named)) {
        return Err(Error::Unknown(name.into()));
    }
    let fitting = || CANDIDATES.into_iter().filter(move |candidate| candidate.codec == codec);
    let wanted: Vec<_> = fitting().filter(named).collect();
    Ok(if wanted.is_empty() { fitting().collect() } else { wanted })
}

/// How many threads each rung's software encoder gets, so that all of them together are as many as one alone would
/// take: half as many again as there are cores (x264's own rule), shared out by pixels.
pub(super) fn threads(rungs: &[PlannedRung], cores: usize) -> Vec<u32> {
    let pixels = |rung: &PlannedRung| u64::from(rung.width) * u64::from(rung.height);
    let all: u64 = rungs.iter().map(pixels).sum();
    rungs.iter().map(|rung| (pixels(rung) * cores as u64 * 3).div_ceil(all.max(1) * 2) as u32).collect()
}

/// A rung's elements in order, from raw I420 pictures of its size to access units with length-prefixed NAL units.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) elements: Vec<gst::Element>,
    /// The encoder's own sink pad.
    pub(super) encoder_sink: gst::Pad,
}

impl Chain {
    pub(super) fn build(candidate: &Candidate, rung: &PlannedRung, threads: u32) -> Result<Self, Error> {
        let encoder = make(candidate.element)?;
        if candidate.hardware {
            hardware::configure(&encoder, rung);
        } else {
            software::configure(&encoder, candidate, rung, threads)?;
        }
        let encoder_sink = encoder.static_pad("sink").ok_or(Error::Missing(candidate.element))?;
        let mut elements = vec![encoder, capsfilter(&profile_caps(candidate, rung))?];
        if candidate.hardware {
            // What is not I420 inside, NV12 mostly, is converted; x264 and x265 take the pictures as they are.
            elements.insert(0, make("videoconvert")?);
        }
        if candidate.element != "x264enc" {
            let parser = if rung.codec == VideoCodec::H264 { "h264parse" } else { "h265parse" };
            elements.extend([make(parser)?, capsfilter(&stored_caps(rung.codec))?]);
        }
        Ok(Self { elements, encoder_sink })
    }
}

pub(super) fn make(element: &'static str) -> Result<gst::Element, Error> {
    gst::ElementFactory::make(element).build().map_err(|_| Error::Missing(element))
}

pub(super) fn capsfilter(caps: &gst::Caps) -> Result<gst::Element, Error> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// What the encoder itself is asked for.
fn profile_caps(candidate: &Candidate, rung: &PlannedRung) -> gst::Caps {
    let caps = gst::Caps::builder(media_type(rung.codec)).field("profile", &rung.profile);
    if candidate.element == "x264enc" {
        return caps.field("stream-format", "avc").field("alignment", "au").build();
    }
    caps.build()
}

/// How access units are carried in MP4: parameter sets only in the sample entry (`avc1`, `hvc1`).
fn stored_caps(codec: VideoCodec) -> gst::Caps {
    let format = if codec == VideoCodec::H264 { "avc" } else { "hvc1" };
    gst::Caps::builder(media_type(codec)).field("stream-format", format).field("alignment", "au").build()
}

fn media_type(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "video/x-h264",
        VideoCodec::H265 => "video/x-h265",
    }
}

/// Sets a property from text. False if the element has no such property, or not this value for it.
fn set(element: &gst::Element, property: &str, value: &str) -> bool {
    let Some(spec) = element.find_property(property) else { return false };
    let Ok(value) = gst::glib::Value::deserialize_with_pspec(value, &spec) else { return false };
    element.set_property_from_value(property, &value);
    true
}

/// Makes the encoder behind `sink` begin an IDR period with each frame that `wanted` says, exactly: the event goes
/// in right before the picture, in the thread that brings it.
pub(super) fn force_keys(
    sink: &gst::Pad,
    rate: FrameRate,
    wanted: impl Fn(i64) -> bool + Send + Sync + 'static,
) {
    sink.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let time = info.buffer().and_then(|buffer| buffer.pts());
        if let Some(time) = time.filter(|&time| wanted(timing::frame(time, rate))) {
            let event = gst_video::DownstreamForceKeyUnitEvent::builder().running_time(time);
            pad.send_event(event.all_headers(false).build());
        }
        gst::PadProbeReturn::Ok
    });
}
