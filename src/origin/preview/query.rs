//! What a viewer wants to begin with, from the query of its URL.

use crate::origin::refusal::Refusal;

/// How media is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// As the encoder made it.
    #[default]
    Frames,
    /// In CMAF chunks.
    Cmaf,
}

/// Which track is wanted, in words that mean the same in every catalog.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Want {
    /// The first one.
    #[default]
    First,
    /// None.
    None,
    /// The one of this name; the first one if there is none.
    Named(String),
    /// The best one that is not higher than this, in pixels; the smallest if all are.
    Height(u32),
}

/// A viewer's query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) format: Format,
    pub(super) video: Want,
    pub(super) audio: Want,
}

impl Query {
    /// Parameters that mean nothing here are ignored.
    ///
    /// # Errors
    /// [`Refusal::ViewerQuery`].
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut parsed = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("format", "frames") => parsed.format = Format::Frames,
                ("format", "cmaf") => parsed.format = Format::Cmaf,
                ("format", _) => return Err(Refusal::ViewerQuery),
                ("video", name) => parsed.video = want(name),
                ("audio", name) => parsed.audio = want(name),
                ("height", pixels) => {
                    parsed.video = Want::Height(pixels.parse().map_err(|_| Refusal::ViewerQuery)?);
                }
                _ => {}
            }
        }
        Ok(parsed)
    }
}

fn want(name: &str) -> Want {
    match name {
        "none" => Want::None,
        // As long as a track's name may be: what is longer is none, and is not kept.
        name if name.len() <= 64 => Want::Named(name.to_owned()),
        _ => Want::First,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_what_a_viewer_begins_with() {
        let query = |format, video, audio| Ok(Query { format, video, audio });
        for (text, parsed) in [
            (None, query(Format::Frames, Want::First, Want::First)),
            (Some("token=x&video=720p"), query(Format::Frames, Want::Named("720p".into()), Want::First)),
            (Some("height=480&audio=none&format=cmaf"), query(Format::Cmaf, Want::Height(480), Want::None)),
            (Some("format=flv"), Err(Refusal::ViewerQuery)),
            (Some("height=-1"), Err(Refusal::ViewerQuery)),
        ] {
            assert_eq!(Query::parse(text), parsed, "{text:?}");
        }
    }
}
