//! Reads over thin lines, of stores that are slow, and of more than there is room for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
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
    assert!(
        matches!(&error, Error::Unavailable { reason, .. } if reason.contains("nothing more")),
        "{error}"
    );
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

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_of_a_slow_store_at_once_than_there_is_room_for_and_the_rest_is_refused_at_once() {
    let faults = keeping(Bytes::from("abc"), Fault::Slow(Duration::from_millis(900))).await;
    let store = Store::over(Arc::new(faults.clone()));
    // Names that are not there cost the store as much.
    let names: Vec<String> = (0..2000).map(|number| format!("live/a/360p/{number}.m4s")).collect();
    let started = Instant::now();
    let all = tokio::spawn({
        let (store, names) = (store.clone(), names.clone());
        async move { join_all(names.iter().map(|name| store.object(name))).await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(faults.asked(), 256);
    let refused = store.object("live/a/360p/2000.m4s").await;
    assert!(matches!(refused, Err(Error::Busy { .. })), "{refused:?}");
    assert_eq!(started.elapsed(), Duration::from_millis(100));
    let answers = timeout(LIMIT, all).await.unwrap().unwrap();
    let busy = answers.iter().filter(|answer| matches!(answer, Err(Error::Busy { .. }))).count();
    assert_eq!(busy, 2000 - 256 - 1024);
    assert_eq!(store.object(PATH).await.unwrap().body, "abc", "there is room again");
}

#[tokio::test(start_paused = true)]
async fn what_is_on_its_way_is_bounded_in_bytes_too() {
    let faults = FaultStore::new(1, Odds::default());
    let path = |number: u64| format!("live/a/360p/{number}.m4s");
    for number in 0..10 {
        let body = film(number, 2 * BLOCK);
        Store::over(Arc::new(faults.clone())).create(&path(number), vec![body]).await.unwrap();
    }
    let thin = faults.meeting(Odds(vec![(Fault::Thin(Duration::from_millis(500)), 1000)]));
    // A quarter of what a store keeps in memory by default, so eight at once and then two.
    let store = Store::over(Arc::new(thin));
    let started = Instant::now();
    let read = async |number| store.object(&path(number)).await.unwrap().body.len() as u64;
    let lengths = timeout(LIMIT, join_all((0..10).map(read))).await.unwrap();
    assert!(lengths.iter().all(|length| *length == 2 * BLOCK));
    assert_eq!(started.elapsed(), Duration::from_secs(4));
}
