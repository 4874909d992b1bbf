//! What two origins have to have in common: all but the encoders' bytes and what follows from them.

use std::time::Duration;

use bytes::Bytes;
use headwater::config::Timing;

use crate::served::{Served, eventually};

/// Two segments for a part, and as many as there are in a window for a track that began later in one of them.
const TRIES: usize = 6;

/// Asserts that documents, init segments and the times in segments are the same.
pub(super) async fn assert_alike(pair: &[Served; 2], tracks: &[&str], timing: Timing) {
    for track in tracks {
        let [one, other] = same_playlists(pair, track).await;
        assert_eq!(one, other, "{track}");
        for name in names(&one) {
            let [one, other] = bodies(pair, &format!("live/{track}/{name}")).await;
            if name.starts_with("init-") {
                assert_eq!(one, other, "{track}/{name}");
            } else {
                assert_eq!(times(&one), times(&other), "{track}/{name}");
                assert!(!times(&one).is_empty(), "{track}/{name}");
            }
        }
    }
    for document in ["live/a/index.m3u8", "live/a/manifest.mpd"] {
        let equal = async || {
            let [one, other] = bodies(pair, document).await.map(|body| without_measured(&text(body), timing));
            (one == other).then_some(one)
        };
        eventually(&format!("{document} is the same of both"), 6, equal).await;
    }
}

/// The playlists of both at one moment. On a busy machine, one may have a part more, or a track that has begun a segment later
/// than the others, of which it lists the less until that has left the window.
async fn same_playlists(pair: &[Served; 2], track: &str) -> [String; 2] {
    let lists = async || playlists(pair, track).await.unwrap_or_else(|| panic!("{track} is there"));
    let mut last = lists().await;
    for _ in 1..TRIES {
        if last[0] == last[1] {
            break;
        }
        last = lists().await;
    }
    last
}

/// Whether the playlists are the same.
pub(super) async fn are_lists_alike(pair: &[Served; 2], tracks: &[&str]) -> bool {
    for track in tracks {
        if playlists(pair, track).await.is_none_or(|[one, other]| one != other) {
            return false;
        }
    }
    true
}

/// The playlists of both at one moment: that of the next segment's second part, which both are asked to wait for.
async fn playlists(pair: &[Served; 2], track: &str) -> Option<[String; 2]> {
    let newest = pair[0].playlist(track).await?;
    let next = newest.media_sequence + newest.segments.len() as u64;
    let path = format!("live/{track}/index.m3u8?_HLS_msn={next}&_HLS_part=1");
    let within = tokio::time::timeout(Duration::from_secs(10), both(pair, &path)).await;
    let lists = within.expect("both answer in time")?;
    Some(lists.map(text).map(|list| without_reports(&list)))
}

async fn bodies(pair: &[Served; 2], path: &str) -> [Bytes; 2] {
    both(pair, path).await.unwrap_or_else(|| panic!("{path} is there"))
}

async fn both(pair: &[Served; 2], path: &str) -> Option<[Bytes; 2]> {
    let (one, other) = tokio::join!(pair[0].get(path), pair[1].get(path));
    Some([one?, other?])
}

fn text(body: Bytes) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// How far other tracks are is another moment's matter.
fn without_reports(list: &str) -> String {
    list.lines().filter(|line| !line.starts_with("#EXT-X-RENDITION-REPORT")).collect::<Vec<_>>().join("\n")
}

/// Without what each origin has measured itself, unless the source's time counts: when pictures came in, and bit rates.
fn without_measured(document: &str, timing: Timing) -> String {
    let measured = match timing {
        Timing::Clock => &[("wallClockTime=\"", '"'), ("bandwidth=\"", '"'), ("BANDWIDTH=", ',')][..],
        Timing::Source => &[],
    };
    measured.iter().fold(document.to_owned(), |text, &(before, behind)| {
        let mut pieces = text.split(before);
        let first = pieces.next().unwrap_or_default().to_owned();
        pieces.fold(first, |kept, piece| kept + before + piece.split_once(behind).unwrap_or_default().1)
    })
}

/// The init segment, the segments and the parts that are listed.
fn names(list: &str) -> Vec<String> {
    let uri = |line: &str| line.split_once("URI=\"")?.1.split_once('"').map(|(uri, _)| uri.to_owned());
    let named = |line: &str| match line.starts_with('#') {
        true => uri(line).filter(|_| !line.starts_with("#EXT-X-PRELOAD-HINT")),
        false => Some(line.to_owned()),
    };
    list.lines().filter_map(named).collect()
}

/// The tfdt and trun boxes of a segment, the latter but for the sizes of its samples: when each sample is.
fn times(segment: &Bytes) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for (kind, length) in [(b"tfdt", 16), (b"mfhd", 12)] {
        let at = segment.windows(4).enumerate().filter(|(_, name)| name == kind);
        found.extend(at.map(|(at, _)| segment[at..at + length].to_vec()));
    }
    let samples = |(at, _): (usize, &[u8])| segment[at + 8..at + 12].to_vec();
    found.extend(segment.windows(4).enumerate().filter(|(_, name)| name == b"trun").map(samples));
    found
}
