//! Reads a media playlist line by line (rfc8216bis 4.4).

use super::{
    Control, Error, Hint, Part, Playlist, Range, Report, Resource, Segment,
    attributes::{Attributes, byte_range},
};
use crate::check::exact::{Date, Seconds};

/// Reads a media playlist.
pub(in crate::check) fn read(bytes: &[u8]) -> Result<Playlist, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| Error::NotText(error.valid_up_to()))?;
    let mut lines = text.lines().enumerate();
    let first = lines.next().map_or("", |(_, line)| line).trim_end();
    if first != "#EXTM3U" {
        return Err(Error::NotAPlaylist(first.chars().take(40).collect()));
    }
    let mut reading = Reading::default();
    for (index, line) in lines {
        reading.line(line.trim_end()).map_err(|what| Error::Line { line: index + 1, what })?;
    }
    reading.finish(text.ends_with('\n'))
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    list: Playlist,
    has_target: bool,
    discontinuities: u64,
    map: Option<Resource>,
    sealed: bool,
    next: Next,
    /// Where the last byte range ended, and of what.
    ranged: Option<(String, u64)>,
}

/// What the lines before a segment's URI say of it.
#[derive(Default)]
struct Next {
    duration: Option<Seconds>,
    range: Option<Range>,
    gap: bool,
    date: Option<Date>,
    parts: Vec<Part>,
}

impl Reading {
    fn line(&mut self, line: &str) -> Result<(), String> {
        match line.strip_prefix("#EXT") {
            Some(tag) => {
                let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
                self.tag(name, value).map_err(|what| format!("(#EXT{name}) {what}"))
            }
            None if line.is_empty() || line.starts_with('#') => Ok(()),
            None => self.uri(line),
        }
    }

    fn tag(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "INF" => self.next.duration = Some(duration(value)?),
            "-X-VERSION" => self.list.version = number(value)?,
            "-X-TARGETDURATION" => {
                self.list.target = number(value)?;
                self.has_target = true;
            }
            "-X-MEDIA-SEQUENCE" => self.list.sequence = number(value)?,
            "-X-DISCONTINUITY-SEQUENCE" => {
                self.discontinuities = number(value)?;
                self.list.discontinuity_sequence = self.discontinuities;
            }
            "-X-DISCONTINUITY" => self.discontinuities += 1,
            "-X-ENDLIST" => self.list.ended = true,
            "-X-PLAYLIST-TYPE" => self.list.keeps_all = true,
            "-X-GAP" => self.next.gap = true,
            "-X-BYTERANGE" => {
                self.next.range = Some(byte_range(value, 0)?).map(|range| self.placed(value, range))
            }
            "-X-PROGRAM-DATE-TIME" => {
                self.next.date =
                    Some(Date::parse(value).ok_or_else(|| format!("has {value:?}, which is no date"))?);
            }
            "-X-KEY" => {
                let method = Attributes::read(value)?.required("METHOD")?;
                self.sealed = method.starts_with("AES-");
            }
            "-X-MAP" => self.map = Some(Attributes::read(value)?.resource(|_| 0)?),
            _ => return self.low_latency(name, value),
        }
        Ok(())
    }

    fn low_latency(&mut self, name: &str, value: &str) -> Result<(), String> {
        let list = || Attributes::read(value);
        match name {
            "-X-SERVER-CONTROL" => self.list.control = Some(control(value)?),
            "-X-PART-INF" => {
                let target = list()?.seconds("PART-TARGET")?;
                self.list.part_target = Some(target.ok_or("has no PART-TARGET")?);
            }
            "-X-PART" => self.part(&list()?)?,
            "-X-SKIP" => {
                self.list.skipped =
                    Some(list()?.number("SKIPPED-SEGMENTS")?.ok_or("has no SKIPPED-SEGMENTS")?)
            }
            "-X-PRELOAD-HINT" => self.list.hints.push(hint(&list()?)?),
            "-X-RENDITION-REPORT" => {
                let list = list()?;
                let report = Report { uri: list.required("URI")?.to_owned(), last: list.number("LAST-MSN")? };
                self.list.reports.push(report);
            }
            _ => {}
        }
        Ok(())
    }

    fn part(&mut self, list: &Attributes<'_>) -> Result<(), String> {
        let behind =
            |uri: &str| self.ranged.as_ref().filter(|(last, _)| last == uri).map_or(0, |(_, end)| *end);
        let resource = list.resource(behind)?;
        self.ranged =
            resource.range.and_then(|range| Some((resource.uri.clone(), range.offset + range.length?)));
        self.next.parts.push(Part {
            resource,
            duration: list.seconds("DURATION")?.ok_or("has no DURATION")?,
            independent: list.is_yes("INDEPENDENT"),
            gap: list.is_yes("GAP"),
        });
        Ok(())
    }

    /// A range without an offset follows the one before; which URI it is of is not known before its line.
    fn placed(&self, text: &str, range: Range) -> Range {
        let behind = self.ranged.as_ref().map_or(0, |(_, end)| *end);
        if text.contains('@') { range } else { Range { offset: behind, ..range } }
    }

    fn uri(&mut self, uri: &str) -> Result<(), String> {
        let Next { duration, range, gap, date, parts } = std::mem::take(&mut self.next);
        let duration = duration.ok_or_else(|| format!("names {uri:?} without an EXTINF before it"))?;
        self.ranged = range.and_then(|range| Some((uri.to_owned(), range.offset + range.length?)));
        self.list.segments.push(Segment {
            number: self.list.next_number(),
            resource: Resource { uri: uri.to_owned(), range },
            duration,
            discontinuities: self.discontinuities,
            gap,
            date,
            map: self.map.clone(),
            sealed: self.sealed,
            parts,
        });
        Ok(())
    }

    fn finish(mut self, terminated: bool) -> Result<Playlist, Error> {
        if !self.has_target {
            return Err(Error::NoTarget);
        }
        if self.next.duration.is_some() {
            return Err(Error::EndsInSegment);
        }
        self.list.open = self.next.parts;
        self.list.map = self.map;
        self.list.terminated = terminated;
        Ok(self.list)
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("has {text:?}, which is no whole number"))
}

fn duration(value: &str) -> Result<Seconds, String> {
    // The comma is not optional (rfc8216bis 4.4.4.1), but its absence does no harm unless the line is cut short.
    let (text, _) =
        value.split_once(',').ok_or_else(|| format!("has {value:?}, without a comma behind the duration"))?;
    Seconds::parse(text.trim()).ok_or_else(|| format!("has {text:?}, which is no duration"))
}

fn control(value: &str) -> Result<Control, String> {
    let list = Attributes::read(value)?;
    Ok(Control {
        can_block_reload: list.is_yes("CAN-BLOCK-RELOAD"),
        can_skip_until: list.seconds("CAN-SKIP-UNTIL")?,
        can_skip_dateranges: list.is_yes("CAN-SKIP-DATERANGES"),
        hold_back: list.seconds("HOLD-BACK")?,
        part_hold_back: list.seconds("PART-HOLD-BACK")?,
    })
}

fn hint(list: &Attributes<'_>) -> Result<Hint, String> {
    let start = list.number("BYTERANGE-START")?;
    let length = list.number("BYTERANGE-LENGTH")?;
    let ranged = start.is_some() || length.is_some();
    let range = ranged.then_some(Range { offset: start.unwrap_or(0), length });
    let resource = Resource { uri: list.required("URI")?.to_owned(), range };
    Ok(Hint { is_part: list.required("TYPE")? == "PART", resource })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
        #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.2,CAN-SKIP-UNTIL=12\n\
        #EXT-X-PART-INF:PART-TARGET=0.4\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n\
        #EXT-X-MAP:URI=\"init.mp4\"\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:14.000Z\n#EXTINF:2.000,\n7.m4s\n\
        #EXT-X-DISCONTINUITY\n#EXT-X-PART:DURATION=1.6,URI=\"8.0.m4s\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=0.4,URI=\"8.1.m4s\"\n#EXTINF:2.000,\n8.m4s\n\
        #EXT-X-PART:DURATION=0.4,URI=\"9.0.m4s\",INDEPENDENT=YES\n\
        #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"9.1.m4s\"\n\
        #EXT-X-RENDITION-REPORT:URI=\"../a/index.m3u8\",LAST-MSN=9,LAST-PART=0\n";

    #[test]
    fn all_that_low_latency_needs_is_read() {
        let list = read(LIST.as_bytes()).unwrap();
        assert_eq!((list.target, list.sequence, list.version, list.terminated), (2, 7, 9, true));
        assert_eq!(list.edge(), super::super::Edge { number: 9, parts: 1 });
        let second = list.segment(8).unwrap();
        assert_eq!((second.discontinuities, second.parts.len(), second.number), (4, 2, 8));
        assert_eq!(list.segments[0].discontinuities, 3);
        assert!(second.parts[0].independent && !second.parts[1].independent);
        assert_eq!(list.hints[0].resource.uri, "9.1.m4s");
        assert_eq!(list.reports[0].last, Some(9));
        assert!(list.can_block() && list.has_parts() && list.is_live());
        assert_eq!(list.duration(), 4_400_000_000);
        assert_eq!(list.end_date(), Some(18_400_000_000));
        assert_eq!(list.segments[1].map.as_ref().unwrap().uri, "init.mp4");
    }

    #[test]
    fn a_list_that_is_cut_short_is_refused_at_its_line() {
        for (cut, message) in [
            (
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0",
                "line 3 (#EXTINF) has \"2.0\", without a comma",
            ),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n", "it ends behind an EXTINF"),
            ("#EXTM3U\n", "it has no EXT-X-TARGETDURATION"),
            ("#EXTM3", "it begins with \"#EXTM3\""),
            ("", "it begins with \"\""),
            ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n1.m4s\n", "line 3 names \"1.m4s\" without an EXTINF"),
            (
                "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=1,URI=\"a",
                "line 3 (#EXT-X-PART) does not close",
            ),
        ] {
            let error = read(cut.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
        assert_eq!(read(b"#EXTM3U\n\xff").unwrap_err(), Error::NotText(8));
    }

    #[test]
    fn byte_ranges_without_offsets_follow_each_other() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=10@5\n\
                    #EXT-X-PART:DURATION=1,URI=\"a\",BYTERANGE=20\n#EXTINF:2,\n#EXT-X-BYTERANGE:30@5\na\n\
                    #EXTINF:2,\n#EXT-X-BYTERANGE:7\na\n";
        let list = read(text.as_bytes()).unwrap();
        let range = |offset, length| Some(Range { offset, length: Some(length) });
        assert_eq!(list.segments[0].parts[1].resource.range, range(15, 20));
        assert_eq!(list.segments[0].resource.range, range(5, 30));
        assert_eq!(list.segments[1].resource.range, range(35, 7));
    }

    #[test]
    fn a_delta_update_counts_what_it_skips() {
        let text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF:2,\na\n";
        let list = read(text.as_bytes()).unwrap();
        assert_eq!(list.segments[0].number, 10);
        assert_eq!(list.next_number(), 11);
        assert!(list.segment(7).is_none() && list.segment(10).is_some());
    }
}
