//! Headers and fragments as the crates `mp4` and `mp4-atom` read them.

use std::io::Cursor;

use headwater_packager::bmff::{Fragment, fragment_header, init_segment};
use mp4_atom::{Any, Codec, Decode};

use super::fixture::{aac_track, avc_track, reordered};

const FRAME: i64 = 54_000_000_000;

fn file() -> Vec<u8> {
    let samples = reordered(FRAME);
    let fragment = Fragment { sequence: 7, samples: &samples, segment_start: true, last_segment: true };
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

/// All boxes of the top level.
fn atoms(bytes: &[u8]) -> Vec<Any> {
    let mut cursor = Cursor::new(bytes);
    let mut atoms = Vec::new();
    while (cursor.position() as usize) < bytes.len() {
        atoms.push(Any::decode(&mut cursor).unwrap());
    }
    atoms
}

#[test]
fn mp4_atom_reads_the_header() {
    let file = file();
    let atoms = atoms(&file);
    let [Any::Ftyp(ftyp), Any::Moov(moov), ..] = &atoms[..] else { panic!("{atoms:?}") };
    assert!(ftyp.compatible_brands.contains(&b"cfhd".into()));
    assert_eq!(moov.mvex.as_ref().unwrap().trex[0].default_sample_description_index, 1);
    let media = &moov.trak[0].mdia;
    assert_eq!(media.mdhd.timescale, 30_000);
    let Codec::Avc1(entry) = &media.minf.stbl.stsd.codecs[0] else { panic!("{media:?}") };
    assert_eq!((entry.visual.width, entry.visual.height), (960, 720));
    assert_eq!(entry.avcc.avc_level_indication, 31);
    let aspect = entry.pasp.as_ref().unwrap();
    assert_eq!((aspect.h_spacing, aspect.v_spacing), (4, 3));
    assert!(entry.colr.is_some() && entry.btrt.is_some());
}

#[test]
fn mp4_atom_reads_the_fragment() {
    let file = file();
    let atoms = atoms(&file);
    let [_, _, Any::Styp(styp), Any::Prft(prft), Any::Moof(moof), Any::Mdat(data)] = &atoms[..] else {
        panic!("{atoms:?}")
    };
    assert!(styp.compatible_brands.contains(&b"lmsg".into()));
    assert_eq!(prft.media_time, 54_000_000_000_000);
    assert_eq!(prft.utc_time_semantics, mp4_atom::ReferenceTime::RealTime);
    assert_eq!(prft.ntp_timestamp >> 32, 1_700_000_000 + 2_208_988_800);
    assert_eq!(prft.ntp_timestamp as u32, 1 << 31);
    let traf = &moof.traf[0];
    assert!(traf.tfhd.default_base_is_moof);
    assert_eq!(traf.tfhd.default_sample_duration, Some(1000));
    let samples: Vec<_> =
        traf.trun[0].samples.iter().map(|entry| (entry.size.unwrap(), entry.cts.unwrap())).collect();
    assert_eq!(samples, [(10, 0), (11, 2000), (12, -1000), (13, -1000)]);
    assert_eq!(data.data.len(), 10 + 11 + 12 + 13);
}
