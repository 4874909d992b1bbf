//! The pictures' half of the pipeline.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use headwater_packager::{sample::Sample, time::FrameRate, time::Grid};

use super::{Failed, KeyRequests, Outlet, Picture, Shared, Tracks, VideoTrack, input, link, output, queue};
use crate::ladder::{
    access_unit::{self, DecodeOrder, access_unit},
    encoder::{self, Chain, force_keys, raw, timing},
    rungs::PlannedRung,
    wire::{Media, Message},
};

/// Pictures that wait in front of a scaler or an encoder, so that all of them always have something to do.
const WAITING: u32 = 3;

/// Where pictures go in.
#[derive(Debug)]
pub(super) struct Input {
    source: gst_app::AppSrc,
    rate: FrameRate,
    grid: Grid,
    shared: Arc<Shared>,
}

impl Input {
    pub(super) fn push(&self, frame: i64, mut buffer: gst::Buffer, captured_at: i64) -> Result<(), String> {
        if self.shared.first.get().is_none() && !starts_segment(&self.grid, self.rate, frame) {
            return Ok(());
        }
        let index = self.shared.feed(frame, captured_at);
        timing::stamp(buffer.make_mut(), self.rate, index);
        self.source.push_buffer(buffer).map(drop).map_err(|error| format!("the encoders stopped: {error}"))
    }

    pub(super) fn end(&self) {
        // It fails only where nothing runs any more.
        let _ = self.source.end_of_stream();
    }
}

/// True if `frame` is the first of a segment.
fn starts_segment(grid: &Grid, rate: FrameRate, frame: i64) -> bool {
    let (timescale, ticks) = rate.timescale();
    let segment_of = |frame: i64| grid.segment_of(frame * ticks, timescale);
    segment_of(frame) != segment_of(frame - 1)
}

pub(super) fn build(
    pipeline: &gst::Pipeline,
    picture: &Picture,
    tracks: &Tracks,
    outlet: &Outlet,
    keys: &Arc<KeyRequests>,
    failed: &Failed,
) -> Result<Input, String> {
    let shared = Arc::new(Shared::default());
    let source = input(&raw::source_caps(picture), 2);
    let from_source = element("tee")?;
    link(pipeline, &[source.upcast_ref::<gst::Element>().clone(), from_source.clone()])?;
    let mut above: Option<(&PlannedRung, gst::Element)> = None;
    for track in &tracks.video {
        let rung = &track.rung;
        let same_size = raw::rung_caps(rung) == raw::source_caps(picture);
        let tee = if same_size {
            from_source.clone()
        } else {
            // A rung is scaled from the next larger one, which costs half as much as from the source.
            let parent = above.as_ref().filter(|(larger, _)| can_scale(larger, rung));
            let parent = parent.map_or(&from_source, |(_, tee)| tee);
            scaled(pipeline, parent, rung)?
        };
        encoded(pipeline, &tee, tracks, track, (outlet, keys, failed), &shared)?;
        above = Some((rung, tee));
    }
    Ok(Input { source, rate: picture.frame_rate, grid: tracks.grid, shared })
}

fn element(name: &'static str) -> Result<gst::Element, String> {
    encoder::make(name).map_err(|error| error.to_string())
}

/// True if the smaller rung loses nothing when it is made from the larger one.
fn can_scale(larger: &PlannedRung, smaller: &PlannedRung) -> bool {
    let shown = |rung: &PlannedRung| {
        let (num, den) = rung.sample_aspect;
        (u64::from(rung.width) * u64::from(num), u64::from(rung.height) * u64::from(den))
    };
    let (large, small) = (shown(larger), shown(smaller));
    let same_shape = u128::from(large.0) * u128::from(small.1) == u128::from(small.0) * u128::from(large.1);
    same_shape && larger.width >= smaller.width && larger.height >= smaller.height
}

/// Links a scaler behind `parent` and returns the tee behind that.
fn scaled(
    pipeline: &gst::Pipeline,
    parent: &gst::Element,
    rung: &PlannedRung,
) -> Result<gst::Element, String> {
    let scale = element("videoscale")?;
    scale.set_property_from_str("method", "bilinear");
    // A rung of a shape of its own is letter-boxed. One of the source's shape has nothing to add.
    scale.set_property("add-borders", true);
    let caps = encoder::capsfilter(&raw::rung_caps(rung)).map_err(|error| error.to_string())?;
    let tee = element("tee")?;
    let elements = [queue(WAITING)?, scale, caps, tee.clone()];
    link(pipeline, &elements)?;
    parent.link(&elements[0]).map_err(|error| error.to_string())?;
    Ok(tee)
}

/// Links the encoder of a track behind `tee`.
fn encoded(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    tracks: &Tracks,
    track: &VideoTrack,
    (outlet, keys, failed): (&Outlet, &Arc<KeyRequests>, &Failed),
    shared: &Arc<Shared>,
) -> Result<(), String> {
    let chain =
        Chain::build(&track.encoder, &track.rung, track.threads).map_err(|error| error.to_string())?;
    let (grid, rate, index) = (tracks.grid, track.rung.frame_rate, track.index);
    let (keys, origin) = (keys.clone(), shared.clone());
    force_keys(&chain.encoder_sink, rate, move |frame| {
        keys.take(index) | starts_segment(&grid, rate, origin.first() + frame)
    });
    let mut packer = Packer { track: track.clone(), order: DecodeOrder::default(), shared: shared.clone() };
    let outlet = outlet.clone();
    let sink = output(failed.clone(), move |sample| {
        outlet.send(&Message::Media(packer.pack(&sample)?));
        Ok(())
    });
    let mut elements = vec![queue(WAITING)?];
    elements.extend(chain.elements);
    elements.push(sink.upcast());
    link(pipeline, &elements)?;
    tee.link(&elements[0]).map_err(|error| error.to_string())
}

/// Makes messages of what a track's encoder gives.
struct Packer {
    track: VideoTrack,
    order: DecodeOrder,
    shared: Arc<Shared>,
}

impl Packer {
    fn pack(&mut self, sample: &gst::Sample) -> Result<Media, String> {
        let rung = &self.track.rung;
        let named = |error: access_unit::Error| format!("track {}: {error}", rung.name);
        let unit = access_unit(sample, rung.codec, rung.frame_rate).map_err(named)?;
        if unit.sync {
            self.check_codec(sample)?;
        }
        let decoded = self.order.place(&unit).map_err(named)?;
        let (_, ticks) = rung.frame_rate.timescale();
        let first = self.shared.first();
        let sample = Sample {
            dts: (first + decoded) * ticks,
            cts: ((unit.frame - decoded) * ticks) as i32,
            duration: ticks as u32,
            sync: unit.sync,
            captured_at: self.shared.captures.get(first + unit.frame),
            data: unit.data,
        };
        Ok(Media { track: self.track.index, filler: false, video: true, sample })
    }

    /// Everything that was published hangs on the decoder configuration that the trial encode promised.
    fn check_codec(&self, sample: &gst::Sample) -> Result<(), String> {
        if access_unit::video_config(sample, self.track.rung.codec).as_ref() == Some(&self.track.codec) {
            return Ok(());
        }
        Err(format!(
            "track {}: {} gives another decoder configuration than in its trial",
            self.track.rung.name, self.track.encoder.element
        ))
    }
}
