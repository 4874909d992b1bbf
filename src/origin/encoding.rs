//! Content coding (RFC 9110 12.5.3): zstd, gzip or none.

use http::{HeaderMap, header};

use crate::channel::edge::Coding;

/// The coding of those that are `offered` that the client would rather have than the bytes as they are; of those that it
/// likes alike, the one that makes documents shorter.
pub fn preferred(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let accepted = Accepted::read(headers);
    let weight = |coding, named| if offered.contains(&coding) { accepted.weight(named) } else { 0.0 };
    let (zstd, gzip) = (weight(Coding::Zstd, accepted.zstd), weight(Coding::Gzip, accepted.gzip));
    let (coding, weight) = if zstd >= gzip { (Coding::Zstd, zstd) } else { (Coding::Gzip, gzip) };
    (weight > 0.0 && weight >= accepted.identity.unwrap_or(0.0)).then_some(coding)
}

/// The weights of Accept-Encoding.
#[derive(Default)]
struct Accepted {
    gzip: Option<f32>,
    zstd: Option<f32>,
    identity: Option<f32>,
    any: Option<f32>,
}

impl Accepted {
    fn read(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        let fields = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for item in fields.flat_map(|value| value.split(',')) {
            let mut parameters = item.split(';').map(str::trim);
            if let Some(slot) = accepted.slot(parameters.next().unwrap_or_default()) {
                *slot = Some(weight(parameters));
            }
        }
        accepted
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<f32>> {
        let is = |coding: &str| name.eq_ignore_ascii_case(coding);
        match () {
            () if is("gzip") || is("x-gzip") => Some(&mut self.gzip),
            () if is("zstd") => Some(&mut self.zstd),
            () if is("identity") => Some(&mut self.identity),
            () if name == "*" => Some(&mut self.any),
            () => None,
        }
    }

    /// That of a coding, which is the one of all others where it is not named.
    fn weight(&self, named: Option<f32>) -> f32 {
        named.or(self.any).unwrap_or(0.0)
    }
}

/// The weight of an item by its parameters, 0 for one that cannot be understood.
pub(super) fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f32 {
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

    use super::{Coding::*, *};

    #[test]
    fn the_coding_is_the_one_that_the_client_prefers() {
        for (value, coding) in [
            ("gzip", Some(Gzip)),
            ("gzip, deflate, br, zstd", Some(Zstd)),
            ("gzip, deflate, br", Some(Gzip)),
            ("ZSTD", Some(Zstd)),
            ("gzip;q=1, zstd;q=0.9", Some(Gzip)),
            ("gzip;q=0.8, zstd;q=0.9", Some(Zstd)),
            ("gzip, zstd;q=0", Some(Gzip)),
            ("zstd, gzip;q=0, identity", Some(Zstd)),
            ("deflate, GZIP;q=0.5", Some(Gzip)),
            ("x-gzip", Some(Gzip)),
            ("*", Some(Zstd)),
            ("*, zstd;q=0", Some(Gzip)),
            ("br;q=1.0, *;q=0.1", Some(Zstd)),
            ("gzip;q=1, identity;q=0.5", Some(Gzip)),
            ("gzip ; Q = 0.001", Some(Gzip)),
            ("", None),
            ("br", None),
            ("identity", None),
            ("gzip;q=0", None),
            ("gzip;q=0.0, zstd;q=0, *", None),
            ("*;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("zstd;q=0.5, gzip;q=0.4, identity;q=0.6", None),
            ("gzip;q=many", None),
            ("gzip;q=2", None),
            ("gzip;q=NaN", None),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(preferred(&headers, &[Zstd, Gzip]), coding, "{value}");
        }
        assert_eq!(preferred(&HeaderMap::new(), &[Zstd, Gzip]), None);
    }

    #[test]
    fn what_is_not_offered_is_not_chosen() {
        for (value, coding) in [
            ("gzip, deflate, br, zstd", Some(Gzip)),
            ("zstd", None),
            ("zstd, gzip;q=0.1", Some(Gzip)),
            ("zstd, gzip;q=0.1, identity;q=0.5", None),
            ("*", Some(Gzip)),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(preferred(&headers, &[Gzip]), coding, "{value}");
        }
    }
}
