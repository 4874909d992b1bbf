use std::{fs, path::Path};

use bytes::Bytes;
use headwater_packager::{
    bmff::{Fragment, fragment_header, init_name, init_segment},
    codec::CodecConfig,
    sample::Sample,
    time::Timescale,
    track::{Audio, Media, Track},
};

/// What a user sees: the description, and the error if there is one.
fn inspect(path: &Path) -> (String, Option<String>) {
    let mut out = Vec::new();
    let error = super::run(path, &mut out).err().map(|error| error.to_string());
    (String::from_utf8(out).unwrap(), error)
}

/// The error for a file `name` with these bytes, without the directory it is in.
fn error(name: &str, bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    let error = inspect(&path).1.unwrap();
    error.replace(&format!("{}/", directory.path().display()), "")
}

fn track() -> Track {
    Track {
        name: "audio-en".into(),
        timescale: Timescale::new(48_000).unwrap(),
        codec: CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
        media: Media::Audio(Audio { sample_rate: 48_000, channels: 2, language: "en".into() }),
        bitrate: 128_000,
        edit_start: 0,
    }
}

/// Half a second of sound from second 1000.
fn segment() -> Vec<u8> {
    let samples: Vec<_> = (0..24)
        .map(|block| Sample {
            dts: 48_000_000 + block * 1024,
            cts: 0,
            duration: 1024,
            sync: true,
            captured_at: 1_700_000_000_000_000,
            data: Bytes::from_static(&[0; 100]),
        })
        .collect();
    let fragment = Fragment { sequence: 3, samples: &samples, segment_start: true, last_segment: true };
    let mut bytes = fragment_header(&track(), &fragment).to_vec();
    samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.data));
    bytes
}

#[test]
fn a_segment_is_told_in_seconds_by_the_init_segment_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("500.m4s");
    fs::write(&path, segment()).unwrap();
    let (alone, error) = inspect(&path);
    assert_eq!(error, None);
    assert!(alone.contains("no init segment (init*.mp4) lies beside it"), "{alone}");
    assert!(alone.contains("starts at tfdt 48000000 ticks"), "{alone}");
    let init = init_segment(&track());
    fs::write(directory.path().join(init_name(&init)), &init).unwrap();
    insta::assert_snapshot!(inspect(&path).0);
}

#[test]
fn an_init_segment_is_told_by_its_track() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("init.mp4");
    fs::write(&path, init_segment(&track())).unwrap();
    let (text, error) = inspect(&path);
    assert_eq!(error, None);
    assert!(text.starts_with("init.mp4: CMAF header (init segment), "), "{text}");
    assert!(
        text.contains("track 1: audio mp4a.40.2, stereo, 48000 Hz, language eng, timescale 48000"),
        "{text}"
    );
}

#[test]
fn a_truncated_segment_is_described_up_to_the_cut() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("500.m4s");
    let whole = segment();
    fs::write(&path, &whole[..whole.len() - 100]).unwrap();
    let (text, error) = inspect(&path);
    assert!(text.contains("24 samples"), "{text}");
    let error = error.unwrap();
    assert!(error.contains("box `mdat` at byte"), "{error}");
    assert!(
        error.contains("2408 bytes long, but only 2308 are left: the file is cut short or damaged"),
        "{error}"
    );
}

#[test]
fn what_is_not_mp4_is_named_and_told_what_would_be_right() {
    assert_eq!(
        error("empty.mp4", b""),
        "empty.mp4 is empty; an MP4 file or segment begins with a box of at least 8 bytes"
    );
    assert_eq!(
        error("notes.mp4", b"hello, this is text\n"),
        "notes.mp4 is text, not MP4; inspect tells of MP4 files, CMAF segments and HLS playlists"
    );
    let mut stream = vec![0_u8; 188 * 3];
    stream.iter_mut().step_by(188).for_each(|byte| *byte = 0x47);
    assert_eq!(
        error("a.ts", &stream),
        "a.ts is an MPEG transport stream, not MP4; `ffprobe` describes it, and `headwater package` encodes \
         whatever GStreamer can decode"
    );
    assert!(error("noise.mp4", &[0xee; 300]).starts_with("noise.mp4 is of no kind that is known here"));
    assert!(
        error("free.mp4", b"\0\0\0\x08free").starts_with("free.mp4 has neither a `moov` nor a `moof` box")
    );
    assert!(error("manifest.mpd", b"<?xml version=\"1.0\"?>\n<MPD/>").contains("is an MPEG-DASH manifest"));
    let (_, missing) = inspect(Path::new("no/such/file.mp4"));
    assert_eq!(missing.unwrap(), "no/such/file.mp4 does not exist; inspect needs the path of a file");
    let directory = tempfile::tempdir().unwrap();
    assert!(
        inspect(directory.path())
            .1
            .unwrap()
            .ends_with("is a directory; name a file in it, for example its init segment")
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("init.mp4");
    fs::write(&path, init_segment(&track())).unwrap();
    assert!(super::run(&path, &mut Closed).is_ok());
}

#[test]
fn a_playlist_is_told_in_brief() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index.m3u8");
    let text = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"i.mp4\"\n\
                #EXTINF:2.0,\n7.m4s\n#EXTINF:1.5,\n8.m4s\n#EXT-X-ENDLIST\n";
    fs::write(&path, text).unwrap();
    let (text, error) = inspect(&path);
    assert_eq!(error, None);
    assert!(text.contains("HLS media playlist, version 9, complete"), "{text}");
    assert!(text.contains("2 segments, 3.500 s, from media sequence 7, target duration 2 s"), "{text}");
}

#[test]
fn damaged_and_odd_files_are_described_or_refused_but_never_crash() {
    let Some(broken) = headwater_test_support::shared("broken") else { return };
    let files = fs::read_dir(broken).unwrap();
    let expected = [
        (
            "bbb_sunflower_QCIF_30fps_mp4v_noaudio_1f.mp4",
            "`mp4v` (cannot be repackaged without encoding), 176x144",
        ),
        ("chunk_out_of_range.mp4", "has chunk numbers that do not grow from 1"),
        ("h264_white_frame_sar_16_9.mp4", "pixel aspect 16:9"),
        ("invalid_userdata.mp4", "has size 0, which only the last box of a file may have"),
        ("no_timescale.mp4", "has no `mvhd` in it"),
        ("sample_cbs_truncated.adts", "is a bare AAC stream (ADTS), not MP4"),
        ("sample_mdat_too_long.mp4", "99421 bytes long, but only 99413 are left"),
        ("short-cenc.mp4", "`encv`"),
        ("sine-3s-xhe-aac-44khz-mono.mp4", "mp4a.40.42"),
        ("video_rotation_90.mp4", "to be turned 90 degrees clockwise"),
    ];
    let mut checked = 0;
    for file in files {
        let path = file.unwrap().path();
        let (text, error) = inspect(&path);
        assert!(error.is_some() || text.contains("track 1: "), "{}: {text}", path.display());
        let all = format!("{text}{}", error.unwrap_or_default());
        for (_, phrase) in expected.iter().filter(|(name, _)| path.ends_with(name)) {
            assert!(all.contains(phrase), "{}: no {phrase:?} in {all}", path.display());
            checked += 1;
        }
    }
    assert_eq!(checked, expected.len());
}
