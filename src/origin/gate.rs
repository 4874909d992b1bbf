//! Who is let through to what is signed.

use http::{HeaderValue, StatusCode, header, request::Parts};

use super::{
    body::Body,
    credential::{Credential, Place},
    policy::CachePolicy,
    refusal::Refusal,
    reply::Reply,
    route::{File, Resource, Route, TrackFile},
};
use crate::access::Access;

/// Stands in front of all that is signed.
#[derive(Debug)]
pub struct Gate(Access);

/// What becomes of a request.
#[derive(Debug)]
pub enum Pass {
    /// It is answered; if what it asks for is signed, until this second of Unix time.
    Through(Option<i64>),
    /// It is to be asked again with the token in front of the path.
    Again(String),
}

impl Gate {
    /// One that `access` keeps.
    pub fn new(access: Access) -> Self {
        Self(access)
    }

    /// Whether `request`, which asks for `route`, is let through at `now`, in seconds of Unix time. What is open costs a
    /// look at a set of names.
    ///
    /// # Errors
    /// [`Refusal::NoToken`], [`Refusal::InvalidToken`], [`Refusal::TokenOutOfTime`] and [`Refusal::TokenElsewhere`].
    pub fn pass(
        &self,
        request: &Parts,
        route: Route<'_>,
        now: impl FnOnce() -> i64,
    ) -> Result<Pass, Refusal> {
        let is_signed = match route {
            Route::Live(Resource { presentation, .. }) => self.0.is_signed(presentation),
            Route::Socket(socket) => self.0.is_signed(socket.channel),
            Route::Vod(_) => self.0.is_vod_signed(),
            Route::Page(_) => false,
            // What is for our own servers has a secret of its own.
            Route::Options | Route::Time | Route::Listing | Route::Edge(_) => return Ok(Pass::Through(None)),
        };
        let until = is_signed.then(|| {
            let token = request.extensions.get().map(Credential::token);
            self.0.check(request.uri.path(), token, now())
        });
        let until = until.transpose()?;
        let again = (is_signed || matches!(route, Route::Page("index.html"))) && hands_on(route);
        Ok(again.then(|| elsewhere(request)).flatten().map_or(Pass::Through(until), Pass::Again))
    }

    /// True if a live channel is signed.
    pub fn is_signed(&self, channel: &str) -> bool {
        self.0.is_signed(channel)
    }

    /// True if packaged files are signed.
    pub fn is_vod_signed(&self) -> bool {
        self.0.is_vod_signed()
    }
}

/// True if it leads to more, by relative URLs.
fn hands_on(route: Route<'_>) -> bool {
    match route {
        Route::Page(file) => file == "index.html",
        Route::Live(Resource { file, .. }) | Route::Vod(Resource { file, .. }) => match file {
            File::Multivariant | File::Mpd => true,
            File::Track { file, .. } => matches!(file, TrackFile::Playlist(_)),
        },
        _ => false,
    }
}

/// The same with the token in front of the path, if it stands in the query, where no relative URL would carry it on.
fn elsewhere(request: &Parts) -> Option<String> {
    let credential = request.extensions.get::<Credential>()?;
    let is_left_behind = credential.place == Place::Query;
    is_left_behind.then(|| credential.in_front_of(request.uri.path(), request.uri.query())).flatten()
}

/// The reply that sends on to `location`, for this viewer only.
pub fn again(location: String) -> Reply {
    let mut reply = Reply::new(StatusCode::TEMPORARY_REDIRECT, Body::empty(), CachePolicy::NoStore);
    if let Ok(location) = HeaderValue::try_from(location) {
        reply.set(header::LOCATION, location);
    }
    reply
}
