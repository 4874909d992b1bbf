//! Pretends to be `headwater encode`: speaks the wire protocol, sends pictures that nobody could decode, at the speed of
//! time. So the channel in front of it is the real one, and costs what it costs, but no encoder takes part.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use headwater::{
    clock,
    ladder::{
        job::Job,
        wire::{self, Catalog, Control, Event, Media, Message},
    },
};
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::{FrameRate, Grid, Ticks, Timescale},
    track::{self, Audio, Track, Video},
};

/// The video track's name; its rung is the one that the channel is configured with.
pub(crate) const VIDEO: &str = "720p";
/// The audio track's name.
pub(crate) const AUDIO: &str = "audio-en";

const FRAMES_A_SECOND: u32 = 30;
const SAMPLE_RATE: u32 = 48_000;
const AAC_FRAME: u32 = 1024;
const AUDIO_BITRATE: u32 = 128_000;
/// As much of the past as a list of a minute holds.
const PAST: i64 = 30;

/// The record of a High profile, level 3.1, 1280x720 stream by x264.
const AVC_RECORD: &[u8] = &[
    0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x1c, 0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05,
    0xbb, 0x01, 0x6a, 0x02, 0x02, 0x02, 0x80, 0x00, 0x00, 0x03, 0x00, 0x80, 0x00, 0x00, 0x1e, 0x07, 0x8c,
    0x18, 0xcb, 0x01, 0x00, 0x06, 0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0, 0xfd, 0xf8, 0xf8, 0x00,
];
/// AAC-LC, 48 kHz, stereo.
const AAC_CONFIG: &[u8] = &[0x11, 0x90];

/// Connects to the server at `socket`, takes its job and sends media until the server is gone.
pub(crate) fn run(socket: &Path) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(socket).context("the encoder's socket")?;
    let (job, now) = job(&mut stream)?;
    clock::anchor(i128::from(now) * 1000);
    let bitrate = job.ladder.video.first().map_or(0, |rung| rung.bitrate);
    let tracks = tracks(bitrate).context("the made-up tracks")?;
    for message in opening(&tracks, job.grid) {
        stream.write_all(&wire::encode(&message))?;
    }
    let mut lanes = lanes(&tracks, job.grid);
    // The channel has to fill from here on, and so begins with a full list.
    for lane in &lanes {
        let first = Lane { at: lane.start_of(job.grid, lane.number - PAST), ..lane.clone() }.next();
        stream.write_all(&wire::encode(&Message::Media(first)))?;
    }
    loop {
        // Whatever is over first is sent first, and not before it is over.
        let Some(lane) = lanes.iter_mut().min_by_key(|lane| lane.over_at()) else { return Ok(()) };
        let ahead = lane.over_at() - clock::unix_nanos();
        if let Ok(ahead) = u64::try_from(ahead) {
            thread::sleep(Duration::from_nanos(ahead));
        }
        if stream.write_all(&wire::encode(&Message::Media(lane.next()))).is_err() {
            return Ok(());
        }
    }
}

fn job(stream: &mut UnixStream) -> anyhow::Result<(Box<Job>, i64)> {
    let mut buffer = BytesMut::new();
    let mut read = [0; 4096];
    loop {
        match wire::decode(&mut buffer)? {
            Some(Message::Control(Control::Start { job, now })) => return Ok((job, now)),
            Some(_) => continue,
            None => {}
        }
        match stream.read(&mut read)? {
            0 => bail!("the server gave no job"),
            length => buffer.extend_from_slice(&read[..length]),
        }
    }
}

fn tracks(bitrate: u32) -> Option<[Track; 2]> {
    let rate = FrameRate::new(FRAMES_A_SECOND, 1)?;
    let video =
        Video { width: 1280, height: 720, sample_aspect: (1, 1), frame_rate: Some(rate), colour: None };
    let audio = Audio { sample_rate: SAMPLE_RATE, channels: 2, language: "en".into() };
    Some([
        Track {
            name: VIDEO.into(),
            timescale: rate.timescale().0,
            codec: CodecConfig::Avc(Bytes::from_static(AVC_RECORD)),
            media: track::Media::Video(video),
            bitrate,
            edit_start: 0,
        },
        Track {
            name: AUDIO.into(),
            timescale: Timescale::new(SAMPLE_RATE)?,
            codec: CodecConfig::Aac(Bytes::from_static(AAC_CONFIG)),
            media: track::Media::Audio(audio),
            bitrate: AUDIO_BITRATE,
            edit_start: 0,
        },
    ])
}

/// Catalog, filler and the word that media follows.
fn opening(tracks: &[Track], grid: Grid) -> Vec<Message> {
    let mut messages = vec![Message::Catalog(Catalog { tracks: tracks.to_vec() })];
    for mut lane in lanes(tracks, grid) {
        lane.at = 0;
        let frames = if lane.video { grid.part.as_millis() as u32 * FRAMES_A_SECOND / 1000 } else { 1 };
        messages.extend((0..frames).map(|_| Message::Media(Media { filler: true, ..lane.next() })));
    }
    messages.push(Message::Event(Event::Live { duration: None }));
    messages
}

fn lanes(tracks: &[Track], grid: Grid) -> Vec<Lane> {
    tracks.iter().zip(0..).map(|(track, index)| Lane::new(track, index, grid)).collect()
}

/// One track on its way.
#[derive(Clone)]
struct Lane {
    track: u8,
    video: bool,
    timescale: Timescale,
    step: i64,
    /// The segment that it begins with.
    number: i64,
    /// Ticks of a segment.
    segment: Ticks,
    /// Where the next frame begins.
    at: Ticks,
    data: Bytes,
}

impl Lane {
    /// Begins with the next segment.
    fn new(track: &Track, index: u8, grid: Grid) -> Self {
        let video = track.audio().is_none();
        let hz = track.timescale.hz();
        let step = if video { hz / FRAMES_A_SECOND } else { AAC_FRAME };
        let size = u64::from(track.bitrate) / 8 * u64::from(step) / u64::from(hz);
        let lane = Self {
            track: index,
            video,
            timescale: track.timescale,
            step: step.into(),
            number: grid.first_segment_at_or_after(clock::unix_nanos()),
            segment: grid.segment_start(1, track.timescale).max(1),
            at: 0,
            data: vec![index; size as usize].into(),
        };
        Self { at: lane.start_of(grid, lane.number), ..lane }
    }

    /// The first frame of segment `number`: the first at or behind the line.
    fn start_of(&self, grid: Grid, number: i64) -> Ticks {
        -(-grid.segment_start(number, self.timescale)).div_euclid(self.step) * self.step
    }

    /// When the next frame has been captured whole, in nanoseconds of Unix time.
    fn over_at(&self) -> i128 {
        self.timescale.nanos(self.at + self.step)
    }

    fn next(&mut self) -> Media {
        let sync = !self.video || self.at.rem_euclid(self.segment) < self.step;
        let captured_at = (clock::unix_nanos() / 1000) as i64;
        let (dts, data) = (self.at, self.data.clone());
        self.at += self.step;
        let sample = Sample { dts, cts: 0, duration: self.step as u32, sync, captured_at, data };
        Media { track: self.track, filler: false, video: self.video, sample }
    }
}
