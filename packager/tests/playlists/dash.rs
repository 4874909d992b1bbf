//! MPDs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use headwater_packager::{time::Ticks, window::Segment};

use super::presentations::{Presentation, all};
use crate::made::NOW;

pub fn attribute<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// Start and duration of all `S` elements with their repetitions, in order, of the representation `id`, period after
/// period, each with the number that `$Number$` stands for. Our writer gives each element a line.
fn entries(mpd: &str, id: &str) -> Vec<(i64, Ticks, Ticks)> {
    let (mut own, mut number, mut next) = (false, 0, 0);
    let mut entries = Vec::new();
    for line in mpd.lines().map(str::trim) {
        if line.starts_with("<Representation ") {
            own = attribute(line, "id") == Some(id);
        } else if line.starts_with("<SegmentTemplate ") && own {
            number = attribute(line, "startNumber").unwrap().parse().unwrap();
        } else if line.starts_with("<S ") && own {
            let read = |name| attribute(line, name).map(|value| value.parse::<i64>().unwrap());
            next = read("t").unwrap_or(next);
            for _ in 0..=read("r").unwrap_or(0) {
                entries.push((number, next, read("d").unwrap()));
                next += read("d").unwrap();
                number += 1;
            }
        }
    }
    entries
}

/// Id, start in seconds and, of the first track, the tick that is presented at it, of all periods.
fn periods(mpd: &str) -> Vec<(String, f64, Ticks)> {
    let value = |line: &str, name| attribute(line, name).unwrap().to_owned();
    let mut periods: Vec<(String, f64, Option<Ticks>)> = Vec::new();
    for line in mpd.lines().map(str::trim) {
        if line.starts_with("<Period ") {
            let start = value(line, "start");
            let start = start.trim_start_matches("PT").trim_end_matches('S').parse().unwrap();
            periods.push((value(line, "id"), start, None));
        } else if line.starts_with("<SegmentTemplate ") {
            let offset = attribute(line, "presentationTimeOffset").map_or(0, |ticks| ticks.parse().unwrap());
            periods.last_mut().unwrap().2.get_or_insert(offset);
        }
    }
    periods.into_iter().map(|(id, start, offset)| (id, start, offset.unwrap())).collect()
}

fn named(name: &str) -> Presentation {
    all().into_iter().find(|presentation| presentation.name == name).unwrap()
}

#[test]
fn descriptions_are_as_they_were() {
    for presentation in all() {
        insta::assert_snapshot!(format!("{}_mpd", presentation.name), presentation.mpd());
    }
}

#[test]
fn every_segment_is_at_its_ticks_under_its_number() {
    for presentation in all().into_iter().filter(|presentation| presentation.open.is_empty()) {
        let mpd = presentation.mpd();
        for (made, window) in &presentation.tracks {
            let listed = |segment: &Segment| (segment.number, segment.start, segment.duration);
            let expected: Vec<_> = window.segments().iter().map(listed).collect();
            assert_eq!(entries(&mpd, &made.track.name), expected, "{}", presentation.name);
        }
    }
}

#[test]
fn a_period_keeps_its_id_and_start_when_its_first_segment_has_left() {
    let tick = |number: i64| number * 50_000;
    let period = |number: i64| (format!("p{number}"), number as f64 * 2.0, tick(number));
    let both = periods(&named("discontinuity").mpd());
    assert_eq!(both, [period(NOW + 2), period(NOW + 4)]);
    let slid = periods(&named("discontinuity_slid").mpd());
    assert_eq!(slid, [period(NOW + 4)]);
    assert_eq!(periods(&named("live").mpd()), [period(0)]);
}

#[test]
fn what_has_ended_begins_at_zero() {
    let ended = periods(&named("live_ended").mpd());
    assert_eq!(ended, [("p0".into(), 0.0, (NOW + 1) * 50_000)]);
    let ended = periods(&named("discontinuity_ended").mpd());
    assert_eq!(ended[0].1, 0.0);
    assert_eq!(ended[1], (format!("p{}", NOW + 4), 4.0, (NOW + 4) * 50_000));
}

#[test]
fn a_stretch_has_the_same_times_while_it_grows_and_when_it_is_complete() {
    let growing = named("stretch_growing").mpd();
    let complete = named("stretch_recorded").mpd();
    let times =
        |mpd: &str| -> Vec<_> { periods(mpd).into_iter().map(|(id, start, _)| (id, start)).collect() };
    assert_eq!(times(&growing), [("p0".to_owned(), 0.0), (format!("p{}", NOW + 4), 8.0)]);
    let begin = periods(&complete)[1].1;
    assert!((begin - 8.0).abs() < 0.034, "less than a frame from {begin} to 8");
    assert!(growing.contains("availabilityStartTime=\"2023-11-14T22:13:20.000Z\""), "{growing}");
    assert!(!growing.contains("timeShiftBufferDepth"), "{growing}");
}

#[test]
fn no_segment_is_longer_than_the_longest() {
    for presentation in all() {
        let mpd = presentation.mpd();
        let limit: f64 = attribute(&mpd, "maxSegmentDuration")
            .and_then(|value| value.strip_prefix("PT")?.strip_suffix('S')?.parse().ok())
            .unwrap();
        for (_, window) in &presentation.tracks {
            let seconds = |segment: &Segment| window.timescale().seconds(segment.duration);
            assert!(window.segments().iter().map(seconds).all(|seconds| seconds <= limit));
        }
        assert_eq!(mpd.contains("type=\"dynamic\""), presentation.kind.goes_on());
    }
}

#[test]
fn in_a_store_the_time_is_told_by_the_date_of_the_mpd_itself() {
    let presentation = named("live");
    let timing = |mpd: &str| {
        let line =
            mpd.lines().find(|line| line.contains("<UTCTiming")).expect("it tells the time").to_owned();
        line.trim().to_owned()
    };
    assert!(timing(&presentation.mpd()).contains("value=\"/time\""));
    let stored = timing(&presentation.stored_mpd());
    assert!(stored.contains("utc:http-head:2014") && stored.contains("value=\"manifest.mpd\""), "{stored}");
}

/// What is shared between the projects' machines, and not in the repository.
fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = env::var_os("HEADWATER_SHARED").map_or(root, PathBuf::from);
    shared.join("schemas/DASH-MPD.xsd").exists().then_some(shared)
}

#[test]
fn the_schema_of_mpeg_has_no_objection() {
    let Some(shared) = shared() else {
        eprintln!(
            "SKIPPED: no MPD was validated: ../shared/schemas is absent and HEADWATER_SHARED is not set"
        );
        return;
    };
    let schemas = shared.join("schemas");
    let directory = env::temp_dir().join(format!("headwater-mpd-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let write = |presentation: Presentation| {
        let path = directory.join(format!("{}.mpd", presentation.name));
        fs::write(&path, presentation.mpd()).unwrap();
        path
    };
    let paths: Vec<_> = all().into_iter().map(write).collect();
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schemas.join("DASH-MPD.xsd"))
        .args(&paths)
        .env("XML_CATALOG_FILES", schemas.join("catalog.xml"))
        .output()
        .expect("xmllint (libxml2-utils) is installed");
    fs::remove_dir_all(&directory).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors.matches(" validates").count(), paths.len(), "{errors}");
}
