//! Encoder processes, real ones, seen from the server's end of the wire.

use std::{collections::BTreeMap, path::Path, time::Duration};

use headwater::{
    config::{Ladder, Rung, VideoCodec},
    ladder::{
        job::{Job, Timing},
        process::{Encoder, Error},
        wire::{Catalog, Event, Media, Message},
    },
};
use headwater_packager::{
    sample::Sample,
    time::{FrameRate, Grid},
};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_headwater"))
}

fn rung(height: u32, bitrate: u32) -> Rung {
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

fn job(source: &str, timing: Timing, video: Vec<Rung>) -> Job {
    Job {
        name: "test".into(),
        source: source.into(),
        file_root: None,
        grid: Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) },
        ladder: Ladder { video, ..Ladder::default() },
        timing,
    }
}

/// All that an encoder said.
#[derive(Debug, Default)]
struct Heard {
    catalog: Option<Catalog>,
    events: Vec<Event>,
    filler: BTreeMap<u8, Vec<Sample>>,
    media: BTreeMap<u8, Vec<Sample>>,
}

impl Heard {
    fn add(&mut self, message: Message) {
        match message {
            Message::Catalog(catalog) => self.catalog = Some(catalog),
            Message::Event(event) => self.events.push(event),
            Message::Media(Media { track, filler, sample, .. }) => {
                let into = if filler { &mut self.filler } else { &mut self.media };
                into.entry(track).or_default().push(sample);
            }
            other => panic!("an encoder does not say {other:?} by itself"),
        }
    }

    fn track_names(&self) -> Vec<&str> {
        self.catalog.as_ref().unwrap().tracks.iter().map(|track| track.name.as_str()).collect()
    }
}

/// Listens until the encoder is gone.
async fn hear_out(job: &Job) -> Heard {
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
    assert!(how.starts_with("exited"), "{how}");
    heard
}

#[tokio::test]
async fn a_ladder_of_the_test_source_comes_out_aligned_to_the_frame() {
    for (rate, fraction) in [("30", (30, 1)), ("30000/1001", (30000, 1001)), ("25", (25, 1))] {
        let source = format!("test:?size=640x360&rate={rate}&seconds=7");
        let heard = hear_out(&job(&source, Timing::File, vec![rung(360, 800_000), rung(240, 400_000)])).await;
        assert_eq!(heard.track_names(), ["360p", "240p", "audio-und"]);
        assert_eq!(heard.events.last(), Some(&Event::Ended), "{:?}", heard.events);
        let rate = FrameRate::new(fraction.0, fraction.1).unwrap();
        let (timescale, ticks) = rate.timescale();
        let grid = Grid { segment: Duration::from_secs(2), part: Duration::from_millis(400) };
        let lines: Vec<i64> = (0..4)
            .map(|number| -(-grid.segment_start(number, timescale)).div_euclid(ticks) * ticks)
            .collect();
        for track in [0, 1] {
            let samples = &heard.media[&track];
            let keys: Vec<i64> = samples.iter().filter(|it| it.sync).map(Sample::pts).collect();
            assert_eq!(keys, lines, "key frames at {rate}");
            assert!(samples.iter().filter(|it| it.sync).all(|it| it.cts == 0));
            assert!(samples.windows(2).all(|pair| pair[0].end() == pair[1].dts));
            let mut shown: Vec<i64> = samples.iter().map(Sample::pts).collect();
            shown.sort_unstable();
            let frames = (7.0 * rate.fps()).ceil() as i64;
            assert_eq!(shown, (0..frames).map(|frame| frame * ticks).collect::<Vec<_>>(), "frames at {rate}");
        }
        let sound = &heard.media[&2];
        assert!(sound.windows(2).all(|pair| pair[0].end() == pair[1].dts));
        assert_eq!((sound[0].dts, sound.len()), (0, 7 * 48_000_usize.div_ceil(1024)), "{}", sound.len());
    }
}
