//! Pretends to be `headwater encode`: speaks the wire protocol, sends pictures that nobody could decode, at the speed of
//! time. So the channel in front of it is the real one, and costs what it costs, but no encoder takes part.

use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    time::{FrameRate, Grid, Timescale},
    track::{self, Audio, Track, Video},
};

use crate::{
    cpus,
    lane::{FRAMES_A_SECOND, Lane},
};

/// The best video track's name; its rung is the first one that the channel is configured with.
pub(crate) const VIDEO: &str = "720p";
/// The audio track's name.
pub(crate) const AUDIO: &str = "audio-en";

const SAMPLE_RATE: u32 = 48_000;
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
    let mut buffer = BytesMut::new();
    let (job, now) = job(&mut stream, &mut buffer)?;
    clock::anchor(i128::from(now) * 1000);
    // A server that is held to one processor should not have to share it with its encoder.
    cpus::avoid_inherited()?;
    let rungs: Vec<_> =
        job.ladder.video.iter().map(|rung| (format!("{}p", rung.height), rung.bitrate)).collect();
    let tracks = tracks(&rungs).context("the made-up tracks")?;
    for message in opening(&tracks, job.grid) {
        stream.write_all(&wire::encode(&message))?;
    }
    let mut lanes = lanes(&tracks, job.grid);
    // The channel has to fill from here on, and so begins with a full list.
    for lane in &lanes {
        let first = lane.clone().at_segment(job.grid, lane.number - PAST).next(false);
        stream.write_all(&wire::encode(&Message::Media(first)))?;
    }
    let forced: Arc<[AtomicBool]> = tracks.iter().map(|_| AtomicBool::new(false)).collect();
    let (asked, control) = (forced.clone(), stream.try_clone()?);
    thread::Builder::new().name("control".into()).spawn(move || obey(control, buffer, &asked))?;
    // Whatever is over first is sent first, and not before it is over.
    while let Some((index, lane)) = wait(&mut lanes) {
        let frame = lane.next(lane.video && forced[index].swap(false, Ordering::Relaxed));
        if stream.write_all(&wire::encode(&Message::Media(frame))).is_err() {
            break;
        }
    }
    Ok(())
}

fn job(stream: &mut UnixStream, buffer: &mut BytesMut) -> anyhow::Result<(Box<Job>, i64)> {
    loop {
        match hear(stream, buffer)? {
            Some(Message::Control(Control::Start { job, now })) => return Ok((job, now)),
            Some(_) => {}
            None => bail!("the server gave no job"),
        }
    }
}

/// The next message of the server, if it does not close before.
fn hear(stream: &mut UnixStream, buffer: &mut BytesMut) -> anyhow::Result<Option<Message>> {
    let mut read = [0; 4096];
    loop {
        if let Some(message) = wire::decode(buffer)? {
            return Ok(Some(message));
        }
        match stream.read(&mut read)? {
            0 => return Ok(None),
            length => buffer.extend_from_slice(&read[..length]),
        }
    }
}

/// A video track for each name and bit rate, and one of audio.
pub(crate) fn tracks(rungs: &[(String, u32)]) -> Option<Vec<Track>> {
    let rate = FrameRate::new(FRAMES_A_SECOND, 1)?;
    let video = |(name, bitrate): &(String, u32)| Track {
        name: name.clone(),
        timescale: rate.timescale().0,
        codec: CodecConfig::Avc(Bytes::from_static(AVC_RECORD)),
        media: track::Media::Video(Video {
            width: 1280,
            height: 720,
            sample_aspect: (1, 1),
            frame_rate: Some(rate),
            colour: None,
        }),
        bitrate: *bitrate,
        edit_start: 0,
    };
    let audio = Track {
        name: AUDIO.into(),
        timescale: Timescale::new(SAMPLE_RATE)?,
        codec: CodecConfig::Aac(Bytes::from_static(AAC_CONFIG)),
        media: track::Media::Audio(Audio { sample_rate: SAMPLE_RATE, channels: 2, language: "en".into() }),
        bitrate: AUDIO_BITRATE,
        edit_start: 0,
    };
    Some(rungs.iter().map(video).chain([audio]).collect())
}

/// Catalog, filler and the word that media follows.
fn opening(tracks: &[Track], grid: Grid) -> Vec<Message> {
    let mut messages = vec![Message::Catalog(Catalog { tracks: tracks.to_vec() })];
    for mut lane in lanes(tracks, grid) {
        lane.at = 0;
        let frames = if lane.video { grid.part.as_millis() as u32 * FRAMES_A_SECOND / 1000 } else { 1 };
        messages.extend((0..frames).map(|_| Message::Media(Media { filler: true, ..lane.next(false) })));
    }
    messages.push(Message::Event(Event::Live { duration: None }));
    messages
}

pub(crate) fn lanes(tracks: &[Track], grid: Grid) -> Vec<Lane> {
    tracks.iter().zip(0..).map(|(track, index)| Lane::new(track, index, grid)).collect()
}

/// Waits until the next frame of all is over, and gives its track.
pub(crate) fn wait(lanes: &mut [Lane]) -> Option<(usize, &mut Lane)> {
    let (index, lane) = lanes.iter_mut().enumerate().min_by_key(|(_, lane)| lane.over_at())?;
    if let Ok(ahead) = u64::try_from(lane.over_at() - clock::unix_nanos()) {
        thread::sleep(Duration::from_nanos(ahead));
    }
    Some((index, lane))
}

/// Reads what the server asks for until it is gone.
fn obey(mut stream: UnixStream, mut buffer: BytesMut, forced: &[AtomicBool]) {
    while let Ok(Some(message)) = hear(&mut stream, &mut buffer) {
        if let Message::Control(Control::ForceKey { track }) = message
            && let Some(forced) = forced.get(usize::from(track))
        {
            forced.store(true, Ordering::Relaxed);
        }
    }
}
