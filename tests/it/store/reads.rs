//! Reads over thin lines, of stores that are slow, and of more than there is room for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use headwater::store::{Error, Store};
use headwater_test_support::fault::{Fault, FaultStore, Odds};
use tokio::time::{Instant, timeout};

use super::{
    LIMIT,
    large::{BLOCK, film},
};

const PATH: &str = "live/a/360p/1.m4s";

/// A store that has `body` under [`PATH`] and does that with every request of who reads it.
async fn keeping(body: Bytes, fault: Fault) -> FaultStore {
    let faults = FaultStore::new(1, Odds::default());
    Store::over(Arc::new(faults.clone())).create(PATH, vec![body]).await.unwrap();
    faults.for_another().meeting(Odds(vec![(fault, 1000)]))
}

#[tokio::test(start_paused = true)]
async fn over_a_thin_line_a_read_is_slow_and_is_neither_cut_nor_made_twice() {
    let body = film(1, BLOCK);
    let faults = keeping(body.clone(), Fault::Thin(Duration::from_millis(2500))).await;
    let store = Store::over(Arc::new(faults.clone()));
    let started = Instant::now();
    assert!(timeout(LIMIT, store.object(PATH)).await.unwrap().unwrap().body == body);
    assert!(timeout(LIMIT, store.get(PATH)).await.unwrap().unwrap() == body);
    let (polled, _) = timeout(LIMIT, store.poll(PATH, None)).await.unwrap().unwrap().unwrap();
    assert!(polled == body);
    assert_eq!((faults.asked(), started.elapsed()), (3, Duration::from_secs(30)));
}

#[tokio::test(start_paused = true)]
async fn a_read_of_which_nothing_more_comes_is_given_up_and_tried_again_while_there_is_time() {
    let faults = keeping(film(1, BLOCK), Fault::Thin(Duration::from_secs(4))).await;
    let store = Store::over(Arc::new(faults.clone()));
    let started = Instant::now();
    let error = timeout(LIMIT, store.object(PATH)).await.unwrap().unwrap_err();
    assert!(matches!(&error, Error::Unavailable { reason, .. } if reason.contains("nothing more")), "{error}");
    assert!(faults.asked() == 2 && started.elapsed() < Duration::from_secs(10), "{}", faults.asked());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_begin_is_asked_for_once_more_beside_it() {
    let faults = keeping(Bytes::from("abc"), Fault::Slow(Duration::from_secs(2))).await;
    let store = Store::over(Arc::new(faults.clone()));
    let started = Instant::now();
    assert_eq!(timeout(LIMIT, store.get(PATH)).await.unwrap().unwrap(), "abc");
    assert_eq!((faults.asked(), started.elapsed()), (2, Duration::from_secs(2)));
}
