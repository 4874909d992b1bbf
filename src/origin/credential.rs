//! The token of a request. It is taken out of the request before anything looks at that, so that what is looked up, kept and
//! logged is the same with and without one.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, Uri, header, request::Parts};

use crate::access::token;

/// `/t/{token}/live/...`: relative URLs in playlists and manifests then lead below it, so that players carry the token on
/// that know nothing of it.
const PREFIX: &str = "/t/";
/// `?token=...`
const PARAMETER: &str = "token";
/// The longest name in a path of ours.
const LONGEST_NAME: usize = 64;

/// A token that came with a request. An extension of the request.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    token: Box<str>,
    /// Where it stood.
    pub place: Place,
}

/// Where a token may stand; the first one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In front of the path.
    Path,
    /// In the query.
    Query,
    /// In Authorization (RFC 6750 2.1).
    Field,
}

impl Credential {
    /// The token, which may be anything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What leads to `path` from there with the token in front, if it is of the letters that a token has.
    pub fn in_front_of(&self, path: &str, query: Option<&str>) -> Option<String> {
        if !token::is_token(&self.token) {
            return None;
        }
        // Relative, so that it also leads there through a proxy that has put something in front.
        let up = "../".repeat(path.matches('/').count().saturating_sub(1));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        Some(format!("{up}{}{}{path}{query}", &PREFIX[1..], self.token))
    }
}

/// Nothing that is written shows it.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Takes the token out of a request: the URL without it, if there was one in it, and the token.
pub fn take(received: &Parts) -> (Option<Uri>, Option<Credential>) {
    let (path, query) = (received.uri.path(), received.uri.query());
    let in_path = path.strip_prefix(PREFIX);
    let in_query = query.filter(|query| names_token(query));
    if in_path.is_none() && in_query.is_none() {
        return (None, bearer(&received.headers));
    }
    let (first, rest) = in_path.map_or((None, path), |behind| {
        let (token, rest) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
        // Nothing behind it, or another one, is nothing of ours.
        let rest = if rest.is_empty() || rest.starts_with(PREFIX) { "/t" } else { rest };
        (Some((token, Place::Path)), rest)
    });
    let second = in_query.and_then(|query| query.split('&').find_map(of_parameter));
    let credential = first.or(second.map(|token| (token, Place::Query)));
    let (uri, credential) =
        (without(rest, query), credential.map(|(token, place)| Credential { token: token.into(), place }));
    // What is left of a URL is one; were it not, nothing of it may be seen.
    (Some(uri.unwrap_or_default()), credential)
}

/// True if a request has a token, wherever it stands.
pub fn is_in(received: &Parts) -> bool {
    received.uri.path().starts_with(PREFIX)
        || received.headers.contains_key(header::AUTHORIZATION)
        || received.uri.query().is_some_and(names_token)
}

fn names_token(query: &str) -> bool {
    query.split('&').any(|pair| of_parameter(pair).is_some())
}

fn without(path: &str, query: Option<&str>) -> Option<Uri> {
    let kept: Vec<&str> = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter(|pair| of_parameter(pair).is_none())
        .collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    Uri::try_from(format!("{path}{query}")).ok()
}

fn of_parameter(pair: &str) -> Option<&str> {
    pair.strip_prefix(PARAMETER)?.strip_prefix('=')
}

fn bearer(headers: &HeaderMap) -> Option<Credential> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    is_bearer.then(|| Credential { token: token.trim().into(), place: Place::Field })
}

/// A path as it may be logged: what is longer than any name of ours could be a token that was put in a wrong place.
pub fn shown(path: &str) -> Cow<'_, str> {
    if path.split('/').all(|name| name.len() <= LONGEST_NAME) {
        return Cow::Borrowed(path);
    }
    let names = path.split('/').map(|name| if name.len() <= LONGEST_NAME { name } else { "…" });
    Cow::Owned(names.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(uri: &str, field: Option<&str>) -> (String, Option<(String, Place)>) {
        let mut request = http::Request::get(uri);
        if let Some(field) = field {
            request = request.header("authorization", field);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let (uri, credential) = take(&parts);
        (uri.unwrap_or(parts.uri).to_string(), credential.map(|its| (its.token().to_owned(), its.place)))
    }

    #[test]
    fn a_token_is_taken_from_where_it_stands_and_nothing_is_left_of_it() {
        let some = |token: &str, place| Some((token.to_owned(), place));
        for (uri, field, left, token) in [
            ("/t/a.b.c/live/demo/index.m3u8", None, "/live/demo/index.m3u8", some("a.b.c", Place::Path)),
            ("/t/a.b.c/", None, "/", some("a.b.c", Place::Path)),
            ("/t/a.b.c", None, "/t", some("a.b.c", Place::Path)),
            ("/t/a.b.c/t/d.e.f/live/x", None, "/t", some("a.b.c", Place::Path)),
            ("/t//live/x", None, "/live/x", some("", Place::Path)),
            ("http://h/t/a/live/x?y=1", None, "/live/x?y=1", some("a", Place::Path)),
            ("/t/a/x?token=b&y=1&token=c", None, "/x?y=1", some("a", Place::Path)),
            ("/x?_HLS_msn=1&token=b&token=c&y", None, "/x?_HLS_msn=1&y", some("b", Place::Query)),
            ("/x?token=", None, "/x", some("", Place::Query)),
            ("/x?token=b", Some("Bearer c"), "/x", some("b", Place::Query)),
            ("/x?tokens=b&xtoken=c&token", None, "/x?tokens=b&xtoken=c&token", None),
            ("/x", Some("bearer  c"), "/x", some("c", Place::Field)),
            ("/x", Some("Basic c"), "/x", None),
            ("/time", None, "/time", None),
        ] {
            assert_eq!(taken(uri, field), (left.to_owned(), token), "{uri} {field:?}");
        }
    }

    #[test]
    fn what_leads_to_the_token_in_front_is_relative() {
        let token = Credential { token: "a.b-c_".into(), place: Place::Query };
        for (path, query, location) in [
            ("/live/demo/index.m3u8", None, "../../t/a.b-c_/live/demo/index.m3u8"),
            (
                "/live/demo/720p/index.m3u8",
                Some("_HLS_msn=1"),
                "../../../t/a.b-c_/live/demo/720p/index.m3u8?_HLS_msn=1",
            ),
            ("/", None, "t/a.b-c_/"),
        ] {
            assert_eq!(token.in_front_of(path, query).as_deref(), Some(location));
        }
        for strange in ["", "a/b", "a%0d", "a?b", "é"] {
            let token = Credential { token: strange.into(), place: Place::Query };
            assert_eq!(token.in_front_of("/", None), None, "{strange}");
        }
    }

    #[test]
    fn what_could_be_a_token_is_not_shown_in_whatever_place() {
        let long = "x".repeat(65);
        assert_eq!(shown("/live/demo/index.m3u8"), "/live/demo/index.m3u8");
        assert_eq!(shown(&format!("/live/{long}/index.m3u8")), "/live/…/index.m3u8");
        assert!(!format!("{:?}", Credential { token: "abc".into(), place: Place::Path }).contains("abc"));
    }
}
