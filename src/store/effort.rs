//! How long and how often something is tried: little for the live edge, much for what nobody waits for.

use std::{
    future::ready,
    hash::{BuildHasher, RandomState},
    pin::pin,
    time::Duration,
};

use tokio::time::{sleep, timeout};

use super::Error;

/// So many times a request that fails again and again is given twice as long.
const LONGER: u32 = 4;

/// What a request to the store may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How long one request may take.
    pub attempt: Duration,
    /// How long all of them together may take, with the pauses between them.
    pub budget: Duration,
    /// After how long without an answer the same is asked again beside it, so that one slow server of many is not waited
    /// for; `None` for never.
    pub hedge: Option<Duration>,
    /// How long the first pause is at most; each is up to twice as long as the one before.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// Whether it is tried again at all.
    pub again: bool,
}

impl Effort {
    /// For what a live channel writes: below one segment, so that the next is not held up.
    pub fn edge(segment: Duration) -> Self {
        let budget = segment.mul_f64(0.8);
        let attempt = budget.min(Duration::from_secs(2));
        Self {
            attempt,
            budget,
            hedge: Some(attempt / 3),
            pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(500),
            again: true,
        }
    }

    /// For what viewers ask for.
    pub fn viewer() -> Self {
        Self {
            attempt: Duration::from_secs(3),
            budget: Duration::from_secs(6),
            hedge: Some(Duration::from_secs(1)),
            pause: Duration::from_millis(50),
            longest_pause: Duration::from_millis(500),
            again: true,
        }
    }

    /// For what is looked at again and again anyway.
    pub(super) fn look() -> Self {
        Self { budget: Self::viewer().attempt, again: false, ..Self::viewer() }
    }

    /// For archives and packaged files, which nobody waits for.
    pub fn archive() -> Self {
        Self {
            attempt: Duration::from_secs(60),
            budget: Duration::from_secs(600),
            hedge: None,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(15),
            again: true,
        }
    }

    /// For what is read from a disk of this machine: what it refuses it will refuse again.
    pub(super) fn once(self) -> Self {
        Self { budget: self.attempt, hedge: None, again: false, ..self }
    }

    /// For what is written to a disk of this machine. A write that is given up goes on all the same, and if it came to
    /// its end behind a newer one, it would win: so none is given up.
    pub(super) fn however_long(self) -> Self {
        Self { attempt: Duration::MAX, ..self }.once()
    }

    /// The same without asking again beside a request: of two writers of a name, the slower would win.
    pub(super) fn unhedged(self) -> Self {
        Self { hedge: None, ..self }
    }

    /// The same for what is large: if it was sent twice early, it would take the line from itself.
    pub(super) fn hedged_late(self) -> Self {
        Self { hedge: self.hedge.map(|hedge| hedge * 2), ..self }
    }

    /// The same for what failed so many times: over a thin line no request comes to its end in the time that one usually
    /// has. It is sent once at a time then.
    pub(crate) fn after_failures(self, failures: u32) -> Self {
        if failures == 0 {
            return self;
        }
        let attempt = self.attempt.saturating_mul(1 << failures.min(LONGER));
        Self { attempt, budget: self.budget.max(attempt), hedge: None, ..self }
    }

    /// Tries until it is done, decided or too late.
    pub(super) async fn spend<T, F: Future<Output = Result<T, Error>>>(
        &self,
        path: &str,
        attempt: impl Fn() -> F,
    ) -> Result<T, Error> {
        self.take(path, attempt, |done| ready(Ok(done))).await
    }

    /// The same for an answer of which `take` takes as long as it needs: how much comes over a line in a time depends on the
    /// line, and to ask beside it for the same bytes makes that less. What cannot be taken is asked for anew if there is
    /// time left.
    pub(super) async fn take<
        A,
        T,
        F: Future<Output = Result<A, Error>>,
        G: Future<Output = Result<T, Error>>,
    >(
        &self,
        path: &str,
        attempt: impl Fn() -> F,
        take: impl Fn(A) -> G,
    ) -> Result<T, Error> {
        let mut over = pin!(sleep(self.budget));
        let mut last = None;
        for count in 0.. {
            let answer = tokio::select! {
                biased;
                answer = self.attempt(path, &attempt) => answer,
                () = &mut over => break,
            };
            let taken = match answer {
                Ok(answer) => take(answer).await,
                Err(error) => Err(error),
            };
            match taken {
                Err(error) if error.may_pass() => last = Some(error),
                decided => return decided,
            }
            if !self.again {
                break;
            }
            tokio::select! {
                biased;
                () = &mut over => break,
                () = sleep(self.pause_after(count)) => {}
            }
        }
        Err(last.unwrap_or_else(|| too_slow(path, self.budget)))
    }

    async fn attempt<T, F: Future<Output = Result<T, Error>>>(
        &self,
        path: &str,
        attempt: &impl Fn() -> F,
    ) -> Result<T, Error> {
        let asked = async {
            match self.hedge {
                Some(after) => hedged(after, attempt).await,
                None => attempt().await,
            }
        };
        timeout(self.attempt, asked).await.unwrap_or_else(|_| Err(too_slow(path, self.attempt)))
    }

    /// Anything up to twice the one before, so that those who failed together do not come back together.
    pub(crate) fn pause_after(&self, count: u32) -> Duration {
        let longest = self.pause.saturating_mul(1 << count.min(16)).min(self.longest_pause);
        let part = RandomState::new().hash_one(count) % 1000 + 1;
        longest.mul_f64(part as f64 / 1000.0)
    }
}

/// Asks, and if there is no answer after a while, once more beside it. The first that is decided counts.
async fn hedged<T, F: Future<Output = Result<T, Error>>>(
    after: Duration,
    attempt: &impl Fn() -> F,
) -> Result<T, Error> {
    let mut first = pin!(attempt());
    if let Ok(answer) = timeout(after, &mut first).await {
        return answer;
    }
    let mut second = pin!(attempt());
    let decided = |answer: &Result<T, Error>| answer.as_ref().err().is_none_or(|error| !error.may_pass());
    tokio::select! {
        answer = &mut first => if decided(&answer) { answer } else { second.await },
        answer = &mut second => if decided(&answer) { answer } else { first.await },
    }
}

fn too_slow(path: &str, limit: Duration) -> Error {
    Error::Unavailable { path: path.to_owned(), reason: format!("no answer within {} ms", limit.as_millis()) }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        time::{Duration, Instant},
    };

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn failed() -> Error {
        Error::Unavailable { path: "a".into(), reason: "503".into() }
    }

    fn virtual_now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_until_it_is_done_and_what_is_decided_is_not() {
        let tries = Cell::new(0);
        let count = || tries.set(tries.get() + 1);
        let third = || {
            count();
            let done = tries.get() == 3;
            async move { if done { Ok(7) } else { Err(failed()) } }
        };
        assert_eq!(Effort::viewer().spend("a", third).await.unwrap(), 7);
        tries.set(0);
        let absent = || {
            count();
            async { Err::<(), _>(Error::NotFound { path: "a".into() }) }
        };
        assert!(matches!(Effort::viewer().spend("a", absent).await, Err(Error::NotFound { .. })));
        assert_eq!(tries.get(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_fails_costs_the_budget_and_no_more_and_says_what_was_wrong() {
        let effort = Effort::edge(2000 * MILLI);
        let started = virtual_now();
        let error = effort.spend("a", || async { Err::<(), _>(failed()) }).await.unwrap_err();
        assert_eq!(error.to_string(), "a: 503");
        assert_eq!(virtual_now() - started, 1600 * MILLI);
        let started = virtual_now();
        let error = effort.spend("a", std::future::pending::<Result<(), Error>>).await.unwrap_err();
        assert_eq!(error.to_string(), "a: no answer within 1600 ms");
        assert_eq!(virtual_now() - started, 1600 * MILLI);
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_server_of_many_is_not_waited_for() {
        let tries = Cell::new(0);
        let slow_at_first = || {
            tries.set(tries.get() + 1);
            let first = tries.get() == 1;
            async move {
                sleep(if first { 1500 * MILLI } else { 20 * MILLI }).await;
                Ok(first)
            }
        };
        let started = virtual_now();
        assert!(!Effort::edge(2000 * MILLI).spend("a", slow_at_first).await.unwrap());
        assert!(virtual_now() - started < 600 * MILLI, "{:?}", virtual_now() - started);
        assert_eq!(tries.get(), 2);
    }

    #[test]
    fn pauses_grow_differ_and_end() {
        let effort = Effort::edge(Duration::from_secs(2));
        let pauses: Vec<_> = (0..200).map(|_| effort.pause_after(2)).collect();
        assert!(pauses.iter().all(|pause| *pause <= 200 * MILLI && *pause > Duration::ZERO));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        assert!(effort.pause_after(60) <= 500 * MILLI);
    }
}
