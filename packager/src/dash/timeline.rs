//! SegmentTimeline (ISO/IEC 23009-1 5.3.9.6): the same ticks as `tfdt`.

use std::{collections::vec_deque, fmt::Write};

use super::xml::Element;
use crate::{time::Ticks, window::Segment};

/// Segments of one duration, each where the one before ends.
struct Run {
    start: Ticks,
    duration: Ticks,
    count: Ticks,
}

impl Run {
    fn end(&self) -> Ticks {
        self.start + self.count * self.duration
    }

    /// Appends an `S` element, with `@t` if it does not begin where it is `expected` to.
    fn print(&self, out: &mut String, expected: Option<Ticks>) {
        out.push_str("<S");
        if expected != Some(self.start) {
            let _ = write!(out, " t=\"{}\"", self.start);
        }
        let _ = write!(out, " d=\"{}\"", self.duration);
        if self.count > 1 {
            let _ = write!(out, " r=\"{}\"", self.count - 1);
        }
        out.push_str("/>\n");
    }
}

/// Run-length coded `S` elements; `@t` on the first and wherever a segment does not follow the one before. A list of hours
/// has thousands of them, as packets of sound do not divide a segment, so they are printed straight away.
pub(super) fn segment_timeline(segments: vec_deque::Iter<'_, Segment>) -> Element {
    let (mut lines, mut expected, mut run) = (String::new(), None, None::<Run>);
    for &Segment { start, duration, .. } in segments {
        match &mut run {
            Some(run) if run.duration == duration && run.end() == start => run.count += 1,
            _ => {
                if let Some(run) = run.replace(Run { start, duration, count: 1 }) {
                    run.print(&mut lines, expected);
                    expected = Some(run.end());
                }
            }
        }
    }
    run.into_iter().for_each(|run| run.print(&mut lines, expected));
    Element::new("SegmentTimeline").lines(lines)
}
