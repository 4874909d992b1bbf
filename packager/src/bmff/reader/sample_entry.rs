//! Sample entries: where their child boxes begin, and the codec that they carry.

use bytes::Bytes;

use super::{BoxRef, Error};
use crate::codec::CodecConfig;

const VISUAL: usize = 78;
const SOUND: usize = 28;

/// How many bytes of fields an entry of `stsd` has in front of its child boxes.
pub(super) fn preamble(entry: &BoxRef<'_>) -> Option<usize> {
    match &entry.kind.0 {
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" | b"vvc1" | b"av01" | b"vp08" | b"vp09"
        | b"mp4v" | b"encv" | b"s263" | b"apch" | b"apcn" => Some(VISUAL),
        b"mp4a" | b"enca" | b"ac-3" | b"ec-3" | b"ac-4" | b"Opus" | b"fLaC" | b"alac" | b".mp3" | b"lpcm"
        | b"sowt" | b"twos" => {
            // QuickTime's sound descriptions of versions 1 and 2 are longer.
            let version = entry.contents.get(8..10);
            Some(match version {
                Some([0, 1]) => SOUND + 16,
                Some([0, 2]) => SOUND + 36,
                _ => SOUND,
            })
        }
        _ => None,
    }
}

/// The codec configuration in a sample entry; `None` for a codec that we do not carry.
pub(super) fn codec(entry: &BoxRef<'_>) -> Result<Option<CodecConfig>, Error> {
    let record = |kind| Ok(entry.find(kind)?.map(|record| Bytes::copy_from_slice(record.contents)));
    Ok(match &entry.kind.0 {
        b"avc1" => record(*b"avcC")?.map(CodecConfig::Avc),
        b"hvc1" => record(*b"hvcC")?.map(CodecConfig::Hevc),
        b"mp4a" => {
            // QuickTime keeps it in a `wave`.
            let wave = entry.find(*b"wave")?;
            let esds = entry
                .find(*b"esds")?
                .map_or_else(|| wave.map_or(Ok(None), |wave| wave.find(*b"esds")), |esds| Ok(Some(esds)))?;
            esds.and_then(|esds| audio_config(&esds))
                .map(|config| CodecConfig::Aac(Bytes::copy_from_slice(config)))
        }
        _ => None,
    })
}

/// The AudioSpecificConfig in an `esds`, if it is MPEG-4 audio (ISO/IEC 14496-1 7.2.6.5).
pub(super) fn audio_config<'a>(esds: &BoxRef<'a>) -> Option<&'a [u8]> {
    const MPEG4_AUDIO: u8 = 0x40;
    let stream = descriptor(esds.contents.get(4..)?, 3)?;
    let flags = *stream.get(2)?;
    let mut at = 3;
    if flags & 0x80 != 0 {
        at += 2; // dependsOn_ES_ID
    }
    if flags & 0x40 != 0 {
        at += 1 + usize::from(*stream.get(at)?); // URL
    }
    if flags & 0x20 != 0 {
        at += 2; // OCR_ES_Id
    }
    let decoder = descriptor(stream.get(at..)?, 4)?;
    if *decoder.first()? != MPEG4_AUDIO {
        return None;
    }
    descriptor(decoder.get(13..)?, 5)
}

/// The contents of the descriptor at the front of `data`, if it has this tag and is whole.
fn descriptor(data: &[u8], tag: u8) -> Option<&[u8]> {
    let (&found, mut rest) = data.split_first()?;
    let mut length = 0_usize;
    for _ in 0..4 {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    rest.get(..length).filter(|_| found == tag)
}
