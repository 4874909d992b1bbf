//! Refusals as `application/problem+json` (RFC 9457), for clients that would rather have them so than as a line of text.
//!
//! What a client accepts is weighed when there is something to refuse, and remembered only where JSON is named.

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderValue, header, request::Parts};
use serde::Serialize;

use super::{body::Body, encoding::weight, reply::Reply};

const MEDIA_TYPE: &str = "application/problem+json";
/// Type of the text.
const TEXT: &str = "text/plain";

/// The Accept of a request that might be one for JSON. An extension of the request.
#[derive(Clone, Debug)]
struct Accept(String);

/// RFC 9457 3.1, and the name of the refusal.
#[derive(Serialize)]
struct Problem<'a> {
    /// There is no more to be said of a type than its status (RFC 9457 4.2.1).
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    reason: &'static str,
}

/// Keeps of the fields of a request as they were `received` what [`phrased`] needs. Of nearly all that is nothing.
pub fn remember(received: &HeaderMap, kept: &mut Extensions) {
    let fields = || received.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if fields().any(|value| value.contains("json") || value.contains("application/*")) {
        kept.insert(Accept(fields().collect::<Vec<_>>().join(",")));
    }
}

/// A refusal as the client would have it; all other replies as they are.
pub fn phrased(request: &Parts, mut reply: Reply) -> Reply {
    let Some(refused) = reply.refused.take() else { return reply };
    if !request.extensions.get::<Accept>().is_some_and(|accept| prefers(&accept.0)) {
        return reply;
    }
    let problem = Problem {
        r#type: "about:blank",
        title: refused.status.canonical_reason().unwrap_or_default(),
        status: refused.status.as_u16(),
        detail: &refused.public,
        reason: refused.cause.name(),
    };
    let Ok(json) = serde_json::to_vec(&problem) else { return reply };
    reply.set(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    *reply.response.body_mut() = Body::from(Bytes::from(json));
    reply
}

/// True if a client that accepts this would rather have a problem than text. One that asks for JSON and nothing else is
/// given one too: it can read it.
fn prefers(accept: &str) -> bool {
    let problem = quality(accept, &[MEDIA_TYPE, "application/json", "application/*"]);
    let text = quality(accept, &[TEXT, "text/*"]);
    let any = quality(accept, &["*/*"]).unwrap_or(0.0);
    let problem = problem.unwrap_or(0.0);
    // With the same weight, what is named goes before what is only included.
    problem > 0.0 && problem >= any && problem > text.unwrap_or(0.0)
        || problem > 0.0 && text == Some(problem) && accept.contains(MEDIA_TYPE)
}

/// The weight of the first of `ranges` that is named.
fn quality(accept: &str, ranges: &[&str]) -> Option<f32> {
    ranges.iter().find_map(|range| {
        accept.split(',').find_map(|item| {
            let mut parameters = item.split(';').map(str::trim);
            parameters.next()?.eq_ignore_ascii_case(range).then(|| weight(parameters))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_for_those_who_prefer_it() {
        for (accept, problem) in [
            ("application/problem+json", true),
            ("application/json", true),
            ("application/problem+json, text/plain;q=0.5", true),
            ("application/problem+json, text/plain", true),
            ("text/plain, application/json;q=0.9", false),
            ("application/json, text/plain, */*", false),
            ("application/json, */*;q=0.5", true),
            ("application/*", true),
            ("*/*", false),
            ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", false),
            ("application/problem+json;q=0, text/plain", false),
            ("application/problem+json;q=0, application/json", false),
            ("application/problem+json;q=0.4, */*", false),
            ("APPLICATION/PROBLEM+JSON", true),
            ("", false),
        ] {
            assert_eq!(prefers(accept), problem, "{accept}");
        }
    }

    #[test]
    fn of_most_requests_nothing_is_kept() {
        for (accept, kept) in [("*/*", false), ("text/html,*/*;q=0.8", false), ("application/json", true)] {
            let mut extensions = Extensions::new();
            let received = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]);
            remember(&received, &mut extensions);
            assert_eq!(extensions.get::<Accept>().is_some(), kept, "{accept}");
        }
    }
}
