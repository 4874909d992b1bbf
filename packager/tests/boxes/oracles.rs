use std::io::Cursor;

use headwater_packager::bmff::{Fragment, fragment_header, init_segment};

use super::fixture::{aac_track, avc_track, reordered};

fn file() -> Vec<u8> {
    let samples = reordered(54_000_000_000);
    let fragment = Fragment { sequence: 7, samples: &samples, segment_start: true, last_segment: false };
    let mut file = init_segment(&avc_track()).to_vec();
    file.extend_from_slice(&fragment_header(&avc_track(), &fragment));
    samples.iter().for_each(|sample| file.extend_from_slice(&sample.data));
    file
}

#[test]
fn the_mp4_crate_reads_what_we_wrote() {
    let file = file();
    let size = file.len() as u64;
    let reader = mp4::Mp4Reader::read_header(Cursor::new(file), size).unwrap();
    let track = &reader.tracks()[&1];
    assert_eq!((track.width(), track.height(), track.sample_count()), (960, 720, 4));
    let moof = &reader.moofs[0];
    assert_eq!(moof.trafs[0].tfdt.as_ref().unwrap().base_media_decode_time, 54_000_000_000_000);
    let audio = init_segment(&aac_track());
    let size = audio.len() as u64;
    let reader = mp4::Mp4Reader::read_header(Cursor::new(audio), size).unwrap();
    assert_eq!(reader.tracks()[&1].language(), "eng");
}
