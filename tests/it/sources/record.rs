//! Takes down what a source gives, and what is true of every source.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use headwater::source::{self, AudioFormat, Error, Item, Pace, Request, Source, VideoFormat, pattern};
use headwater_packager::time::Grid;

pub const GRID: Grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(500) };
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn request(uri: &str, pace: Pace) -> Request {
    Request {
        name: "demo".into(),
        uri: uri.into(),
        file_root: None,
        grid: GRID,
        pace,
        frame_rate: None,
        audio_languages: Vec::new(),
    }
}

pub fn open(uri: &str, pace: Pace) -> Source {
    source::open(request(uri, pace), &mut |_| {}).unwrap_or_else(|error| panic!("{uri}: {error}"))
}

/// What opening `uri` and reading it to its end says, if it fails.
pub fn failure(uri: &str) -> Option<String> {
    let source = match source::open(request(uri, Pace::Asap), &mut |_| {}) {
        Ok(source) => source,
        Err(error) => return Some(error.to_string()),
    };
    match Recording::of(source, |_| false).last {
        Last::Failed(error) => Some(error.to_string()),
        _ => None,
    }
}

#[derive(Debug)]
pub enum Last {
    Ended,
    Failed(Error),
    Enough,
}

/// Everything that came out of a source.
#[derive(Debug)]
pub struct Recording {
    pub video: Option<VideoFormat>,
    pub audio: Vec<AudioFormat>,
    pub duration: Option<Duration>,
    /// Frame indices.
    pub frames: Vec<i64>,
    /// What the test pattern's code says in each of them, where it is there.
    pub codes: Vec<Option<u64>>,
    /// Mean luma of each.
    pub luma: Vec<u8>,
    /// A checksum of the luma of each.
    pub prints: Vec<u64>,
    /// Block indices by stream.
    pub blocks: Vec<Vec<i64>>,
    /// Left channel by stream.
    pub samples: Vec<Vec<f32>>,
    /// Frame counts at which it stalled, and why.
    pub stalls: Vec<(usize, String)>,
    /// Frame counts at which it (again) went live.
    pub lives: Vec<usize>,
    /// When each frame came.
    pub came: Vec<Instant>,
    /// When each frame was captured, and when it came, in microseconds since the Unix epoch.
    pub captured: Vec<[i64; 2]>,
    /// The same of the blocks, by stream.
    pub captured_sound: Vec<Vec<[i64; 2]>>,
    pub last: Last,
}

/// The clock that sources capture by.
fn micros() -> i64 {
    (headwater::clock::unix_nanos() / 1000) as i64
}

impl Recording {
    /// Records until the end, or until `enough`.
    #[allow(clippy::disallowed_methods, reason = "a test measures when things come")]
    pub fn of(source: Source, mut enough: impl FnMut(&Recording) -> bool) -> Recording {
        let mut recording = Recording {
            video: source.video.clone(),
            audio: source.audio.clone(),
            duration: source.duration,
            frames: Vec::new(),
            codes: Vec::new(),
            luma: Vec::new(),
            prints: Vec::new(),
            blocks: vec![Vec::new(); source.audio.len()],
            samples: vec![Vec::new(); source.audio.len()],
            stalls: Vec::new(),
            lives: Vec::new(),
            came: Vec::new(),
            captured: Vec::new(),
            captured_sound: vec![Vec::new(); source.audio.len()],
            last: Last::Enough,
        };
        while !enough(&recording) {
            match source.media.recv_timeout(PATIENCE).expect("a source says when it is over") {
                Item::Video { frame, buffer, captured_at } => {
                    recording.captured.push([captured_at, micros()]);
                    recording.came.push(Instant::now());
                    recording.frames.push(frame);
                    recording.look_at(&buffer);
                }
                Item::Audio { stream, block, buffer, captured_at } => {
                    recording.captured_sound[stream].push([captured_at, micros()]);
                    recording.blocks[stream].push(block);
                    let bytes = buffer.map_readable().unwrap();
                    assert_eq!(bytes.len(), 1024 * 8);
                    let left =
                        bytes.chunks_exact(8).map(|both| f32::from_le_bytes(both[..4].try_into().unwrap()));
                    recording.samples[stream].extend(left);
                }
                Item::Stalled { why } => recording.stalls.push((recording.frames.len(), why)),
                Item::Live => recording.lives.push(recording.frames.len()),
                Item::Ended => {
                    recording.last = Last::Ended;
                    break;
                }
                Item::Failed(error) => {
                    recording.last = Last::Failed(error);
                    break;
                }
            }
        }
        recording
    }

    fn look_at(&mut self, buffer: &gstreamer::Buffer) {
        let video = self.video.as_ref().unwrap();
        let (width, height) = (video.width as usize, video.height as usize);
        let meta = buffer.meta::<gstreamer_video::VideoMeta>();
        let stride = meta.map_or(width.next_multiple_of(4), |meta| {
            assert_eq!((meta.width(), meta.height()), (video.width, video.height));
            assert_eq!(meta.format(), gstreamer_video::VideoFormat::I420);
            meta.stride()[0] as usize
        });
        let bytes = buffer.map_readable().unwrap();
        assert!(bytes.len() >= width * height * 3 / 2);
        self.codes.push(pattern::code::read(&bytes, stride, width, height));
        let rows = || bytes.chunks(stride).take(height).step_by(8).map(|row| &row[..width]);
        let sum: u64 = rows().flatten().map(|luma| u64::from(*luma)).sum();
        self.luma.push((sum / (rows().count() * width) as u64) as u8);
        let print = |print: u64, luma: &u8| (print ^ u64::from(*luma)).wrapping_mul(0x100_0000_01b3);
        self.prints.push(rows().flatten().fold(0xcbf2_9ce4_8422_2325, print));
    }

    /// Asserts what is true of every source that neither stalls nor fails.
    pub fn assert_gapless(&self) {
        assert!(!matches!(self.last, Last::Failed(_)), "{:?}", self.last);
        assert_eq!(self.stalls, [], "stalled");
        assert!(self.frames.is_sorted_by(|one, other| one + 1 == *other), "frames {:?}", self.frames);
        for blocks in &self.blocks {
            assert!(blocks.is_sorted_by(|one, other| one + 1 == *other), "blocks {blocks:?}");
        }
    }

    /// Asserts that pictures and sound were captured before they came, and in the last few seconds.
    pub fn assert_captured(&self) {
        for captured in [&self.captured].into_iter().chain(&self.captured_sound) {
            assert!(!captured.is_empty());
            let late = |[captured, came]: &[i64; 2]| came - captured;
            // Sound that a source has not given is silence that was never captured.
            let mut late = captured.iter().filter(|[captured, _]| *captured != 0).map(late);
            assert!(late.all(|late| (0..20_000_000).contains(&late)), "{captured:?}");
            assert!(captured.iter().filter(|[captured, _]| *captured == 0).count() < captured.len() / 2);
        }
    }

    /// Sample positions at which sound begins after silence, from the first sample of the epoch.
    pub fn onsets(&self, stream: usize) -> Vec<i64> {
        let first = self.blocks[stream][0] * 1024;
        let samples = &self.samples[stream];
        let mut onsets = Vec::new();
        let mut quiet = 0;
        for (index, sample) in samples.iter().enumerate() {
            if sample.abs() < 0.05 {
                quiet += 1;
            } else {
                if quiet > 9_600 {
                    onsets.push(first + index as i64);
                }
                quiet = 0;
            }
        }
        onsets
    }

    /// Frame indices at which the picture turns from dark to white; not in the first 10 frames, whose beep cannot be
    /// told from one that had begun before.
    pub fn flashes(&self) -> Vec<i64> {
        let turns = |index: &usize| self.luma[*index] > 128 && self.luma[*index - 1] <= 128;
        (10..self.luma.len()).filter(turns).map(|index| self.frames[index]).collect()
    }
}

pub use headwater_test_support::shared;

/// Arguments of ffmpeg, cut at blanks.
pub fn ffmpeg(arguments: &str) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]).args(arguments.split_whitespace());
    command.stdin(Stdio::null());
    command
}

/// Makes a file with ffmpeg.
pub fn make(dir: &Path, name: &str, arguments: &str) -> String {
    let path = dir.join(name);
    let status = ffmpeg(arguments).arg(&path).status().expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
    path.to_str().unwrap().to_owned()
}

/// A child that does not outlive its test.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Running {
    /// Asks it to end, and waits until it has.
    pub fn hang_up(mut self) {
        let asked = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A picture that is white, and a sound that beeps, for the first 100 ms of every second.
pub const FLASH_AND_BEEP: &str = "-f lavfi -i color=black:s=320x180:r=25,geq=lum='if(lt(mod(T\\,1)\\,0.1)\\,235\\,16)':cb=128:cr=128 \
     -f lavfi -i aevalsrc='if(lt(mod(t\\,1)\\,0.1)\\,sin(6283.185*t)/2\\,0)':s=48000:c=stereo";
