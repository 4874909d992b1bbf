//! What a user is told when there is no media.

use std::{fs, path::Path};

use super::record::{FLASH_AND_BEEP, failure, make, shared};

fn said_of(path: &Path) -> String {
    let said = failure(&format!("file:{}", path.display())).expect("there is nothing to play");
    said.replace(path.to_str().unwrap(), "FILE")
}

#[test]
fn files_that_are_no_media_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let noise: Vec<u8> =
        (0..100_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let hint = "give MP4, MKV, MPEG-TS or the like";
    assert_eq!(said_of(&dir.path().join("missing.mp4")), "FILE does not exist");
    assert_eq!(said_of(dir.path()), "FILE is not a file; name a media file");
    assert_eq!(said_of(&file("empty.mp4", b"")), "FILE is empty");
    assert_eq!(
        said_of(&file("notes.txt", "Just some notes.\n".repeat(100).as_bytes())),
        format!("file:FILE is not media that can be read (This appears to be a text file); {hint}")
    );
    assert_eq!(
        said_of(&file("noise.mp4", &noise)),
        format!("file:FILE is not media that can be read (Could not determine type of stream); {hint}")
    );
    let text = file("text.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n");
    let subtitles = make(dir.path(), "subtitles.mkv", &format!("-i {}", text.display()));
    assert_eq!(said_of(Path::new(&subtitles)), "file:FILE has neither audio nor video");
}

#[test]
fn truncated_files_play_what_is_there_or_say_that_they_are_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let codecs = "-t 4 -c:v libx264 -preset ultrafast -c:a aac";
    let back = make(dir.path(), "back.mp4", &format!("{FLASH_AND_BEEP} {codecs}"));
    let front = make(dir.path(), "front.mp4", &format!("-i {back} -c copy -movflags +faststart"));
    for path in [&back, &front] {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    }
    assert_eq!(
        said_of(Path::new(&back)),
        "file:FILE is damaged: its container cannot be read, it may be cut off"
    );
    assert_eq!(failure(&format!("file:{front}")), None, "with its index in front, the first half plays");
}

#[test]
fn a_codec_without_decoder_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.mp4", "-f lavfi -i testsrc=s=320x180 -t 1 -c:v libx264 -brand isom");
    let mut bytes = fs::read(&path).unwrap();
    // The sample entry is the first `avc1` behind the sample description.
    let description = bytes.windows(4).position(|name| name == b"stsd").unwrap();
    let entry = description + bytes[description..].windows(4).position(|name| name == b"avc1").unwrap();
    bytes[entry..entry + 4].copy_from_slice(b"zzzz");
    fs::write(&path, bytes).unwrap();
    assert_eq!(
        said_of(Path::new(&path)),
        "file:FILE: there is no decoder for its video, `zzzz`; install the GStreamer plugin for it or convert the source"
    );
}

#[test]
fn broken_files_of_other_projects_give_an_error_or_play() {
    let Some(dir) = shared("broken") else { return };
    let (mut said, mut played) = (Vec::new(), 0);
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match failure(&format!("file:{}", path.display())) {
            Some(error) => said.push(error.replace(path.to_str().unwrap(), "FILE")),
            None => played += 1,
        }
    }
    assert!(said.len() + played >= 16 && played >= 5, "{played} played, of the others: {said:#?}");
    let vague = ["Internal data stream error", "did not expect", "gave no media", "gives nothing"];
    assert!(!said.iter().any(|error| vague.iter().any(|vague| error.contains(vague))), "{said:#?}");
}

#[test]
fn nobody_at_the_other_end_is_said_so() {
    // Port 9 is the discard service, which nobody runs any more.
    for (uri, expected) in [
        (
            "http://127.0.0.1:9/a.mp4",
            "http://127.0.0.1:9/a.mp4 cannot be reached: Connection refused (os error 111)",
        ),
        (
            "srt://127.0.0.1:9",
            "srt://127.0.0.1:9 cannot be reached: Could not read from resource (Error on SRT socket: Connection timeout)",
        ),
        (
            "rtsp://127.0.0.1:9/x",
            "rtsp://127.0.0.1:9/x cannot be reached: Could not open resource for reading and writing (Failed to connect. (Generic error))",
        ),
    ] {
        assert_eq!(failure(uri).as_deref(), Some(expected));
    }
}
