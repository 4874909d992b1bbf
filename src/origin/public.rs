//! What the public may read of a channel's state.

use super::{error::HttpError, refusal::Refusal};
use crate::{channel::status::State, store};

/// A state in one word, and why where there is a reason, without secrets.
pub fn words(state: &State) -> (&'static str, Option<String>) {
    match state {
        State::Starting => ("starting", None),
        State::Awaiting { why } => ("starting", Some(without_secrets(why))),
        State::Standby { .. } => ("standby", None),
        State::Live => ("live", None),
        State::Stalled { why } => ("stalled", Some(without_secrets(why))),
        State::Restarting { why } => ("restarting", Some(without_secrets(why))),
        State::Ended => ("ended", None),
        State::Failed { why } => ("failed", Some(without_secrets(why))),
    }
}

/// The refusal of a channel that has published nothing.
pub fn not_yet(state: &State) -> HttpError {
    if matches!(state, State::Standby { .. }) {
        return Refusal::Standby.into();
    }
    let reason = match words(state) {
        ("starting", _) => "it is starting".to_owned(),
        (state, None) => format!("its state is {state}"),
        (state, Some(why)) => format!("it is {state}: {}", why.trim_end_matches('.')),
    };
    HttpError::from(Refusal::NotYetPublished)
        .explained(format!("The channel has nothing to show yet, because {reason}. Try again in a second."))
}

/// The refusal of what the store has not given.
pub fn not_given(reason: &store::Error) -> Refusal {
    if matches!(reason, store::Error::Busy { .. }) {
        Refusal::TooManyWaiters
    } else {
        Refusal::StoreUnavailable
    }
}

/// `text` with user names, passwords and queries removed from the URIs in it: reasons name sources, and sources carry
/// stream keys, passphrases and tokens there.
fn without_secrets(text: &str) -> String {
    let mut pieces = text.split("://");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '>' | ')'))
            .unwrap_or(piece.len());
        let (uri, rest) = piece.split_at(end);
        let uri = uri.split(['?', '#']).next().unwrap_or_default();
        let authority = uri.find('/').unwrap_or(uri.len());
        let host = uri[..authority].rfind('@').map_or(0, |at| at + 1);
        out.push_str("://");
        out.push_str(&uri[host..]);
        out.push_str(rest);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_sources_without_their_secrets() {
        for (why, public) in [
            ("no such file clip.mp4", "no such file clip.mp4"),
            ("rtsp://user:p@ss@cam.example:554/a gives nothing", "rtsp://cam.example:554/a gives nothing"),
            (
                "cannot open \"srt://host:9000?passphrase=secret\": refused",
                "cannot open \"srt://host:9000\": refused",
            ),
            (
                "https://h/x.m3u8?token=1 and https://u@h/b@c failed",
                "https://h/x.m3u8 and https://h/b@c failed",
            ),
        ] {
            assert_eq!(without_secrets(why), public);
        }
    }

    #[test]
    fn a_channel_without_media_says_why() {
        let error = not_yet(&State::Failed { why: "rtsp://a:b@c/ refuses the password.".into() });
        assert_eq!(
            error.public,
            "The channel has nothing to show yet, because it is failed: rtsp://c/ refuses the password. Try again in a second."
        );
    }
}
