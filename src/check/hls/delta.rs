//! Delta updates (rfc8216bis 6.2.5.1): what was left out is taken from the list before.

use super::{Playlist, Segment};

/// The full list that `delta` stands for, with `before` known; the error says what is missing.
///
/// Discontinuities are counted on from the list before: a delta update leaves out the tags in front of what it skips.
pub(in crate::check) fn merge(before: &Playlist, delta: &Playlist) -> Result<Playlist, String> {
    let Some(skipped) = delta.skipped else { return Ok(delta.clone()) };
    let mut segments: Vec<Segment> = Vec::new();
    for number in delta.sequence..delta.sequence + skipped {
        let known = before.segment(number);
        segments
            .push(known.ok_or_else(|| format!("segment {number} is skipped, but was never listed"))?.clone());
    }
    // Of those that are shown, the list itself counts only the discontinuities from the first shown one on.
    let (map, before) = segments
        .last()
        .map_or((None, delta.discontinuity_sequence), |last| (last.map.clone(), last.discontinuities));
    segments.extend(delta.segments.iter().cloned().map(|segment| Segment {
        discontinuities: before + (segment.discontinuities - delta.discontinuity_sequence),
        map: segment.map.or_else(|| map.clone()),
        ..segment
    }));
    Ok(Playlist { segments, skipped: None, ..delta.clone() })
}

#[cfg(test)]
mod tests {
    use super::{super::read, *};

    fn list(from: u64, to: u64, skip: u64) -> Playlist {
        let mut text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{from}\n");
        if skip > 0 {
            text += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skip}\n");
        }
        for number in from + skip..to {
            text += if number == 5 { "#EXT-X-DISCONTINUITY\n" } else { "" };
            text += &format!("#EXTINF:2,\n{number}.m4s\n");
        }
        read(text.as_bytes()).unwrap()
    }

    fn told(list: &Playlist) -> Vec<(u64, String, u64)> {
        let tell = |each: &Segment| (each.number, each.resource.uri.clone(), each.discontinuities);
        list.segments.iter().map(tell).collect()
    }

    #[test]
    fn what_was_skipped_comes_from_the_list_before() {
        for skip in [0, 2, 4, 6] {
            let merged = merge(&list(1, 9, 0), &list(2, 10, skip)).unwrap();
            assert_eq!(told(&merged), told(&list(2, 10, 0)), "{skip} skipped");
        }
    }

    #[test]
    fn what_was_never_listed_cannot_be_skipped() {
        assert!(merge(&list(1, 4, 0), &list(2, 10, 5)).unwrap_err().contains("segment 4"));
    }
}
