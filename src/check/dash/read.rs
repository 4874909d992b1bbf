//! Reads an MPD.

use std::{collections::BTreeMap, str::FromStr};

use reqwest::Url;
use roxmltree::{Document, Node, ParsingOptions};

use super::{Clock, Entry, Error, Mpd, ReferenceTime, Representation, Segments, Template};
use crate::check::exact::{Date, NANOS, duration};

/// So many elements are read, and so many segments of one timeline: an MPD with more is no player's.
const MOST_NODES: u32 = 200_000;
const MOST_SEGMENTS: usize = 100_000;

/// Reads an MPD that came from `url`.
pub(in crate::check) fn read(text: &str, url: &Url) -> Result<Mpd, Error> {
    let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document =
        Document::parse_with_options(text, options).map_err(|error| Error::Xml(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "MPD" {
        return Err(Error::Root(root.tag_name().name().to_owned()));
    }
    let is_dynamic = root.attribute("type") == Some("dynamic");
    let start = date(root, "availabilityStartTime")?.map(Date::nanos);
    if is_dynamic && start.is_none() {
        return Err(Error::NoStart);
    }
    let level = Level::default().enter(root, url)?;
    Ok(Mpd {
        is_dynamic,
        start: start.unwrap_or(0),
        published: date(root, "publishTime")?,
        update_period: span(root, "minimumUpdatePeriod")?,
        time_shift: span(root, "timeShiftBufferDepth")?,
        has_service_description: children(root, "ServiceDescription").next().is_some(),
        clocks: children(root, "UTCTiming").map(|node| clock(node, url)).collect(),
        representations: periods(root, &level, url)?,
    })
}

fn clock(node: Node<'_, '_>, url: &Url) -> Clock {
    let text = |name| node.attribute(name).unwrap_or_default().to_owned();
    Clock { scheme: text("schemeIdUri"), value: text("value"), base: url.clone() }
}

fn periods(root: Node<'_, '_>, level: &Level, url: &Url) -> Result<Vec<Representation>, Error> {
    let mut list = Vec::new();
    let mut next_start = 0;
    for (index, period) in children(root, "Period").enumerate() {
        let level = level.clone().enter(period, url)?;
        let start = span(period, "start")?.unwrap_or(next_start);
        let duration = span(period, "duration")?;
        next_start = start + duration.unwrap_or(0);
        let name = period.attribute("id").map_or_else(|| index.to_string(), str::to_owned);
        for (set, node) in children(period, "AdaptationSet").enumerate() {
            let level = level.clone().enter(node, url)?;
            for representation in children(node, "Representation") {
                let level = level.clone().enter(representation, url)?;
                let mut read = level.representation(representation, url)?;
                (read.period, read.period_start, read.period_duration) = (name.clone(), start, duration);
                read.set = set;
                list.push(read);
            }
        }
    }
    Ok(list)
}

/// What elements pass on to those in them.
#[derive(Clone, Default)]
struct Level {
    base: Option<Url>,
    early: i64,
    complete: Option<bool>,
    reference_times: Vec<ReferenceTime>,
    has_resync: bool,
    has_template: bool,
    attributes: BTreeMap<String, String>,
    timeline: Option<Vec<Line>>,
}

/// An S element.
#[derive(Clone, Copy)]
struct Line {
    time: Option<i64>,
    duration: i64,
    repeat: i64,
}

impl Level {
    fn enter(mut self, node: Node<'_, '_>, url: &Url) -> Result<Self, Error> {
        if let Some(base) = children(node, "BaseURL").next() {
            let text = base.text().unwrap_or_default().trim();
            self.base = self.base.as_ref().unwrap_or(url).join(text).ok().or(self.base);
            self.availability(base)?;
        }
        for each in children(node, "ProducerReferenceTime") {
            self.reference_times.extend(reference_time(each)?);
        }
        self.has_resync |= children(node, "Resync").next().is_some();
        if let Some(template) = children(node, "SegmentTemplate").next() {
            self.has_template = true;
            self.availability(template)?;
            let own = template.attributes().map(|each| (each.name().to_owned(), each.value().to_owned()));
            self.attributes.extend(own);
            if let Some(timeline) = children(template, "SegmentTimeline").next() {
                self.timeline = Some(children(timeline, "S").map(line).collect::<Result<_, _>>()?);
            }
        }
        Ok(self)
    }

    fn availability(&mut self, node: Node<'_, '_>) -> Result<(), Error> {
        let early = match node.attribute("availabilityTimeOffset") {
            Some("INF") => i64::MAX,
            Some(_) => {
                number::<f64>(node, "availabilityTimeOffset")?.map_or(0, |s| (s * NANOS as f64) as i64)
            }
            None => 0,
        };
        self.early = self.early.saturating_add(early);
        let complete = node.attribute("availabilityTimeComplete").map(|text| text != "false" && text != "0");
        self.complete = complete.or(self.complete);
        Ok(())
    }

    fn representation(&self, node: Node<'_, '_>, url: &Url) -> Result<Representation, Error> {
        Ok(Representation {
            period: String::new(),
            period_start: 0,
            period_duration: None,
            set: 0,
            id: node.attribute("id").unwrap_or_default().to_owned(),
            bandwidth: number(node, "bandwidth")?.unwrap_or(0),
            base: self.base.clone().unwrap_or_else(|| url.clone()),
            early: self.early,
            complete: self.complete.unwrap_or(true),
            reference_times: self.reference_times.clone(),
            has_resync: self.has_resync,
            template: if self.has_template { self.template()? } else { None },
        })
    }

    fn template(&self) -> Result<Option<Template>, Error> {
        let Some(media) = self.attributes.get("media").cloned() else { return Ok(None) };
        let first_number = self.value("startNumber")?.unwrap_or(1);
        let segments = match (&self.timeline, self.value("duration")?) {
            (Some(lines), _) => Segments::Timeline(expand(lines, first_number)),
            (None, Some(ticks)) if ticks > 0 => Segments::Every(ticks),
            _ => return Ok(None),
        };
        Ok(Some(Template {
            timescale: self.value("timescale")?.unwrap_or(1).max(1),
            offset: self.value("presentationTimeOffset")?.unwrap_or(0),
            first_number,
            init: self.attributes.get("initialization").cloned(),
            media,
            segments,
        }))
    }

    fn value<T: FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        self.attributes.get(name).map(|text| parsed("SegmentTemplate", name, text)).transpose()
    }
}

fn line(node: Node<'_, '_>) -> Result<Line, Error> {
    let duration = number(node, "d")?.ok_or_else(|| wrong("S", "d", ""))?;
    Ok(Line { time: number(node, "t")?, duration, repeat: number(node, "r")?.unwrap_or(0) })
}

/// Each segment of a timeline. A last one that repeats for ever (`@r` below zero) is taken once, as its end follows
/// from nothing in here.
fn expand(lines: &[Line], first_number: u64) -> Vec<Entry> {
    let mut list = Vec::new();
    let mut at = 0;
    for (index, line) in lines.iter().enumerate() {
        at = line.time.unwrap_or(at);
        let until = lines.get(index + 1).and_then(|next| next.time);
        let count = match (line.repeat, until) {
            (0.., _) => line.repeat + 1,
            (_, Some(until)) => (until - at) / line.duration.max(1),
            (_, None) => 1,
        };
        for _ in 0..count {
            if list.len() == MOST_SEGMENTS {
                return list;
            }
            let number = first_number + list.len() as u64;
            list.push(Entry { number, time: at, duration: line.duration });
            at = at.saturating_add(line.duration);
        }
    }
    list
}

fn reference_time(node: Node<'_, '_>) -> Result<Option<ReferenceTime>, Error> {
    // A date, or for other schemes than ISO 8601 something that is not read here.
    let wall_clock = node.attribute("wallClockTime").and_then(Date::parse);
    let presentation_time = number(node, "presentationTime")?;
    let inband = node.attribute("inband") == Some("true");
    Ok(wall_clock.zip(presentation_time).map(|(wall_clock, presentation_time)| ReferenceTime {
        inband,
        wall_clock: wall_clock.nanos(),
        presentation_time,
    }))
}

fn children<'a, 'i: 'a>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn wrong(element: &str, attribute: &str, value: &str) -> Error {
    Error::Attribute { element: element.to_owned(), attribute: attribute.to_owned(), value: value.to_owned() }
}

fn parsed<T: FromStr>(element: &str, attribute: &str, text: &str) -> Result<T, Error> {
    text.trim().parse().map_err(|_| wrong(element, attribute, text))
}

fn number<T: FromStr>(node: Node<'_, '_>, name: &str) -> Result<Option<T>, Error> {
    node.attribute(name).map(|text| parsed(node.tag_name().name(), name, text)).transpose()
}

fn date(node: Node<'_, '_>, name: &str) -> Result<Option<Date>, Error> {
    let read = |text| Date::parse(text).ok_or_else(|| wrong(node.tag_name().name(), name, text));
    node.attribute(name).map(read).transpose()
}

fn span(node: Node<'_, '_>, name: &str) -> Result<Option<i64>, Error> {
    let read = |text| duration(text).ok_or_else(|| wrong(node.tag_name().name(), name, text));
    node.attribute(name).map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("http://host/live/demo/manifest.mpd").unwrap()
    }

    const LIVE: &str = r#"<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" availabilityStartTime="1970-01-01T00:00:00Z"
  publishTime="2026-01-01T00:00:00.5Z" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT1M">
  <ServiceDescription id="0"/>
  <Period id="p1" start="PT10S"><AdaptationSet>
    <ProducerReferenceTime id="0" inband="true" type="captured" wallClockTime="1970-01-01T00:00:12Z" presentationTime="12000"/>
    <Resync type="2"/>
    <SegmentTemplate timescale="1000" media="$RepresentationID$/$Number$.m4s" duration="2000" startNumber="5"
      presentationTimeOffset="10000" availabilityTimeOffset="1.6" availabilityTimeComplete="false"/>
    <Representation id="a" bandwidth="7"><SegmentTemplate initialization="a/init.mp4"/></Representation>
  </AdaptationSet></Period>
  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/time"/>
</MPD>"#;

    #[test]
    fn a_low_latency_mpd_is_read_with_all_that_is_inherited() {
        let mpd = read(LIVE, &url()).unwrap();
        assert!(mpd.is_dynamic && mpd.has_service_description);
        assert_eq!((mpd.start, mpd.update_period, mpd.time_shift), (0, Some(2 * NANOS), Some(60 * NANOS)));
        assert_eq!(mpd.clocks[0].value, "/time");
        let each = &mpd.representations[0];
        assert_eq!((each.period.as_str(), each.period_start, each.early), ("p1", 10 * NANOS, 1_600_000_000));
        assert!(!each.complete && each.has_resync && each.reference_times[0].inband);
        let template = each.template.as_ref().unwrap();
        let entry = template.numbered(6).unwrap();
        assert_eq!(entry.time, 12_000);
        assert_eq!(each.media_url(&entry).unwrap().as_str(), "http://host/live/demo/a/6.m4s");
        assert_eq!(each.init_url().unwrap().as_str(), "http://host/live/demo/a/init.mp4");
    }

    #[test]
    fn a_timeline_is_counted_out() {
        let lines = r#"<S t="100" d="10" r="1"/><S d="5" r="-1"/><S t="135" d="7"/>"#;
        let text = format!(
            r#"<MPD type="static"><BaseURL>http://cdn/x/</BaseURL><Period><AdaptationSet><Representation id="v">
            <SegmentTemplate media="$Time$.m4s" startNumber="3"><SegmentTimeline>{lines}</SegmentTimeline></SegmentTemplate>
            </Representation></AdaptationSet></Period></MPD>"#
        );
        let mpd = read(&text, &url()).unwrap();
        let each = &mpd.representations[0];
        let Segments::Timeline(entries) = &each.template.as_ref().unwrap().segments else {
            panic!("no timeline")
        };
        let told: Vec<_> = entries.iter().map(|each| (each.number, each.time, each.duration)).collect();
        assert_eq!(told, [(3, 100, 10), (4, 110, 10), (5, 120, 5), (6, 125, 5), (7, 130, 5), (8, 135, 7)]);
        assert_eq!(each.media_url(&entries[0]).unwrap().as_str(), "http://cdn/x/100.m4s");
    }

    #[test]
    fn what_is_no_mpd_is_refused_in_words() {
        for (text, message) in [
            ("<MPD", "it is no XML"),
            ("<html/>", "its root is html"),
            ("<MPD type=\"dynamic\"/>", "a dynamic MPD has no availabilityStartTime"),
            ("<MPD minimumUpdatePeriod=\"2\"/>", "MPD@minimumUpdatePeriod is \"2\""),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><MPD/>", "it is no XML"),
        ] {
            let error = read(text, &url()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
