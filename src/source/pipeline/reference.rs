//! The sender's own time of what comes out of a pipeline.
//!
//! GStreamer's demultiplexer moves timestamps to the pipeline's clock and smooths them on the way, each process in its
//! own way. So what goes into it is read beside it, and what comes out is recognised by how it begins.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use gstreamer::{self as gst, prelude::*};

use crate::{
    clock,
    source::{epoch, transport},
};

/// PES packets that are looked for; the demultiplexer gives one when the next one begins.
const EXPECTED: usize = 64;
/// Frames that are remembered; more than any decoder holds.
const REMEMBERED: usize = 256;
/// Delays that are looked at: those of some seconds.
const DELAYS: usize = 1024;
/// As much of a payload is compared, at most and at least.
const HEAD: usize = 64;
const SHORTEST_HEAD: usize = 8;
/// Decoders compute the stamps of sound anew, which moves them a little: nanoseconds.
const ROUNDING: u64 = 1_000_000;

/// What is known of a sender's time.
#[derive(Clone, Debug, Default)]
pub(in crate::source) struct Reference(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    expected: VecDeque<Expected>,
    /// The demultiplexer's stamps, and what has to be added to each to get the sender's time.
    shifts: VecDeque<(u64, i128)>,
    /// How long after their own time packets came, since this was asked to begin anew.
    delays: VecDeque<i128>,
    /// What is added to the sender's time to get ours.
    offset: Option<i128>,
}

/// A PES packet that went into the demultiplexer.
#[derive(Debug)]
struct Expected {
    pid: u16,
    /// The sender's time in nanoseconds.
    time: i128,
    head: Vec<u8>,
}

impl Reference {
    /// Watches the demultiplexer of `pipeline`, once there is one.
    pub(super) fn watch(&self, pipeline: &gst::Pipeline) {
        let reference = self.clone();
        pipeline.connect_deep_element_added(move |_, _, element| {
            if element.factory().is_some_and(|factory| factory.name() == "tsdemux") {
                reference.attach(element);
            }
        });
    }

    fn attach(&self, demultiplexer: &gst::Element) {
        let Some(entry) = demultiplexer.static_pad("sink") else { return };
        let reference = self.clone();
        probe(&entry, move |buffer| {
            if let Ok(bytes) = buffer.map_readable() {
                reference.hear(&bytes, clock::unix_nanos());
            }
        });
        let reference = self.clone();
        demultiplexer.connect_pad_added(move |_, pad| {
            let Some(pid) = pid(&pad.name()) else { return };
            let reference = reference.clone();
            probe(pad, move |buffer| {
                if let (Some(stamp), Ok(bytes)) = (buffer.pts(), buffer.map_readable()) {
                    reference.recognise(pid, stamp.nseconds(), &bytes);
                }
            });
        });
    }

    /// Takes down what goes in, at `now` nanoseconds since the epoch.
    fn hear(&self, bytes: &[u8], now: i128) {
        let mut known = self.known();
        let near = now - known.offset.unwrap_or_default();
        for unit in transport::units(bytes) {
            // The first to be decoded comes first: what is shown before others may come behind them.
            push(&mut known.delays, DELAYS, now - epoch::unwrap(unit.dts, near));
            let head = unit.head[..unit.head.len().min(HEAD)].to_vec();
            let time = epoch::unwrap(unit.pts, near);
            push(&mut known.expected, EXPECTED, Expected { pid: unit.pid, time, head });
        }
    }

    /// Takes down what comes out.
    fn recognise(&self, pid: u16, stamp: u64, bytes: &[u8]) {
        let mut known = self.known();
        let usual = known.shifts.back().map(|(_, shift)| *shift);
        let matches = |each: &&Expected| {
            let compared = each.head.len().min(bytes.len());
            each.pid == pid && compared >= SHORTEST_HEAD && each.head[..compared] == bytes[..compared]
        };
        let shifts: Vec<i128> =
            known.expected.iter().filter(matches).map(|each| each.time - i128::from(stamp)).collect();
        let shift = match (&shifts[..], usual) {
            ([only], _) => Some(*only),
            // Silence looks the same all the time.
            (several, Some(usual)) => several.iter().min_by_key(|shift| (*shift - usual).abs()).copied(),
            _ => None,
        };
        shift.into_iter().for_each(|shift| push(&mut known.shifts, REMEMBERED, (stamp, shift)));
    }

    /// The sender's time of what has `stamp`: its own, or that which follows from the one before it.
    pub(super) fn time_of(&self, stamp: u64) -> Option<i128> {
        let known = self.known();
        let before = known.shifts.iter().filter(|(other, _)| *other <= stamp + ROUNDING);
        let (_, shift) = before.max_by_key(|(other, _)| *other).or(known.shifts.back())?;
        Some(i128::from(stamp) + shift)
    }

    /// Forgets how long packets took, and by how much their time was moved.
    pub(in crate::source) fn begin(&self) {
        let mut known = self.known();
        known.delays.clear();
        known.offset = None;
    }

    /// How long packets take from their own time to us, if any has come since the beginning.
    pub(in crate::source) fn delay(&self) -> Option<i128> {
        epoch::shortest(self.known().delays.make_contiguous())
    }

    /// From now on the sender's time is moved by `offset`.
    pub(in crate::source) fn settle(&self, offset: i128) {
        self.known().offset = Some(offset);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn push<T>(queue: &mut VecDeque<T>, most: usize, item: T) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}

fn probe(pad: &gst::Pad, look: impl Fn(&gst::BufferRef) + Send + Sync + 'static) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        info.buffer().into_iter().for_each(|buffer| look(buffer));
        gst::PadProbeReturn::Ok
    });
}

/// The stream that a pad of the demultiplexer gives, of which `video_0_00100` tells in hexadecimal digits.
fn pid(pad: &str) -> Option<u16> {
    u16::from_str_radix(pad.rsplit('_').next()?, 16).ok()
}
