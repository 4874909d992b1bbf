//! Multivariant playlists, as m3u8-rs reads them.

use m3u8_rs::{AlternativeMediaType, MasterPlaylist};

use super::Error;

/// A media playlist that is named in a multivariant playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Named {
    pub(in crate::check) uri: String,
    /// True for subtitles, whose segments are text.
    pub(in crate::check) is_text: bool,
}

/// All media playlists that a player of this presentation may load, each once. Trick play is left out: its playlists
/// list pictures of segments that others list whole.
pub(in crate::check) fn renditions(bytes: &[u8]) -> Result<Vec<Named>, Error> {
    let playlist: MasterPlaylist = m3u8_rs::parse_master_playlist_res(bytes)
        .map_err(|error| Error::Foreign(first_line(&error.to_string())))?;
    let variants = playlist.variants.into_iter().filter(|variant| !variant.is_i_frame);
    let variants = variants.map(|variant| Named { uri: variant.uri, is_text: false });
    let others = playlist.alternatives.into_iter().filter_map(|media| {
        Some(Named { uri: media.uri?, is_text: media.media_type == AlternativeMediaType::Subtitles })
    });
    let mut named: Vec<Named> = Vec::new();
    for each in variants.chain(others) {
        if !each.uri.is_empty() && named.iter().all(|known| known.uri != each.uri) {
            named.push(each);
        }
    }
    if named.is_empty() { Err(Error::NoRendition) } else { Ok(named) }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_playlist_is_named_once_and_trick_play_is_left_out() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"en\",URI=\"audio.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",URI=\"text.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"en\",INSTREAM-ID=\"CC1\"\n\
            #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"trick.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\n720p.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=3,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"b\"\n720p.m3u8\n";
        let named = renditions(text.as_bytes()).unwrap();
        let told: Vec<_> = named.iter().map(|each| (each.uri.as_str(), each.is_text)).collect();
        assert_eq!(told, [("720p.m3u8", false), ("audio.m3u8", false), ("text.m3u8", true)]);
    }

    #[test]
    fn a_playlist_that_names_nothing_is_refused() {
        assert_eq!(renditions(b"#EXTM3U\n#EXT-X-VERSION:6\n"), Err(Error::NoRendition));
    }
}
