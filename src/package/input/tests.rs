//! Our reading of sample tables, held against that of the crate `mp4`.

use std::{fs::File, os::unix::fs::FileExt, process::Command};

use super::*;

#[test]
fn every_sample_is_where_and_when_another_reader_finds_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("movie.mp4");
    let arguments = "-v error -nostdin -f lavfi -i testsrc2=s=64x64:r=25:d=9 -f lavfi -i sine=d=9 -c:v libx264 -preset \
                     veryfast -bf 2 -g 50 -c:a aac";
    let made = Command::new("ffmpeg").args(arguments.split_whitespace()).arg(&path).status().unwrap();
    assert!(made.success());

    let input = Input::open(&path).unwrap();
    let length = std::fs::metadata(&path).unwrap().len();
    let mut other = mp4::Mp4Reader::read_header(File::open(&path).unwrap(), length).unwrap();
    assert_eq!(input.tracks.len(), 2);
    for (id, track) in (1..).zip(&input.tracks) {
        let mut count = 0;
        for (entry, number) in track.tables.cursor().zip(1..) {
            let sample = other.read_sample(id, number).unwrap().unwrap();
            assert_eq!((entry.dts, entry.duration), (sample.start_time as i64, sample.duration));
            assert_eq!((entry.cts, entry.sync), (sample.rendering_offset, sample.is_sync));
            let mut data = vec![0; entry.size as usize];
            input.file.read_exact_at(&mut data, entry.offset).unwrap();
            assert_eq!(data, sample.bytes, "sample {number} of track {id}");
            count = number;
        }
        assert_eq!(count, other.sample_count(id).unwrap());
    }
}
