//! Settings of hardware encoders. Their properties differ by name; each takes those of the list that it has, and
//! the trial encode shows whether that is enough.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{PlannedRung, set};

pub(super) fn configure(encoder: &gst::Element, rung: &PlannedRung) {
    let kilobits = (rung.bitrate / 1000).max(1).to_string();
    let b_frames = rung.b_frames.to_string();
    for (property, value) in [
        // Bit rates are in kbit/s and buffers hold one second, in kbit or ms.
        ("bitrate", kilobits.as_str()),
        ("max-bitrate", &kilobits),
        ("rate-control", "cbr"),
        ("rc-mode", "cbr"),
        ("cpb-size", &kilobits),
        ("vbv-buffer-size", &kilobits),
        ("cpb-length", "1000"),
        // Key frames only where they are forced: the distance is the largest that the element allows.
        ("key-int-max", "1024"),
        ("keyframe-period", "100000"),
        ("gop-size", "1024"),
        ("i-adapt", "false"),
        ("strict-gop", "true"),
        ("b-frames", &b_frames),
        ("bframes", &b_frames),
        ("max-bframes", &b_frames),
        ("aud", "false"),
        ("repeat-sequence-header", "false"),
    ] {
        set(encoder, property, value);
    }
    if rung.low_latency {
        for (property, value) in [
            ("zerolatency", "true"),
            ("zero-reorder-delay", "true"),
            ("low-latency", "true"),
            ("rc-lookahead", "0"),
        ] {
            set(encoder, property, value);
        }
    }
    if encoder.find_property("extra-controls").is_some() {
        let controls = gst::Structure::builder("controls")
            .field("video_bitrate", rung.bitrate as i32)
            .field("video_bitrate_mode", 1)
            .field("video_gop_size", 1024)
            .field("h264_i_frame_period", 1024)
            .field("video_b_frames", rung.b_frames as i32)
            .build();
        encoder.set_property("extra-controls", controls);
    }
}
