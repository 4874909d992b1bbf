//! Caps of raw media.

use gstreamer as gst;
use gstreamer_video as gst_video;
use headwater_packager::{time::FrameRate, track::Colour};

use crate::ladder::rungs::{Picture, PlannedRung};

/// Caps of the source's pictures.
pub(in crate::ladder) fn source_caps(picture: &Picture) -> gst::Caps {
    caps(picture.width, picture.height, picture.sample_aspect, picture.frame_rate, picture.colour)
}

/// Caps of a rung's pictures.
pub(in crate::ladder) fn rung_caps(rung: &PlannedRung) -> gst::Caps {
    caps(rung.width, rung.height, rung.sample_aspect, rung.frame_rate, rung.colour)
}

/// Everything that could get into a codec configuration is told, so that it is the same for trial and source.
fn caps(width: u32, height: u32, aspect: (u32, u32), rate: FrameRate, colour: Option<Colour>) -> gst::Caps {
    let mut caps = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", width as i32)
        .field("height", height as i32)
        .field("pixel-aspect-ratio", gst::Fraction::new(aspect.0 as i32, aspect.1 as i32))
        .field("framerate", gst::Fraction::new(rate.num.get() as i32, rate.den.get() as i32))
        .field("interlace-mode", "progressive")
        .field("chroma-site", "mpeg2");
    if let Some(colour) = colour {
        caps = caps.field("colorimetry", colorimetry(colour).to_string());
    }
    caps.build()
}

fn colorimetry(colour: Colour) -> gst_video::VideoColorimetry {
    let range = if colour.full_range {
        gst_video::VideoColorRange::Range0_255
    } else {
        gst_video::VideoColorRange::Range16_235
    };
    gst_video::VideoColorimetry::new(
        range,
        gst_video::VideoColorMatrix::from_iso(colour.matrix.into()),
        gst_video::VideoTransferFunction::from_iso(colour.transfer.into()),
        gst_video::VideoColorPrimaries::from_iso(colour.primaries.into()),
    )
}

/// Caps of the source's sound.
pub(in crate::ladder) fn audio_caps(channels: u16) -> gst::Caps {
    gst::Caps::builder("audio/x-raw")
        .field("format", "F32LE")
        .field("layout", "interleaved")
        .field("rate", 48_000)
        .field("channels", i32::from(channels))
        .build()
}
