use bytes::Bytes;

use super::{CodecConfig, Error, aac::AudioSpecificConfig};

fn aac(config: &[u8]) -> AudioSpecificConfig {
    AudioSpecificConfig::parse(config).unwrap()
}

#[test]
fn aac_configurations_give_rates_channels_and_codec_strings() {
    let cases: [(&[u8], u32, u32, u16, &str); 6] = [
        (&[0x11, 0x90], 48_000, 48_000, 2, "mp4a.40.2"),
        // LC with the backward compatible extension: 22.05 kHz core, SBR at 44.1 kHz, then with PS.
        (&[0x13, 0x90, 0x56, 0xe5, 0xa0], 22_050, 44_100, 2, "mp4a.40.5"),
        (&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80], 22_050, 44_100, 2, "mp4a.40.29"),
        // Hierarchical HE-AAC: 24 kHz core, SBR at 48 kHz.
        (&[0x2b, 0x11, 0x88, 0x00], 24_000, 48_000, 2, "mp4a.40.5"),
        // xHE-AAC, behind the escape.
        (&[0xf9, 0x46, 0x40], 48_000, 48_000, 2, "mp4a.40.42"),
        // An explicit rate of 50 kHz, mono.
        (&[0x17, 0x80, 0x61, 0xa8, 0x08], 50_000, 50_000, 1, "mp4a.40.2"),
    ];
    for (bytes, core, rate, channels, name) in cases {
        let config = aac(bytes);
        assert_eq!(
            (config.core_rate, config.sample_rate, config.channels),
            (core, rate, channels),
            "{bytes:02x?}"
        );
        assert_eq!(CodecConfig::Aac(Bytes::copy_from_slice(bytes)).rfc6381(), name);
    }
}

#[test]
fn a_program_config_element_lists_its_channels() {
    // 44.1 kHz, channelConfiguration 0; one front pair and one LFE, no comment.
    let bits = "00010 0100 0000 000  0000 01 0100 0001 0000 0000 01 000 0000 0 0 0  1 0000  0000";
    let mut bits: String = bits.chars().filter(|bit| !bit.is_whitespace()).collect();
    bits.extend(std::iter::repeat_n('0', bits.len().next_multiple_of(8) - bits.len() + 8));
    let bytes: Vec<u8> =
        bits.as_bytes().chunks(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | (bit & 1))).collect();
    assert_eq!(aac(&bytes).channels, 3);
}

#[test]
fn hevc_codec_strings_drop_trailing_zeros() {
    let mut record =
        vec![1, 0x01, 0x60, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 93, 0xf0, 0, 0xfc, 0xfd, 0xf8, 0xf8, 0, 0, 15, 0];
    let name = |record: &[u8]| CodecConfig::Hevc(Bytes::copy_from_slice(record)).rfc6381();
    assert_eq!(name(&record), "hvc1.1.6.L93.B0");
    record[6] = 0;
    assert_eq!(name(&record), "hvc1.1.6.L93");
    // The standard's own example: profile space 1 (A), Main 10 tier High.
    record[1] = 0x62;
    record[2..6].copy_from_slice(&[0x20, 0, 0, 0]);
    record[6..9].copy_from_slice(&[0xb0, 0, 0x23]);
    record[12] = 123;
    assert_eq!(name(&record), "hvc1.A2.4.H123.B0.0.23");
}

#[test]
fn whatever_is_cut_short_is_an_error_that_says_so() {
    let record = [0x01, 0x64, 0x00, 0x1f, 0xff, 0xe1, 0x00, 0x04, 0x67, 0x64, 0x00, 0x1f, 0x00];
    for length in 0..record.len() {
        let config = CodecConfig::Avc(Bytes::copy_from_slice(&record[..length]));
        assert!(matches!(config.check(), Err(Error::Truncated { .. })), "{length}");
    }
    assert_eq!(CodecConfig::Avc(Bytes::new()).rfc6381(), "avc1");
    assert_eq!(
        CodecConfig::Aac(Bytes::from_static(&[0x11])).check().unwrap_err().to_string(),
        "the AudioSpecificConfig of 1 bytes ends in the middle of a field"
    );
}
