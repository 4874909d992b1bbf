//! Conditional requests (RFC 9110 13). There are only entity tags here: numbers and hashes name versions, dates do not.

use http::{HeaderMap, HeaderValue, header, header::HeaderName};

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// Go on.
    Passed,
    /// The client has it: 304.
    NotModified,
    /// The client wants another version: 412.
    Failed,
}

/// Evaluates If-Match and If-None-Match, in this order (RFC 9110 13.2.2), for a representation with the strong tag `etag`.
pub fn evaluate(headers: &HeaderMap, etag: &str) -> Precondition {
    if headers.contains_key(header::IF_MATCH) && !lists(headers, &header::IF_MATCH, etag, Comparison::Strong)
    {
        return Precondition::Failed;
    }
    if lists(headers, &header::IF_NONE_MATCH, etag, Comparison::Weak) {
        return Precondition::NotModified;
    }
    Precondition::Passed
}

/// Whether a Range is to be honoured: there is no If-Range, or it is of this very version (RFC 9110 13.1.5). A date
/// there matches nothing.
pub fn range_applies(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut fields = headers.get_all(header::IF_RANGE).iter();
    match (fields.next(), fields.next()) {
        (None, _) => true,
        (Some(value), None) => value == etag,
        _ => false,
    }
}

/// RFC 9110 8.8.3.2. A cache on the way that compresses turns our strong tags into weak ones.
#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

fn lists(headers: &HeaderMap, name: &HeaderName, etag: &str, comparison: Comparison) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.trim() == "*"
            || Tags(value).any(|tag| tag.opaque == etag && (comparison == Comparison::Weak || !tag.weak))
    })
}

struct Tag<'a> {
    weak: bool,
    /// With its quotes.
    opaque: &'a str,
}

/// The entity tags of a list. A comma may be inside a tag, so the list is not simply split at commas.
struct Tags<'a>(&'a str);

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        let rest = self.0.trim_start_matches([' ', '\t', ',']);
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let end = 2 + quoted.strip_prefix('"')?.find('"')?;
        let (opaque, rest) = quoted.split_at(end);
        self.0 = rest;
        Some(Tag { weak, opaque })
    }
}

#[cfg(test)]
mod tests {
    use super::{Precondition::*, *};

    fn with(fields: &[(HeaderName, &'static str)]) -> Precondition {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        evaluate(&headers, "\"a,b\"")
    }

    #[test]
    fn if_none_match_takes_lists_weak_tags_and_a_star() {
        for (value, outcome) in [
            ("\"a,b\"", NotModified),
            ("W/\"a,b\"", NotModified),
            ("\"x\", W/\"y\",\t\"a,b\"", NotModified),
            (",, \"a,b\" ,", NotModified),
            ("*", NotModified),
            ("\"a\"", Passed),
            ("\"a,b-gz\"", Passed),
            ("a,b", Passed),
            ("\"a,b", Passed),
            ("\"", Passed),
            ("", Passed),
        ] {
            assert_eq!(with(&[(header::IF_NONE_MATCH, value)]), outcome, "{value}");
        }
        let two = [(header::IF_NONE_MATCH, "\"x\""), (header::IF_NONE_MATCH, "\"a,b\"")];
        assert_eq!(with(&two), NotModified);
    }

    #[test]
    fn if_match_compares_strongly_and_comes_first() {
        for (value, outcome) in
            [("\"a,b\"", Passed), ("*", Passed), ("W/\"a,b\"", Failed), ("\"x\"", Failed), ("", Failed)]
        {
            assert_eq!(with(&[(header::IF_MATCH, value)]), outcome, "{value}");
        }
        assert_eq!(with(&[(header::IF_MATCH, "\"x\""), (header::IF_NONE_MATCH, "*")]), Failed);
    }

    #[test]
    fn a_range_of_another_version_is_not_honoured() {
        for (value, applies) in
            [("\"a\"", true), ("\"b\"", false), ("W/\"a\"", false), ("Mon, 23 Nov 2026 00:00:00 GMT", false)]
        {
            let headers = HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::from_static(value))]);
            assert_eq!(range_applies(&headers, &HeaderValue::from_static("\"a\"")), applies, "{value}");
        }
    }
}
