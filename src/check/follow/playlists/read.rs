//! Reads what came for a playlist, by two readers (I-16).

use bytes::Bytes;

use crate::check::{
    client::Reply,
    finding::{Check, Place},
    hls::{self, Playlist},
    judge::Judge,
    rules::bodies::hash,
};

/// The last body of a document that changes, and its ETag.
#[derive(Debug, Default)]
pub(in crate::check) struct Document {
    last: Option<(String, [u8; 32])>,
}

impl Document {
    /// Judges that another body has another ETag (I-06).
    pub(in crate::check) fn meet(&mut self, judge: &mut Judge, reply: &Reply) {
        let Some(etag) = reply.header("etag") else { return };
        let now = hash(&reply.body);
        if let Some((known, before)) = self.last.as_ref().filter(|(known, _)| known == etag) {
            judge.holds(Check::EtagReused, Place::WHOLE, *before == now, || {
                format!("another list with the ETag {known}")
            });
        }
        self.last = Some((etag.to_owned(), now));
    }
}

/// A list, if it can be read.
pub(in crate::check) fn list(judge: &mut Judge, reply: &Reply) -> Option<Playlist> {
    let read = hls::read(&reply.body);
    judge.holds(Check::Torn, Place::WHOLE, read.is_ok(), || {
        let error = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        format!("of {} bytes, {error}", reply.body.len())
    });
    let list = read.ok()?;
    let disagreement = disagreement(&list, &reply.body);
    judge.holds(Check::ReadersDisagree, Place::WHOLE, disagreement.is_none(), || {
        disagreement.unwrap_or_default()
    });
    Some(list)
}

/// What m3u8-rs sees otherwise.
fn disagreement(ours: &Playlist, body: &Bytes) -> Option<String> {
    let theirs = match m3u8_rs::parse_media_playlist_res(body) {
        Ok(theirs) => theirs,
        Err(_) => return Some("m3u8-rs cannot read it".into()),
    };
    let told = |what: &str, ours: &dyn std::fmt::Display, theirs: &dyn std::fmt::Display| {
        Some(format!("{what} is {ours} here and {theirs} for m3u8-rs"))
    };
    if theirs.segments.len() != ours.segments.len() {
        return told("the count of segments", &ours.segments.len(), &theirs.segments.len());
    }
    if theirs.media_sequence != ours.sequence {
        return told("EXT-X-MEDIA-SEQUENCE", &ours.sequence, &theirs.media_sequence);
    }
    if theirs.end_list != ours.ended {
        return told("EXT-X-ENDLIST", &ours.ended, &theirs.end_list);
    }
    let mut pairs = ours.segments.iter().zip(&theirs.segments);
    let differ = pairs.find(|(ours, theirs)| ours.resource.uri != theirs.uri);
    differ.and_then(|(ours, theirs)| told("a URI", &ours.resource.uri, &theirs.uri))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, NEXT, playlist};

    #[test]
    fn two_readers_see_the_same_list() {
        for text in [LIST, NEXT] {
            assert_eq!(disagreement(&playlist(text), &Bytes::from(text)), None);
        }
        let other = Bytes::from(NEXT);
        assert!(
            disagreement(&playlist(LIST), &other).unwrap().contains("EXT-X-MEDIA-SEQUENCE is 7 here and 8")
        );
    }
}
