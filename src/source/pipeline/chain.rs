//! What stands between a decoder and us: elements that make a stream upright, progressive I420 or plain samples.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gstreamer::{self as gst, glib::BoolError, prelude::*};
use gstreamer_app::{AppSink, AppSinkCallbacks};
use gstreamer_video::VideoMeta;

use super::{Tap, arrival::Arrivals, audio_caps};
use crate::source::wake::Wake;

/// Decoded pictures that wait at most. They are large.
const PICTURES: u32 = 6;
/// Runs of samples that wait at most; more, because streams are interleaved in lumps.
const RUNS: u32 = 128;

/// Elements in order, the sink last.
pub(super) struct Chain {
    elements: Vec<gst::Element>,
    tap: Tap,
}

impl Chain {
    pub(super) fn video(wake: &Wake, arrivals: Arrivals) -> Result<Self, BoolError> {
        let deinterlace = element("deinterlace")?;
        deinterlace.set_property_from_str("method", "greedyh");
        // Yadif in GStreamer 1.22 loses the first and the last picture and moves stamps by one.
        // One picture a frame: 50 fields become 25 pictures, which is the rate that the source calls its own.
        deinterlace.set_property_from_str("fields", "top");
        let flip = element("videoflip")?;
        flip.set_property_from_str("video-direction", "auto");
        // The first converter is for formats that the deinterlacer does not know, such as 10 bits.
        let elements = vec![element("videoconvert")?, deinterlace, flip, element("videoconvertscale")?];
        let caps = gst::Caps::builder("video/x-raw").field("format", "I420").build();
        let chain = Self::ending(elements, &caps, PICTURES, wake, arrivals)?;
        accept_strides(&chain.tap.sink);
        Ok(chain)
    }

    pub(super) fn audio(wake: &Wake, arrivals: Arrivals) -> Result<Self, BoolError> {
        let elements = vec![element("audioconvert")?, element("audioresample")?];
        Self::ending(elements, &audio_caps(), RUNS, wake, arrivals)
    }

    fn ending(
        mut elements: Vec<gst::Element>,
        caps: &gst::Caps,
        waiting: u32,
        wake: &Wake,
        arrivals: Arrivals,
    ) -> Result<Self, BoolError> {
        let filter = element("capsfilter")?;
        filter.set_property("caps", caps);
        let sink = AppSink::builder().sync(false).max_buffers(waiting).wait_on_eos(false).build();
        sink.set_property("enable-last-sample", false);
        let flows = Arc::new(AtomicBool::new(false));
        let came = |wake: &Wake| {
            let (wake, flows) = (wake.clone(), flows.clone());
            move |_: &AppSink| {
                flows.store(true, Ordering::Relaxed);
                wake.ring();
                Ok(gst::FlowSuccess::Ok)
            }
        };
        let eos = wake.clone();
        sink.set_callbacks(
            AppSinkCallbacks::builder()
                .new_sample(came(wake))
                .new_preroll(came(wake))
                .eos(move |_| eos.ring())
                .build(),
        );
        elements.extend([filter.clone(), sink.clone().upcast()]);
        Ok(Self { elements, tap: Tap { sink, filter, flows, arrivals, reference: None } })
    }

    /// Puts the chain behind `pad`.
    pub(super) fn attach(self, pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<Tap, BoolError> {
        pipeline.add_many(&self.elements)?;
        gst::Element::link_many(&self.elements)?;
        // From the sink up, so that nothing flows into an element that does not run yet.
        for element in self.elements.iter().rev() {
            element.sync_state_with_parent()?;
        }
        let entry = self.elements.first().and_then(|element| element.static_pad("sink"));
        let entry = entry.ok_or_else(|| gst::glib::bool_error!("a chain without an entry"))?;
        pad.link(&entry).map_err(|error| gst::glib::bool_error!("a stream cannot be linked: {error}"))?;
        Ok(self.tap)
    }
}

/// Takes what `pad` gives and throws it away: a pad that is not linked makes the demultiplexer hold up the others.
pub(super) fn discard(pipeline: &gst::Pipeline, pad: &gst::Pad) -> Result<(), BoolError> {
    let sink =
        gst::ElementFactory::make("fakesink").property("sync", false).property("async", false).build()?;
    pipeline.add(&sink)?;
    sink.sync_state_with_parent()?;
    let entry = sink.static_pad("sink").ok_or_else(|| gst::glib::bool_error!("a sink without an entry"))?;
    pad.link(&entry).map(drop).map_err(|error| gst::glib::bool_error!("a stream cannot be linked: {error}"))
}

fn element(name: &str) -> Result<gst::Element, BoolError> {
    gst::ElementFactory::make(name).build()
}

/// Lets decoders hand over their own picture buffers, whatever their strides, instead of copying them.
fn accept_strides(sink: &AppSink) {
    let Some(pad) = sink.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(query) = info.query_mut() else { return gst::PadProbeReturn::Ok };
        let gst::QueryViewMut::Allocation(allocation) = query.view_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        allocation.add_allocation_meta::<VideoMeta>(None);
        gst::PadProbeReturn::Handled
    });
}
