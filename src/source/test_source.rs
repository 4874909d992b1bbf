//! The built-in source: the test [`Pattern`] and [`tone`] on the grid.

use std::{sync::mpsc::SyncSender, thread, time::Duration};

use headwater_packager::{
    time::{FrameRate, Timescale},
    track::Colour,
};

use super::{
    AudioFormat, BLOCK, CHANNELS, Error, FRAME_BYTES, Item, Pace, Request, SAMPLE_RATE, Source, VideoFormat,
    conform::Origin,
    media::{Stop, queue},
    pattern::{Pattern, tone},
    uri::TestSource,
};
use crate::clock::{self, Timeline};

/// Longest nap, so that a stop is seen soon.
const NAP: Duration = Duration::from_millis(100);
const NANOS_PER_MILLI: i128 = 1_000_000;
const BT709: Colour = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: false };

pub(super) fn open(test: TestSource, request: Request) -> Result<Source, Error> {
    let rate = request.frame_rate.unwrap_or(test.rate);
    let duration = test.seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let (sender, media) = queue();
    let clock = (request.pace != Pace::Asap).then(Timeline::start);
    let origin = match clock {
        Some(clock) => Origin::live(&request.grid, rate, clock.now()),
        None => Origin::ZERO,
    };
    let generator = Generator {
        pattern: Pattern::new(test.width, test.height, &request.name),
        rate,
        clock,
        frame: origin.frame,
        block: origin.block,
        end: duration.map(|duration| rate.frame_nanos(origin.frame) + duration.as_nanos() as i128),
        stop: media.stop(),
        sender,
    };
    thread::Builder::new()
        .name("test-source".into())
        .spawn(move || generator.run())
        .map_err(|error| Error::Toolkit(format!("no thread for the test source: {error}")))?;
    let video = VideoFormat {
        width: test.width,
        height: test.height,
        sample_aspect: (1, 1),
        frame_rate: rate,
        colorimetry: Some("bt709".into()),
        colour: Some(BT709),
    };
    let audio = AudioFormat { language: "und".into(), channels: CHANNELS };
    Ok(Source { video: Some(video), audio: vec![audio], media, duration })
}

struct Generator {
    pattern: Pattern,
    rate: FrameRate,
    /// `None` if nothing waits for time.
    clock: Option<Timeline>,
    frame: i64,
    block: i64,
    /// Media time of the end, in nanoseconds.
    end: Option<i128>,
    stop: Stop,
    sender: SyncSender<Item>,
}

impl Generator {
    /// Runs to the end, or until nobody listens.
    fn run(mut self) {
        let mut item = Some(Item::Live);
        while let Some(next) = item {
            if self.sender.send(next).is_err() {
                return;
            }
            if self.is_over() {
                // Nobody listens any more if this fails, and then nobody misses it.
                let _ = self.sender.send(Item::Ended);
                return;
            }
            item = self.next();
        }
    }

    fn is_over(&self) -> bool {
        let start = self.rate.frame_nanos(self.frame).min(block_nanos(self.block));
        self.end.is_some_and(|end| start >= end)
    }

    /// The next picture or block, whichever starts first; `None` on a stop.
    fn next(&mut self) -> Option<Item> {
        let (picture_at, block_at) = (self.rate.frame_nanos(self.frame), block_nanos(self.block));
        let start = picture_at.min(block_at);
        self.wait_until(start)?;
        let captured_at = if self.clock.is_some() { (start / 1000) as i64 } else { 0 };
        if picture_at <= block_at {
            self.frame += 1;
            let buffer = self.picture(picture_at)?;
            Some(Item::Video { frame: self.frame - 1, buffer, captured_at })
        } else {
            self.block += 1;
            Some(Item::Audio { stream: 0, block: self.block - 1, buffer: block(self.block - 1), captured_at })
        }
    }

    fn wait_until(&self, nanos: i128) -> Option<()> {
        let Some(clock) = self.clock else { return Some(()) };
        let due = clock.instant(nanos);
        loop {
            let left = due.saturating_duration_since(clock::now());
            if self.stop.is_set() {
                return None;
            }
            if left.is_zero() {
                return Some(());
            }
            thread::sleep(left.min(NAP));
        }
    }

    fn picture(&self, nanos: i128) -> Option<gstreamer::Buffer> {
        let mut buffer = gstreamer::Buffer::with_size(self.pattern.layout().size).ok()?;
        let mut map = buffer.get_mut()?.map_writable().ok()?;
        self.pattern.draw(&mut map, (nanos / NANOS_PER_MILLI) as i64);
        drop(map);
        Some(buffer)
    }
}

fn block_nanos(block: i64) -> i128 {
    Timescale::new(SAMPLE_RATE).map_or(0, |scale| scale.nanos(block * BLOCK))
}

fn block(index: i64) -> gstreamer::Buffer {
    let mut samples = Vec::with_capacity(BLOCK as usize * FRAME_BYTES);
    for sample in index * BLOCK..(index + 1) * BLOCK {
        for _ in 0..CHANNELS {
            samples.extend_from_slice(&tone(sample).to_le_bytes());
        }
    }
    gstreamer::Buffer::from_slice(samples)
}
