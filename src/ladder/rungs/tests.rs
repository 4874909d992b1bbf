use super::*;
use crate::config::AudioRung;

fn picture(width: u32, height: u32) -> Picture {
    let frame_rate = FrameRate::new(30, 1).unwrap();
    Picture { width, height, sample_aspect: (1, 1), frame_rate, colour: None }
}

fn rung(height: u32) -> Rung {
    Rung {
        height,
        width: None,
        bitrate: 2_000_000,
        codec: VideoCodec::H264,
        preset: "veryfast".into(),
        profile: None,
        b_frames: 2,
        tune: None,
    }
}

fn ladder(video: Vec<Rung>) -> Ladder {
    Ladder { video, ..Ladder::default() }
}

fn sizes(ladder: &Ladder, picture: &Picture) -> Vec<(u32, u32)> {
    plan(ladder, picture).unwrap().rungs.iter().map(|rung| (rung.width, rung.height)).collect()
}

#[test]
fn the_automatic_ladder_goes_from_the_source_downwards() {
    let heights = |width, height| -> Vec<u32> {
        sizes(&ladder(vec![]), &picture(width, height)).into_iter().map(|(_, height)| height).collect()
    };
    assert_eq!(heights(3840, 2160), [2160, 1440, 1080, 720, 480, 360, 240]);
    assert_eq!(heights(7680, 4320), [2160, 1440, 1080, 720, 480, 360, 240]);
    assert_eq!(heights(1920, 1080), [1080, 720, 480, 360, 240]);
    assert_eq!(heights(1366, 768), [768, 480, 360, 240]);
    assert_eq!(heights(405, 241), [240]);
    assert_eq!(heights(64, 48), [48]);
    assert_eq!(sizes(&ladder(vec![]), &picture(1080, 1920))[..2], [(1080, 1920), (720, 1280)]);
}

#[test]
fn automatic_bitrates_and_profiles_fall_with_the_size_and_rise_with_the_frame_rate() {
    let slow = plan(&ladder(vec![]), &picture(1920, 1080)).unwrap().rungs;
    let fast = Picture { frame_rate: FrameRate::new(60, 1).unwrap(), ..picture(1920, 1080) };
    let fast = plan(&ladder(vec![]), &fast).unwrap().rungs;
    assert!(slow.windows(2).all(|pair| pair[0].bitrate > pair[1].bitrate));
    assert!(slow.iter().zip(&fast).all(|(slow, fast)| fast.bitrate > slow.bitrate));
    assert_eq!(slow[0].bitrate, 5_000_000);
    let levels: Vec<String> =
        slow.iter().map(|rung| format!("{} {}", rung.profile, rung.level.unwrap())).collect();
    assert_eq!(levels, ["high 4.0", "high 3.1", "main 3.1", "main 3.0", "baseline 2.1"]);
    assert_eq!(slow[4].b_frames, 0, "baseline has no B-frames");
    assert_eq!(fast[0].level.unwrap().to_string(), "4.2");
}

#[test]
fn nothing_is_enlarged_and_something_remains() {
    let plan_of = |heights: &[u32]| {
        let plan = plan(&ladder(heights.iter().map(|&height| rung(height)).collect()), &picture(854, 480));
        let plan = plan.unwrap();
        (plan.rungs.iter().map(|rung| rung.height).collect::<Vec<_>>(), plan.notes)
    };
    assert_eq!(plan_of(&[480, 360]), (vec![480, 360], vec![]));
    let (heights, notes) = plan_of(&[1080, 720, 240]);
    assert_eq!(heights, [480, 240]);
    assert_eq!(
        notes,
        [
            "rung 1080p is left out: the source is only 854x480",
            "rung 720p becomes 480p: the source is only 854x480"
        ]
    );
    assert_eq!(plan_of(&[720, 420]).0, [420]);
}

#[test]
fn the_display_aspect_is_kept_to_the_pixel() {
    for (width, height, sample_aspect) in [
        (1920, 1080, (1, 1)),
        (720, 576, (16, 11)),
        (1440, 1080, (4, 3)),
        (853, 481, (1, 1)),
        (608, 1080, (1, 1)),
    ] {
        let source = Picture { sample_aspect, ..picture(width, height) };
        for rung in plan(&ladder(vec![]), &source).unwrap().rungs {
            assert!(rung.width % 2 == 0 && rung.height % 2 == 0 && rung.width <= width + 1, "{rung:?}");
            let shown = |(width, height): (u32, u32), (num, den): (u32, u32)| {
                (u64::from(width) * u64::from(num)) as f64 / (u64::from(height) * u64::from(den)) as f64
            };
            let error = shown((rung.width, rung.height), rung.sample_aspect)
                / shown((width, height), sample_aspect)
                - 1.0;
            assert!(error.abs() < 1e-8, "{rung:?} is off by {error}");
        }
    }
    let rungs = plan(&ladder(vec![rung(480)]), &picture(1920, 1080)).unwrap().rungs;
    assert_eq!((rungs[0].width, rungs[0].sample_aspect), (854, (1280, 1281)));
}

#[test]
fn a_whole_size_is_taken_as_it_is_with_square_pixels() {
    let boxed = Rung { width: Some(1280), ..rung(720) };
    let rungs = plan(&ladder(vec![boxed.clone()]), &picture(1440, 1080)).unwrap().rungs;
    assert_eq!((rungs[0].width, rungs[0].height, rungs[0].sample_aspect), (1280, 720, (1, 1)));
    let small = plan(&ladder(vec![boxed]), &picture(320, 240)).unwrap();
    assert_eq!((small.rungs[0].width, small.rungs[0].height), (426, 240));
}

#[test]
fn impossible_rungs_are_refused_in_words() {
    let refused = |rung: Rung| plan(&ladder(vec![rung]), &picture(1920, 1080)).unwrap_err().to_string();
    assert_eq!(refused(rung(0)), "rung 0p: a height of 0 pixels is impossible; 16 to 8192 are possible");
    assert_eq!(
        refused(rung(9000)),
        "rung 9000p: a height of 9000 pixels is impossible; 16 to 8192 are possible"
    );
    assert_eq!(
        refused(rung(721)),
        "rung 721p: a height of 721 pixels is odd; 4:2:0 pictures need an even one, such as 720"
    );
    assert_eq!(
        refused(Rung { width: Some(1), ..rung(720) }),
        "rung 1x720: a width of 1 pixels is impossible; 16 to 8192 are possible"
    );
    assert_eq!(
        refused(Rung { bitrate: 2500, ..rung(720) }),
        "rung 720p: 2500 bit/s is impossible; \"16k\" to \"400M\" are possible"
    );
    assert_eq!(
        refused(Rung { b_frames: 17, ..rung(720) }),
        "rung 720p: 17 B-frames in a row are impossible; 0 to 16 are possible"
    );
    let racing = Picture { frame_rate: FrameRate::new(4000, 1).unwrap(), ..picture(7680, 4320) };
    assert_eq!(
        plan(&ladder(vec![rung(4320)]), &racing).unwrap_err().to_string(),
        "rung 4320p: no H.264 level allows 7680x4320 at 4000 frames per second and 2000000 bit/s"
    );
    assert!(matches!(plan(&ladder(vec![]), &picture(8, 8)), Err(Error::TinySource { .. })));
}

#[test]
fn rungs_of_the_same_height_have_names_of_their_own() {
    let hevc = Rung { codec: VideoCodec::H265, ..rung(720) };
    let plan = plan(&ladder(vec![rung(720), rung(720), hevc.clone(), hevc]), &picture(1280, 720)).unwrap();
    let names: Vec<&str> = plan.rungs.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!(names, ["720p", "720p-2", "720p-hevc", "720p-hevc-2"]);
}

#[test]
fn every_language_is_heard_once() {
    let sound = |language: &str| Sound { language: language.into(), channels: 2 };
    let names = |ladder: &Ladder, sounds: &[Sound]| {
        plan_audio(ladder, sounds).0.into_iter().map(|audio| (audio.name, audio.stream)).collect::<Vec<_>>()
    };
    let sounds = [sound("en"), sound("de"), sound("en")];
    assert_eq!(names(&ladder(vec![]), &sounds), [("audio-en".to_owned(), 0), ("audio-de".to_owned(), 1)]);
    let german = AudioRung { bitrate: 64_000, language: Some("de".into()), channels: 1 };
    let only = Ladder { audio: vec![german.clone(), german], ..Ladder::default() };
    assert_eq!(names(&only, &sounds), [("audio-de".to_owned(), 1), ("audio-de-2".to_owned(), 1)]);
    assert_eq!(names(&only, &[sound("und")])[0], ("audio-de".to_owned(), 0));
    let (none, notes) = plan_audio(&only, &[sound("en"), sound("fr")]);
    assert!(none.is_empty());
    assert_eq!(notes[0], "audio in \"de\" is left out: the source has en, fr");
    assert!(plan_audio(&ladder(vec![]), &[]).0.is_empty());
}
