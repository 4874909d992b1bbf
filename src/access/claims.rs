//! What a token says: which paths it opens, and when (RFC 7519 4.1).

use serde::{Deserialize, Deserializer};

/// Seconds by which clocks may differ: enough for machines that ask NTP.
pub const LEEWAY: i64 = 5;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Seconds since the Unix epoch from which on it is worth nothing.
    #[serde(deserialize_with = "seconds")]
    exp: i64,
    /// Seconds since the Unix epoch from which on it counts.
    #[serde(default, deserialize_with = "perhaps_seconds")]
    nbf: Option<i64>,
    /// What it opens.
    #[serde(default)]
    paths: Paths,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Paths {
    One(String),
    Many(Vec<String>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Claims {
    /// True if it counts at `now`, in seconds since the Unix epoch.
    pub fn hold_at(&self, now: i64) -> bool {
        now < self.expires() && self.nbf.is_none_or(|nbf| nbf <= now.saturating_add(LEEWAY))
    }

    /// Seconds since the Unix epoch at which it ends here.
    pub fn expires(&self) -> i64 {
        self.exp.saturating_add(LEEWAY)
    }

    /// True if it opens `path`: one of its own paths is that, or a directory above it.
    pub fn cover(&self, path: &str) -> bool {
        match &self.paths {
            Paths::One(prefix) => covers(prefix, path),
            Paths::Many(prefixes) => prefixes.iter().any(|prefix| covers(prefix, path)),
        }
    }
}

/// Paths are compared as they are written, as all of ours have one spelling only. `/live/demo` is not above
/// `/live/demo2`.
fn covers(prefix: &str, path: &str) -> bool {
    let rest = path.strip_prefix(prefix).filter(|_| prefix.starts_with('/'));
    rest.is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.starts_with('/'))
}

/// A NumericDate (RFC 7519 2), which may have a fraction.
#[derive(Deserialize)]
#[serde(untagged)]
enum NumericDate {
    Whole(i64),
    Fraction(f64),
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(match NumericDate::deserialize(deserializer)? {
        NumericDate::Whole(seconds) => seconds,
        // Numbers that are too large become the largest.
        NumericDate::Fraction(seconds) => seconds.floor() as i64,
    })
}

fn perhaps_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Claims {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_path_opens_what_is_below_it_and_nothing_beside_it() {
        for (paths, path, opened) in [
            (r#""/live/demo""#, "/live/demo/index.m3u8", true),
            (r#""/live/demo/""#, "/live/demo/720p/1.m4s", true),
            (r#"["/vod/a", "/live/demo"]"#, "/live/demo/ws", true),
            (r#""/live/demo/index.m3u8""#, "/live/demo/index.m3u8", true),
            (r#""/""#, "/vod/clip/index.m3u8", true),
            (r#""/live/demo""#, "/live/demo2/index.m3u8", false),
            (r#""/live/demo/""#, "/live/demo", false),
            (r#""/live/demo/720p""#, "/live/demo/index.m3u8", false),
            (r#""""#, "/live/demo/index.m3u8", false),
            (r#""live/demo""#, "/live/demo/index.m3u8", false),
            (r#""/LIVE/demo""#, "/live/demo/index.m3u8", false),
            (r#""/live/x/../demo""#, "/live/demo/index.m3u8", false),
            (r#"[]"#, "/live/demo/index.m3u8", false),
        ] {
            let claims = claims(&format!(r#"{{"exp":1,"paths":{paths}}}"#));
            assert_eq!(claims.cover(path), opened, "{paths} {path}");
        }
        assert!(!claims(r#"{"exp":1}"#).cover("/live/demo"), "no paths, no path");
    }

    #[test]
    fn a_token_counts_from_nbf_to_exp_give_or_take_the_leeway() {
        let bound = claims(r#"{"exp":1000,"nbf":900.5}"#);
        for (now, holds) in [(894, false), (895, true), (1004, true), (1005, false)] {
            assert_eq!(bound.hold_at(now), holds, "{now}");
        }
        assert!(claims(r#"{"exp":1e300}"#).hold_at(i64::MAX - 1));
        assert!(!claims(r#"{"exp":-1e300}"#).hold_at(0));
        for json in
            ["{}", r#"{"exp":null}"#, r#"{"exp":"1000"}"#, r#"{"exp":1,"nbf":"0"}"#, r#"{"exp":1,"paths":1}"#]
        {
            assert!(serde_json::from_str::<Claims>(json).is_err(), "{json}");
        }
    }
}
