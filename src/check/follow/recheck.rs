//! Asks again later: for what has left the lists, and whether bodies stayed the same.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use super::{PATIENCE, Run, Wanted, lock};

/// So much is remembered; what comes beyond is not asked for again.
const REMEMBERED: usize = 4096;
/// So long before it may be gone, it is asked for.
const MARGIN: Duration = Duration::from_millis(500);
/// At the end of the run, so many are asked for that would have had their time later.
const LAST: usize = 16;
const STEP: Duration = Duration::from_millis(100);

/// What is to be asked for when.
#[derive(Debug, Default)]
pub(in crate::check) struct Rechecks {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By when it is due, and a count that keeps those of one moment apart.
    due: BTreeMap<(Duration, u64), Again>,
    count: u64,
}

#[derive(Clone, Debug)]
struct Again {
    wanted: Wanted,
    /// Until then it has to be there.
    until: Duration,
}

impl Rechecks {
    /// Asks for it as late as it still has to be there.
    pub(super) fn before(&self, wanted: Wanted, until: Duration) {
        self.push(until.saturating_sub(MARGIN), Again { wanted, until });
    }

    /// Asks for it at `at`; it has to be there for as long as the run goes.
    pub(super) fn at(&self, wanted: Wanted, at: Duration) {
        self.push(at, Again { wanted, until: Duration::MAX });
    }

    fn push(&self, due: Duration, again: Again) {
        let mut queue = lock(&self.queue);
        if queue.due.len() < REMEMBERED {
            queue.count += 1;
            let count = queue.count;
            queue.due.insert((due, count), again);
        }
    }

    /// The next that is due by `now`. Those whose time is over are dropped: the network did not carry them.
    fn pop(&self, now: Duration) -> Option<Wanted> {
        let mut queue = lock(&self.queue);
        loop {
            let first = queue.due.first_entry().filter(|first| first.key().0 <= now)?;
            let again = first.remove();
            if again.until >= now {
                return Some(again.wanted);
            }
        }
    }

    /// Of all that is left and would have been due later, a sample from early to late.
    fn sample(&self, now: Duration) -> Vec<Wanted> {
        let queue = std::mem::take(&mut *lock(&self.queue));
        let left: Vec<_> = queue.due.into_values().filter(|again| again.until >= now + MARGIN).collect();
        let step = left.len().div_ceil(LAST).max(1);
        left.into_iter().step_by(step).map(|again| again.wanted).collect()
    }

    /// Asks for what is due until the run is over.
    pub(in crate::check) async fn run(&self, run: &Run) {
        loop {
            match self.pop(run.now()) {
                Some(wanted) => drop(run.fetch(&wanted, PATIENCE).await),
                None if !run.sleep(STEP).await => return,
                None => {}
            }
        }
    }

    /// Asks for a sample of what had to stay beyond the end of the run.
    pub(in crate::check) async fn finish(&self, run: &Run) {
        for wanted in self.sample(run.now()) {
            run.fetch(&wanted, PATIENCE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;
    use crate::check::finding::{Check, Place};

    fn wanted(number: u64) -> Wanted {
        let url = Url::parse(&format!("http://host/{number}")).unwrap();
        Wanted { url, range: None, place: Place::segment(number), missing: Check::SegmentGone, listed: None }
    }

    fn number(wanted: Option<Wanted>) -> Option<u64> {
        wanted.and_then(|wanted| wanted.place.segment)
    }

    #[test]
    fn what_is_due_comes_in_order_and_what_is_too_late_not_at_all() {
        let (rechecks, second) = (Rechecks::default(), Duration::from_secs);
        rechecks.before(wanted(1), second(10));
        rechecks.before(wanted(2), second(5));
        rechecks.at(wanted(3), second(7));
        assert_eq!(number(rechecks.pop(second(4))), None);
        assert_eq!(number(rechecks.pop(Duration::from_millis(4600))), Some(2));
        assert_eq!(number(rechecks.pop(second(11))), Some(3));
        assert_eq!(number(rechecks.pop(second(11))), None);
    }

    #[test]
    fn the_sample_at_the_end_is_small_and_goes_from_early_to_late() {
        let rechecks = Rechecks::default();
        (0..REMEMBERED as u64 + 5)
            .for_each(|index| rechecks.before(wanted(index), Duration::from_secs(100 + index)));
        let sample = rechecks.sample(Duration::from_secs(150));
        assert!(sample.len() <= LAST && sample.len() > LAST / 2, "{}", sample.len());
        assert_eq!(number(sample.first().cloned()), Some(51));
        assert!(rechecks.sample(Duration::ZERO).is_empty());
    }
}
