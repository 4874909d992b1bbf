use bytes::Bytes;
use headwater_packager::{
    bmff::{Fragment, fragment_header, init_segment, reader},
    codec::CodecConfig,
    sample::Sample,
};

use super::fixture::{HEVC_RECORD, aac_track, avc_track, reordered};

/// The tree of a chunk, with the payload that its header promises.
fn chunk(samples: &[Sample], segment_start: bool, last_segment: bool, audio: bool) -> String {
    let track = if audio { aac_track() } else { avc_track() };
    let fragment = Fragment { sequence: 7, samples, segment_start, last_segment };
    let mut bytes = fragment_header(&track, &fragment).to_vec();
    samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.data));
    reader::tree(&bytes)
}

#[test]
fn an_avc_header_has_colour_and_aspect() {
    insta::assert_snapshot!(reader::tree(&init_segment(&avc_track())));
}

#[test]
fn an_hevc_header_has_hvc1() {
    let mut track = avc_track();
    track.codec = CodecConfig::Hevc(Bytes::from_static(HEVC_RECORD));
    insta::assert_snapshot!(reader::tree(&init_segment(&track)));
}

#[test]
fn an_aac_header_has_its_language() {
    insta::assert_snapshot!(reader::tree(&init_segment(&aac_track())));
}

#[test]
fn priming_becomes_an_edit_list_and_the_track_is_not_cmf2() {
    let mut track = aac_track();
    track.edit_start = 1024;
    insta::assert_snapshot!(reader::tree(&init_segment(&track)));
}

#[test]
fn the_first_chunk_of_a_segment_has_a_styp_and_negative_offsets() {
    insta::assert_snapshot!(chunk(&reordered(54_000_000_000), true, false, false));
}

#[test]
fn another_chunk_has_no_styp_and_does_not_start_with_a_sync_sample() {
    let mut samples = reordered(54_000_000_004);
    samples[0].sync = false;
    samples[0].captured_at = 0;
    samples[3].duration = 999;
    insta::assert_snapshot!(chunk(&samples, false, false, false));
}

#[test]
fn the_last_segment_says_so() {
    insta::assert_snapshot!(chunk(&reordered(0), true, true, false));
}

#[test]
fn sync_samples_in_the_middle_are_flagged_one_by_one() {
    let mut samples = reordered(0);
    samples[2].sync = true;
    insta::assert_snapshot!(chunk(&samples, false, false, false));
}

#[test]
fn an_aac_chunk_says_little_more_than_sizes() {
    let samples: Vec<_> = (0..10)
        .map(|block| Sample {
            dts: block * 1024,
            cts: 0,
            duration: 1024,
            sync: true,
            captured_at: 0,
            data: Bytes::from(vec![0; 300 + block as usize]),
        })
        .collect();
    insta::assert_snapshot!(chunk(&samples, false, false, true));
}
