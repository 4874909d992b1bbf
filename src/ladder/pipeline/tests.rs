use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    os::unix::net::UnixStream,
};

use bytes::BytesMut;
use headwater_packager::time::FrameRate;

use super::*;
use crate::{
    config::{AudioRung, Ladder, Rung, VideoCodec},
    ladder::{
        rungs::{self, Sound},
        trial,
        wire::{self, Media, Message},
    },
    source::{BLOCK, SAMPLE_RATE, pattern::Pattern},
};

const DEADLINE: Duration = Duration::from_secs(20);
/// Not what a clock shows at any of the times below, so that nothing passes by chance.
const CAPTURED: i64 = 77_000_000;
const FRAMES: i64 = 75;

fn rung(height: u32, codec: VideoCodec, preset: &str, tune: Option<&str>) -> Rung {
    Rung {
        height,
        width: None,
        bitrate: 300_000,
        codec,
        preset: preset.into(),
        profile: None,
        b_frames: 0,
        tune: tune.map(Into::into),
    }
}

fn picture() -> Picture {
    let frame_rate = FrameRate::new(25, 1).unwrap();
    Picture { width: 320, height: 240, sample_aspect: (1, 1), frame_rate, colour: None }
}

/// Low-latency tracks of all that software encodes, and sound.
fn tracks() -> Tracks {
    gst::init().unwrap();
    let video = vec![
        rung(240, VideoCodec::H264, "superfast", None),
        rung(240, VideoCodec::H264, "medium", Some("film")),
        rung(180, VideoCodec::H264, "veryfast", Some("fastdecode")),
        rung(144, VideoCodec::H264, "slow", Some("zerolatency")),
        rung(144, VideoCodec::H265, "superfast", None),
        rung(120, VideoCodec::H265, "medium", Some("grain")),
    ];
    let audio = vec![AudioRung { bitrate: 96_000, language: None, channels: 2 }];
    let ladder = Ladder { video, audio, ..Ladder::default() };
    let plan = rungs::plan(&ladder, &picture()).unwrap().without_delay();
    let (sound, _) = rungs::plan_audio(&ladder, &[Sound { language: "en".into(), channels: 2 }]);
    let lengths = BTreeSet::from([2, 3]);
    let video = plan.rungs.into_iter().enumerate().map(|(index, rung)| {
        let software = if rung.codec == VideoCodec::H264 { "x264enc" } else { "x265enc" };
        let trial = trial::video(&rung, 3, Some(software), &lengths).unwrap();
        VideoTrack { index: index as u8, rung, encoder: trial.encoder, threads: 3, codec: trial.codec }
    });
    let video: Vec<_> = video.collect();
    let audio = sound.into_iter().map(|audio| {
        let trial = trial::audio(&audio).unwrap();
        AudioTrack { index: video.len() as u8, audio, encoder: trial.encoder, codec: trial.codec }
    });
    let audio = audio.collect();
    let grid = Grid { segment: Duration::from_secs(1), part: Duration::from_millis(200) };
    Tracks { grid, picture: Some(picture()), video, audio }
}

/// What the server hears.
struct Server {
    stream: UnixStream,
    buffer: BytesMut,
    /// By track.
    heard: BTreeMap<u8, Vec<Media>>,
}

impl Server {
    /// Listens until `enough` has come; panics if it does not come in time.
    fn hear(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let mut bytes = [0; 4096];
            let length = self.stream.read(&mut bytes);
            let length = length.unwrap_or_else(|_| panic!("{what} is held back: {:?}", self.counts()));
            assert!(length > 0, "the pipeline hung up");
            self.buffer.extend_from_slice(&bytes[..length]);
            while let Some(message) = wire::decode(&mut self.buffer).unwrap() {
                let Message::Media(media) = message else { continue };
                self.heard.entry(media.track).or_default().push(media);
            }
        }
    }

    fn count(&self, track: u8) -> i64 {
        self.heard.get(&track).map_or(0, |media| media.len() as i64)
    }

    fn counts(&self) -> BTreeMap<u8, usize> {
        self.heard.iter().map(|(track, media)| (*track, media.len())).collect()
    }
}

fn start(tracks: &Tracks) -> (Pipeline, Server) {
    let (stream, other) = UnixStream::pair().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let outlet = Outlet::new(other, || {}).unwrap();
    let pipeline = Pipeline::start(tracks, &outlet, &Arc::default(), |why| panic!("{why}")).unwrap();
    (pipeline, Server { stream, buffer: BytesMut::new(), heard: BTreeMap::new() })
}

fn drawn(frame: i64) -> gst::Buffer {
    let pattern = Pattern::new(picture().width, picture().height, "test");
    let mut bytes = vec![0; pattern.layout().size];
    pattern.draw(&mut bytes, frame * 40);
    gst::Buffer::from_slice(bytes)
}

#[test]
fn with_low_latency_a_frame_comes_out_before_the_next_one_goes_in() {
    let tracks = tracks();
    let (pipeline, mut server) = start(&tracks);
    // The first frame and the first block of a segment far from zero.
    let (first, first_block) = (1_000 * 25, (1_000 * i64::from(SAMPLE_RATE) + BLOCK - 1) / BLOCK);
    let video: Vec<u8> = tracks.video.iter().map(|track| track.index).collect();
    for frame in 0..FRAMES {
        pipeline.video(first + frame, drawn(frame), CAPTURED + frame).unwrap();
        server.hear(&format!("frame {frame}"), |server| {
            video.iter().all(|&track| server.count(track) == frame + 1)
        });
    }
    // An AAC frame overlaps with the one before it, and encoders look at one or two behind it.
    let (sound, held) = (&tracks.audio[0], tracks.audio[0].encoder.priming() + 1);
    for block in 0..FRAMES {
        let samples = aac::silence(BLOCK);
        pipeline.audio(sound.audio.stream, first_block + block, &samples, CAPTURED - block).unwrap();
        server.hear(&format!("block {block}"), |server| server.count(sound.index) > block - held);
    }
    pipeline.finish(Some(DEADLINE)).unwrap();
    server.hear("the last block", |server| server.count(sound.index) == FRAMES);
    for track in video {
        for (frame, media) in (0..).zip(&server.heard[&track]) {
            let rate = picture().frame_rate.timescale();
            assert_eq!(media.sample.dts, (first + frame) * rate.1, "track {track}");
            assert_eq!((media.sample.cts, media.sample.sync), (0, frame % 25 == 0), "track {track}");
            assert_eq!(media.sample.captured_at, CAPTURED + frame, "track {track}");
        }
    }
    for (block, media) in (0..).zip(&server.heard[&sound.index]) {
        assert_eq!(media.sample.dts, (first_block + block) * BLOCK);
        assert_eq!(media.sample.captured_at, CAPTURED - block, "block {block}, through the encoder's delay");
    }
}
