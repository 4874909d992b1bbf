//! The streams of a source on their way to the grid: pulled, stamped, moved to the timeline, cut.

use std::collections::VecDeque;

use gstreamer as gst;
use headwater_packager::time::FrameRate;

use super::{
    BLOCK, Item,
    conform::{Block, Blocks, Origin, Slots, Stamps, block_at_or_after, sample_at_or_after, sample_nanos},
    pipeline::{Pass, Raw, Tap},
};

/// Pictures that are looked at ahead of their time.
const AHEAD: usize = 2;
/// Sound before the first picture that is not waited with: the delay of an encoder.
const PRIMING: i128 = 60_000_000;
/// Sound that goes on for longer than this behind the last picture is media; less is a codec's padding.
const TAIL: i128 = 1_000_000_000;

/// All streams of a source.
#[derive(Debug)]
pub(super) struct Lanes {
    pub video: Option<Pictures>,
    pub audio: Vec<Sound>,
    /// From stream time to the timeline; zero until it is known.
    offset: i128,
    /// The shift that all streams agree on: see [`Stamps`].
    agreed: i128,
    live: bool,
}

/// A picture or a run of samples, and when it came in.
#[derive(Clone, Debug)]
struct Captured {
    buffer: gst::Buffer,
    /// Microseconds since the Unix epoch.
    at: i64,
}

#[derive(Debug)]
pub(super) struct Pictures {
    slots: Slots<Captured>,
    rate: FrameRate,
    waiting: VecDeque<(i128, Captured)>,
    stamps: Stamps,
    over: bool,
    /// Where the last picture ends on the timeline.
    end: i128,
}

#[derive(Debug)]
pub(super) struct Sound {
    blocks: Blocks,
    waiting: VecDeque<(i128, Captured)>,
    stamps: Stamps,
    over: bool,
    end: i128,
}

/// What one look at the taps brought.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pulled {
    /// Pictures and runs of samples.
    pub count: usize,
    /// The newest stamp on the timeline.
    pub newest: Option<i128>,
    /// The oldest one.
    pub oldest: Option<i128>,
}

impl Pulled {
    fn note(&mut self, time: i128) {
        self.count += 1;
        self.newest = self.newest.max(Some(time));
        self.oldest = Some(self.oldest.map_or(time, |oldest| oldest.min(time)));
    }
}

/// How far the pictures have come, which is what sound keeps to.
#[derive(Clone, Copy)]
enum Reach {
    /// There are none.
    Free,
    /// They go on.
    Until {
        /// Where the next one starts.
        next: i128,
        /// Where the last one that is known ends.
        end: i128,
    },
    /// The last one ended here.
    Over(i128),
}

/// Whether sound that ends at `sound` is media behind the last picture, which ends at `pictures`, or padding.
fn goes_on(sound: i128, pictures: i128) -> bool {
    sound > pictures.saturating_add(TAIL)
}

fn stamps(live: bool) -> Stamps {
    if live { Stamps::live() } else { Stamps::file() }
}

impl Lanes {
    /// Streams of which nothing is known yet; `rate` is the pictures' if there are any.
    pub(super) fn new(rate: Option<FrameRate>, audio: usize, live: bool) -> Self {
        let pictures = |rate| Pictures {
            slots: Slots::new(rate, 0),
            rate,
            waiting: VecDeque::new(),
            stamps: stamps(live),
            over: false,
            end: i128::MIN,
        };
        let sound = || Sound {
            blocks: Blocks::new(0),
            waiting: VecDeque::new(),
            stamps: stamps(live),
            over: false,
            end: i128::MIN,
        };
        let audio = std::iter::repeat_with(sound).take(audio).collect();
        Self { video: rate.map(pictures), audio, offset: 0, agreed: 0, live }
    }

    /// Takes pictures that were pulled before there was a lane for them.
    pub(super) fn accept(&mut self, pictures: Vec<Raw>) {
        if let Some(video) = &mut self.video {
            for raw in pictures {
                video.accept(raw, self.offset, &mut self.agreed);
            }
        }
    }

    /// Looks at all taps; takes a little ahead, or `all` that is there.
    pub(super) fn pull(&mut self, pass: &Pass, all: bool) -> Pulled {
        let mut pulled = Pulled::default();
        if let (Some(video), Some(tap)) = (&mut self.video, &pass.video) {
            while (all || video.waiting.len() < AHEAD)
                && let Some(raw) = tap.picture()
            {
                pulled.note(video.accept(raw, self.offset, &mut self.agreed));
            }
            video.over = tap.is_over();
        }
        for (sound, tap) in self.audio.iter_mut().zip(&pass.audio) {
            while (all || sound.waiting.is_empty())
                && let Some(raw) = tap.samples()
            {
                pulled.note(sound.accept(raw, self.offset, &mut self.agreed));
            }
            sound.over = tap.is_over();
        }
        pulled
    }

    /// The streams now come from another pass, or after a pause: nothing is known of their times.
    pub(super) fn reset(&mut self, offset: i128) {
        self.offset = offset;
        self.agreed = 0;
        if let Some(video) = &mut self.video {
            video.stamps = stamps(self.live);
            video.over = false;
        }
        for sound in &mut self.audio {
            sound.stamps = stamps(self.live);
            sound.blocks.splice();
            sound.over = false;
        }
    }

    /// Throws away what waits.
    pub(super) fn clear(&mut self) {
        self.video.iter_mut().for_each(|video| video.waiting.clear());
        self.audio.iter_mut().for_each(|sound| sound.waiting.clear());
    }

    /// Throws away what waits, but for the newest picture, which is shown until the next one comes.
    pub(super) fn keep_newest(&mut self) {
        if let Some(video) = &mut self.video {
            video.waiting.drain(..video.waiting.len().saturating_sub(1));
        }
        self.audio.iter_mut().for_each(|sound| sound.waiting.clear());
    }

    /// From stream time to the timeline.
    pub(super) fn offset(&self) -> i128 {
        self.offset
    }

    /// Whether a jump of the streams' time was taken for a new beginning of it.
    pub(super) fn jumped(&self) -> bool {
        self.agreed != 0
    }

    /// True when something of every stream waits, or nothing of it comes any more.
    pub(super) fn is_staged(&self) -> bool {
        self.video.iter().all(|video| video.over || !video.waiting.is_empty())
            && self.audio.iter().all(|sound| sound.over || !sound.waiting.is_empty())
    }

    /// The time at which the media begins: the earliest that waits, or the first picture, if what lies before it is
    /// not more than the priming of an audio codec.
    pub(super) fn earliest(&self) -> Option<i128> {
        let video = self.video.iter().filter_map(|video| video.waiting.front());
        let audio = self.audio.iter().filter_map(|sound| sound.waiting.front());
        let earliest = video.clone().chain(audio).map(|(time, _)| *time).min()?;
        Some(video.map(|(time, _)| *time).find(|time| time - earliest < PRIMING).unwrap_or(earliest))
    }

    /// Begins at `origin` and moves everything, what waits included, by `offset`, and a little more, so that the
    /// pictures come to lie in the middle of their slots: a steady source then never flickers between two.
    pub(super) fn begin(&mut self, origin: Origin, offset: i128) {
        let mut offset = offset;
        if let Some(video) = &mut self.video {
            video.slots.restart(origin.frame);
            if let Some((time, _)) = video.waiting.front() {
                let slot = video.rate.nearest_frame(time + offset);
                // Only what would otherwise begin just before the first slot is moved into it.
                let slot = if slot + 1 == origin.frame { origin.frame } else { slot };
                offset = video.rate.frame_nanos(slot) - time;
            }
            video.waiting.iter_mut().for_each(|(time, _)| *time += offset);
        }
        for sound in &mut self.audio {
            sound.blocks.restart(origin.block);
            sound.waiting.iter_mut().for_each(|(time, _)| *time += offset);
        }
        self.offset += offset;
    }

    /// The next item in the order of time that starts before `until`. `in_order` has sound wait for the pictures
    /// before it.
    pub(super) fn take(&mut self, pass: &Pass, until: i128, in_order: bool) -> Option<Item> {
        self.pull(pass, false);
        let reach = self.reach(in_order);
        let longest = self.audio.iter().map(|sound| sound.end).max().unwrap_or(i128::MIN);
        let mut order: Vec<(i128, Option<usize>)> =
            self.video.iter().map(|video| (video.next_at(), None)).collect();
        order.extend(self.audio.iter().enumerate().map(|(stream, sound)| (sound.next_at(), Some(stream))));
        order.sort_by_key(|(at, _)| *at);
        order.into_iter().find_map(|(_, lane)| match lane {
            None => self.video.as_mut().and_then(|video| match reach {
                Reach::Over(end) if goes_on(longest, end) => video.hold(until.min(longest)),
                _ => video.take(until),
            }),
            Some(stream) => self.audio.get_mut(stream).and_then(|sound| {
                sound.lay(pass.audio.get(stream), self.offset, &mut self.agreed, reach);
                let end = match reach {
                    Reach::Over(end) if !goes_on(sound.end, end) => end,
                    Reach::Until { end, .. } => end,
                    _ => i128::MAX,
                };
                sound.take(stream, until.min(end))
            }),
        })
    }

    fn reach(&self, in_order: bool) -> Reach {
        match &self.video {
            Some(video) if video.is_dry() => Reach::Over(video.end),
            Some(video) => {
                Reach::Until { next: video.next_at(), end: if in_order { video.end } else { i128::MAX } }
            }
            None => Reach::Free,
        }
    }

    /// Fills up to `until` what has not come: the picture stands, the sound is silent.
    pub(super) fn hold(&mut self, until: i128) -> Option<Item> {
        if let Some(video) = &mut self.video
            && let Some(item) = video.hold(until)
        {
            return Some(item);
        }
        self.audio.iter_mut().enumerate().find_map(|(stream, sound)| {
            sound.blocks.pad(sample_at_or_after(until));
            sound.take(stream, until)
        })
    }

    /// True when all streams have ended and all of them is taken but the tail.
    pub(super) fn is_over(&self) -> bool {
        self.video.iter().all(Pictures::is_dry)
            && self.audio.iter().all(|sound| sound.over && sound.waiting.is_empty())
    }

    /// True when a stream that goes on has nothing that waits.
    pub(super) fn is_starving(&self) -> bool {
        self.video.iter().any(|video| !video.over && video.waiting.is_empty())
            || self.audio.iter().any(|sound| !sound.over && !sound.is_whole())
    }

    /// Where the next item of any stream starts.
    pub(super) fn next_at(&self) -> Option<i128> {
        let audio = self.audio.iter().map(Sound::next_at);
        self.video.iter().map(Pictures::next_at).chain(audio).min()
    }

    /// Where the media ends, once it is over: with the last picture, unless sound goes on for long.
    pub(super) fn end(&self) -> i128 {
        let audio = self.audio.iter().map(|sound| sound.end).max().unwrap_or(i128::MIN);
        match &self.video {
            Some(video) if !goes_on(audio, video.end) => {
                let slot = video.rate.nearest_frame(video.end).max(video.slots.next());
                video.rate.frame_nanos(slot)
            }
            Some(video) => video.rate.frame_nanos(video.rate.nearest_frame(audio)),
            None => audio,
        }
    }

    /// Ends all streams at `end`: sound behind it is cut, the last block is filled with silence.
    pub(super) fn finish(&mut self, end: i128) {
        for sound in &mut self.audio {
            sound.blocks.trim(sample_at_or_after(end));
            sound.blocks.pad(block_at_or_after(end) * BLOCK);
        }
    }
}

impl Pictures {
    fn accept(&mut self, raw: Raw, offset: i128, agreed: &mut i128) -> i128 {
        let time = self.stamps.correct(raw.stamp, None, agreed) + offset;
        let slot = self.rate.frame_nanos(1);
        self.end = time + raw.length.filter(|length| *length > 0).unwrap_or(slot);
        self.waiting.push_back((time, Captured { buffer: raw.buffer, at: raw.captured_at }));
        time
    }

    fn next_at(&self) -> i128 {
        self.rate.frame_nanos(self.slots.next())
    }

    fn is_dry(&self) -> bool {
        self.over && self.waiting.is_empty()
    }

    fn take(&mut self, until: i128) -> Option<Item> {
        let until = if until == i128::MAX { i64::MAX } else { self.rate.frame_at_or_after(until) };
        let (frame, picture) = self.slots.take(&mut self.waiting, until)?;
        Some(Item::Video { frame, buffer: picture.buffer, captured_at: picture.at })
    }

    fn hold(&mut self, until: i128) -> Option<Item> {
        let (frame, picture) = self.slots.hold(self.rate.frame_at_or_after(until))?;
        Some(Item::Video { frame, buffer: picture.buffer, captured_at: picture.at })
    }
}

impl Sound {
    fn accept(&mut self, raw: Raw, offset: i128, agreed: &mut i128) -> i128 {
        let time = self.stamps.correct(raw.stamp, raw.length, agreed) + offset;
        self.end = time + raw.length.unwrap_or_default();
        self.waiting.push_back((time, Captured { buffer: raw.buffer, at: raw.captured_at }));
        time
    }

    fn next_at(&self) -> i128 {
        sample_nanos(self.blocks.next() * BLOCK)
    }

    fn is_whole(&self) -> bool {
        self.blocks.head() >= (self.blocks.next() + 1) * BLOCK
    }

    /// Makes the next block whole if its samples are there, or, when the stream is over, with silence as far as the
    /// pictures have come.
    fn lay(&mut self, tap: Option<&Tap>, offset: i128, agreed: &mut i128, reach: Reach) {
        // When the pictures are over, all of the tail is looked at, to see whether the sound goes on.
        let wanted = |sound: &Self| match reach {
            Reach::Over(end) => !sound.is_whole() || !goes_on(sound.end, end),
            _ => !sound.is_whole(),
        };
        while wanted(self) {
            if let Some((time, run)) = self.waiting.pop_front() {
                if let Ok(samples) = run.buffer.map_readable() {
                    self.blocks.push(time, &samples, run.at);
                }
            } else if let Some(raw) = tap.and_then(Tap::samples) {
                self.accept(raw, offset, agreed);
            } else {
                break;
            }
        }
        if let (true, true, Reach::Until { next, .. }) = (self.over, self.waiting.is_empty(), reach) {
            self.blocks.pad(sample_at_or_after(next));
        }
    }

    fn take(&mut self, stream: usize, until: i128) -> Option<Item> {
        let until = if until == i128::MAX { i64::MAX } else { block_at_or_after(until) };
        let Block { index: block, samples, captured_at } = self.blocks.take(until)?;
        Some(Item::Audio { stream, block, buffer: gst::Buffer::from_slice(samples), captured_at })
    }
}
