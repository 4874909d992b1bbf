//! Encoder processes, real ones, seen from the server's end of the wire.

use std::{path::Path, process::Stdio, time::Duration};

use headwater::{
    config::{AudioRung, Rung, VideoCodec},
    ladder::{
        job::{Job, Timing},
        process::{Encoder, Error},
        wire::{self, Control, Event, Message},
    },
};
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::{FrameRate, Grid},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use self::heard::*;

mod heard;

#[tokio::test]
async fn a_ladder_comes_out_aligned_to_the_frame_at_any_rate() {
    for (text, num, den, low_latency) in [
        ("30", 30, 1, true),
        ("30000/1001", 30000, 1001, false),
        ("30000/1001", 30000, 1001, true),
        ("25", 25, 1, false),
    ] {
        let source = format!("test:?size=640x360&rate={text}&seconds=7");
        let job = job(&source, Timing::File, vec![rung(360, 800_000), rung(240, 400_000)]);
        let job = Job { low_latency, ..job };
        let (heard, how) = hear_out(&job).await;
        assert_eq!(how, "exited");
        assert_eq!(heard.track_names(), ["360p", "240p", "audio-und"]);
        assert_eq!(heard.events.last(), Some(&Event::Ended), "{:?}", heard.events);
        let rate = FrameRate::new(num, den).unwrap();
        let ticks = rate.timescale().1;
        let frames = (7.0 * rate.fps()).ceil() as i64;
        for track in [0, 1] {
            let samples = &heard.media[&track];
            assert_eq!(key_frames(samples), segment_lines(&job.grid, rate), "key frames at {rate}");
            assert!(samples.iter().filter(|it| it.sync || low_latency).all(|it| it.cts == 0));
            assert!(samples.windows(2).all(|pair| pair[0].end() == pair[1].dts));
            let mut shown: Vec<i64> = samples.iter().map(Sample::pts).collect();
            shown.sort_unstable();
            assert_eq!(shown, (0..frames).map(|frame| frame * ticks).collect::<Vec<_>>(), "frames at {rate}");
        }
        let sound = &heard.media[&2];
        assert!(sound.windows(2).all(|pair| pair[0].end() == pair[1].dts));
        assert_eq!((sound[0].dts, sound.len()), (0, (7 * 48_000_usize).div_ceil(1024)));
    }
}

fn key_frames(samples: &[Sample]) -> Vec<i64> {
    samples.iter().filter(|it| it.sync).map(Sample::pts).collect()
}

/// The ticks of the first frame of each of the first four segments.
fn segment_lines(grid: &Grid, rate: FrameRate) -> Vec<i64> {
    let (timescale, ticks) = rate.timescale();
    (0..4).map(|number| -(-grid.segment_start(number, timescale)).div_euclid(ticks) * ticks).collect()
}

#[tokio::test]
async fn a_live_encoder_sends_its_filler_first_and_the_two_can_be_spliced() {
    let rungs = vec![rung(360, 800_000), Rung { profile: Some("baseline".into()), ..rung(240, 300_000) }];
    let job = job("test:?size=640x360&rate=30000/1001", Timing::Live, rungs);
    let mut encoder = Encoder::spawn(&job, program()).await.unwrap();
    let mut heard = Heard::default();
    hear_until(&mut encoder, &mut heard, |heard| !heard.media.is_empty()).await;
    assert!(matches!(heard.events.last(), Some(Event::Live { duration: None })), "{:?}", heard.events);
    assert_eq!(heard.filler.len(), 3, "a filler of every track came before any media");
    hear_until(&mut encoder, &mut heard, |heard| (0..2).all(|track| heard.frames(track) > 75)).await;
    encoder.stop().await;
    let directory = tempfile::tempdir().unwrap();
    for track in 0..2 {
        let runs: Vec<&[Sample]> = runs(&heard.filler[&track]);
        assert_eq!(runs.iter().map(|run| run.len()).collect::<Vec<_>>(), [11, 12], "0.4 s at 29.97");
        assert!(runs.iter().all(|run| run[0].dts == 0 && run[0].cts == 0));
        let media = &heard.media[&track];
        let epoch = heard.track(track).timescale.nanos(media[0].dts);
        let late = headwater::clock::unix_nanos() - epoch;
        assert!((0..60_000_000_000).contains(&late), "media time is Unix time, not {late} ns off");
        let timescale = heard.track(track).timescale;
        for sample in media {
            let shown = timescale.nanos(sample.pts()).div_euclid(1000) as i64;
            assert_eq!(sample.captured_at, shown, "the test source captures a frame when it is due");
        }
        assert!(heard.filler[&track].iter().all(|sample| sample.captured_at == 0));
        let second = media.iter().rposition(|it| it.sync).unwrap();
        let mut spliced = media[..second].to_vec();
        for run in [runs[0], runs[1], runs[0], &media[second..]] {
            append(&mut spliced, run);
        }
        let path = write_mp4(directory.path(), heard.track(track), &spliced);
        assert_eq!(pictures(&path, heard.track(track)).len(), spliced.len());
    }
    assert_eq!(heard.filler[&2].len(), 1);
    let due = |sample: &Sample| (i128::from(sample.dts) * 1_000_000 / 48_000) as i64;
    assert!(
        heard.media[&2].iter().all(|sample| sample.captured_at == due(sample)),
        "through its encoder too"
    );
    let mut sound = heard.media[&2].clone();
    for _ in 0..20 {
        append(&mut sound, &heard.filler[&2].clone());
    }
    let path = write_mp4(directory.path(), heard.track(2), &sound);
    let silent = floats(&decoded(&path, &["-f", "f32le", "-ac", "1"]));
    assert!(silent[silent.len() - 15 * 1024..].iter().all(|sample| sample.abs() < 1e-3));
}

fn runs(samples: &[Sample]) -> Vec<&[Sample]> {
    samples.chunk_by(|_, next| !next.sync).collect()
}

/// Appends `run`, moved to where `samples` end.
fn append(samples: &mut Vec<Sample>, run: &[Sample]) {
    let shift = samples.last().unwrap().end() - run[0].dts;
    samples.extend(run.iter().cloned().map(|sample| Sample { dts: sample.dts + shift, ..sample }));
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect()
}

#[tokio::test]
async fn flash_and_beep_of_the_test_source_come_out_together() {
    let (heard, _) =
        hear_out(&job("test:?size=640x360&rate=25&seconds=5", Timing::File, vec![rung(360, 900_000)])).await;
    let directory = tempfile::tempdir().unwrap();
    let video = write_mp4(directory.path(), heard.track(0), &heard.media[&0]);
    let sound = write_mp4(directory.path(), heard.track(1), &heard.media[&1]);
    // The patch on the right of the panel.
    let (x, y) = (640 * 90 / 100, 360 * 68 / 100);
    let bright: Vec<bool> =
        pictures(&video, heard.track(0)).iter().map(|picture| picture[y * 640 + x] > 128).collect();
    let samples = floats(&decoded(&sound, &["-f", "f32le", "-ac", "1"]));
    for second in 1..5_usize {
        let flash = bright.windows(2).skip(25 * second - 12).position(|pair| pair == [false, true]).unwrap();
        let flash = (flash + 25 * second - 12 + 1) as f64 / 25.0;
        let from = 48_000 * second - 24_000;
        let beep = samples[from..].iter().position(|sample| sample.abs() > 0.05).unwrap();
        let beep = (beep + from) as f64 / 48_000.0;
        assert!((flash - beep).abs() < 0.010, "flash at {flash:.4} s, beep at {beep:.4} s");
        assert!((flash - second as f64).abs() < 0.001, "flash at {flash:.4} s");
    }
}

#[tokio::test]
async fn an_hevc_rung_stands_beside_an_avc_one() {
    let hevc = Rung { codec: VideoCodec::H265, preset: "ultrafast".into(), ..rung(360, 500_000) };
    let job = job("test:?size=640x360&rate=25&seconds=5", Timing::File, vec![rung(360, 800_000), hevc]);
    let (heard, how) = hear_out(&job).await;
    assert_eq!(how, "exited", "{:?}", heard.events);
    assert_eq!(heard.track_names(), ["360p", "360p-hevc", "audio-und"]);
    assert!(matches!(heard.track(1).codec, CodecConfig::Hevc(_)));
    assert_eq!(key_frames(&heard.media[&0]), key_frames(&heard.media[&1]));
    let directory = tempfile::tempdir().unwrap();
    let path = write_mp4(directory.path(), heard.track(1), &heard.media[&1]);
    assert_eq!(pictures(&path, heard.track(1)).len(), 125);
    let told = probed(&path, "codec_name,codec_tag_string,width,height");
    assert_eq!(told, "codec_name=hevc\ncodec_tag_string=hvc1\nwidth=640\nheight=360\n");
}

#[tokio::test]
async fn settings_of_a_rung_reach_the_bitstream() {
    let boxed = Rung { width: Some(640), b_frames: 0, profile: Some("main".into()), ..rung(360, 700_000) };
    let mut job = job("test:?size=768x576&rate=25&seconds=4", Timing::File, vec![rung(480, 900_000), boxed]);
    job.ladder.audio = vec![AudioRung { bitrate: 64_000, language: Some("en".into()), channels: 1 }];
    let (heard, how) = hear_out(&job).await;
    assert_eq!(how, "exited", "{:?}", heard.events);
    assert_eq!(heard.track_names(), ["480p", "360p", "audio-en"]);
    let directory = tempfile::tempdir().unwrap();
    let entries = "profile,level,width,height,sample_aspect_ratio,has_b_frames,channels";
    let told = |track: u8| {
        let path = write_mp4(directory.path(), heard.track(track), &heard.media[&track]);
        let lines = probed(&path, entries);
        (path, lines.lines().map(|line| line.split('=').nth(1).unwrap().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(told(0).1, ["Main", "640", "480", "2", "1:1", "30"]);
    let (path, lines) = told(1);
    assert_eq!(lines, ["Main", "640", "360", "0", "1:1", "30"]);
    assert!(heard.media[&1].iter().all(|sample| sample.cts == 0), "no B-frames, no reordering");
    let picture = &pictures(&path, heard.track(1))[30];
    let column = |x: usize| (0..360).map(|y| u64::from(picture[y * 640 + x])).sum::<u64>() / 360;
    assert!(column(40) < 24 && column(600) < 24 && column(120) > 40, "4:3 is put between black bars");
    assert_eq!(told(2).1, ["LC", "1"]);
}

#[tokio::test]
async fn a_key_frame_comes_when_it_is_asked_for_and_a_ping_is_answered() {
    let job = job("test:?size=320x180&rate=30", Timing::Live, vec![rung(180, 300_000)]);
    let mut encoder = Encoder::spawn(&job, program()).await.unwrap();
    let mut heard = Heard::default();
    hear_until(&mut encoder, &mut heard, |heard| heard.frames(0) > 4).await;
    encoder.send(Control::ForceKey { track: 0 }).await.unwrap();
    encoder.ping().await.unwrap();
    let timescale = heard.track(0).timescale;
    let off_the_lines = |heard: &Heard| {
        key_frames(&heard.media[&0])
            .into_iter()
            .filter(|&pts| pts % (2 * i64::from(timescale.hz())) != 0)
            .count()
    };
    hear_until(&mut encoder, &mut heard, |heard| heard.pongs == 1 && off_the_lines(heard) == 1).await;
    encoder.stop().await;
}

#[tokio::test]
async fn a_killed_encoder_is_gone_and_the_signal_is_named() {
    let job = job("test:?size=320x180&rate=30", Timing::Live, vec![rung(180, 300_000)]);
    let mut encoder = Encoder::spawn(&job, program()).await.unwrap();
    let mut heard = Heard::default();
    hear_until(&mut encoder, &mut heard, |heard| heard.frames(0) > 4).await;
    let pid = encoder.pid().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    let gone = async {
        loop {
            if let Err(error) = encoder.next().await {
                break error.to_string();
            }
        }
    };
    assert_eq!(timeout(PATIENCE, gone).await.unwrap(), "the encoder was killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn a_stopped_encoder_leaves_nothing_behind() {
    let job = job("test:?size=320x180&rate=30", Timing::Live, vec![rung(180, 300_000)]);
    let encoder = Encoder::spawn(&job, program()).await.unwrap();
    let process = format!("/proc/{}", encoder.pid().unwrap());
    assert!(Path::new(&process).exists());
    encoder.stop().await;
    assert!(!Path::new(&process).exists());
}

#[tokio::test]
async fn an_encoder_goes_when_its_server_goes_at_any_moment() {
    let directory = tempfile::tempdir().unwrap();
    let job = job("test:?size=320x180&rate=30", Timing::Live, vec![rung(180, 300_000)]);
    let start = wire::encode(&Message::Control(Control::Start { job: Box::new(job), now: 0 }));
    for (name, told) in [("early", &[][..]), ("late", &start)] {
        let path = directory.path().join(name);
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let mut child = tokio::process::Command::new(program())
            .args(["encode", "--once", "--connect", &format!("unix:{}", path.display())])
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (mut server, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        server.write_all(told).await.unwrap();
        if !told.is_empty() {
            timeout(PATIENCE, server.read_exact(&mut [0; 20_000])).await.unwrap().unwrap();
        }
        // To wait for a child closes its standard input, and it goes for that alone.
        let _lifeline = child.stdin.take();
        drop(server);
        let ended = timeout(PATIENCE, child.wait()).await.expect("it lives on without a server").unwrap();
        assert_eq!(ended.code(), Some(3), "its status says that it was not the job that failed");
    }
}

#[tokio::test]
async fn a_file_waits_for_who_reads_it() {
    let job = job("test:?size=320x180&rate=30", Timing::File, vec![rung(180, 300_000)]);
    let mut encoder = Encoder::spawn(&job, program()).await.unwrap();
    let mut heard = Heard::default();
    hear_until(&mut encoder, &mut heard, |heard| heard.frames(0) > 0).await;
    let cpu = || cpu_ticks(encoder.pid().unwrap());
    let mut before = cpu();
    let idle = async {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let after = cpu();
            if after == before {
                break;
            }
            before = after;
        }
    };
    timeout(PATIENCE, idle).await.expect("an encoder whose frames nobody reads goes on working");
}

/// Processor time of a process in clock ticks: user and system (proc(5)).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test]
async fn a_job_that_cannot_be_done_fails_in_words() {
    let failure = async |source: &str, rung: Rung, encoder: Option<&str>| {
        let mut job = job(source, Timing::File, vec![rung]);
        job.ladder.encoder = encoder.map(Into::into);
        let (heard, how) = hear_out(&job).await;
        assert_eq!(how, "exited with status 1");
        match heard.events.last() {
            Some(Event::Failed { why }) => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    let source = "test:?size=320x180&seconds=1";
    assert_eq!(
        failure(source, rung(181, 300_000), None).await,
        "rung 181p: a height of 181 pixels is odd; 4:2:0 pictures need an even one, such as 180"
    );
    let fast = Rung { preset: "quick".into(), ..rung(180, 300_000) };
    assert_eq!(
        failure(source, fast, None).await,
        "rung 180p: there is no preset \"quick\"; ultrafast, superfast, veryfast, faster, fast, medium, slow, slower, \
         veryslow, placebo are known"
    );
    let why = failure(source, rung(180, 300_000), Some("x266")).await;
    assert!(why.starts_with("encoder \"x266\" is unknown; known are vah264enc, "), "{why}");
    let why = failure(source, rung(180, 300_000), Some("nvh264enc")).await;
    assert_eq!(why, "no encoder works for 180p: nvh264enc: nvh264enc is not installed or sees no device");
    let why = failure("file:/nonexistent.mp4", rung(180, 300_000), None).await;
    assert!(why.contains("/nonexistent.mp4"), "{why}");
}

#[tokio::test]
async fn a_program_that_is_no_encoder_is_seen_at_once() {
    let job = job("test:", Timing::File, vec![]);
    let error = Encoder::spawn(&job, Path::new("/bin/false")).await.unwrap_err();
    assert!(matches!(error, Error::Gone { .. }));
    assert_eq!(error.to_string(), "the encoder exited with status 1");
    let error = Encoder::spawn(&job, Path::new("/nonexistent")).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot start the encoder /nonexistent: "), "{error}");
}
