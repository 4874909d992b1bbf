//! Kinds of files.

use headwater::source::{self, Pace};
use headwater_packager::time::FrameRate;

use super::record::{FLASH_AND_BEEP, Last, Recording, failure, make, open, request, shared};

fn whole(uri: &str) -> Recording {
    let recording = Recording::of(open(uri, Pace::Asap), |_| false);
    recording.assert_gapless();
    assert!(matches!(recording.last, Last::Ended));
    assert!(recording.captured.iter().all(|[captured, _]| *captured == 0), "a file is of no time");
    recording
}

fn rate(num: u32, den: u32) -> FrameRate {
    FrameRate::new(num, den).unwrap()
}

#[test]
fn every_frame_of_a_steady_file_comes_exactly_once() {
    let Some(path) = shared("wave_25_1080p_8s.mp4") else { return };
    let recording = whole(&format!("file:{}", path.display()));
    let video = recording.video.unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (1920, 1080, rate(25, 1)));
    assert_eq!(recording.frames, (0..200).collect::<Vec<_>>());
    let repeated = recording.prints.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(repeated, 0, "each frame bears its number, so no two are alike");
}

#[test]
fn variable_frame_rates_become_constant_ones() {
    for (name, seconds) in
        [("phone_vfr.mp4", None), ("phone_vfr_17s.mp4", Some(17.0)), ("count_video_vfr.mp4", None)]
    {
        let Some(path) = shared(name) else { continue };
        let recording = whole(&format!("file:{}", path.display()));
        let (rate, frames) = (recording.video.unwrap().frame_rate, recording.frames.len() as f64);
        let length = recording.duration.unwrap().as_secs_f64();
        assert_eq!(recording.frames[0], 0);
        assert!(
            (frames / rate.fps() - length).abs() < 0.2,
            "{name}: {frames} frames at {rate} in {length} s"
        );
        assert!(seconds.is_none_or(|seconds: f64| (length - seconds).abs() < 1.0));
    }
}

#[test]
fn flash_and_beep_stay_together_in_every_container() {
    let dir = tempfile::tempdir().unwrap();
    for (name, codecs) in [
        ("a.mp4", "-c:v libx264 -preset ultrafast -bf 2 -c:a aac"),
        ("a.mkv", "-c:v libx264 -preset ultrafast -c:a libmp3lame"),
        ("a.ts", "-c:v libx264 -preset ultrafast -bf 2 -c:a aac"),
        ("a.mov", "-c:v mjpeg -c:a pcm_s16le"),
        ("a.webm", "-c:v libvpx -deadline realtime -c:a libopus"),
    ] {
        let path = make(dir.path(), name, &format!("{FLASH_AND_BEEP} -t 4 {codecs}"));
        let recording = whole(&format!("file:{path}"));
        let (flashes, onsets) = (recording.flashes(), recording.onsets(0));
        assert!(flashes.len() >= 3, "{name}: {flashes:?}");
        for flash in flashes {
            let at = flash * 48_000 / 25;
            let off = onsets.iter().map(|onset| (onset - at).abs()).min().unwrap();
            assert!(off < 480, "{name}: the beep is {off} samples off: {onsets:?}");
        }
    }
}

#[test]
fn odd_interlaced_rotated_and_anamorphic_pictures_are_made_plain() {
    let dir = tempfile::tempdir().unwrap();
    let make = |name: &str, arguments: &str| make(dir.path(), name, arguments);
    let odd = make(
        "odd.mkv",
        "-f lavfi -i testsrc=s=853x479:r=24 -t 1 -c:v libx264 -preset ultrafast -pix_fmt yuv444p",
    );
    let video = whole(&format!("file:{odd}")).video.unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (853, 479, rate(24, 1)));

    let interlaced = make(
        "interlaced.ts",
        "-f lavfi -i testsrc=s=720x576:r=50 -vf interlace,setsar=16/11 -t 2 -c:v libx264 -preset ultrafast -flags +ilme+ildct -x264opts tff=1",
    );
    let recording = whole(&format!("file:{interlaced}"));
    let video = recording.video.unwrap();
    assert_eq!((video.height, video.sample_aspect, video.frame_rate), (576, (16, 11), rate(25, 1)));
    assert!((49..=51).contains(&recording.frames.len()), "{}", recording.frames.len());

    let plain =
        make("plain.mp4", "-f lavfi -i testsrc=s=320x180:r=30000/1001 -t 1 -c:v libx264 -preset ultrafast");
    let rotated = make("rotated.mp4", &format!("-i {plain} -metadata:s:v rotate=90 -c copy"));
    let video = whole(&format!("file:{rotated}")).video.unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (180, 320, rate(30_000, 1001)));

    let ten_bits = make(
        "ten.mkv",
        "-f lavfi -i testsrc=s=320x180:r=60 -t 1 -pix_fmt yuv420p10le -c:v libx264 -preset ultrafast",
    );
    assert_eq!(whole(&format!("file:{ten_bits}")).frames.len(), 60);
}

#[test]
fn mono_and_surround_become_stereo_and_every_language_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(
        dir.path(),
        "languages.mkv",
        "-f lavfi -i testsrc=s=320x180:r=25 -f lavfi -i sine=440:r=44100 -f lavfi -i anoisesrc=r=48000 \
         -filter_complex [2]pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0[six] -map 0 -map 1 -map [six] -t 2 \
         -c:v libx264 -preset ultrafast -c:a:0 aac -ac:a:0 1 -c:a:1 ac3 \
         -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu",
    );
    let uri = format!("file:{path}");
    let recording = whole(&uri);
    let languages: Vec<_> = recording.audio.iter().map(|audio| audio.language.as_str()).collect();
    assert_eq!(languages, ["en", "de"]);
    for (blocks, samples) in recording.blocks.iter().zip(&recording.samples) {
        assert_eq!((blocks[0], blocks.len()), (0, 94), "2 s are 93.75 blocks");
        assert!(samples[24_000..72_000].iter().any(|sample| sample.abs() > 0.02));
    }
    let mut german = request(&uri, Pace::Asap);
    german.audio_languages = vec!["de".into()];
    let recording = Recording::of(source::open(german.clone(), &mut |_| {}).unwrap(), |_| false);
    recording.assert_gapless();
    assert_eq!((recording.audio.len(), recording.frames.len()), (1, 50));
    german.audio_languages = vec!["fr".into()];
    let error = source::open(german, &mut |_| {}).unwrap_err().to_string();
    assert!(error.ends_with("has no audio in fr; it has en, de"), "{error}");
}

#[test]
fn files_with_only_pictures_or_only_sound_are_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(
        dir.path(),
        "video.mp4",
        "-f lavfi -i testsrc=s=320x180:r=25 -t 1 -c:v libx264 -preset ultrafast",
    );
    let recording = whole(&format!("file:{path}"));
    assert_eq!((recording.frames.len(), recording.audio.len()), (25, 0));
    let path = make(dir.path(), "audio.m4a", "-f lavfi -i sine=440:r=48000 -t 1 -c:a aac");
    let recording = whole(&format!("file:{path}"));
    // GStreamer's AAC decoder keeps the last 896 samples to itself.
    assert!(recording.video.is_none() && (46..=47).contains(&recording.blocks[0].len()));
}

#[test]
fn only_the_first_of_two_video_tracks_is_taken() {
    let Some(path) = shared("nasa_2video_2audio.mp4") else { return };
    let recording = whole(&format!("file:{}", path.display()));
    assert_eq!(recording.audio.len(), 2);
    // The second one is 480x270 at 30000/1001.
    let video = recording.video.unwrap();
    assert_eq!((video.width, video.height, video.frame_rate), (320, 180, rate(25, 1)));
}

#[test]
fn a_file_is_paced_from_a_segment_line_on() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        make(dir.path(), "a.mp4", &format!("{FLASH_AND_BEEP} -t 3 -c:v libx264 -preset ultrafast -c:a aac"));
    let recording = Recording::of(open(&format!("file:{path}"), Pace::Live), |_| false);
    recording.assert_gapless();
    assert_eq!((recording.frames.len(), recording.frames[0] % 50), (75, 0), "2 s lines, 25 frames a second");
    let captured: Vec<i64> = recording.captured.iter().map(|[captured, _]| *captured).collect();
    assert_eq!(captured, recording.frames.iter().map(|frame| frame * 40_000).collect::<Vec<_>>());
    let captured: Vec<i64> = recording.captured_sound[0].iter().map(|[captured, _]| *captured).collect();
    let due = |block: &i64| (i128::from(*block) * 64_000_000 / 3 / 1000) as i64;
    assert_eq!(captured, recording.blocks[0].iter().map(due).collect::<Vec<_>>());
    let took = recording.came[74] - recording.came[0];
    assert!((2.8..4.5).contains(&took.as_secs_f64()), "{took:?}");
    let (flashes, onsets) = (recording.flashes(), recording.onsets(0));
    assert_eq!(flashes.len(), 2);
    assert!((onsets[0] - flashes[0] * 1920).abs() < 480, "{flashes:?} {onsets:?}");
}

#[test]
fn a_repeated_file_of_any_container_goes_on_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.mp4", "a.ts"] {
        let path = make(
            dir.path(),
            name,
            &format!("{FLASH_AND_BEEP} -t 2 -c:v libx264 -preset ultrafast -bf 0 -c:a aac"),
        );
        let source = open(&format!("file:{path}?loop"), Pace::Live);
        assert_eq!(source.duration, None);
        let recording = Recording::of(source, |recording| recording.frames.len() >= 175);
        recording.assert_gapless();
        let flashes = recording.flashes();
        assert!(flashes.len() >= 6, "{flashes:?}");
        assert!(
            flashes.windows(2).all(|pair| (25..=26).contains(&(pair[1] - pair[0]))),
            "{name}: {flashes:?}"
        );
        let onsets = recording.onsets(0);
        for flash in &flashes[..5] {
            let off = onsets.iter().map(|onset| (onset - flash * 1920).abs()).min().unwrap();
            assert!(off < 480, "{name}: the beep is {off} samples off: {flashes:?} {onsets:?}");
        }
    }
}

#[test]
fn another_frame_rate_is_made_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path =
        make(dir.path(), "a.mp4", "-f lavfi -i testsrc=s=320x180:r=25 -t 2 -c:v libx264 -preset ultrafast");
    let mut request = request(&format!("file:{path}"), Pace::Asap);
    request.frame_rate = Some(rate(50, 1));
    let recording = Recording::of(source::open(request, &mut |_| {}).unwrap(), |_| false);
    recording.assert_gapless();
    assert_eq!(recording.frames.len(), 100);
}

#[test]
fn files_outside_the_root_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request("file:/etc/hostname", Pace::Asap);
    request.file_root = Some(dir.path().into());
    let error = source::open(request, &mut |_| {}).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("/etc/hostname is outside {}, below which files must lie", dir.path().display())
    );
    assert!(failure("file:/etc/hostname").unwrap().contains("is not media that can be read"));
}
