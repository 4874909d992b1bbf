//! Puts timestamps on the grid: pictures into slots of a constant rate, samples into blocks, bad stamps into line.
//! Pure: what a picture is does not matter here, and time is an argument.

use std::collections::VecDeque;

use headwater_packager::time::{FrameRate, Grid, Timescale};

use super::{BLOCK, FRAME_BYTES, SAMPLE_RATE};

const NANOS: i128 = 1_000_000_000;
const MILLI: i128 = 1_000_000;

/// Where media begins: the first frame and the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index of the first frame.
    pub frame: i64,
    /// Index of the first block.
    pub block: i64,
}

impl Origin {
    /// The start of a timeline that counts from zero.
    pub const ZERO: Self = Self { frame: 0, block: 0 };

    /// The first frame and the first block that start at or after the first segment line that is not before `nanos`.
    pub fn live(grid: &Grid, rate: FrameRate, nanos: i128) -> Self {
        let line = i128::from(grid.first_segment_at_or_after(nanos)) * grid.segment.as_nanos() as i128;
        Self { frame: rate.frame_at_or_after(line), block: block_at_or_after(line) }
    }
}

/// The first sample at or after `nanos`.
pub fn sample_at_or_after(nanos: i128) -> i64 {
    Timescale::new(SAMPLE_RATE).map_or(0, |scale| scale.ceil(nanos))
}

/// The sample whose start is nearest to `nanos`.
fn nearest_sample(nanos: i128) -> i64 {
    sample_at_or_after(nanos - NANOS / i128::from(2 * SAMPLE_RATE))
}

/// The first block that starts at or after `nanos`.
pub fn block_at_or_after(nanos: i128) -> i64 {
    -(-sample_at_or_after(nanos)).div_euclid(BLOCK)
}

/// The start of sample `sample` in nanoseconds.
pub fn sample_nanos(sample: i64) -> i128 {
    Timescale::new(SAMPLE_RATE).map_or(0, |scale| scale.nanos(sample))
}

/// Snaps what a source says about its frame rate to one that players and encoders know; unknown (zero) becomes 30.
pub fn usual_rate(num: u32, den: u32) -> Option<FrameRate> {
    const USUAL: [(u32, u32); 8] =
        [(24, 1), (25, 1), (30, 1), (50, 1), (60, 1), (24000, 1001), (30000, 1001), (60000, 1001)];
    let fps = if den == 0 { 0.0 } else { f64::from(num) / f64::from(den) };
    let usual = || USUAL.into_iter().filter_map(|(num, den)| FrameRate::new(num, den));
    // An average that is nearly 30 comes from a camera that means 30; only an exact 29.97 is 30000/1001.
    let near = |fps: f64, by: f64| usual().find(move |rate| (rate.fps() / fps - 1.0).abs() < by);
    // A slow rate is doubled rather than bent: 15 becomes 30, so that each picture is shown equally long.
    let multiple = || (2..=6).find_map(|times| near(fps * f64::from(times), 0.0005));
    match fps {
        _ if fps <= 0.0 => FrameRate::new(30, 1),
        _ if fps > 60.6 => FrameRate::new(60, 1),
        _ => near(fps, 0.0005)
            .or_else(|| near(fps, 0.01))
            .or_else(multiple)
            .or_else(|| usual().filter(|rate| rate.den.get() == 1).find(|rate| rate.fps() >= fps)),
    }
}

/// Fills the slots of a constant frame rate: a picture takes the slot nearest to its time, slots without one repeat
/// the picture before, pictures without a slot are left out.
#[derive(Debug)]
pub struct Slots<P> {
    rate: FrameRate,
    next: i64,
    last: Option<P>,
}

impl<P: Clone> Slots<P> {
    /// The first slot to fill is `first`.
    pub fn new(rate: FrameRate, first: i64) -> Self {
        Self { rate, next: first, last: None }
    }

    /// Goes on at slot `first`; the last picture is kept for the case that the first new one comes late.
    pub fn restart(&mut self, first: i64) {
        self.next = first;
    }

    /// The slot that is filled next.
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Fills the next slot, if it lies before `until` and `waiting` tells what belongs there. `waiting` holds
    /// pictures with their times in nanoseconds.
    pub fn take(&mut self, waiting: &mut VecDeque<(i128, P)>, until: i64) -> Option<(i64, P)> {
        while self.next < until {
            let (time, picture) = waiting.front()?;
            let slot = self.rate.nearest_frame(*time);
            if slot > self.next {
                // Ahead of the first picture there is nothing else to show than that one.
                let picture = self.last.clone().unwrap_or_else(|| picture.clone());
                self.next += 1;
                return Some((self.next - 1, picture));
            }
            // A picture that comes behind its slot is still the newest, and what a repetition has to show.
            self.last = waiting.pop_front().map(|(_, picture)| picture);
            if slot == self.next {
                return self.repeat();
            }
        }
        None
    }

    /// Fills the next slot with the picture before it, if it lies before `until`.
    pub fn hold(&mut self, until: i64) -> Option<(i64, P)> {
        if self.next < until { self.repeat() } else { None }
    }

    fn repeat(&mut self) -> Option<(i64, P)> {
        let picture = self.last.clone()?;
        self.next += 1;
        Some((self.next - 1, picture))
    }
}

/// A block of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Blocks from the epoch.
    pub index: i64,
    /// All of it.
    pub samples: Vec<u8>,
    /// Microseconds since the Unix epoch when the first sound in it came in; 0 if there is none.
    pub captured_at: i64,
}

/// Cuts samples into blocks without a gap: what is missing is silence, what overlaps is left out.
#[derive(Debug)]
pub struct Blocks {
    pending: Vec<u8>,
    /// Position of the sample behind `pending`.
    head: i64,
    /// The next samples are laid exactly where their time says.
    exact: bool,
    /// Mean distance of the samples' times from the head, in 1/16 samples.
    drift: i64,
    /// From which sample on samples came in when; 0 is silence that never came.
    captures: VecDeque<(i64, i64)>,
}

impl Blocks {
    /// Stamps that are off by more than this at once are believed.
    const GAP: i64 = 40 * SAMPLE_RATE as i64 / 1000;
    /// Stamps that are off by more than this on average are believed.
    const DRIFT: i64 = 20 * SAMPLE_RATE as i64 / 1000;
    /// No more silence than this is laid at once.
    const LONGEST_GAP: i64 = 120 * SAMPLE_RATE as i64;

    /// The first block is `first`.
    pub fn new(first: i64) -> Self {
        Self { pending: Vec::new(), head: first * BLOCK, exact: true, drift: 0, captures: VecDeque::new() }
    }

    /// Goes on at block `first`.
    pub fn restart(&mut self, first: i64) {
        *self = Self::new(first);
    }

    /// The next samples belong to another pass of the source: their times are taken to the sample.
    pub fn splice(&mut self) {
        self.exact = true;
    }

    /// Position of the sample behind the last one that was pushed.
    pub fn head(&self) -> i64 {
        self.head
    }

    /// Index of the block that is taken next.
    pub fn next(&self) -> i64 {
        (self.head - (self.pending.len() / FRAME_BYTES) as i64).div_euclid(BLOCK)
    }

    /// Lays samples that start `nanos` nanoseconds after the epoch, and came in at `captured_at`.
    pub fn push(&mut self, nanos: i128, samples: &[u8], captured_at: i64) {
        let mut off = nearest_sample(nanos) - self.head;
        self.drift += off - self.drift / 16;
        if !self.exact && off.abs() <= Self::GAP && (self.drift / 16).abs() <= Self::DRIFT {
            off = 0;
        }
        if off != 0 || self.exact {
            self.drift = 0;
        }
        self.pad(self.head + off);
        let overlap = usize::try_from(-off).unwrap_or(0) * FRAME_BYTES;
        let fresh = samples.get(overlap..).unwrap_or_default();
        self.exact &= fresh.is_empty();
        self.captures.push_back((self.head, captured_at));
        self.pending.extend_from_slice(fresh);
        self.head += (fresh.len() / FRAME_BYTES) as i64;
    }

    /// Lays silence up to sample `until`.
    pub fn pad(&mut self, until: i64) {
        let missing = (until - self.head).clamp(0, Self::LONGEST_GAP);
        if missing > 0 {
            self.captures.push_back((self.head, 0));
        }
        self.pending.resize(self.pending.len() + missing as usize * FRAME_BYTES, 0);
        self.head += missing;
    }

    /// Leaves out what lies at or behind sample `end`.
    pub fn trim(&mut self, end: i64) {
        let surplus = (self.head - end).max(0) as usize * FRAME_BYTES;
        let kept = self.pending.len().saturating_sub(surplus);
        self.head -= ((self.pending.len() - kept) / FRAME_BYTES) as i64;
        self.captures.retain(|(from, _)| *from < self.head);
        self.pending.truncate(kept);
    }

    /// The next block, if it is whole and lies before block `until`.
    pub fn take(&mut self, until: i64) -> Option<Block> {
        const BYTES: usize = BLOCK as usize * FRAME_BYTES;
        let index = self.next();
        if index >= until || self.pending.len() < BYTES {
            return None;
        }
        let rest = self.pending.split_off(BYTES);
        let samples = std::mem::replace(&mut self.pending, rest);
        Some(Block { index, samples, captured_at: self.captured_at(index) })
    }

    /// When the first sound of block `index` came in. What came before is forgotten.
    fn captured_at(&mut self, index: i64) -> i64 {
        let (start, end) = (index * BLOCK, (index + 1) * BLOCK);
        while self.captures.get(1).is_some_and(|(next, _)| *next <= start) {
            self.captures.pop_front();
        }
        let within = self.captures.iter().take_while(|(from, _)| *from < end);
        within.map(|(_, at)| *at).find(|at| *at != 0).unwrap_or_default()
    }
}

/// Brings the stamps of one stream into line: one that jumps is replaced by the one that was due; when the stream
/// stays at its new place, that is taken for the old one from then on.
#[derive(Debug)]
pub struct Stamps {
    /// Largest step ahead that is believed.
    ahead: i128,
    due: Option<i128>,
    interval: i128,
    shift: i128,
    /// The last stamp that jumped, and how many have followed it in good order.
    jumped: Option<(i128, u32)>,
}

impl Stamps {
    /// Largest step back that is believed; such pictures find no slot.
    const BACK: i128 = NANOS;
    /// Stamps that must agree before a jump is believed to be a new timeline.
    const AGREE: u32 = 5;
    /// How near another stream's jump must be to be the same one.
    const SAME: i128 = NANOS / 2;

    /// For live streams, whose gaps show as silence on the line, not as stamps.
    pub fn live() -> Self {
        Self::new(5 * NANOS)
    }

    /// For files, in which a picture may stand for a minute.
    pub fn file() -> Self {
        Self::new(60 * NANOS)
    }

    fn new(ahead: i128) -> Self {
        Self { ahead, due: None, interval: 40 * MILLI, shift: 0, jumped: None }
    }

    /// The time to believe in. `length` is how long the media lasts, where that is known; `agreed` is the shift that
    /// the streams of a source have in common, so that a jump of all of them does not move them apart.
    pub fn correct(&mut self, stamp: Option<i128>, length: Option<i128>, agreed: &mut i128) -> i128 {
        let due = self.due.or(stamp).unwrap_or_default();
        let (Some(stamp), true) = (stamp, self.due.is_some()) else {
            return self.settle(due, length);
        };
        if self.is_near(stamp + self.shift, due) {
            self.jumped = None;
            let time = stamp + self.shift;
            let step = time - due + self.interval;
            if (1..NANOS).contains(&step) {
                self.interval = step;
            }
            return self.settle(time, length);
        }
        if (stamp + *agreed - due).abs() < Self::SAME {
            self.shift = *agreed;
            self.jumped = None;
            return self.settle(stamp + self.shift, length);
        }
        let in_order = |before: i128| (0..NANOS).contains(&(stamp - before));
        let agree = self.jumped.filter(|(before, _)| in_order(*before)).map_or(1, |(_, agree)| agree + 1);
        self.jumped = Some((stamp, agree));
        if agree >= Self::AGREE {
            self.jumped = None;
            self.shift = due - stamp;
            *agreed = self.shift;
        }
        self.settle(due, length)
    }

    fn is_near(&self, time: i128, due: i128) -> bool {
        (-Self::BACK..self.ahead).contains(&(time - due))
    }

    fn settle(&mut self, time: i128, length: Option<i128>) -> i128 {
        self.due = Some(time + length.unwrap_or(self.interval));
        if let Some(length) = length {
            self.interval = length;
        }
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(num: u32, den: u32) -> FrameRate {
        FrameRate::new(num, den).unwrap()
    }

    /// Lays pictures, named by letters, with their times in milliseconds, on slots of 25 frames a second.
    fn lay(pictures: &[(i128, char)]) -> String {
        let mut slots = Slots::new(rate(25, 1), 0);
        let mut waiting: VecDeque<_> =
            pictures.iter().map(|(millis, name)| (millis * MILLI, *name)).collect();
        let mut laid = String::new();
        while let Some((slot, name)) = slots.take(&mut waiting, i64::MAX) {
            assert_eq!(slot, laid.len() as i64);
            laid.push(name);
        }
        laid
    }

    #[test]
    fn a_picture_takes_the_nearest_slot() {
        for (what, pictures, laid) in [
            ("steady", &[(0, 'a'), (40, 'b'), (80, 'c')][..], "abc"),
            ("jitter below half a frame", &[(3, 'a'), (57, 'b'), (62, 'c'), (139, 'd')], "abcd"),
            ("a lost picture", &[(0, 'a'), (40, 'b'), (120, 'd')], "abbd"),
            ("half the rate", &[(0, 'a'), (80, 'b'), (160, 'c')], "aabbc"),
            ("twice the rate", &[(0, 'a'), (20, 'b'), (40, 'c'), (60, 'd'), (80, 'e')], "abd"),
            ("a late start", &[(120, 'a'), (160, 'b')], "aaaab"),
            ("before the start", &[(-80, 'a'), (-40, 'b'), (40, 'c')], "bc"),
            ("a step back", &[(0, 'a'), (40, 'b'), (0, 'x'), (120, 'd')], "abxd"),
        ] {
            assert_eq!(lay(pictures), laid, "{what}");
        }
    }

    #[test]
    fn nothing_is_laid_before_its_time_and_the_last_picture_is_held() {
        let mut slots = Slots::new(rate(25, 1), 10);
        let mut waiting = VecDeque::from([(400 * MILLI, 'a'), (600 * MILLI, 'b')]);
        assert_eq!(slots.hold(20), None, "there is nothing to hold");
        assert_eq!(slots.take(&mut waiting, 10), None);
        assert_eq!(slots.take(&mut waiting, 12), Some((10, 'a')));
        assert_eq!(slots.take(&mut waiting, 12), Some((11, 'a')), "the next picture is not yet due");
        assert_eq!(slots.take(&mut waiting, 12), None);
        assert_eq!((slots.hold(13), slots.hold(13)), (Some((12, 'a')), None));
    }

    /// Blocks as the value of their first samples, silence as 0.
    fn blocks_of(blocks: &mut Blocks) -> Vec<(i64, u8)> {
        std::iter::from_fn(|| blocks.take(i64::MAX)).map(|block| (block.index, block.samples[0])).collect()
    }

    fn samples(count: i64, value: u8) -> Vec<u8> {
        vec![value; count as usize * FRAME_BYTES]
    }

    #[test]
    fn sound_is_cut_into_blocks_with_silence_in_gaps_and_no_overlap() {
        let mut blocks = Blocks::new(100);
        blocks.push(sample_nanos(99 * BLOCK), &samples(3 * BLOCK, 1), 1);
        assert_eq!(
            blocks_of(&mut blocks),
            [(100, 1), (101, 1)],
            "what lies before the first block is left out"
        );
        blocks.push(sample_nanos(105 * BLOCK), &samples(BLOCK, 2), 1);
        assert_eq!(blocks_of(&mut blocks), [(102, 0), (103, 0), (104, 0), (105, 2)]);
        blocks.push(sample_nanos(103 * BLOCK), &samples(4 * BLOCK, 3), 1);
        assert_eq!(blocks_of(&mut blocks), [(106, 3)]);
        blocks.push(sample_nanos(107 * BLOCK), &samples(100, 4), 1);
        assert_eq!(blocks_of(&mut blocks), []);
        blocks.trim(107 * BLOCK + 50);
        blocks.pad(108 * BLOCK);
        let block = blocks.take(i64::MAX).unwrap();
        let around = [49, 50].map(|sample| block.samples[sample * FRAME_BYTES]);
        assert_eq!((block.index, around), (107, [4, 0]));
    }

    #[test]
    fn a_block_came_in_when_its_first_sound_did() {
        let mut blocks = Blocks::new(0);
        // Runs of three quarters of a block, the fourth to sixth of which did not come.
        for (run, captured_at) in [(0, 10), (1, 20), (2, 30), (6, 70), (7, 80)] {
            blocks.push(sample_nanos(run * 768), &samples(768, 1), captured_at);
        }
        let captured = |blocks: &mut Blocks| -> Vec<(i64, i64)> {
            let whole = std::iter::from_fn(|| blocks.take(i64::MAX));
            whole.map(|block| (block.index, block.captured_at)).collect()
        };
        assert_eq!(captured(&mut blocks), [(0, 10), (1, 20), (2, 30), (3, 0), (4, 70), (5, 70)]);
        blocks.push(sample_nanos(8 * 768), &samples(100, 1), 90);
        blocks.trim(6 * BLOCK + 50);
        blocks.pad(7 * BLOCK);
        assert_eq!(captured(&mut blocks), [(6, 90)]);
        blocks.pad(8 * BLOCK);
        assert_eq!(captured(&mut blocks), [(7, 0)], "silence never came in");
        assert!(blocks.captures.len() < 3, "{:?}", blocks.captures);
    }

    #[test]
    fn jitter_of_sound_is_ignored_and_drift_corrected() {
        let mut blocks = Blocks::new(0);
        for index in 0..200 {
            let jitter = [0, 300, -500, 200][index as usize % 4];
            blocks.push(sample_nanos(index * BLOCK + jitter), &samples(BLOCK, 1), 1);
        }
        assert_eq!(blocks.head(), 200 * BLOCK);
        for index in 200..400 {
            // 25 ms late, and staying so.
            blocks.push(sample_nanos(index * BLOCK + 1200), &samples(BLOCK, 1), 1);
        }
        assert_eq!(blocks.head(), 400 * BLOCK + 1200);
    }

    #[test]
    fn a_source_without_usual_rate_gets_the_one_that_bends_it_least() {
        for (told, usual) in [
            ((25, 1), (25, 1)),
            ((30000, 1001), (30000, 1001)),
            ((2997, 100), (30000, 1001)),
            ((24000, 1001), (24000, 1001)),
            ((29870, 1000), (30, 1)),
            ((2398, 100), (24000, 1001)),
            ((15, 1), (30, 1)),
            ((10, 1), (30, 1)),
            ((20, 1), (60, 1)),
            ((17, 1), (24, 1)),
            ((48, 1), (50, 1)),
            ((120, 1), (60, 1)),
            ((90_000, 1), (60, 1)),
            ((0, 1), (30, 1)),
        ] {
            assert_eq!(usual_rate(told.0, told.1), FrameRate::new(usual.0, usual.1), "{told:?}");
        }
    }

    #[test]
    fn live_media_begins_at_the_first_frame_and_block_behind_a_line() {
        let grid =
            Grid { segment: std::time::Duration::from_secs(2), part: std::time::Duration::from_millis(500) };
        let origin = Origin::live(&grid, rate(30000, 1001), 1_800_000_001 * NANOS);
        let line = 1_800_000_002 * NANOS;
        assert!(rate(30000, 1001).frame_nanos(origin.frame) >= line);
        assert!(rate(30000, 1001).frame_nanos(origin.frame - 1) < line);
        assert_eq!(origin.block, (1_800_000_002 * 48_000 + 1023) / 1024);
    }

    /// Corrected times in frames of 40 ms; `stamps` are in frames too.
    fn correct(stamps: &mut Stamps, given: &[i128]) -> Vec<i128> {
        let mut agreed = 0;
        given
            .iter()
            .map(|stamp| stamps.correct(Some(stamp * 40 * MILLI), None, &mut agreed) / (40 * MILLI))
            .collect()
    }

    #[test]
    fn single_stamps_that_jump_are_replaced_and_lasting_jumps_are_followed() {
        const HOURS: i128 = 37_600 * 25;
        let expected: Vec<i128> = (0..12).collect();
        for (what, given) in [
            ("ahead", [0, 1, 2, 3, HOURS, 5, 6, 7, 8, 9, 10, 11]),
            ("back", [0, 1, 2, 3, -HOURS / 4, 5, 6, 7, 8, 9, 10, 11]),
            ("twice", [0, 1, HOURS, 3, 4, -HOURS, 6, 7, 8, 9, 10, 11]),
            ("for good", [0, 1, 2, 3, 9004, 9005, 9006, 9007, 9008, 9009, 9010, 9011]),
            ("to zero", [900, 901, 902, 903, 0, 1, 2, 3, 4, 5, 6, 7].map(|stamp| stamp - 900)),
        ] {
            assert_eq!(correct(&mut Stamps::file(), &given), expected, "{what}");
        }
        assert_eq!(
            correct(&mut Stamps::file(), &[0, 1, 1000]),
            [0, 1, 1000],
            "a picture may stand for 40 s in a file"
        );
        assert_eq!(correct(&mut Stamps::live(), &[0, 1, 1000]), [0, 1, 2], "but not in a live source");
    }

    #[test]
    fn streams_that_jump_together_stay_together() {
        let (mut video, mut audio, mut agreed) = (Stamps::live(), Stamps::live(), 0);
        let mut apart = Vec::new();
        for frame in 0..20 {
            let jump = if frame < 8 { 0 } else { 1000 * NANOS + 7 * MILLI };
            let stamp = frame * 40 * MILLI + jump;
            let picture = video.correct(Some(stamp), None, &mut agreed);
            let sound = audio.correct(Some(stamp + 5 * MILLI), Some(40 * MILLI), &mut agreed);
            apart.push((sound - picture) / MILLI);
        }
        assert_eq!(apart, [5; 20]);
    }

    #[test]
    fn media_without_stamps_follows_what_came_before() {
        let (mut stamps, mut agreed) = (Stamps::file(), 0);
        let length = Some(20 * MILLI);
        let times =
            [Some(100 * MILLI), None, None].map(|stamp| stamps.correct(stamp, length, &mut agreed) / MILLI);
        assert_eq!(times, [100, 120, 140]);
    }
}
