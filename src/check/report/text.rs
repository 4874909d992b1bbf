//! The report for people.

use std::fmt;

use super::{Finding, Line, Report, Verdict};
use crate::check::finding::Level;

/// Being held up for less need not be told.
const BUSY: f64 = 1.0;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for url in &self.urls {
            writeln!(f, "{url}")?;
        }
        let megabytes = self.bytes as f64 / 1e6;
        writeln!(f, "{:.0} s, {} requests, {megabytes:.1} MB\n", self.seconds, self.requests)?;
        if self.held_up_seconds >= BUSY {
            writeln!(
                f,
                "This machine was busy: for {:.1} s nothing could be judged by time.\n",
                self.held_up_seconds
            )?;
        }
        let width = self.invariants.iter().map(|line| line.title.len()).max().unwrap_or(0);
        for each in &self.invariants {
            line(f, each, width)?;
        }
        for finding in &self.findings {
            self::finding(f, finding)?;
        }
        writeln!(f, "\n{}", self.sum())
    }
}

fn line(f: &mut fmt::Formatter<'_>, line: &Line, width: usize) -> fmt::Result {
    write!(f, "  {}  {:width$}  ", line.id.id(), line.title)?;
    match (line.verdict, &line.why) {
        (Verdict::NotApplicable, why) => writeln!(f, "-   {}", why.as_deref().unwrap_or_default()),
        (Verdict::Violated, _) => writeln!(f, "VIOLATED, {} of {}", line.violations, line.looked),
        (Verdict::Ok, _) if line.warnings > 0 => {
            writeln!(f, "ok  {:>6}, {} {}", line.looked, line.warnings, count(line.warnings, "warning"))
        }
        (Verdict::Ok, _) => writeln!(f, "ok  {:>6}", line.looked),
    }
}

fn finding(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let level = match finding.level {
        Level::Violation => "VIOLATION",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let id = finding.invariant.id();
    writeln!(f, "\n{level} {id} {}, {} of {}", finding.check.slug(), finding.count, finding.looked)?;
    writeln!(f, "  right: {}", finding.right)?;
    for example in &finding.examples {
        writeln!(f, "  {:7.2} s  {}{}", example.at.as_secs_f64(), example.url, example.place)?;
        writeln!(f, "             {}", example.seen)?;
    }
    let more = finding.count.saturating_sub(finding.examples.len() as u64);
    if more > 0 { writeln!(f, "             and {more} more") } else { Ok(()) }
}

fn count(number: u64, word: &str) -> String {
    if number == 1 { word.to_owned() } else { format!("{word}s") }
}

impl Report {
    /// The last line.
    fn sum(&self) -> String {
        let Self { violations, warnings, notes, .. } = *self;
        let words = [(violations, "violation"), (warnings, "warning"), (notes, "note")];
        words.map(|(number, word)| format!("{number} {}", count(number, word))).join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;

    #[test]
    fn people_read_what_was_seen_where_and_what_would_be_right() {
        insta::assert_snapshot!(sample().to_string());
    }
}
