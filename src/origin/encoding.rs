//! Content coding (RFC 9110 12.5.3): gzip or none.

use http::{HeaderMap, header};

/// Whether the client would rather have gzip than the bytes as they are.
pub fn prefers_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut any, mut identity) = (None, None, None);
    let fields = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for item in fields.flat_map(|value| value.split(',')) {
        let mut parameters = item.split(';').map(str::trim);
        let slot = match parameters.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => &mut gzip,
            "*" => &mut any,
            "identity" => &mut identity,
            _ => continue,
        };
        *slot = Some(weight(parameters));
    }
    let gzip: f32 = gzip.or(any).unwrap_or(0.0);
    gzip > 0.0 && gzip >= identity.unwrap_or(0.0)
}

/// The weight of an item by its parameters, 0 for one that cannot be understood.
fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
    match parameters.find_map(|parameter| parameter.strip_prefix(['q', 'Q'])?.trim().strip_prefix('=')) {
        None => 1.0,
        Some(value) => {
            value.trim().parse().ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_prefer_it() {
        for (value, gzip) in [
            ("gzip", true),
            ("gzip, deflate, br, zstd", true),
            ("deflate, GZIP;q=0.5", true),
            ("x-gzip", true),
            ("*", true),
            ("br;q=1.0, *;q=0.1", true),
            ("gzip;q=1, identity;q=0.5", true),
            ("gzip ; Q = 0.001", true),
            ("", false),
            ("br", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0.0, *", false),
            ("*;q=0", false),
            ("gzip;q=0.5, identity", false),
            ("gzip;q=many", false),
            ("gzip;q=2", false),
            ("gzip;q=NaN", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(prefers_gzip(&headers), gzip, "{value}");
        }
        assert!(!prefers_gzip(&HeaderMap::new()));
    }
}
