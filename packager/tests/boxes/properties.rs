//! What holds for whatever is written, and for whatever is read.

use bytes::Bytes;
use headwater_packager::{
    bmff::{
        Fragment, fragment_header, init_segment,
        reader::{self, Boxes, Defaults, MovieFragment},
    },
    sample::Sample,
};
use proptest::prelude::*;

use super::fixture::{aac_track, avc_track, reordered};

/// Samples in decode order, far from zero too.
fn samples() -> impl Strategy<Value = Vec<Sample>> {
    let sample = (any::<i32>(), 1..=90_000_u32, any::<bool>(), 0..200_usize);
    (0..1_i64 << 52, prop::collection::vec(sample, 1..40)).prop_map(|(mut dts, rows)| {
        let mut take = |(cts, duration, sync, size)| {
            let sample =
                Sample { dts, cts, duration, sync, captured_at: 0, data: Bytes::from(vec![0x5a; size]) };
            dts = sample.end();
            sample
        };
        rows.into_iter().map(&mut take).collect()
    })
}

fn chunk(samples: &[Sample]) -> Vec<u8> {
    let fragment = Fragment { sequence: 1, samples, segment_start: true, last_segment: false };
    let mut bytes = fragment_header(&avc_track(), &fragment).to_vec();
    samples.iter().for_each(|sample| bytes.extend_from_slice(&sample.data));
    bytes
}

proptest! {
    #[test]
    fn a_fragment_says_what_its_samples_are(samples in samples()) {
        let bytes = chunk(&samples);
        prop_assert_eq!(reader::check_tables(&bytes), Ok(()));
        let found = Boxes::new(&bytes, 0).map(Result::unwrap).find(|found| &found.kind.0 == b"moof").unwrap();
        let fragment = MovieFragment::read(&found, |_| Defaults::default()).unwrap();
        let run = &fragment.tracks[0];
        prop_assert_eq!(run.start, Some(samples[0].dts as u64));
        prop_assert_eq!(run.samples, samples.len() as u64);
        prop_assert_eq!(run.duration as i64, samples.last().unwrap().end() - samples[0].dts);
        prop_assert_eq!(run.bytes, samples.iter().map(|sample| sample.data.len() as u64).sum::<u64>());
        prop_assert_eq!(run.sync, samples.iter().filter(|sample| sample.sync).count() as u64);
        prop_assert_eq!(run.starts_with_sync, samples[0].sync);
    }

    #[test]
    fn a_mutated_file_is_read_without_a_panic(
        samples in samples(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = init_segment(&avc_track()).to_vec();
        bytes.extend(init_segment(&aac_track()));
        bytes.extend(chunk(&samples));
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(length.index(bytes.len()));
        let _ = reader::check_tables(&bytes);
        prop_assert_eq!(reader::tree(&bytes).is_empty(), bytes.is_empty());
    }
}

#[test]
fn media_data_above_4_gib_has_a_64_bit_size() {
    // One allocation, shared by all samples.
    let data = Bytes::from(vec![0; 64 << 20]);
    let samples: Vec<_> = (0..65)
        .map(|frame| Sample { dts: frame * 1000, data: data.clone(), ..reordered(0)[0].clone() })
        .collect();
    let fragment = Fragment { sequence: 1, samples: &samples, segment_start: false, last_segment: false };
    let header = fragment_header(&avc_track(), &fragment);
    let size = (65_u64 << 26) + 16;
    assert!(header.ends_with(&[&[0, 0, 0, 1][..], b"mdat", &size.to_be_bytes()].concat()));
    let prft = 32;
    let tree = reader::tree(&header);
    assert!(tree.contains(&format!("data offset {}", header.len() - prft)), "{tree}");
}
