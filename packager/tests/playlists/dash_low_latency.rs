//! MPDs of what can be fetched while it is being made.

use std::time::Duration;

use headwater_packager::{
    dash::{self, Kind, LowLatency, Representation},
    time::Grid,
    track::UNCHANGED,
    window::{Open, Segment, Window},
};

use super::{
    dash::attribute,
    presentations::{Presentation, all, open},
};
use crate::made::{Made, NOW, TWO_SECONDS, audio, era, video};

const PART_TARGET: Duration = Duration::from_nanos(405_333_334);

/// A track, what is listed of it, and the segment that is being made.
struct Published {
    made: Made,
    window: Window,
    open: Option<Open>,
}

impl Published {
    /// Segments `from` up to but without `to`, all of the first era.
    fn new(made: Made, grid: Grid, from: i64, to: i64) -> Self {
        let segments = made.segments(grid, from, to, &era(0, &made.track.name));
        let window = made.window(Duration::from_secs(60), segments);
        Self { made, window, open: None }
    }

    /// With the segment that is being made, in an era that begins with segment `first`.
    fn opened(self, number: i64, parts: usize, first: i64) -> Self {
        let open = open(&self.made, number, parts, first, &format!("{first}-{}", self.made.track.name));
        Self { open: Some(open), ..self }
    }

    /// With what is known of when each segment was captured.
    fn captured(mut self, at: impl Fn(&Segment) -> i64) -> Self {
        let captured = |segment: &Segment| Segment { captured_at: at(segment), ..segment.clone() };
        let segments: Vec<_> = self.window.segments().iter().map(captured).collect();
        self.window = self.made.window(self.window.length(), segments);
        self
    }
}

fn mpd(published: &[Published], grid: Grid) -> String {
    render(
        published,
        grid,
        Some(LowLatency { part: grid.part, part_target: PART_TARGET, from_capture: true }),
    )
}

fn render(published: &[Published], grid: Grid, low_latency: Option<LowLatency>) -> String {
    let representations: Vec<_> = published
        .iter()
        .map(|Published { made, window, open }| Representation {
            track: &made.track,
            window,
            bandwidth: window.bandwidth(),
            open: open.as_ref(),
            configurations: &UNCHANGED,
        })
        .collect();
    let kind = Kind::Live {
        published_at: 1_700_000_012_345_678_901,
        time_shift: Duration::from_secs(60),
        delay: Duration::from_millis(1800),
        low_latency,
    };
    dash::mpd(&dash::Presentation { representations: &representations, kind, segment: grid.segment })
}

/// The lines of an MPD that begin with an element, in order: our writer gives each element a line.
fn elements<'a>(mpd: &'a str, name: &str) -> Vec<&'a str> {
    mpd.lines()
        .map(str::trim)
        .filter(|line| line.strip_prefix('<').is_some_and(|line| line.starts_with(name)))
        .collect()
}

fn number(element: &str, name: &str) -> i64 {
    attribute(element, name).map_or(0, |value| value.parse().unwrap())
}

fn grid(segment: u64, part: u64) -> Grid {
    Grid { segment: Duration::from_millis(segment), part: Duration::from_millis(part) }
}

fn low_latency() -> impl Iterator<Item = Presentation> {
    all().into_iter().filter(|presentation| !presentation.open.is_empty())
}

/// The period, template and reference time of each representation, in the order of an MPD.
fn representations(mpd: &str) -> Vec<(&str, &str, &str, Option<&str>)> {
    let (mut period, mut reference, mut id) = ("", None, "");
    let mut found = Vec::new();
    for line in mpd.lines().map(str::trim) {
        if line.starts_with("<Period ") {
            period = line;
        } else if line.starts_with("<AdaptationSet ") {
            reference = None;
        } else if line.starts_with("<ProducerReferenceTime ") {
            reference = Some(line);
        } else if line.starts_with("<Representation ") {
            id = attribute(line, "id").unwrap();
        } else if line.starts_with("<SegmentTemplate ") {
            found.push((period, id, line, reference));
        }
    }
    found
}

/// What a player computes: number and presentation time from a template, for each segment that there is.
#[test]
fn the_clock_gives_the_number_and_the_time_of_every_segment() {
    for presentation in low_latency() {
        let mpd = presentation.mpd();
        let mut seen = 0;
        for (period, id, template, _) in representations(&mpd) {
            let start = attribute(period, "start").unwrap();
            let start: i64 = start.trim_start_matches("PT").trim_end_matches('S').parse().unwrap();
            let [hz, length, first, offset] =
                ["timescale", "duration", "startNumber", "presentationTimeOffset"]
                    .map(|name| number(template, name));
            assert_eq!(offset, start * hz, "a period begins on a line");
            let (made, window) = presentation.tracks.iter().find(|(made, _)| made.track.name == id).unwrap();
            let init = attribute(template, "initialization").unwrap();
            let belongs = |segment: &&Segment| init.ends_with(&segment.era.init) && segment.number >= first;
            for segment in window.segments().iter().filter(belongs) {
                let begins = made.track.timescale.nanos(segment.start) as f64 / 1e9;
                let expected = start as f64 + ((segment.number - first) * length) as f64 / hz as f64;
                let frame = made.track.timescale.seconds(made.step.into());
                assert!((0.0..frame).contains(&(begins - expected)), "{} of {id}", segment.number);
                seen += 1;
            }
        }
        let all: usize = presentation.tracks.iter().map(|(_, window)| window.segments().len()).sum();
        assert_eq!(seen, all, "{}", presentation.name);
        assert!(!mpd.contains("SegmentTimeline"));
    }
}

#[test]
fn a_segment_can_be_asked_for_when_its_first_part_is_there() {
    for (segment, part, offset) in [
        (2000, 400, Some("1.6")),
        (2000, 333, Some("1.667")),
        (1920, 320, Some("1.6")),
        (6000, 1000, Some("5")),
        (2000, 2000, None),
        (2000, 3000, None),
    ] {
        let grid = grid(segment, part);
        let mpd = mpd(&[Published::new(video(720, 25, 1), grid, NOW, NOW + 3)], grid);
        let template = elements(&mpd, "SegmentTemplate ")[0];
        assert_eq!(attribute(template, "availabilityTimeOffset"), offset, "{segment} {part}");
        assert_eq!(attribute(template, "availabilityTimeComplete"), offset.map(|_| "false"));
    }
}

#[test]
fn the_duration_is_exact_in_the_timescale_of_the_template() {
    let (pal, ntsc) = (|| video(720, 25, 1), || video(360, 30000, 1001));
    for (tracks, segment, timescale, duration) in [
        (vec![pal()], 2000, "25000", "50000"),
        (vec![audio("en", 44_100)], 2000, "44100", "88200"),
        // 88288.2 ticks of 44.1 kHz.
        (vec![audio("en", 44_100)], 2002, "220500", "441441"),
        // Rungs of one set have one timescale, in which the ticks of both are whole.
        (vec![pal(), ntsc()], 2000, "150000", "300000"),
        (vec![audio("en", 48_000)], 1001, "48000", "48048"),
    ] {
        let grid = grid(segment, 400);
        let published: Vec<_> =
            tracks.into_iter().map(|made| Published::new(made, grid, NOW, NOW + 3)).collect();
        let mpd = mpd(&published, grid);
        for template in elements(&mpd, "SegmentTemplate ") {
            assert_eq!(attribute(template, "timescale"), Some(timescale), "{segment} ms");
            assert_eq!(attribute(template, "duration"), Some(duration), "{segment} ms");
        }
    }
}

/// Where the ticks of the track would be too fine for a player to count, others will do.
#[test]
fn odd_durations_have_a_timescale_too() {
    for (nanos, timescale, duration) in [
        (2_000_001_000, "1000000", "2000001"),
        (2_000_000_500, "2000000", "4000001"),
        (2_000_000_001, "1000000000", "2000000001"),
    ] {
        let grid = Grid { segment: Duration::from_nanos(nanos), part: Duration::from_millis(400) };
        let mpd = mpd(&[Published::new(audio("en", 48_000), grid, 1000, 1003)], grid);
        let template = elements(&mpd, "SegmentTemplate ")[0];
        assert_eq!(attribute(template, "timescale"), Some(timescale), "{nanos} ns");
        assert_eq!(attribute(template, "duration"), Some(duration), "{nanos} ns");
    }
}

#[test]
fn the_newest_segment_of_which_it_is_known_tells_when_it_was_captured() {
    let made = video(720, 25, 1);
    let newest = |last: i64| {
        let known =
            move |segment: &Segment| if segment.number <= last { segment.number * 2_000_000 - 1 } else { 0 };
        mpd(&[Published::new(made.clone(), TWO_SECONDS, NOW, NOW + 4).captured(known)], TWO_SECONDS)
    };
    for last in [NOW + 3, NOW + 1] {
        let mpd = newest(last);
        let time = elements(&mpd, "ProducerReferenceTime ")[0];
        let captured =
            chrono::DateTime::parse_from_rfc3339(attribute(time, "wallClockTime").unwrap()).unwrap();
        assert_eq!(captured.timestamp_micros(), last * 2_000_000 - 1);
        assert_eq!(number(time, "presentationTime"), last * 50_000);
        assert_eq!(attribute(time, "inband"), Some("true"));
        assert_eq!(attribute(time, "type"), Some("captured"));
        let timing = elements(&mpd, "UTCTiming ");
        assert_eq!((timing.len(), timing[0]), (2, timing[1]));
    }
    let unknown = newest(0);
    assert!(!unknown.contains("ProducerReferenceTime") && !unknown.contains("referenceId"));
}

/// Media that is published well after it was captured, at the time that it has.
#[test]
fn latency_from_the_presentations_own_time_refers_to_no_capture() {
    let published = Published::new(video(720, 25, 1), TWO_SECONDS, NOW, NOW + 4);
    let published = [published.captured(|segment| segment.number * 2_000_000 - 3_000_000)];
    let low_latency = LowLatency { part: TWO_SECONDS.part, part_target: PART_TARGET, from_capture: false };
    let mpd = render(&published, TWO_SECONDS, Some(low_latency));
    assert!(!mpd.contains("ProducerReferenceTime") && !mpd.contains("referenceId"), "{mpd}");
    assert_eq!(attribute(elements(&mpd, "Latency ")[0], "target"), Some("1800"));
}

#[test]
fn the_latency_refers_to_a_reference_time_that_there_is() {
    for knows in [["720p", "audio-en"], ["audio-en", "none"], ["360p", "none"]] {
        let tracks = [video(720, 25, 1), video(360, 25, 1), audio("en", 48_000)].map(|made| {
            let known = knows.contains(&&*made.track.name);
            let captured = move |segment: &Segment| if known { segment.number * 2_000_000 } else { 0 };
            Published::new(made, TWO_SECONDS, NOW, NOW + 3).captured(captured)
        });
        let mpd = mpd(&tracks, TWO_SECONDS);
        let latency = elements(&mpd, "Latency ")[0];
        let mut ids: Vec<_> =
            elements(&mpd, "ProducerReferenceTime ").iter().map(|time| attribute(time, "id")).collect();
        assert!(ids.contains(&attribute(latency, "referenceId")), "{mpd}");
        assert!(!ids.contains(&Some("0")));
        ids.dedup();
        assert_eq!(ids.len(), knows.iter().filter(|name| **name != "none").count());
        assert_eq!(attribute(latency, "target"), Some("1800"));
    }
}

/// Presentation time of a reference is in the ticks of the set's templates, whatever those of the track are.
#[test]
fn reference_times_and_templates_have_the_same_ticks() {
    let tracks = [video(720, 25, 1), video(360, 30000, 1001)].map(|made| {
        let captured = |segment: &Segment| segment.number * 2_000_000;
        Published::new(made, TWO_SECONDS, NOW, NOW + 3).captured(captured)
    });
    let mpd = mpd(&tracks, TWO_SECONDS);
    let time = elements(&mpd, "ProducerReferenceTime ")[0];
    assert_eq!(number(time, "presentationTime"), (NOW + 2) * 300_000);
}

#[test]
fn no_chunk_is_longer_than_resync_points_are_apart() {
    for presentation in low_latency() {
        let mpd = presentation.mpd();
        let templates = representations(&mpd);
        for resync in elements(&mpd, "Resync ") {
            let longest = number(resync, "dT");
            assert!(longest > 0);
            let sets: Vec<_> = mpd.split(resync).skip(1).collect();
            let template = elements(sets[0], "SegmentTemplate ")[0];
            let (hz, target) = (number(template, "timescale"), presentation.part_target());
            let exact = target.as_nanos() as i128 * i128::from(hz);
            assert_eq!(i128::from(longest), -(-exact).div_euclid(1_000_000_000));
        }
        let sets = elements(&mpd, "AdaptationSet ").len();
        assert_eq!(elements(&mpd, "Resync ").len(), sets);
        assert!(templates.len() >= sets);
    }
}

#[test]
fn little_is_buffered_and_the_delay_is_the_target() {
    let published = [Published::new(video(720, 25, 1), TWO_SECONDS, NOW, NOW + 3)];
    let low = mpd(&published, TWO_SECONDS);
    let root = elements(&low, "MPD ")[0];
    assert_eq!(attribute(root, "minBufferTime"), Some("PT0.405334S"));
    assert_eq!(attribute(root, "minimumUpdatePeriod"), Some("PT2S"));
    // shaka would stay behind by it and by the target of the ServiceDescription together.
    assert_eq!(attribute(root, "suggestedPresentationDelay"), None);
    assert_eq!(attribute(root, "timeShiftBufferDepth"), Some("PT60S"));
}

#[test]
fn without_low_latency_what_is_being_made_changes_nothing() {
    let published = || Published::new(video(720, 25, 1), TWO_SECONDS, NOW, NOW + 3);
    let plain = render(&[published()], TWO_SECONDS, None);
    let captured = published().captured(|segment| segment.number).opened(NOW + 3, 2, NOW + 3);
    assert_eq!(render(&[captured], TWO_SECONDS, None), plain);
    assert!(plain.contains("<SegmentTimeline>") && !plain.contains("availabilityTime"));
}

#[test]
fn a_period_begins_with_the_first_part_of_its_first_segment() {
    let published =
        |parts| Published::new(video(720, 25, 1), TWO_SECONDS, NOW, NOW + 3).opened(NOW + 3, parts, NOW + 3);
    let before = mpd(&[published(0)], TWO_SECONDS);
    assert_eq!(elements(&before, "Period ").len(), 1);
    let after = mpd(&[published(1)], TWO_SECONDS);
    let found = representations(&after);
    assert_eq!(found.len(), 2);
    let (period, _, template, reference) = found[1];
    assert_eq!(attribute(period, "id"), Some(&*format!("p{}", NOW + 3)));
    assert_eq!(number(template, "startNumber"), NOW + 3);
    assert_eq!(number(template, "presentationTimeOffset"), (NOW + 3) * 50_000);
    assert_eq!(attribute(template, "initialization"), Some(&*format!("720p/init-{}-720p.mp4", NOW + 3)));
    assert_eq!(reference, None);
}

#[test]
fn a_period_waits_for_its_last_track() {
    let video = || Published::new(video(720, 25, 1), TWO_SECONDS, NOW, NOW + 3).opened(NOW + 3, 2, NOW + 3);
    let audio = || Published::new(audio("en", 48_000), TWO_SECONDS, NOW, NOW + 3);
    let without = mpd(&[video(), audio()], TWO_SECONDS);
    assert_eq!(elements(&without, "Period ").len(), 1);
    assert_eq!(elements(&without, "AdaptationSet ").len(), 2);
    // The sound goes on as it was, or changes as well.
    for first in [0, NOW + 3] {
        let with = mpd(&[video(), audio().opened(NOW + 3, 1, first)], TWO_SECONDS);
        assert_eq!(elements(&with, "Period ").len(), 2);
        assert_eq!(elements(&with, "AdaptationSet ").len(), 4);
    }
}

#[test]
fn a_period_keeps_what_it_said_when_its_first_segment_is_complete_and_when_that_has_left() {
    let made = video(720, 25, 1);
    let new = era(NOW + 3, &format!("{}-720p", NOW + 3));
    let period = |from: i64, to: i64| {
        let mut published = Published::new(made.clone(), TWO_SECONDS, NOW, NOW + 3).opened(to, 2, NOW + 3);
        let segments = made.segments(TWO_SECONDS, NOW + 3, to, &new);
        let old = published.window.segments().iter().cloned();
        let all: Vec<_> = old.chain(segments).filter(|segment| segment.number >= from).collect();
        published.window = made.window(Duration::from_secs(60), all);
        let mpd = mpd(&[published], TWO_SECONDS);
        let (period, _, template, _) = *representations(&mpd).last().unwrap();
        [period.to_owned(), template.to_owned()]
    };
    let begun = period(NOW, NOW + 3);
    assert_eq!(period(NOW, NOW + 4), begun);
    assert_eq!(period(NOW + 5, NOW + 9), begun);
}
