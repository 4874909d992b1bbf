//! Codecs: decoder configuration records and RFC 6381 codec strings.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A codec together with its decoder configuration record, as the sample entry carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "codec", content = "config", rename_all = "lowercase")]
pub enum CodecConfig {
    /// H.264: AVCDecoderConfigurationRecord (ISO/IEC 14496-15 5.3.3.1), sample entry `avc1`.
    Avc(#[serde(with = "hex")] Bytes),
    /// H.265: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15 8.3.3.1), sample entry `hvc1`.
    Hevc(#[serde(with = "hex")] Bytes),
    /// AAC: AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1), sample entry `mp4a`.
    Aac(#[serde(with = "hex")] Bytes),
}

mod hex {
    //! Lower-case hexadecimal in JSON: short, and readable in a recorded wire file.
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
        text.as_bytes()
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .map(Bytes::from)
            .ok_or_else(|| D::Error::custom("a codec configuration is an even number of hexadecimal digits"))
    }
}
