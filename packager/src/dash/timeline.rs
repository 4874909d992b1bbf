//! SegmentTimeline (ISO/IEC 23009-1 5.3.9.6): the same ticks as `tfdt`.

use super::xml::Element;
use crate::window::Segment;

/// Run-length coded `S` elements; `@t` on the first and wherever a segment does not follow the one before.
pub(super) fn segment_timeline(segments: &[&Segment]) -> Element {
    let mut timeline = Element::new("SegmentTimeline");
    let mut expected = None;
    let mut rest = segments;
    while let Some(first) = rest.first() {
        let contiguous = |(index, segment): &(usize, &&Segment)| {
            segment.duration == first.duration
                && segment.start == first.start + first.duration * *index as i64
        };
        let run = rest.iter().enumerate().take_while(contiguous).count();
        let mut entry = Element::new("S");
        if expected != Some(first.start) {
            entry = entry.attribute("t", first.start.to_string());
        }
        entry = entry.attribute("d", first.duration.to_string());
        if run > 1 {
            entry = entry.attribute("r", (run - 1).to_string());
        }
        timeline = timeline.child(entry);
        expected = Some(first.start + first.duration * run as i64);
        rest = &rest[run..];
    }
    timeline
}
