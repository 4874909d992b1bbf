//! Each single thing that is looked at, and what is found when it is not so.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};

use super::invariant::Invariant;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something to know.
    Note,
    /// Players get along, but worse than they could.
    Warning,
    /// A promise is broken; the exit status says so too.
    Violation,
}

macro_rules! checks {
    ($($name:ident $invariant:ident $level:ident $slug:literal $right:literal;)*) => {
        /// One thing that is looked at. Its slug is stable: it names findings in JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check { $(#[doc = $right] $name,)* }

        impl Check {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it belongs to.
            pub fn invariant(self) -> Invariant {
                match self { $(Self::$name => Invariant::$invariant,)* }
            }

            /// How much it weighs.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// Its name in reports.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// What would be right.
            pub fn right(self) -> &'static str {
                match self { $(Self::$name => $right,)* }
            }
        }
    };
}

checks! {
    SequenceBack I01 Violation "sequence-back" "EXT-X-MEDIA-SEQUENCE stays or grows (rfc8216bis 6.2.2)";
    NumberRenamed I02 Violation "number-renamed" "a media sequence number keeps its URI in every version of the list";
    NumberRedefined I02 Violation "number-redefined" "a media sequence number keeps its EXTINF, and a part its URI and DURATION";
    TargetChanged I03 Violation "target-changed" "EXT-X-TARGETDURATION never changes (rfc8216bis 6.2.1)";
    TargetDiffers I03 Violation "target-differs" "all renditions have the same EXT-X-TARGETDURATION (rfc8216bis 6.2.4)";
    SegmentLong I03 Violation "segment-long" "EXTINF, rounded to whole seconds, is at most EXT-X-TARGETDURATION (rfc8216bis 4.4.3.1)";
    DiscontinuityNumber I04 Violation "discontinuity-number" "EXT-X-DISCONTINUITY-SEQUENCE grows by one for each EXT-X-DISCONTINUITY that leaves the list (rfc8216bis 6.2.2)";
    PlaylistMissing I05 Violation "playlist-missing" "every playlist that is named answers 200";
    InitMissing I05 Violation "init-missing" "an init segment that is named can be fetched whole";
    SegmentMissing I05 Violation "segment-missing" "a segment can be fetched whole from the moment it is listed or due";
    PartMissing I05 Violation "part-missing" "a part can be fetched whole from the moment it is listed";
    SegmentGone I05 Violation "segment-gone" "a segment stays for its own duration and that of the longest list it was in (rfc8216bis 6.2.2)";
    PartGone I05 Violation "part-gone" "a part stays for three target durations after it left the list (rfc8216bis 6.2.5.1)";
    BodyChanged I06 Violation "body-changed" "a URL of media has the same bytes for ever";
    EtagChanged I06 Violation "etag-changed" "the same bytes have the same ETag";
    EtagReused I06 Violation "etag-reused" "other bytes have another ETag";
    EtagWeak I06 Warning "etag-weak" "media has a strong ETag: a weak one does not serve ranges";
    PartsNotSegment I07 Violation "parts-not-segment" "the parts of a segment, one behind the other, are its bytes";
    PartsNotDuration I07 Violation "parts-not-duration" "the DURATIONs of a segment's parts add up to its EXTINF";
    DurationUntrue I07 Violation "duration-untrue" "EXTINF and DURATION are the media's durations, as exactly as they are printed";
    PartLong I08 Violation "part-long" "no part is longer than PART-TARGET (rfc8216bis 4.4.4.9)";
    PartShort I08 Violation "part-short" "all parts but the last of a segment have at least 85 % of PART-TARGET (rfc8216bis 4.4.4.9)";
    PartsAbsent I09 Violation "parts-absent" "a rendition that has PART-INF has parts, and either all renditions have them or none";
    ControlDiffers I09 Violation "control-differs" "PART-INF and SERVER-CONTROL are the same in all renditions";
    ReplyLacks I10 Violation "reply-lacks" "a blocked reply has the segment and part that were asked for (rfc8216bis 6.2.5.2)";
    ReplyRefused I10 Violation "reply-refused" "a request for what comes next is held, not refused (rfc8216bis 6.2.5.2)";
    ReplyLate I10 Violation "reply-late" "a blocked request is answered within three target durations, with 503 if it must be (rfc8216bis 6.2.5.2)";
    OldNotAtOnce I10 Violation "old-not-at-once" "a request for what is there already is answered at once, with the whole list (rfc8216bis 6.2.5.2)";
    RolloverRefused I10 Violation "rollover-refused" "a part behind the last of its segment is the first of the next one (rfc8216bis 6.2.5.2)";
    FarAheadAccepted I10 Violation "far-ahead-accepted" "a number more than two ahead is refused at once with 400 (rfc8216bis 6.2.5.2)";
    FarAheadStatus I10 Warning "far-ahead-status" "the status for a number that is too far ahead is 400 (rfc8216bis 6.2.5.2)";
    PartAloneAccepted I10 Warning "part-alone-accepted" "_HLS_part without _HLS_msn is refused with 400 (rfc8216bis 6.2.5.2)";
    SegmentLate I11 Violation "segment-late" "a new segment is listed at most 1.5 target durations after the last (rfc8216bis 6.2.2)";
    ListShort I11 Violation "list-short" "a live list has at least three segments (rfc8216bis 6.2.2)";
    StartChanged I12 Violation "start-changed" "availabilityStartTime never changes (ISO/IEC 23009-1 5.4.1)";
    PublishedBack I12 Violation "published-back" "publishTime never goes back";
    TimeRenamed I12 Violation "time-renamed" "a time in the SegmentTimeline keeps its number, URL and duration";
    TimeNotMedia I12 Violation "time-not-media" "S@t, or number times @duration, is where the media of that segment begins";
    MediaGap I13 Violation "media-gap" "a segment or chunk begins where the one before it ends (tfdt and sample durations)";
    DateJumps I14 Violation "date-jumps" "EXT-X-PROGRAM-DATE-TIME goes on as EXTINF and the media do";
    DateRewritten I14 Violation "date-rewritten" "a segment keeps its EXT-X-PROGRAM-DATE-TIME";
    DateAhead I14 Violation "date-ahead" "what is published was made in the past: its EXT-X-PROGRAM-DATE-TIME and duration end before now";
    DateBehind I14 Warning "date-behind" "the end of the list is not older than ten seconds and three target durations";
    DateAbsent I14 Warning "date-absent" "live segments have EXT-X-PROGRAM-DATE-TIME: players measure latency by it";
    StartDiffers I15 Violation "start-differs" "a segment number begins at the same instant in all renditions of the picture";
    NoIdr I15 Violation "no-idr" "the first sample of a segment is an IDR picture, and its flags say sync sample";
    IndependentUntrue I15 Violation "independent-untrue" "a part with INDEPENDENT=YES starts with a sync sample";
    Torn I16 Violation "torn" "a document arrives whole and can be read";
    EdgeBack I16 Violation "edge-back" "a later reply lists at least what an earlier one did";
    GzipDiffers I16 Violation "gzip-differs" "compressed and plain forms are the same document";
    ReadersDisagree I16 Warning "readers-disagree" "two independent readers (ours and m3u8-rs) see the same list";
    DeltaDiffers X01 Violation "delta-differs" "the list before and the delta update together are the full playlist (rfc8216bis 6.2.5.1)";
    DeltaSkipsLate X01 Violation "delta-skips-late" "nothing within CAN-SKIP-UNTIL of the end is skipped (rfc8216bis 6.2.5.1)";
    DeltaIgnored X01 Warning "delta-ignored" "_HLS_skip=YES gives a delta update where the list is long enough";
    ReportAbsent X02 Violation "report-absent" "there is an EXT-X-RENDITION-REPORT for every other rendition";
    ReportStale X02 Violation "report-stale" "a rendition report is at most one segment from what its rendition lists";
    HintWrong X03 Violation "hint-wrong" "the next part that is listed is the one that was hinted";
    HintUnanswered X03 Violation "hint-unanswered" "a request for a hinted part is held and answered when it exists (rfc8216bis 6.2.6)";
    HintWithdrawn X03 Warning "hint-withdrawn" "a hinted part comes, unless segments are cut otherwise than was planned (rfc8216bis 6.2.6)";
    HintAbsent X03 Warning "hint-absent" "a live list with parts hints the next one";
    HoldBackShort X04 Violation "hold-back-short" "HOLD-BACK is at least three times EXT-X-TARGETDURATION (rfc8216bis 4.4.3.8)";
    PartHoldBackShort X04 Violation "part-hold-back-short" "PART-HOLD-BACK is there, and at least twice PART-TARGET (rfc8216bis 4.4.3.8)";
    PartHoldBackTight X04 Warning "part-hold-back-tight" "PART-HOLD-BACK is at least three times PART-TARGET (rfc8216bis 4.4.3.8)";
    SkipUntilShort X04 Violation "skip-until-short" "CAN-SKIP-UNTIL is at least six times EXT-X-TARGETDURATION (rfc8216bis 4.4.3.8)";
    BlockReloadAbsent X04 Violation "block-reload-absent" "a list with parts offers CAN-BLOCK-RELOAD=YES";
    PlaylistKept X05 Warning "playlist-kept" "a playlist says how long it may be kept: at most a target duration, blocked replies up to six, an MPD two";
    MediaNotKept X05 Warning "media-not-kept" "media may be kept for at least as long as it is listed";
    ErrorKept X05 Warning "error-kept" "an error on a live path may be kept for a second, of a playlist for four target durations";
    ClockSilent X06 Violation "clock-silent" "the UTCTiming that the MPD names answers with a time";
    ClockWrong X06 Violation "clock-wrong" "UTCTiming is within 300 ms of the server's own clock";
    ClockAbsent X06 Warning "clock-absent" "a live MPD has UTCTiming, as viewers' clocks are wrong";
    ReferenceTimeOff X07 Violation "reference-time-off" "ProducerReferenceTime and prft give the same wall clock for the same media time, within 500 ms";
    ReferenceTimeAbsent X07 Violation "reference-time-absent" "there is prft in the media where ProducerReferenceTime@inband says so";
    ReferenceTimeGap X07 Warning "reference-time-gap" "every segment has prft where others have";
    NotStreamed X08 Violation "not-streamed" "the first bytes of a segment with availabilityTimeOffset come before its end";
    JoinStalls X08 Violation "join-stalls" "who asks in the middle of a segment gets what exists of it at once";
    ServiceDescriptionAbsent X09 Note "service-description-absent" "a low-latency MPD has ServiceDescription with Latency and PlaybackRate";
    ResyncAbsent X09 Note "resync-absent" "a low-latency MPD has Resync, so that players may start inside a segment";
    CorsAbsent X09 Note "cors-absent" "Access-Control-Allow-Origin lets players on other sites read";
    NothingShared X09 Note "nothing-shared" "HLS and DASH name the same segments, so that caches keep them once";
    FellBehind X09 Note "fell-behind" "the network between here and there carries all renditions";
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

/// What of a document or a track a finding is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Media sequence number or segment number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<u64>,
    /// Index of the part in its segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<usize>,
}

impl Place {
    /// The document or resource as a whole.
    pub(super) const WHOLE: Self = Self { segment: None, part: None };

    pub(super) fn segment(number: u64) -> Self {
        Self { segment: Some(number), part: None }
    }

    pub(super) fn part(number: u64, part: usize) -> Self {
        Self { segment: Some(number), part: Some(part) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.segment, self.part) {
            (Some(segment), Some(part)) => write!(f, ", segment {segment} part {part}"),
            (Some(segment), None) => write!(f, ", segment {segment}"),
            _ => Ok(()),
        }
    }
}

/// One time that something was not as it should be.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// What was seen.
    pub seen: String,
    /// Where.
    pub url: String,
    /// Where in that.
    #[serde(flatten)]
    pub place: Place,
    /// When: since the check began.
    #[serde(rename = "at_seconds", serialize_with = "as_seconds")]
    pub at: Duration,
}

fn as_seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((span.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_is_documented_as_it_is() {
        let mut table = "| | check | level | what is right |\n|---|---|---|---|\n".to_owned();
        for check in Check::ALL {
            let (id, level) = (check.invariant().id(), format!("{:?}", check.level()).to_lowercase());
            table += &format!("| {id} | `{}` | {level} | {} |\n", check.slug(), check.right());
        }
        let page = include_str!("../../docs/check.md");
        assert!(page.ends_with(&table), "docs/check.md should end with:\n{table}");
    }

    #[test]
    fn slugs_are_different_and_every_invariant_is_looked_at() {
        let slugs: BTreeSet<_> = Check::ALL.iter().map(|check| check.slug()).collect();
        assert_eq!(slugs.len(), Check::ALL.len());
        let covered: BTreeSet<_> = Check::ALL.iter().map(|check| check.invariant()).collect();
        assert_eq!(covered.len(), Invariant::ALL.len());
    }
}
