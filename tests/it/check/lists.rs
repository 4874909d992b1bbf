//! The documents of the presentation, written here and not by the packager: two hands make two kinds of mistakes.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    fault::Fault,
    stream::{self, NANOS, Name, Part, now},
};

/// So many segments are listed.
const WINDOW: i64 = 12;
/// So many of them with their parts.
const WITH_PARTS: i64 = 3;

/// How far a rendition is: whole segments below `number`, and so many parts of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) number: i64,
    pub(super) parts: usize,
}

/// When a part is published, in nanoseconds of Unix time: with its last sample.
pub(super) fn published(fault: Fault, name: Name, number: i64, part: usize) -> i64 {
    let parts = stream::segment(fault.flaw(), name, number);
    let part = &parts[part.min(parts.len() - 1)];
    stream::unix_nanos_of(name, part.start + part.duration)
}

pub(super) fn edge(fault: Fault, name: Name, now: i64) -> Edge {
    let mut number = now / NANOS - 1;
    loop {
        let count = stream::segment(fault.flaw(), name, number).len();
        let parts = (0..count).take_while(|&part| published(fault, name, number, part) <= now).count();
        if parts < count {
            return Edge { number, parts };
        }
        number += 1;
    }
}

/// Which list is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    pub(super) low_latency: bool,
    pub(super) delta: bool,
    /// With a segment less at its end, and no more at its start.
    pub(super) short: bool,
}

pub(super) fn multivariant(low_latency: bool) -> String {
    let list = if low_latency { "index.m3u8" } else { "plain.m3u8" };
    format!(
        "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"sound/{list}\"\n\
         #EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\nhigh/{list}\n\
         #EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"a\"\nlow/{list}\n"
    )
}

fn seconds(name: Name, ticks: i64) -> String {
    format!("{:.6}", ticks as f64 / f64::from(name.timescale().hz()))
}

fn date(nanos: i64) -> String {
    let millis = (nanos + 500_000).div_euclid(1_000_000);
    DateTime::<Utc>::from_timestamp_millis(millis).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A media playlist, as it is at `edge`.
pub(super) fn media(fault: Fault, name: Name, edge: Edge, form: Form) -> String {
    let mut list = List { fault, name, edge, form, text: String::new() };
    list.write();
    list.text
}

struct List {
    fault: Fault,
    name: Name,
    edge: Edge,
    form: Form,
    text: String,
}

impl List {
    fn write(&mut self) {
        let Edge { number, parts } = self.edge;
        let first = number - self.window();
        let skipped = if self.form.delta { self.skipped() } else { 0 };
        self.head(first, skipped);
        for each in first + skipped..number {
            self.segment(each);
        }
        if self.has_parts() {
            let open = stream::segment(self.fault.flaw(), self.name, number);
            open.iter().take(parts).enumerate().for_each(|(index, part)| self.part(number, index, part));
            self.hint(parts);
            self.reports();
        }
    }

    fn window(&self) -> i64 {
        match self.fault {
            Fault::SequenceBack if self.edge.number % 2 == 0 => WINDOW + 2,
            Fault::ListShort => 2,
            _ if self.form.short => WINDOW - 1,
            _ => WINDOW,
        }
    }

    fn has_parts(&self) -> bool {
        self.form.low_latency && !(self.fault == Fault::SoundWithoutParts && self.name == Name::Sound)
    }

    /// Six seconds of what is at the end are shown.
    fn skipped(&self) -> i64 {
        match self.fault {
            Fault::DeltaSkipsLate => WINDOW - 4,
            Fault::Poor | Fault::TargetDiffers => 0,
            _ => WINDOW - 7,
        }
    }

    fn head(&mut self, first: i64, skipped: i64) {
        let target = match self.fault {
            Fault::TargetDiffers if self.name == Name::Sound => 2,
            Fault::TargetChanged => 1 + self.edge.number % 2,
            _ => 1,
        };
        let _ = write!(self.text, "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:{target}\n");
        if self.form.low_latency {
            self.control();
        }
        let _ = writeln!(self.text, "#EXT-X-MEDIA-SEQUENCE:{first}");
        if self.has_discontinuities() && self.fault != Fault::DiscontinuityLost {
            // Of every sixth number, those that left, and not the one that is still in front of the first.
            let _ = writeln!(self.text, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", (first - 1).div_euclid(6));
        }
        // The map of what is skipped goes for what is shown.
        let _ = match skipped {
            0 => writeln!(self.text, "#EXT-X-MAP:URI=\"init.mp4\""),
            _ => writeln!(self.text, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}"),
        };
    }

    fn control(&mut self) {
        let low = self.name == Name::Low;
        let control = match self.fault {
            Fault::ControlShort => "PART-HOLD-BACK=0.4,CAN-SKIP-UNTIL=5,HOLD-BACK=2.5",
            Fault::TargetDiffers => "PART-HOLD-BACK=1,CAN-SKIP-UNTIL=12,HOLD-BACK=6",
            Fault::ControlDiffers if low => "PART-HOLD-BACK=1,CAN-SKIP-UNTIL=6,HOLD-BACK=4",
            Fault::Poor => "PART-HOLD-BACK=0.5,CAN-SKIP-UNTIL=6,HOLD-BACK=3",
            _ => "PART-HOLD-BACK=1,CAN-SKIP-UNTIL=6,HOLD-BACK=3",
        };
        let target = match self.fault {
            Fault::PartsLong => "0.2",
            Fault::PartsShort => "0.3",
            _ => "0.213334",
        };
        let _ = writeln!(self.text, "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,{control}");
        if self.has_parts() {
            let _ = writeln!(self.text, "#EXT-X-PART-INF:PART-TARGET={target}");
        }
    }

    fn has_discontinuities(&self) -> bool {
        matches!(self.fault, Fault::DiscontinuityLost | Fault::None)
    }

    fn segment(&mut self, number: i64) {
        let parts = stream::segment(self.fault.flaw(), self.name, number);
        if self.has_discontinuities() && number % 6 == 0 {
            self.text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if self.fault != Fault::Poor {
            let start = stream::unix_nanos_of(self.name, parts[0].start) + self.off(number);
            let _ = writeln!(self.text, "#EXT-X-PROGRAM-DATE-TIME:{}", date(start));
        }
        if self.has_parts() && number >= self.edge.number - WITH_PARTS {
            parts.iter().enumerate().for_each(|(index, part)| self.part(number, index, part));
        }
        let duration = seconds(self.name, parts.iter().map(|part| part.duration).sum());
        let duration = match self.fault {
            Fault::DurationRounded if self.name != Name::Sound => "0.999000".to_owned(),
            Fault::DeltaOther if self.form.delta && number == self.edge.number - 2 => "0.900000".to_owned(),
            _ => duration,
        };
        let query = match self.fault {
            Fault::NumberRenamed => format!("?list={}", self.edge.number),
            Fault::Poor => "?hls".to_owned(),
            _ => String::new(),
        };
        let _ = writeln!(self.text, "#EXTINF:{duration},\n{number}.m4s{query}");
    }

    /// How far a date is off.
    fn off(&self, number: i64) -> i64 {
        match self.fault {
            Fault::DatesAhead => 9 * NANOS,
            Fault::DatesJump => number % 2 * 100_000_000,
            Fault::DatesMove => self.edge.number % 2 * 50_000_000,
            _ => 0,
        }
    }

    fn part(&mut self, number: i64, index: usize, part: &Part) {
        let duration = seconds(self.name, part.duration);
        let independent = part.independent || self.fault == Fault::IndependentUntrue;
        let independent = if independent { ",INDEPENDENT=YES" } else { "" };
        let _ =
            writeln!(self.text, "#EXT-X-PART:DURATION={duration},URI=\"{number}.{index}.m4s\"{independent}");
    }

    fn hint(&mut self, parts: usize) {
        let number = self.edge.number;
        let index = if self.fault == Fault::HintsOther { parts + 1 } else { parts };
        if self.fault != Fault::Poor {
            let _ = writeln!(self.text, "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{number}.{index}.m4s\"");
        }
    }

    fn reports(&mut self) {
        if self.fault == Fault::ReportsAbsent {
            return;
        }
        for other in Name::ALL.into_iter().filter(|other| *other != self.name) {
            let Edge { number, parts } = edge(self.fault, other, now());
            let (last, part) = match parts.checked_sub(1) {
                Some(part) => (number, part),
                None => (number - 1, stream::segment(self.fault.flaw(), other, number - 1).len() - 1),
            };
            let last = if self.fault == Fault::ReportsStale { last - 3 } else { last };
            let path = other.path();
            let _ = writeln!(
                self.text,
                "#EXT-X-RENDITION-REPORT:URI=\"../{path}/index.m3u8\",LAST-MSN={last},LAST-PART={part}"
            );
        }
    }
}

/// The MPD as it is now. What changes in it wrongly does so with every second.
pub(super) fn mpd(fault: Fault, timeline: bool) -> String {
    let now = now();
    let odd = now / NANOS % 2 == 1;
    let (start, period) = match fault {
        Fault::StartChanged if odd => ("1969-12-31T23:59:59.500Z", "PT0.5S"),
        _ => ("1970-01-01T00:00:00Z", "PT0S"),
    };
    let published =
        date(now / NANOS * NANOS - if fault == Fault::PublishedBack && odd { 5 * NANOS } else { 0 });
    let service = "<ServiceDescription id=\"0\"><Latency target=\"1000\"/><PlaybackRate min=\"0.96\" max=\"1.04\"/></ServiceDescription>";
    let clock = "<UTCTiming schemeIdUri=\"urn:mpeg:dash:utc:http-iso:2014\" value=\"/time\"/>";
    let poor = fault == Fault::Poor;
    let (service, clock) = if poor { ("", "") } else { (service, clock) };
    let representations: String =
        Name::ALL.iter().map(|&name| set(fault, name, timeline, now, odd)).collect();
    format!(
        "<?xml version=\"1.0\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"dynamic\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" availabilityStartTime=\"{start}\" publishTime=\"{published}\" \
         minimumUpdatePeriod=\"PT1S\" timeShiftBufferDepth=\"PT10S\" minBufferTime=\"PT1S\">{service}\
         <Period id=\"1\" start=\"{period}\">{representations}</Period>{clock}</MPD>\n"
    )
}

/// A set for each kind of media, with both pictures in one.
fn set(fault: Fault, name: Name, timeline: bool, now: i64, odd: bool) -> String {
    let one = |name: Name| {
        let template = if timeline { by_timeline(fault, name, odd) } else { by_number(fault, name) };
        format!("<Representation id=\"{}\" bandwidth=\"1\">{template}</Representation>", name.path())
    };
    let (representations, mime) = match name {
        Name::High => (one(Name::High) + &one(Name::Low), "video/mp4"),
        Name::Low => return String::new(),
        Name::Sound => (one(Name::Sound), "audio/mp4"),
    };
    let wall_clock = now / NANOS + if fault == Fault::ReferenceOff { 2 } else { 0 };
    let reference = format!(
        "<ProducerReferenceTime id=\"0\" inband=\"true\" type=\"captured\" wallClockTime=\"{}\" presentationTime=\"{}\"/>",
        date(wall_clock * NANOS),
        now / NANOS * i64::from(name.timescale().hz())
    );
    let low_latency = match (timeline, fault) {
        (true, _) => String::new(),
        (_, Fault::Poor) => reference,
        _ => reference + "<Resync type=\"0\" dT=\"5000\"/>",
    };
    format!("<AdaptationSet mimeType=\"{mime}\">{low_latency}{representations}</AdaptationSet>")
}

fn by_number(fault: Fault, name: Name) -> String {
    let (path, hz) = (name.path(), name.timescale().hz());
    let offset = if fault == Fault::TimeOffMedia { hz } else { 0 };
    format!(
        "<SegmentTemplate timescale=\"{hz}\" duration=\"{hz}\" startNumber=\"0\" presentationTimeOffset=\"{offset}\" \
         availabilityTimeOffset=\"0.8\" availabilityTimeComplete=\"false\" initialization=\"{path}/init.mp4\" \
         media=\"{path}/$Number$.m4s\"/>"
    )
}

fn by_timeline(fault: Fault, name: Name, odd: bool) -> String {
    let (path, hz) = (name.path(), name.timescale().hz());
    let to = edge(fault, name, now()).number;
    let from = to - WINDOW;
    let query = if fault == Fault::TimeRenamed && odd { "?again" } else { "" };
    let mut lines = String::new();
    for number in from..to {
        let parts = stream::segment(fault.flaw(), name, number);
        let start = parts[0].start + i64::from(fault == Fault::TimeOffMedia);
        let duration: i64 = parts.iter().map(|part| part.duration).sum();
        let _ = write!(lines, "<S t=\"{start}\" d=\"{duration}\"/>");
    }
    format!(
        "<SegmentTemplate timescale=\"{hz}\" startNumber=\"{from}\" initialization=\"{path}/init.mp4\" \
         media=\"{path}/$Number$.m4s{query}\"><SegmentTimeline>{lines}</SegmentTimeline></SegmentTemplate>"
    )
}
