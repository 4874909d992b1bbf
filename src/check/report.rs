//! What came of it: a line for each invariant, and each finding with its first examples.

mod text;

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use serde::Serialize;

use super::{
    Error,
    client::Traffic,
    finding::{Check, Example, Level},
    invariant::Invariant,
    judge::{Ledger, Tally},
};

/// Of the JSON form: grows when something in it changes its meaning or goes.
const FORMAT: u32 = 1;

/// What a run has seen.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this structure.
    pub format: u32,
    /// What was checked.
    pub urls: Vec<String>,
    /// For how long.
    pub seconds: f64,
    /// For how long of that the checker itself was held up, as its machine was busy: what came late then is not held
    /// against the server.
    pub held_up_seconds: f64,
    /// HTTP requests.
    pub requests: u64,
    /// Bytes of bodies, as they came over the network.
    pub bytes: u64,
    /// How often a promise was broken.
    pub violations: u64,
    /// How often something was worse than it could be.
    pub warnings: u64,
    /// How much there is to know.
    pub notes: u64,
    /// A line for each invariant, in order.
    pub invariants: Vec<Line>,
    /// What did not hold, the gravest first.
    pub findings: Vec<Finding>,
}

/// What came of one invariant.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Which.
    pub id: Invariant,
    /// What it promises.
    pub title: &'static str,
    /// In one word.
    pub verdict: Verdict,
    /// How often something of it was looked at.
    pub looked: u64,
    /// How often it did not hold.
    pub violations: u64,
    /// How often something was worse than it could be.
    pub warnings: u64,
    /// Why it was not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was looked at, and held.
    Ok,
    /// It did not hold.
    Violated,
    /// It was not looked at.
    NotApplicable,
}

/// One check that did not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Which.
    pub check: Check,
    /// What it belongs to.
    pub invariant: Invariant,
    /// How much it weighs.
    pub level: Level,
    /// What would be right.
    pub right: &'static str,
    /// How often it did not hold.
    pub count: u64,
    /// Of how often it was looked at.
    pub looked: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

pub(super) fn report(
    ledger: &Ledger,
    traffic: &Traffic,
    urls: &[String],
    (span, held_up): (Duration, Duration),
) -> Report {
    let tenths = |span: Duration| (span.as_secs_f64() * 10.0).round() / 10.0;
    let pages = ledger.pages();
    let mut findings: Vec<_> =
        pages.tallies.iter().filter(|(_, tally)| tally.found > 0).map(finding).collect();
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.invariant, finding.check));
    let sum = |level: Level| findings.iter().filter(|each| each.level == level).map(|each| each.count).sum();
    let (violations, warnings, notes) = (sum(Level::Violation), sum(Level::Warning), sum(Level::Note));
    let line = |&id: &Invariant| line(id, &pages.tallies, pages.reasons.get(&id));
    Report {
        format: FORMAT,
        urls: urls.to_vec(),
        seconds: tenths(span),
        held_up_seconds: tenths(held_up),
        requests: traffic.requests.load(Ordering::Relaxed),
        bytes: traffic.bytes.load(Ordering::Relaxed),
        violations,
        warnings,
        notes,
        invariants: Invariant::ALL.iter().map(line).collect(),
        findings,
    }
}

fn finding((check, tally): (&Check, &Tally)) -> Finding {
    Finding {
        check: *check,
        invariant: check.invariant(),
        level: check.level(),
        right: check.right(),
        count: tally.found,
        looked: tally.looked,
        examples: tally.examples.clone(),
    }
}

fn line(id: Invariant, tallies: &BTreeMap<Check, Tally>, reason: Option<&String>) -> Line {
    let own = || tallies.iter().filter(|(check, _)| check.invariant() == id);
    let of =
        |level: Level| own().filter(|(check, _)| check.level() == level).map(|(_, tally)| tally.found).sum();
    let (looked, violations) = (own().map(|(_, tally)| tally.looked).sum(), of(Level::Violation));
    let verdict = match (looked, violations) {
        (0, _) => Verdict::NotApplicable,
        (_, 0) => Verdict::Ok,
        _ => Verdict::Violated,
    };
    let why = || reason.cloned().unwrap_or_else(|| id.usual_reason().to_owned());
    let why = (verdict == Verdict::NotApplicable).then(why);
    Line { id, title: id.title(), verdict, looked, violations, warnings: of(Level::Warning), why }
}

impl Report {
    /// The violations as an error, for the exit status; `None` if there are none.
    pub fn violated(&self) -> Option<Error> {
        let lines = self.invariants.iter().filter(|line| line.violations > 0);
        let invariants: Vec<_> = lines.map(|line| line.id.id()).collect();
        let count = self.violations;
        (count > 0).then(|| Error::Violated { count, invariants: invariants.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{finding::Place, judge::Judge};

    pub(super) fn sample() -> Report {
        let ledger = Ledger::default();
        for second in 0..7 {
            let mut judge =
                Judge::new("http://host/live/demo/720p/index.m3u8", Duration::from_millis(1500 * second));
            judge.holds(Check::SequenceBack, Place::WHOLE, true, String::new);
            let part = Place::part(900 + second, 2);
            judge.holds(Check::PartLong, part, second == 0, || {
                "a part of 0.434 s with a PART-TARGET of 0.4 s".into()
            });
            judge.holds(Check::EtagWeak, Place::segment(900), second > 0, || "its ETag is W/\"1\"".into());
            ledger.take(judge);
        }
        ledger.reason(Invariant::I10, "the server does not offer CAN-BLOCK-RELOAD");
        let traffic = Traffic::default();
        traffic.requests.store(1234, Ordering::Relaxed);
        traffic.bytes.store(45_600_000, Ordering::Relaxed);
        let times = (Duration::from_secs(60), Duration::from_millis(1200));
        report(&ledger, &traffic, &["http://host/live/demo/index.m3u8".into()], times)
    }

    #[test]
    fn what_was_found_is_told_gravest_first_and_counted() {
        let report = sample();
        let told: Vec<_> =
            report.findings.iter().map(|each| (each.check.slug(), each.count, each.examples.len())).collect();
        assert_eq!(told, [("part-long", 6, 5), ("etag-weak", 1, 1)]);
        assert_eq!(report.violated().unwrap().to_string(), "6 violations of I-08");
        let verdict = |id: Invariant| report.invariants.iter().find(|line| line.id == id).unwrap().verdict;
        assert_eq!(verdict(Invariant::I01), Verdict::Ok);
        assert_eq!(verdict(Invariant::I08), Verdict::Violated);
        assert_eq!(verdict(Invariant::I06), Verdict::Ok);
        assert_eq!(verdict(Invariant::I13), Verdict::NotApplicable);
    }

    #[test]
    fn the_json_form_is_stable() {
        let mut report = sample();
        report.invariants.truncate(2);
        report.findings.truncate(1);
        report.findings[0].examples.truncate(1);
        insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
    }
}
