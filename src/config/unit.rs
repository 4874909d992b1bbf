//! Values with a unit, as people write them.

use std::{
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    str::FromStr,
    time::Duration,
};

use headwater_packager::time::FrameRate;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};

/// A duration: `2s`, `400ms`, `1.5s`, `5m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// Bits per second: `2500k`, `5M`, `128000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitRate(pub u32);

/// Bytes: `64M`, `1G`, `5000000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A number of target durations, 0 for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Targets(pub u32);

/// Frames per second: `25`, `29.97`, `30000/1001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(pub FrameRate);

/// An address to listen on: `0.0.0.0:8080`, `[::1]:8081`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

/// Addresses: `192.0.2.0/24`, `2001:db8::/32`, or a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpNet);

/// The origin of a web page (RFC 6454): `https://example.com`, `http://10.0.0.7:3000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(pub String);

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let authority = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        let bare = |authority: &str| {
            let host =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]_".contains(&byte);
            !authority.is_empty() && authority.bytes().all(host)
        };
        if authority.is_some_and(bare) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is no origin; write scheme and host as a browser does: \"https://example.com\""
            ))
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map(Self).map_err(|_| {
            format!("{text:?} are no addresses; write for example \"192.0.2.0/24\" or \"2001:db8::/32\"")
        })
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| {
            format!("{text:?} is no address; write for example \"0.0.0.0:8080\" or \"[::1]:8081\"")
        })
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no duration; write for example \"2s\", \"400ms\" or \"5m\"");
        let (number, unit) = split(text).ok_or_else(refused)?;
        let seconds = match unit {
            "ms" => number / 1000.0,
            "s" => number,
            "m" | "min" => number * 60.0,
            "h" => number * 3600.0,
            "d" => number * 86_400.0,
            _ => return Err(refused()),
        };
        // To the microsecond: 0.4 s is not a binary fraction.
        Ok(Self(Duration::from_micros((seconds * 1e6).round() as u64)))
    }
}

impl Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing has no unit of its own; Duration's is a nanosecond.
        if self.0.is_zero() { out.write_str("0s") } else { write!(out, "{:?}", self.0) }
    }
}

impl FromStr for BitRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no bit rate; write for example \"2500k\", \"5M\" or 128000");
        let (number, unit) = split(text).ok_or_else(refused)?;
        let bits = match unit {
            "" => number,
            "k" | "K" => number * 1e3,
            "m" | "M" => number * 1e6,
            _ => return Err(refused()),
        };
        if bits < 1.0 || bits > f64::from(u32::MAX) { Err(refused()) } else { Ok(Self(bits.round() as u32)) }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused =
            || format!("{text:?} is no number of bytes; write for example \"64M\", \"1G\" or 5000000");
        let (number, unit) = split(text).ok_or_else(refused)?;
        let bytes = match unit {
            "" => number,
            "k" | "K" => number * 1e3,
            "m" | "M" => number * 1e6,
            "g" | "G" => number * 1e9,
            "t" | "T" => number * 1e12,
            _ => return Err(refused()),
        };
        if (0.0..=1e15).contains(&bytes) { Ok(Self(bytes.round() as u64)) } else { Err(refused()) }
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(1) => {
                Err("1 target duration passes from one segment to the next; write 2 or more, or 0 for never"
                    .into())
            }
            Ok(targets) => Ok(Self(targets)),
            Err(_) => Err(format!(
                "{text:?} is no whole number of target durations; write for example 3, or 0 for never"
            )),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (num, den) = text.split_once('/').unwrap_or((text, "1"));
        let rate = match (num.trim().parse(), den.trim().parse()) {
            (Ok(num), Ok(den)) => FrameRate::new(num, den),
            _ => match text.trim() {
                "23.976" | "23.98" => FrameRate::new(24000, 1001),
                "29.97" => FrameRate::new(30000, 1001),
                "59.94" => FrameRate::new(60000, 1001),
                _ => None,
            },
        };
        rate.filter(|rate| (1.0..=120.0).contains(&rate.fps())).map(Self).ok_or_else(|| {
            format!("{text:?} is no frame rate from 1 to 120; write for example \"25\" or \"30000/1001\"")
        })
    }
}

fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let number = text[..end].parse().ok().filter(|number: &f64| number.is_finite())?;
    Some((number, text[end..].trim()))
}

/// A string or a number in the file.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Integer(u64),
    Fraction(f64),
    Text(String),
}

fn written<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<T, D::Error> {
    let text = match Written::deserialize(deserializer)? {
        Written::Integer(number) => number.to_string(),
        Written::Fraction(number) => number.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(D::Error::custom)
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for WebOrigin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for BitRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for Targets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        written(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read_as_people_write_them() {
        assert_eq!("400ms".parse(), Ok(Span(Duration::from_millis(400))));
        assert_eq!("1.92 s".parse(), Ok(Span(Duration::from_millis(1920))));
        assert_eq!("2500k".parse(), Ok(BitRate(2_500_000)));
        assert_eq!("5M".parse(), Ok(BitRate(5_000_000)));
        assert_eq!("1.5G".parse(), Ok(Size(1_500_000_000)));
        assert_eq!("29.97".parse(), Ok(Rate(FrameRate::new(30000, 1001).unwrap())));
    }

    #[test]
    fn a_duration_is_shown_as_it_is_written() {
        for text in ["0s", "400ms", "2s", "1.5s"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nonsense_is_answered_with_what_would_be_right() {
        for text in ["", "2", "s", "2 parsecs", "-1s", "1e9s"] {
            assert!(text.parse::<Span>().unwrap_err().contains("400ms"), "{text}");
        }
        for text in ["", "0", "fast", "99G", "-1k"] {
            assert!(text.parse::<BitRate>().unwrap_err().contains("2500k"), "{text}");
        }
        for text in ["", "0", "0/0", "1/0", "1000", "25 fps"] {
            assert!(text.parse::<Rate>().unwrap_err().contains("30000/1001"), "{text}");
        }
    }
}
