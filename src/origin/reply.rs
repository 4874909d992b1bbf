//! A response, and what it carries for ourselves.

use http::{HeaderMap, HeaderValue, Response, StatusCode, header::IntoHeaderName};

use super::{body::Body, error::HttpError, policy::CachePolicy, refusal::Refusal, takeover::Takeover};
use crate::metrics::Held;

/// How many fields a response has at most, those of CORS included: a map would otherwise be made larger three times while
/// they come.
const FIELDS: usize = 16;

/// What a service answers.
#[derive(Debug)]
pub struct Reply {
    /// What the client is sent.
    pub response: Response<Body>,
    /// Why it is as it is, for the log and metrics.
    pub verdict: Verdict,
    /// Set if it was waited for.
    pub held: Option<Held>,
    /// What takes the connection over once this has been sent.
    pub takeover: Option<Takeover>,
    /// Set if it is a refusal that may still be put in other words.
    pub refused: Option<Box<HttpError>>,
}

/// Why a response is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The cache decision.
    pub cache: CachePolicy,
    /// Why nothing is served, if nothing is.
    pub refusal: Option<Refusal>,
}

impl Reply {
    /// One that caches are told to treat as `cache` says.
    pub fn new(status: StatusCode, body: Body, cache: CachePolicy) -> Self {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = HeaderMap::with_capacity(FIELDS);
        cache.tell(response.headers_mut());
        let verdict = Verdict { cache, refusal: None };
        Self { response, verdict, held: None, takeover: None, refused: None }
    }

    /// Its fields.
    pub fn fields(&mut self) -> &mut HeaderMap {
        self.response.headers_mut()
    }

    /// Sets a field.
    pub fn set(&mut self, name: impl IntoHeaderName, value: HeaderValue) {
        self.fields().insert(name, value);
    }
}
