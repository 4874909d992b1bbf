//! Real encoder processes, heard to their end, and files made of what they said.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use headwater::{
    config::{Ladder, Rung, VideoCodec},
    ladder::{
        job::{Job, Timing},
        process::{Encoder, Error},
        wire::{Catalog, Event, Media, Message},
    },
};
use headwater_packager::{
    bmff::{Fragment, fragment_header, init_segment},
    sample::Sample,
    time::Grid,
    track::Track,
};
use tokio::time::timeout;

pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_headwater"))
}

pub fn rung(height: u32, bitrate: u32) -> Rung {
    Rung {
        height,
        width: None,
        bitrate,
        codec: VideoCodec::H264,
        preset: "superfast".into(),
        profile: None,
        b_frames: 2,
        tune: None,
    }
}

pub fn job(source: &str, timing: Timing, video: Vec<Rung>) -> Job {
    Job {
        name: "test".into(),
        source: source.into(),
        file_root: None,
        grid: Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) },
        ladder: Ladder { video, ..Ladder::default() },
        low_latency: timing == Timing::Live,
        timing,
    }
}

/// All that an encoder said, in order by kind.
#[derive(Debug, Default)]
pub struct Heard {
    pub catalog: Option<Catalog>,
    pub events: Vec<Event>,
    pub filler: BTreeMap<u8, Vec<Sample>>,
    pub media: BTreeMap<u8, Vec<Sample>>,
    pub pongs: usize,
}

impl Heard {
    pub fn add(&mut self, message: Message) {
        match message {
            Message::Catalog(catalog) => self.catalog = Some(catalog),
            Message::Event(event) => self.events.push(event),
            Message::Media(Media { track, filler, sample, .. }) => {
                let into = if filler { &mut self.filler } else { &mut self.media };
                into.entry(track).or_default().push(sample);
            }
            Message::Pong => self.pongs += 1,
            other => panic!("an encoder does not say {other:?}"),
        }
    }

    pub fn track(&self, index: u8) -> &Track {
        &self.catalog.as_ref().unwrap().tracks[usize::from(index)]
    }

    pub fn track_names(&self) -> Vec<&str> {
        self.catalog.as_ref().unwrap().tracks.iter().map(|track| track.name.as_str()).collect()
    }

    /// Frames of source media of a track so far.
    pub fn frames(&self, track: u8) -> usize {
        self.media.get(&track).map_or(0, Vec::len)
    }
}

/// Listens until the encoder is gone. Returns what it said and how it went.
pub async fn hear_out(job: &Job) -> (Heard, String) {
    let mut encoder = Encoder::spawn(job, program()).await.unwrap();
    let mut heard = Heard::default();
    let listen = async {
        loop {
            match encoder.next().await {
                Ok(message) => heard.add(message),
                Err(Error::Gone { how }) => break how,
                Err(other) => panic!("{other}"),
            }
        }
    };
    let how = timeout(PATIENCE, listen).await.unwrap();
    (heard, how)
}

/// Listens until `enough`.
pub async fn hear_until(encoder: &mut Encoder, heard: &mut Heard, enough: impl Fn(&Heard) -> bool) {
    let listen = async {
        while !enough(heard) {
            heard.add(encoder.next().await.unwrap());
        }
    };
    timeout(PATIENCE, listen).await.unwrap();
}

/// Writes samples as a fragmented MP4, one fragment for each key frame.
pub fn write_mp4(directory: &Path, track: &Track, samples: &[Sample]) -> PathBuf {
    let mut out = init_segment(track).to_vec();
    let starts: Vec<usize> = (0..samples.len()).filter(|&at| samples[at].sync).collect();
    for (sequence, &start) in starts.iter().enumerate() {
        let end = starts.get(sequence + 1).copied().unwrap_or(samples.len());
        let samples = &samples[start..end];
        let fragment =
            Fragment { sequence: sequence as u32 + 1, samples, segment_start: true, last_segment: false };
        out.extend_from_slice(&fragment_header(track, &fragment));
        samples.iter().for_each(|sample| out.extend_from_slice(&sample.data));
    }
    let path = directory.join(format!("{}.mp4", track.name));
    std::fs::write(&path, out).unwrap();
    path
}

/// Has ffmpeg decode `input` to `arguments`, with every error fatal, and returns the bytes it writes.
pub fn decoded(input: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("timeout")
        .args(["60", "ffmpeg", "-v", "error", "-xerror", "-err_detect", "explode", "-i"])
        .arg(input)
        .args(arguments)
        .arg("-")
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "ffmpeg on {}: {complaint}", input.display());
    output.stdout
}

/// The pictures of `input` as grey pixels.
pub fn pictures(input: &Path, track: &Track) -> Vec<Vec<u8>> {
    let video = track.video().unwrap();
    let size = (video.width * video.height) as usize;
    let bytes = decoded(input, &["-fps_mode", "passthrough", "-pix_fmt", "gray", "-f", "rawvideo"]);
    assert_eq!(bytes.len() % size, 0);
    bytes.chunks(size).map(<[u8]>::to_vec).collect()
}

/// What ffprobe says of the first stream of `input`, as `key=value` lines.
pub fn probed(input: &Path, entries: &str) -> String {
    let output = Command::new("timeout")
        .args(["60", "ffprobe", "-v", "error", "-of", "default=nw=1", "-show_entries"])
        .arg(format!("stream={entries}"))
        .arg(input)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
