//! Frame indices as GStreamer timestamps and back.

use gstreamer as gst;
use headwater_packager::time::FrameRate;

/// The timestamp of frame 0. An encoder that reorders shifts what comes earlier to here, lest decode times become
/// negative (`gst_video_encoder_set_min_pts`), and then takes the running times of all frames for later than those
/// of key units that are asked for: of two in short order it would forget one (GStreamer 1.22).
const START: gst::ClockTime = gst::ClockTime::from_seconds(1000 * 60 * 60);

/// Puts a picture at frame `index`, counted from the encoder's first.
pub(in crate::ladder) fn stamp(buffer: &mut gst::BufferRef, rate: FrameRate, index: i64) {
    let [start, end] = [index, index + 1].map(|index| rate.frame_nanos(index) as u64);
    buffer.set_pts(START + gst::ClockTime::from_nseconds(start));
    buffer.set_dts(None);
    buffer.set_duration(gst::ClockTime::from_nseconds(end - start));
}

/// The index of the frame at `time`. Segments begin at zero, so running times and timestamps are the same.
pub(in crate::ladder) fn frame(time: gst::ClockTime, rate: FrameRate) -> i64 {
    rate.nearest_frame(i128::from(time.nseconds()) - i128::from(START.nseconds()))
}
