//! The test picture and tone: what `test:` shows. Pure functions of time, drawn straight into I420.
//!
//! From top to bottom, in fractions of the height: the machine-readable [`code`], colour bars, a grey ramp, a panel
//! with a UTC clock, the date and the channel's name, and a lane in which a ball runs once in four seconds. A patch on
//! the panel's right is white for the first 100 ms of every second, while the [`tone`] sounds.

pub mod code;
mod font;
mod slate;

pub use self::slate::slate;

use self::font::Text;

/// Samples per second of the tone.
pub const SAMPLE_RATE: i64 = 48_000;
/// How long the patch is white and the tone sounds, from the start of each second.
pub const FLASH_MILLIS: i64 = 100;
const BALL_MILLIS: i64 = 4_000;

const BLACK: u8 = 16;
const PANEL: u8 = 28;
const GREY: u8 = 160;
const WHITE: u8 = 235;

/// Where the planes of an I420 picture lie in memory, as GStreamer lays them out by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bytes from row to row of the luma plane.
    pub stride: usize,
    /// Bytes from row to row of a chroma plane.
    pub chroma_stride: usize,
    /// Where the U plane starts.
    pub u: usize,
    /// Where the V plane starts.
    pub v: usize,
    /// Bytes in all.
    pub size: usize,
}

impl Layout {
    /// The layout of a picture of `width` by `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        let stride = width.next_multiple_of(4);
        let chroma_stride = width.div_ceil(2).next_multiple_of(4);
        let (u, chroma) = (stride * height.next_multiple_of(2), chroma_stride * height.div_ceil(2));
        Self { stride, chroma_stride, u, v: u + chroma, size: u + 2 * chroma }
    }
}

/// A rectangle in pixels.
#[derive(Clone, Copy)]
struct Rect {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

/// A luma plane to draw on.
struct Luma<'a> {
    bytes: &'a mut [u8],
    stride: usize,
}

impl Luma<'_> {
    fn fill(&mut self, rect: Rect, value: u8) {
        for row in self.bytes.chunks_mut(self.stride).skip(rect.y).take(rect.height) {
            if let Some(pixels) = row.get_mut(rect.x..rect.x + rect.width) {
                pixels.fill(value);
            }
        }
    }
}

/// Draws the test picture. What does not move is drawn once, in [`Pattern::new`].
#[derive(Clone, Debug)]
pub struct Pattern {
    width: usize,
    height: usize,
    layout: Layout,
    background: Vec<u8>,
    clock: Text,
    date: Text,
}

impl Pattern {
    /// Prepares pictures of `width` by `height` pixels (both even) that bear `name`.
    pub fn new(width: u32, height: u32, name: &str) -> Self {
        let layout = Layout::new(width, height);
        let mut background = vec![BLACK; layout.size];
        background[layout.u..].fill(128);
        let (width, height) = (width as usize, height as usize);
        draw_bars(&mut background, layout, width, height);
        let panel = Rect { x: 0, y: height * 58 / 100, width, height: height * 30 / 100 };
        let mut luma = Luma { bytes: &mut background[..layout.u], stride: layout.stride };
        luma.fill(panel, PANEL);
        let line = height * 80 / 100;
        // Longer names are cut: the right half of the line is the name's.
        let label = Text::fit(width * 46 / 100, height * 5 / 100, name.chars().count().clamp(1, 24));
        let label_x = width * 95 / 100 - label.width(name.chars().count().min(24)).min(width / 2);
        label.draw(&mut luma, label_x, line, &name.chars().take(24).collect::<String>(), GREY);
        let clock = Text::fit(width * 78 / 100, height * 16 / 100, CLOCK_LENGTH);
        let date = Text::fit(width * 40 / 100, height * 5 / 100, 14);
        Self { width, height, layout, background, clock, date }
    }

    /// The layout of the pictures that [`Pattern::draw`] makes.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Draws the picture of `unix_millis` into `picture`, which is laid out as [`Pattern::layout`] says.
    pub fn draw(&self, picture: &mut [u8], unix_millis: i64) {
        let Some(picture) = picture.get_mut(..self.layout.size) else { return };
        picture.copy_from_slice(&self.background);
        let mut luma = Luma { bytes: &mut picture[..self.layout.u], stride: self.layout.stride };
        let (width, height) = (self.width, self.height);
        code::write(&mut luma, width, height, unix_millis.max(0) as u64);
        let (clock, date) = clock_and_date(unix_millis);
        self.clock.draw(&mut luma, width * 5 / 100, height * 61 / 100, &clock, WHITE);
        self.date.draw(&mut luma, width * 5 / 100, height * 80 / 100, &date, GREY);
        if unix_millis.rem_euclid(1000) < FLASH_MILLIS {
            luma.fill(self.flash(), WHITE);
        }
        self.draw_ball(&mut luma, unix_millis);
    }

    /// The patch that is white at the start of every second.
    fn flash(&self) -> Rect {
        let side = self.height * 14 / 100;
        Rect { x: self.width * 95 / 100 - side, y: self.height * 61 / 100, width: side, height: side }
    }

    fn draw_ball(&self, luma: &mut Luma<'_>, unix_millis: i64) {
        let radius = (self.height * 4 / 100).max(2) as i64;
        let way = self.width as i64 - 2 * radius;
        let centre = radius + way * unix_millis.rem_euclid(BALL_MILLIS) / BALL_MILLIS;
        for row in -radius..radius {
            let half = ((radius * radius - row * row) as f64).sqrt() as i64;
            let y = (self.height * 94 / 100) as i64 + row;
            let (x, width) = ((centre - half) as usize, 2 * half as usize);
            luma.fill(Rect { x, y: y as usize, width, height: 1 }, WHITE);
        }
    }
}

/// `HH:MM:SS.mmm`
const CLOCK_LENGTH: usize = 12;

fn clock_and_date(unix_millis: i64) -> (String, String) {
    match chrono::DateTime::from_timestamp_millis(unix_millis) {
        Some(time) => (time.format("%H:%M:%S%.3f").to_string(), time.format("%Y-%m-%d UTC").to_string()),
        None => ("--:--:--.---".into(), "----------".into()),
    }
}

/// 75 % bars of ITU-R BT.709, limited range: Y, U, V.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [168, 44, 136],
    [145, 147, 44],
    [133, 63, 52],
    [63, 193, 204],
    [51, 109, 212],
    [28, 212, 120],
    [BLACK, 128, 128],
];

fn draw_bars(picture: &mut [u8], layout: Layout, width: usize, height: usize) {
    let (top, bottom, ramp_end) = (height * 12 / 100, height * 50 / 100, height * 58 / 100);
    let bar = |x: usize| BARS[(x * BARS.len() / width).min(BARS.len() - 1)];
    let (luma, chroma) = picture.split_at_mut(layout.u);
    for (y, row) in luma.chunks_mut(layout.stride).enumerate().take(ramp_end).skip(top) {
        for (x, pixel) in row.iter_mut().take(width).enumerate() {
            *pixel = if y < bottom { bar(x)[0] } else { BLACK + (x * 219 / width) as u8 };
        }
    }
    let (u, v) = chroma.split_at_mut(layout.v - layout.u);
    for (plane, component) in [(u, 1), (v, 2)] {
        for row in plane.chunks_mut(layout.chroma_stride).take(bottom / 2).skip(top / 2) {
            for (x, pixel) in row.iter_mut().take(width / 2).enumerate() {
                *pixel = bar(2 * x)[component];
            }
        }
    }
}

/// One sample of the tone, `sample` samples of 1/48000 s after the epoch: 1 kHz at -12 dBFS for the first
/// [`FLASH_MILLIS`] of every second, silence otherwise. It starts and ends in a zero crossing.
pub fn tone(sample: i64) -> f32 {
    let in_second = sample.rem_euclid(SAMPLE_RATE);
    if in_second >= SAMPLE_RATE * FLASH_MILLIS / 1000 {
        return 0.0;
    }
    0.25 * (std::f32::consts::TAU * (in_second % 48) as f32 / 48.0).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(width: u32, height: u32, unix_millis: i64) -> (Pattern, Vec<u8>) {
        let pattern = Pattern::new(width, height, "demo");
        let mut picture = vec![0; pattern.layout().size];
        pattern.draw(&mut picture, unix_millis);
        (pattern, picture)
    }

    #[test]
    fn the_code_is_read_back_in_every_size_up_to_the_far_future() {
        for (width, height) in [(1920, 1080), (1280, 720), (640, 360), (426, 240), (64, 64), (1080, 1920)] {
            for millis in [0, 1, 1_800_000_000_123, (1 << 48) - 1] {
                let (pattern, picture) = draw(width, height, millis);
                let stride = pattern.layout().stride;
                let read = code::read(&picture, stride, width as usize, height as usize);
                let readable = width >= 128;
                assert_eq!(read, readable.then_some(millis as u64), "{width}x{height}");
            }
        }
    }

    #[test]
    fn the_patch_is_white_exactly_while_the_tone_sounds() {
        for millis in (1_800_000_000_000..1_800_000_002_000).step_by(20) {
            let (pattern, picture) = draw(640, 360, millis);
            let flash = pattern.flash();
            let patch = picture[(flash.y + flash.height / 2) * pattern.layout().stride + flash.x + 3];
            let sample = millis * 48;
            let sounds = (sample..sample + 480).any(|sample| tone(sample) != 0.0);
            assert_eq!(patch == WHITE, sounds, "{millis}");
        }
        assert_eq!(tone(48_000 * 1_800_000_000), 0.0, "starts in a zero crossing");
        assert!(tone(48_000 * 1_800_000_000 + 12) > 0.249, "and rises first");
    }

    #[test]
    fn two_pictures_of_different_times_differ_in_clock_ball_and_code() {
        let ((_, first), (_, second)) =
            (draw(1280, 720, 1_800_000_000_200), draw(1280, 720, 1_800_000_000_233));
        let differ = |rows: std::ops::Range<usize>| {
            first[rows.start * 1280..rows.end * 1280] != second[rows.start * 1280..rows.end * 1280]
        };
        assert!(differ(0..80) && differ(430..570) && differ(640..720));
        assert!(!differ(90..400), "the bars stand still");
    }
}
