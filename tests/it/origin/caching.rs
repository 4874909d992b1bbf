//! Lifetimes, entity tags, content coding, and what refusals say.

use std::io::Read;

use headwater_test_support::fault::{Fault, FaultStore, Odds};

use super::*;

const SEGMENT: &str = "public, max-age=31536000, immutable, stale-if-error=86400";

#[tokio::test]
async fn every_kind_lives_in_caches_as_long_as_the_table_says() {
    let server = serve_demo().await;
    for (path, status, lifetime) in [
        ("/live/demo/720p/933000004.m4s", 200, SEGMENT),
        ("/live/demo/720p/932999995.m4s", 200, SEGMENT),
        ("/live/demo/720p/init-0af3.mp4", 200, SEGMENT),
        ("/vod/clip/360p/1.m4s", 200, SEGMENT),
        ("/vod/clip/360p/init-ab.mp4", 200, SEGMENT),
        ("/live/demo/720p/index.m3u8", 200, "public, max-age=3, stale-if-error=0"),
        ("/live/demo/index.m3u8", 200, "public, max-age=1, stale-if-error=0"),
        ("/live/demo/manifest.mpd", 200, "public, max-age=1, stale-if-error=0"),
        ("/vod/clip/index.m3u8", 200, "public, max-age=600, stale-if-error=86400"),
        ("/vod/clip/manifest.mpd", 200, "public, max-age=600, stale-if-error=86400"),
        ("/vod/clip/360p/index.m3u8", 200, "public, max-age=600, stale-if-error=86400"),
        ("/channels.json", 200, "public, max-age=1, stale-if-error=0"),
        ("/time", 200, "no-store"),
        ("/", 200, "no-cache"),
        ("/live/demo/999p/index.m3u8", 404, "public, max-age=6"),
        ("/live/demo/999p/933000004.m4s", 404, "public, max-age=1"),
        ("/live/demo/720p/933000011.m4s", 404, "public, max-age=1"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=933000009", 200, "public, max-age=36, stale-if-error=0"),
        ("/live/demo/999p/index.m3u8?_HLS_msn=933000009", 404, "public, max-age=24"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=933000012", 400, "public, max-age=1"),
        ("/live/demo/720p/933000004.0.m4s", 404, "public, max-age=1"),
        ("/vod/clip/360p/1.0.m4s", 404, "public, max-age=1"),
        ("/live/new/index.m3u8", 503, "public, max-age=1"),
        ("/vod/none/index.m3u8", 404, "public, max-age=1"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=x", 400, "no-store"),
    ] {
        let response = server.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(field(response.headers(), "cache-control"), lifetime, "{path}");
    }
}

#[tokio::test]
async fn a_cdn_is_told_apart_where_it_may_do_better_than_a_browser() {
    let server = serve_demo().await;
    for (path, targeted) in [
        ("/live/demo/720p/index.m3u8", "max-age=3, stale-while-revalidate=3, stale-if-error=0"),
        ("/live/demo/index.m3u8", "max-age=1, stale-while-revalidate=1, stale-if-error=0"),
        ("/live/demo/manifest.mpd", "max-age=1, stale-while-revalidate=1, stale-if-error=0"),
        ("/vod/clip/index.m3u8", "max-age=600, stale-while-revalidate=600, stale-if-error=86400"),
        ("/", "max-age=5, stale-while-revalidate=5, stale-if-error=86400"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=933000009", ""),
        ("/live/demo/720p/933000004.m4s", ""),
        ("/live/demo/999p/index.m3u8", ""),
        ("/live/new/index.m3u8", ""),
        ("/time", ""),
    ] {
        let response = server.get(path).await;
        assert_eq!(field(response.headers(), "cdn-cache-control"), targeted, "{path}");
        let etag = field(response.headers(), "etag").to_owned();
        if !etag.is_empty() {
            let again = sent(server.request(Method::GET, path).header("if-none-match", etag)).await;
            assert_eq!(
                (again.status().as_u16(), field(again.headers(), "cdn-cache-control")),
                (304, targeted)
            );
        }
    }
}

#[tokio::test]
async fn refusals_explain_themselves_and_repeat_nothing() {
    let server = serve_demo().await;
    for (path, status, says) in [
        ("/live/quux/index.m3u8", 404, "no such channel"),
        ("/live/quux/720p/1.m4s", 404, "no such channel"),
        ("/live/demo/quux/1.m4s", 404, "no such track"),
        ("/live/demo/720p/932999989.m4s", 410, "no longer kept"),
        ("/live/demo/720p/932999991.m4s", 404, "no such segment"),
        ("/live/demo/720p/init-quux.mp4", 404, "no such segment"),
        ("/vod/quux/manifest.mpd", 404, "Nothing is packaged"),
        ("/vod/clip/360p/2.m4s", 404, "Nothing is packaged"),
        ("/quux.js", 404, "no such file"),
        ("/live/demo/quux", 404, "nothing at this path"),
        ("/live/%71uux/index.m3u8", 400, "names of letters"),
        ("/live/demo/720p/index.m3u8?_HLS_part=quux", 400, "_HLS_part"),
        ("/live/new/manifest.mpd", 503, "because it is starting"),
        ("/live/new/720p/index.m3u8", 503, "because it is starting"),
        ("/live/broken/720p/1.m4s", 503, "failed: rtsp://cam/ refuses"),
    ] {
        let response = server.get(path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(field(response.headers(), "retry-after"), if status == 503 { "1" } else { "" }, "{path}");
        let text = text(response).await;
        assert!(text.contains(says) && text.ends_with('\n'), "{path}: {text}");
        assert!(!text.contains("quux") && !text.contains("secret"), "{path}: {text}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_to_be_unavailable_and_not_absent() {
    let faults = FaultStore::new(1, Odds(vec![(Fault::Refused, 1000)]));
    faults.calm(true);
    let server = Server::start(demo(Store::over(Arc::new(faults.clone()))).await);
    faults.calm(false);
    for path in ["/live/demo/720p/932999996.m4s", "/vod/clip/360p/9.m4s"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(field(response.headers(), "cache-control"), "public, max-age=1");
    }
}

fn unpacked(coding: &str, packed: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    match coding {
        "gzip" => drop(flate2::read::GzDecoder::new(packed).read_to_end(&mut unpacked).unwrap()),
        "zstd" => unpacked = zstd::bulk::decompress(packed, 1 << 20).unwrap(),
        _ => unpacked.extend(packed),
    }
    unpacked
}

#[tokio::test]
async fn documents_come_in_the_coding_that_the_client_prefers_and_each_has_a_tag() {
    let server = serve_demo().await;
    for path in ["/live/demo/720p/index.m3u8", "/live/demo/manifest.mpd", "/vod/clip/index.m3u8", "/"] {
        let plain = bytes(server.get(path).await).await;
        let mut tags = std::collections::BTreeSet::new();
        for (accepted, coding) in [
            ("identity", ""),
            ("br;q=1, gzip;q=0.8", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("zstd;q=0.5, gzip", "gzip"),
            ("gzip;q=0, zstd;q=0", ""),
        ] {
            let request = server.request(Method::GET, path).header("accept-encoding", accepted);
            let response = sent(request).await;
            assert_eq!(field(response.headers(), "vary"), "accept-encoding", "{path} {accepted}");
            assert_eq!(field(response.headers(), "content-encoding"), coding, "{path} {accepted}");
            tags.insert(field(response.headers(), "etag").to_owned());
            let packed = bytes(response).await;
            assert_eq!(unpacked(coding, &packed), plain, "{path} {accepted}");
            assert_eq!(packed.len() < plain.len(), !coding.is_empty(), "{path} {accepted}");
        }
        assert_eq!(tags.len(), 3, "{path}: {tags:?}");
        let ranged = server.request(Method::GET, path).header("accept-encoding", "gzip, zstd");
        let ranged = sent(ranged.header("range", "bytes=0-")).await;
        assert_eq!(field(ranged.headers(), "content-encoding"), "", "{path}");
        assert_eq!(bytes(ranged).await, plain, "{path}");
    }
    let segment =
        server.request(Method::GET, "/live/demo/720p/933000004.m4s").header("accept-encoding", "gzip, zstd");
    let segment = sent(segment).await;
    assert_eq!(field(segment.headers(), "content-encoding"), "");
    assert_eq!(field(segment.headers(), "vary"), "", "a segment has one coding for all");
}

#[tokio::test]
async fn a_client_that_has_it_is_not_sent_it_again() {
    let server = serve_demo().await;
    for (path, coding) in [
        ("/live/demo/720p/index.m3u8", "identity"),
        ("/live/demo/720p/index.m3u8", "gzip"),
        ("/live/demo/720p/933000004.m4s", "identity"),
        ("/vod/clip/360p/1.m4s", "gzip"),
        ("/vod/clip/index.m3u8", "gzip"),
    ] {
        let get = || server.request(Method::GET, path).header("accept-encoding", coding);
        let first = sent(get()).await;
        let etag = field(first.headers(), "etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20, "{etag}");
        for condition in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = sent(get().header("if-none-match", condition)).await;
            assert_eq!(again.status(), 304, "{path}");
            for name in ["etag", "cache-control", "vary", "access-control-allow-origin"] {
                assert_eq!(field(first.headers(), name), field(again.headers(), name), "{path} {name}");
            }
            assert!(bytes(again).await.is_empty());
        }
        assert_eq!(sent(get().header("if-none-match", "\"x\"")).await.status(), 200, "{path}");
        assert_eq!(sent(get().header("if-match", &etag)).await.status(), 200, "{path}");
        assert_eq!(sent(get().header("if-match", "\"x\"")).await.status(), 412, "{path}");
    }
}

#[tokio::test]
async fn a_new_edge_is_seen_at_once_and_by_its_own_tag() {
    let (publish, edges) = watch::channel(Arc::new(edge("first")));
    let reader = reading(edges, watch::channel(status(State::Live)).1);
    let server = Server::start(Origin::new(
        Arc::new([("demo".to_owned(), reader)].into()),
        memory(),
        admission(waiters()),
    ));
    let path = "/live/demo/720p/index.m3u8";
    let etag = field(server.get(path).await.headers(), "etag").to_owned();
    publish.send(Arc::new(edge("second"))).unwrap();
    let response = sent(server.request(Method::GET, path).header("if-none-match", etag)).await;
    assert_eq!(response.status(), 200);
    assert!(text(response).await.starts_with("second/720p\n"));
}
