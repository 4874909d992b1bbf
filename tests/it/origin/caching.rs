//! Lifetimes, entity tags, content coding, and what refusals say.

use std::io::Read;

use super::*;

#[tokio::test]
async fn every_kind_lives_in_caches_as_long_as_the_table_says() {
    let server = serve_demo().await;
    for (path, status, lifetime) in [
        ("/live/demo/720p/933000004.m4s", 200, "public, max-age=31536000, immutable"),
        ("/live/demo/720p/932999995.m4s", 200, "public, max-age=31536000, immutable"),
        ("/live/demo/720p/init-0af3.mp4", 200, "public, max-age=31536000, immutable"),
        ("/vod/clip/360p/1.m4s", 200, "public, max-age=31536000, immutable"),
        ("/vod/clip/360p/init-ab.mp4", 200, "public, max-age=31536000, immutable"),
        ("/live/demo/720p/index.m3u8", 200, "public, max-age=3"),
        ("/live/demo/index.m3u8", 200, "public, max-age=1"),
        ("/live/demo/manifest.mpd", 200, "public, max-age=1"),
        ("/vod/clip/index.m3u8", 200, "public, max-age=600"),
        ("/vod/clip/manifest.mpd", 200, "public, max-age=600"),
        ("/vod/clip/360p/index.m3u8", 200, "public, max-age=600"),
        ("/channels.json", 200, "public, max-age=1"),
        ("/time", 200, "no-store"),
        ("/", 200, "no-cache"),
        ("/live/demo/999p/index.m3u8", 404, "public, max-age=6"),
        ("/live/demo/999p/933000004.m4s", 404, "public, max-age=1"),
        ("/live/demo/720p/933000011.m4s", 404, "public, max-age=1"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=933000009", 200, "public, max-age=36"),
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
async fn refusals_explain_themselves_and_repeat_nothing() {
    let server = serve_demo().await;
    for (path, status, says) in [
        ("/live/quux/index.m3u8", 404, "no such channel"),
        ("/live/quux/720p/1.m4s", 404, "no such channel"),
        ("/live/demo/quux/1.m4s", 404, "no such track"),
        ("/live/demo/720p/932999989.m4s", 404, "no such segment"),
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
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path().to_str().unwrap()).unwrap();
    let server = Server::start(demo(store).await);
    // A link to itself: opening it is an error, but not that of a missing file.
    for path in ["live/demo/720p/932999996.m4s", "vod/clip/360p/9.m4s"] {
        let path = directory.path().join(path);
        std::os::unix::fs::symlink(&path, &path).unwrap();
    }
    for path in ["/live/demo/720p/932999996.m4s", "/vod/clip/360p/9.m4s"] {
        let response = server.get(path).await;
        assert_eq!(response.status(), 503, "{path}");
        assert_eq!(field(response.headers(), "cache-control"), "public, max-age=1");
    }
}

#[tokio::test]
async fn playlists_are_compressed_for_those_who_accept_it_under_another_tag() {
    let server = serve_demo().await;
    for path in ["/live/demo/720p/index.m3u8", "/live/demo/manifest.mpd", "/vod/clip/index.m3u8", "/"] {
        let plain = server.get(path).await;
        let request = server.request(Method::GET, path).header("accept-encoding", "br;q=1, gzip;q=0.8");
        let packed = sent(request).await;
        for response in [&plain, &packed] {
            assert_eq!(field(response.headers(), "vary"), "accept-encoding", "{path}");
        }
        assert_eq!(field(plain.headers(), "content-encoding"), "");
        assert_eq!(field(packed.headers(), "content-encoding"), "gzip", "{path}");
        assert_ne!(field(plain.headers(), "etag"), field(packed.headers(), "etag"), "{path}");
        let (plain, packed) = (bytes(plain).await, bytes(packed).await);
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
        assert_eq!(plain, unpacked, "{path}");
        assert!(packed.len() < plain.len(), "{path}");
        let refused = server.request(Method::GET, path).header("accept-encoding", "gzip;q=0, identity");
        assert_eq!(field(sent(refused).await.headers(), "content-encoding"), "", "{path}");
        let ranged =
            server.request(Method::GET, path).header("accept-encoding", "gzip").header("range", "bytes=0-");
        let ranged = sent(ranged).await;
        assert_eq!(field(ranged.headers(), "content-encoding"), "", "{path}");
        assert_eq!(bytes(ranged).await, plain, "{path}");
    }
    let segment =
        server.request(Method::GET, "/live/demo/720p/933000004.m4s").header("accept-encoding", "gzip");
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
