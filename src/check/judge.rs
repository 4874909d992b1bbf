//! Judges observations: rules say what they looked at and what they saw, the ledger keeps count.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    finding::{Check, Example, Place},
    invariant::Invariant,
};

/// So many examples are kept of each check; the rest is counted.
const EXAMPLES: usize = 5;

/// Looks at one observation: something of `url`, seen at `at`.
#[derive(Debug)]
pub(super) struct Judge {
    url: String,
    at: Duration,
    looked: BTreeMap<Check, u64>,
    findings: Vec<(Check, Example)>,
}

impl Judge {
    pub(super) fn new(url: impl Into<String>, at: Duration) -> Self {
        Self { url: url.into(), at, looked: BTreeMap::new(), findings: Vec::new() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Counts that `check` was looked at, and notes `seen` if it does not hold.
    pub(super) fn holds(&mut self, check: Check, place: Place, holds: bool, seen: impl FnOnce() -> String) {
        *self.looked.entry(check).or_default() += 1;
        if !holds {
            self.findings.push((check, Example { seen: seen(), url: self.url.clone(), place, at: self.at }));
        }
    }

    /// The checks that did not hold.
    #[cfg(test)]
    pub(super) fn found(&self) -> Vec<Check> {
        self.findings.iter().map(|(check, _)| *check).collect()
    }

    /// How often a check was looked at.
    #[cfg(test)]
    pub(super) fn looked(&self, check: Check) -> u64 {
        self.looked.get(&check).copied().unwrap_or_default()
    }
}

/// What came of one check in the whole run.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) looked: u64,
    pub(super) found: u64,
    pub(super) examples: Vec<Example>,
}

/// All that was judged. Its size does not grow with the length of the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    inner: Arc<Mutex<Pages>>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    pub(super) tallies: BTreeMap<Check, Tally>,
    /// Why something was not looked at, where it is not the usual reason.
    pub(super) reasons: BTreeMap<Invariant, String>,
}

impl Ledger {
    pub(super) fn take(&self, judge: Judge) {
        let mut pages = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (check, count) in judge.looked {
            pages.tallies.entry(check).or_default().looked += count;
        }
        for (check, example) in judge.findings {
            let tally = pages.tallies.entry(check).or_default();
            tally.found += 1;
            if tally.examples.len() < EXAMPLES {
                tally.examples.push(example);
            }
        }
    }

    /// Says why an invariant is not looked at, or not in all renditions.
    pub(super) fn reason(&self, invariant: Invariant, why: impl Into<String>) {
        let mut pages = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        pages.reasons.entry(invariant).or_insert_with(|| why.into());
    }

    pub(super) fn pages(&self) -> Pages {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_findings_are_counted_and_the_first_are_kept() {
        let ledger = Ledger::default();
        for second in 0..100 {
            let mut judge = Judge::new("http://a/", Duration::from_secs(second));
            judge.holds(Check::Torn, Place::WHOLE, second % 2 == 0, || format!("at {second}"));
            ledger.take(judge);
        }
        let pages = ledger.pages();
        let tally = &pages.tallies[&Check::Torn];
        assert_eq!((tally.looked, tally.found), (100, 50));
        let kept: Vec<_> = tally.examples.iter().map(|example| example.seen.as_str()).collect();
        assert_eq!(kept, ["at 1", "at 3", "at 5", "at 7", "at 9"]);
    }
}
