//! What a listener counts.

use futures_util::StreamExt;
use headwater::metrics::{Exposition, Metrics};

use super::{low_latency::Live, stretch::BEGIN, *};
use crate::openmetrics;

fn told(metrics: &Metrics) -> Option<openmetrics::Metrics> {
    openmetrics::Metrics::parse(&Exposition::new(metrics).text())
}

/// Waits until what is told satisfies `wanted`: a request is counted when its answer is gone.
async fn told_once(
    metrics: &Metrics,
    wanted: impl Fn(&openmetrics::Metrics) -> bool,
) -> Option<openmetrics::Metrics> {
    let satisfied = async {
        loop {
            let told = told(metrics)?;
            if wanted(&told) {
                return Some(told);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let satisfied = timeout(PATIENCE, satisfied).await;
    satisfied.unwrap_or_else(|_| panic!("not told: {}", Exposition::new(metrics).text()))
}

#[tokio::test]
async fn lists_of_stretches_are_counted_by_whether_they_had_to_be_made() {
    let metrics = Metrics::default();
    let day = Duration::from_secs(86_400);
    let server = Server::start(demo(memory()).await.stretching(day, metrics.rewinding.clone()));
    for (track, times) in [("720p", 3), ("audio-en", 1)] {
        for _ in 0..times {
            let path = format!("/live/demo/{track}/index.m3u8?start={}&end={}", BEGIN + 12, BEGIN + 24);
            assert_eq!(server.get(&path).await.status(), 200);
        }
    }
    let told = told(&metrics).unwrap();
    let lists =
        |outcome| told.value("headwater_stretch_lists_total", &[("channel", "demo"), ("outcome", outcome)]);
    assert_eq!((lists("made"), lists("known")), (2.0, 2.0));
    assert_eq!(told.value("headwater_stretch_making_seconds_count", &[("channel", "demo")]), 2.0);
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them_and_nothing_that_a_client_says_becomes_a_label() {
    let metrics = Metrics::default();
    let server = Server::measured(demo(memory()).await, &metrics);
    let segment = format!("/live/demo/720p/{LAST}.m4s");
    let length = bytes(server.get(&segment).await).await.len();
    let count = |told: &openmetrics::Metrics, status, cache, refusal| {
        let labels = [("listener", "media"), ("status", status), ("cache", cache), ("refusal", refusal)];
        told.value("headwater_http_requests_total", &labels)
    };
    let served = |told: &openmetrics::Metrics| count(told, "2xx", "immutable", "") == 1.0;
    let Some(told) = told_once(&metrics, served).await else { return };
    let media = [("listener", "media")];
    assert_eq!(told.value("headwater_http_sent_bytes_total", &media), length as f64);
    assert_eq!(told.value("headwater_http_accepted_connections_total", &media), 1.0);
    for index in 0..20 {
        let status = server.get(&format!("/live/nobody-{index}/{index}/index.m3u8?x={index}")).await.status();
        assert_eq!(status, 404);
        assert_eq!(server.get(&format!("/live/demo/720p/{index}.m4s")).await.status(), 410);
    }
    let refused = |told: &openmetrics::Metrics| {
        let each = ["unknown-channel", "segment-gone"].map(|why| count(told, "4xx", "brief", why));
        each == [20.0, 20.0]
    };
    let after = told_once(&metrics, refused).await.unwrap();
    assert_eq!(after.len(), told.len() + 2, "two more kinds of answer, and nothing else");
    let closed = |told: &openmetrics::Metrics| told.value("headwater_http_open_connections", &media) == 0.0;
    told_once(&metrics, closed).await.unwrap();
}

#[tokio::test]
async fn who_waits_is_counted_and_the_time_from_publication_to_the_first_byte_measured() {
    let live = Live::start();
    let metrics = live.metrics.clone();
    let blocked = |told: &openmetrics::Metrics| told.value("headwater_blocked_waiters", &[]);
    let first_bytes = |told: &openmetrics::Metrics, response| {
        let labels = [("channel", "demo"), ("track", "720p"), ("response", response)];
        told.value("headwater_packaged_to_first_byte_seconds_count", &labels)
    };
    assert_eq!(text(sent(http1().get(live.part_url(0))).await).await.len(), live.part_length(0));
    let part = tokio::spawn(sent(http1().get(live.part_url(1))));
    let playlist = tokio::spawn(sent(http1().get(live.blocking_url(1))));
    // What there is of the open segment is sent at once; it waits for the rest.
    let mut segment = sent(http1().get(live.segment_url())).await.bytes_stream();
    let mut received = 0;
    while received < live.part_length(0) {
        received += timeout(PATIENCE, segment.next()).await.unwrap().unwrap().unwrap().len();
    }
    live.waiting(3).await;
    let Some(waits) = told(&metrics) else { return };
    assert_eq!(blocked(&waits), 3.0);
    live.publish(2, false);
    for response in [part, playlist] {
        text(response.await.unwrap()).await;
    }
    let one = |told: &openmetrics::Metrics| {
        ["part", "playlist", "segment"].map(|response| first_bytes(told, response)) == [1.0; 3]
    };
    told_once(&metrics, one).await.unwrap();
    live.publish(3, true);
    while let Some(piece) = timeout(PATIENCE, segment.next()).await.unwrap() {
        piece.unwrap();
    }
    let told = told_once(&metrics, |told| blocked(told) == 0.0).await.unwrap();
    assert_eq!(first_bytes(&told, "segment"), 2.0, "each part of the open segment was waited for");
    assert_eq!(first_bytes(&told, "part"), 1.0, "what was there at once is not measured");
}

#[tokio::test]
async fn who_may_not_wait_is_counted() {
    let live = Live::limited(Limits { all: 0, of_connection: 0 });
    assert_eq!(sent(http1().get(live.part_url(1))).await.status(), 503);
    let Some(told) = told(&live.metrics) else { return };
    assert_eq!(told.value("headwater_refused_waiters_total", &[]), 1.0);
    assert_eq!(told.value("headwater_blocked_waiters", &[]), 0.0);
}
