//! Rendition reports (rfc8216bis 4.4.5.4).

use crate::check::{
    finding::{Check, Place},
    hls::{Edge, Playlist},
    judge::Judge,
};

/// Another rendition: what its list was when this one was asked for, and when it was here.
#[derive(Clone, Debug)]
pub(in crate::check) struct Other {
    pub(in crate::check) url: String,
    pub(in crate::check) asked: Edge,
    /// `None` if its newest list is older than a target duration.
    pub(in crate::check) read: Option<Edge>,
}

/// Judges the reports in a list. `resolve` makes a report's URI absolute.
pub(in crate::check) fn reports(
    judge: &mut Judge,
    list: &Playlist,
    others: &[Other],
    resolve: impl Fn(&str) -> Option<String>,
) {
    let told: Vec<_> = list.reports.iter().map(|report| (resolve(&report.uri), report.last)).collect();
    for other in others {
        // A token in the query may be left to the player to repeat.
        let path = other.url.split_once('?').map_or(other.url.as_str(), |(path, _)| path);
        let exact = told.iter().find(|(url, _)| url.as_ref() == Some(&other.url));
        let report = exact.or_else(|| told.iter().find(|(url, _)| url.as_deref() == Some(path)));
        judge.holds(Check::ReportAbsent, Place::WHOLE, report.is_some(), || {
            format!("there is no EXT-X-RENDITION-REPORT for {}", other.url)
        });
        let Some((_, last)) = report else { continue };
        // Without LAST-MSN, it is that of this list (rfc8216bis 4.4.5.4).
        let last = last.unwrap_or_else(|| newest(list.edge()));
        let least = newest(other.asked).saturating_sub(1);
        let most = other.read.map_or(u64::MAX, |read| newest(read) + 2);
        judge.holds(Check::ReportStale, Place::segment(last), (least..=most).contains(&last), || {
            format!("{} is reported at {last}, and was at {} already", other.url, newest(other.asked))
        });
    }
}

/// The number of the newest segment, be it whole or not.
fn newest(edge: Edge) -> u64 {
    if edge.parts > 0 { edge.number } else { edge.number.saturating_sub(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::made::{LIST, judge, playlist};

    #[test]
    fn every_other_rendition_is_reported_and_freshly() {
        let other = |number, parts| Other {
            url: "http://host/audio/index.m3u8".into(),
            asked: Edge { number, parts },
            read: Some(Edge { number, parts }),
        };
        // The list reports segment 10.
        for (edge, expected) in [
            (other(10, 1), &[][..]),
            (other(11, 2), &[]),
            (other(12, 1), &[Check::ReportStale]),
            (other(10, 0), &[]),
            (other(8, 0), &[Check::ReportStale]),
        ] {
            let mut judge = judge();
            let resolve = |uri: &str| Some(uri.replace("../", "http://host/"));
            reports(&mut judge, &playlist(LIST), &[edge], resolve);
            assert_eq!(judge.found(), expected);
        }
        let mut judge = judge();
        reports(
            &mut judge,
            &playlist(LIST),
            &[Other { url: "http://host/b.m3u8".into(), ..other(10, 1) }],
            |_| None,
        );
        assert_eq!(judge.found(), [Check::ReportAbsent]);
        let with_token = Other { url: "http://host/audio/index.m3u8?token=x".into(), ..other(10, 1) };
        reports(&mut judge, &playlist(LIST), &[with_token], |uri| Some(uri.replace("../", "http://host/")));
        assert_eq!(judge.found().len(), 1);
    }
}
