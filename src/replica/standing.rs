//! How a channel does whose record is looked at, in words for an operator. Pure.

use crate::channel::{Error, archive, mirror::Sight, status::State};

/// Remembers what the last record has said: a look that finds none, or nothing that can be used, says nothing of the channel.
#[derive(Debug, Default)]
pub(super) struct Standing {
    recorded: Option<State>,
}

/// What else is known when a look is over.
#[derive(Debug)]
pub(super) struct Around {
    /// The state as it was.
    pub(super) before: State,
    /// A packager tells its edge.
    pub(super) is_told: bool,
    /// The next record should have been there for long.
    pub(super) is_overdue: bool,
}

impl Standing {
    /// The state after a look, and what is the matter with the store, if anything is.
    pub(super) fn after(&mut self, seen: &Result<Sight, Error>, around: Around) -> (State, Option<String>) {
        if let Ok(Sight::More { ended, .. }) = seen {
            let state = if *ended { State::Ended } else { State::Live };
            self.recorded = Some(state.clone());
            return (state, None);
        }
        let Around { before, is_told, is_overdue } = around;
        let before = match (before, &self.recorded) {
            (State::Awaiting { .. } | State::Failed { .. }, Some(recorded)) => recorded.clone(),
            (before, _) => before,
        };
        let is_live = is_told && before != State::Ended;
        let goes_on = |before| if is_live { State::Live } else { before };
        match seen {
            Err(Error::Store(error) | Error::Archive(archive::Error::Store(error))) => {
                (goes_on(before), Some(error.to_string()))
            }
            Err(error) => (State::Failed { why: error.to_string() }, None),
            Ok(Sight::Nothing) if self.recorded.is_none() && !is_live => {
                let why =
                    "the store has no record of it yet: its packager has not begun, or writes elsewhere";
                (State::Awaiting { why: why.to_owned() }, None)
            }
            Ok(sight) => {
                let is_gone = self.recorded.is_some() && *sight == Sight::Nothing;
                let store = is_gone
                    .then(|| "the record that it had is not there any more, or not its opening".to_owned());
                if before == State::Live && is_overdue && !is_told {
                    let why = "its packager has recorded nothing new for a while".to_owned();
                    return (State::Stalled { why }, store);
                }
                (goes_on(before), store)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    const MORE: Sight = Sight::More { level: true, ended: false };
    const LAST: Sight = Sight::More { level: true, ended: true };

    /// Looks again and again.
    #[derive(Default)]
    struct Watch {
        standing: Standing,
        state: State,
        is_told: bool,
        is_overdue: bool,
    }

    impl Watch {
        /// The state, and whether something is the matter with the store.
        fn sees(&mut self, seen: Result<Sight, Error>) -> (&State, Option<String>) {
            let Self { is_told, is_overdue, .. } = *self;
            let around = Around { before: self.state.clone(), is_told, is_overdue };
            let (state, store) = self.standing.after(&seen, around);
            self.state = state;
            (&self.state, store)
        }
    }

    fn damaged() -> Error {
        Error::Damaged { path: "live/a/state.json".into(), reason: "it is empty".into() }
    }

    fn away() -> Error {
        let reason = "no answer".to_owned();
        Error::Store(store::Error::Unavailable { path: "live/a/state.json".into(), reason })
    }

    #[test]
    fn a_look_that_finds_no_record_is_trouble_of_the_store_once_there_was_one() {
        for (record, state) in [(MORE, State::Live), (LAST, State::Ended)] {
            let mut watch = Watch::default();
            assert!(matches!(watch.sees(Ok(Sight::Nothing)), (State::Awaiting { .. }, None)));
            assert_eq!(watch.sees(Ok(record)), (&state, None));
            let (stays, store) = watch.sees(Ok(Sight::Nothing));
            assert!(*stays == state && store.unwrap().contains("not there any more"));
            assert_eq!(watch.sees(Ok(Sight::Same)), (&state, None), "it is there again");
        }
    }

    #[test]
    fn a_record_that_could_not_be_used_once_is_no_state_for_ever() {
        for (record, state) in [(MORE, State::Live), (LAST, State::Ended)] {
            let mut watch = Watch::default();
            watch.sees(Ok(record));
            assert!(matches!(watch.sees(Err(damaged())), (State::Failed { .. }, None)));
            assert!(matches!(watch.sees(Err(away())), (found, Some(_)) if *found == state));
            watch.sees(Err(damaged()));
            assert_eq!(watch.sees(Ok(Sight::Same)), (&state, None));
        }
        let mut watch = Watch::default();
        assert!(matches!(watch.sees(Err(damaged())), (State::Failed { .. }, None)));
        assert!(matches!(watch.sees(Err(away())), (State::Failed { .. }, Some(_))), "nothing else is known");
    }

    #[test]
    fn a_channel_stalls_when_nothing_new_is_recorded_unless_a_packager_tells_its_edge() {
        let mut watch = Watch { is_overdue: true, ..Watch::default() };
        watch.sees(Ok(MORE));
        assert!(matches!(watch.sees(Ok(Sight::Same)), (State::Stalled { .. }, None)));
        assert!(matches!(watch.sees(Ok(Sight::Nothing)), (State::Stalled { .. }, Some(_))));
        watch.is_told = true;
        assert_eq!(watch.sees(Ok(Sight::Same)), (&State::Live, None));
        watch.sees(Ok(LAST));
        assert_eq!(watch.sees(Ok(Sight::Same)), (&State::Ended, None), "which nothing follows");
    }
}
