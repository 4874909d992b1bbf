//! The first elements of a pipeline: whatever receives, demultiplexes and decodes.

use std::sync::{Mutex, PoisonError};

use gstreamer::{self as gst, glib, prelude::*};

use crate::source::{
    Error,
    uri::{Location, Srt},
};

/// Seconds after which an HTTP server that says nothing is given up.
const HTTP_TIMEOUT: u32 = 8;
/// Milliseconds that RTP packets may arrive late, or out of order.
const RTP_LATENCY: u32 = 200;
/// Bytes that the kernel keeps for us: a burst of a 4K picture fits.
const UDP_BUFFER: i32 = 4 << 20;

/// Adds the elements for `location` to `pipeline`; the streams come out of the one returned.
pub(super) fn build(location: &Location, pipeline: &gst::Pipeline) -> Result<gst::Element, Error> {
    let built = match location {
        Location::File { path, .. } => {
            let uri = glib::filename_to_uri(path, None).map_err(|error| Error::Toolkit(error.to_string()))?;
            by_uri(pipeline, &uri)
        }
        Location::Http(uri) | Location::Rtsp(uri) => by_uri(pipeline, uri),
        Location::Srt(srt) => transport_stream(pipeline, srt_source(srt)),
        Location::Udp { address, port } => {
            transport_stream(pipeline, udp_source(&address.to_string(), *port))
        }
        Location::Test(_) => Err(glib::bool_error!("the test source has no pipeline")),
    };
    built.map_err(|error| Error::Toolkit(error.to_string()))
}

fn by_uri(pipeline: &gst::Pipeline, uri: &str) -> Result<gst::Element, glib::BoolError> {
    let decoder = gst::ElementFactory::make("uridecodebin").property("uri", uri).build()?;
    decoder.connect("source-setup", false, |arguments| {
        if let Some(Ok(source)) = arguments.get(1).map(|source| source.get::<gst::Element>()) {
            set_up(&source);
        }
        None
    });
    pipeline.add(&decoder)?;
    Ok(decoder)
}

fn set_up(source: &gst::Element) {
    match source.factory().map(|factory| factory.name().to_string()).as_deref() {
        Some("souphttpsrc") => {
            source.set_property("timeout", HTTP_TIMEOUT);
            source.set_property("user-agent", concat!("headwater/", env!("CARGO_PKG_VERSION")));
        }
        Some("rtspsrc") => {
            source.set_property("latency", RTP_LATENCY);
            // Interleaved in the control connection: passes every firewall, loses nothing on the way.
            source.set_property_from_str("protocols", "tcp");
            source.set_property("tcp-timeout", 8_000_000u64);
        }
        _ => {}
    }
}

/// MPEG-TS from a live source: the type is known, so that it is not guessed from the first bytes.
fn transport_stream(
    pipeline: &gst::Pipeline,
    source: Result<gst::Element, glib::BoolError>,
) -> Result<gst::Element, glib::BoolError> {
    let source = source?;
    let caps = gst::Caps::builder("video/mpegts").field("systemstream", true).build();
    let decoder = gst::ElementFactory::make("decodebin").property("sink-caps", &caps).build()?;
    pipeline.add_many([&source, &decoder])?;
    source.link(&decoder)?;
    Ok(decoder)
}

fn udp_source(address: &str, port: u16) -> Result<gst::Element, glib::BoolError> {
    gst::ElementFactory::make("udpsrc")
        .property("address", address)
        .property("port", i32::from(port))
        .property("buffer-size", UDP_BUFFER)
        .build()
}

fn srt_source(srt: &Srt) -> Result<gst::Element, glib::BoolError> {
    let source = gst::ElementFactory::make("srtsrc").build()?;
    match &srt.caller_of {
        Some(host) => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            source.set_property("uri", format!("srt://{host}:{}", srt.port));
            source.set_property_from_str("mode", "caller");
        }
        None => {
            source.set_property("uri", format!("srt://:{}", srt.port));
            source.set_property_from_str("mode", "listener");
            source.set_property("localaddress", srt.bind.to_string());
            source.set_property("localport", u32::from(srt.port));
        }
    }
    // Without these, GStreamer waits in silence for a server that is gone; the supervisor does better.
    source.set_property("auto-reconnect", false);
    source.set_property("keep-listening", false);
    if let Some(latency) = srt.latency {
        source.set_property("latency", latency as i32);
    }
    if let Some(stream_id) = &srt.stream_id {
        source.set_property("streamid", stream_id);
    }
    if let Some(passphrase) = &srt.passphrase {
        source.set_property("passphrase", passphrase);
    }
    Ok(source)
}

/// Containers whose caps begin with `video/` too.
const CONTAINERS: [&str; 9] = [
    "video/quicktime",
    "video/mpegts",
    "video/x-matroska",
    "video/webm",
    "video/x-msvideo",
    "video/x-flv",
    "video/ogg",
    "video/x-ms-asf",
    "video/mj2",
];

/// Keeps the decoder from decoding more than the first video stream, which is all that is used.
pub(super) fn decode_one_video(decoder: &gst::Element) {
    let first: Mutex<Option<glib::GString>> = Mutex::new(None);
    decoder.connect("autoplug-continue", false, move |arguments| {
        let pad = arguments.get(1).and_then(|pad| pad.get::<gst::Pad>().ok());
        let caps = arguments.get(2).and_then(|caps| caps.get::<gst::Caps>().ok());
        let wanted = || {
            let (id, caps) = (pad?.stream_id()?, caps?);
            if !is_elementary_video(&caps) {
                return None;
            }
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            Some(*first.get_or_insert_with(|| id.clone()) == id)
        };
        Some(wanted().unwrap_or(true).to_value())
    });
}

fn is_elementary_video(caps: &gst::Caps) -> bool {
    let Some(structure) = caps.structure(0) else { return false };
    let system = structure.get::<bool>("systemstream").unwrap_or(false);
    structure.name().starts_with("video/") && !system && !CONTAINERS.contains(&structure.name().as_str())
}
