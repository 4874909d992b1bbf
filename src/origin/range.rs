//! Byte ranges (RFC 9110 14).

use http::{HeaderMap, header};

/// What of a body is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of it: no range, several of them, or one that is not well-formed (RFC 9110 14.2 lets a server ignore it).
    Whole,
    /// The bytes from `first` to `last`, inclusive.
    Part {
        /// Offset of the first byte.
        first: u64,
        /// Offset of the last byte.
        last: u64,
    },
    /// A range that has no byte of the body: 416.
    Unsatisfiable,
}

/// What the Range field of a request selects of `length` bytes.
pub fn select(headers: &HeaderMap, length: u64) -> Selection {
    let mut fields = headers.get_all(header::RANGE).iter();
    match (fields.next().map(|value| value.to_str()), fields.next()) {
        (Some(Ok(value)), None) => parse(value, length),
        _ => Selection::Whole,
    }
}

fn parse(value: &str, length: u64) -> Selection {
    let Some((first, last)) = value
        .split_once('=')
        .filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"))
        .and_then(|(_, range)| range.trim_matches([' ', '\t']).split_once('-'))
    else {
        return Selection::Whole;
    };
    match (first, last, digits(first), digits(last)) {
        ("", _, _, Some(suffix)) if suffix == 0 || length == 0 => Selection::Unsatisfiable,
        ("", _, _, Some(suffix)) => {
            Selection::Part { first: length.saturating_sub(suffix), last: length - 1 }
        }
        (_, _, Some(first), Some(last)) if last < first => Selection::Whole,
        (_, "", Some(first), _) | (_, _, Some(first), Some(_)) if first >= length => Selection::Unsatisfiable,
        (_, "", Some(first), _) => Selection::Part { first, last: length - 1 },
        (_, _, Some(first), Some(last)) => Selection::Part { first, last: last.min(length - 1) },
        _ => Selection::Whole,
    }
}

/// A number of digits only; one too large for 64 bits lies behind every end.
fn digits(text: &str) -> Option<u64> {
    let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::{Selection::*, *};

    #[test]
    fn one_range_is_cut_to_the_body() {
        for (value, selection) in [
            ("bytes=0-0", Part { first: 0, last: 0 }),
            ("bytes=2-5", Part { first: 2, last: 5 }),
            ("bytes=9-9", Part { first: 9, last: 9 }),
            ("bytes=9-10", Part { first: 9, last: 9 }),
            ("bytes=3-", Part { first: 3, last: 9 }),
            ("bytes=-3", Part { first: 7, last: 9 }),
            ("bytes=-10", Part { first: 0, last: 9 }),
            ("bytes=-11", Part { first: 0, last: 9 }),
            ("BYTES=0-4", Part { first: 0, last: 4 }),
            ("bytes= 0-4 ", Part { first: 0, last: 4 }),
            ("bytes=0-99999999999999999999999", Part { first: 0, last: 9 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=10-20", Unsatisfiable),
            ("bytes=99999999999999999999999-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
        ] {
            assert_eq!(parse(value, 10), selection, "{value}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_gives_the_whole() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=0-1,",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=0x1-2",
            "seconds=0-1",
            "bytes = 0-1",
            "bytes=0 - 1",
        ] {
            assert_eq!(parse(value, 10), Whole, "{value}");
        }
    }

    #[test]
    fn an_empty_body_has_no_range() {
        for value in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(parse(value, 0), Unsatisfiable, "{value}");
        }
    }
}
