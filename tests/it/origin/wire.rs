//! What is served: protocols, bodies, ranges, HEAD, CORS.

use headwater::clock;

use super::*;

#[tokio::test]
async fn http1_and_cleartext_http2_give_the_same_on_one_port() {
    let server = serve_demo().await;
    for path in [
        "/live/demo/index.m3u8",
        "/live/demo/manifest.mpd",
        "/live/demo/720p/index.m3u8?_HLS_msn=1&other=%00",
        "/live/demo/720p/init-0af3.mp4",
        "/live/demo/audio-en/933000004.m4s",
        "/live/demo/720p/932999995.m4s",
        "/vod/clip/360p/1.m4s",
        "/live/nothing/index.m3u8",
        "/",
    ] {
        let one = sent(http1().get(server.url(path))).await;
        let two = sent(http2().get(server.url(path))).await;
        assert_eq!((one.version(), two.version()), (http::Version::HTTP_11, http::Version::HTTP_2));
        assert_eq!(one.status(), two.status(), "{path}");
        for name in ["content-type", "content-length", "cache-control", "etag", "vary"] {
            assert_eq!(field(one.headers(), name), field(two.headers(), name), "{path} {name}");
        }
        assert_eq!(bytes(one).await, bytes(two).await, "{path}");
    }
}

#[tokio::test]
async fn live_media_comes_from_memory_and_what_left_it_from_the_store() {
    let server = serve_demo().await;
    let body = |path: &'static str| async { bytes(server.get(path).await).await };
    assert_eq!(body("/live/demo/720p/933000004.m4s").await, whole("demo/720p/933000004"));
    assert_eq!(body("/live/demo/audio-en/933000004.m4s").await, whole("demo/audio-en/933000004"));
    assert_eq!(body("/live/demo/720p/init-0af3.mp4").await, whole("demo/720p/init"));
    assert_eq!(body("/live/demo/720p/932999995.m4s").await, "from the store");
}

#[tokio::test]
async fn every_kind_has_its_type_and_fields_that_players_need() {
    let server = serve_demo().await;
    for (path, media_type) in [
        ("/live/demo/index.m3u8", "application/vnd.apple.mpegurl"),
        ("/live/demo/720p/index.m3u8", "application/vnd.apple.mpegurl"),
        ("/live/demo/manifest.mpd", "application/dash+xml"),
        ("/live/demo/720p/init-0af3.mp4", "video/mp4"),
        ("/live/demo/720p/933000000.m4s", "video/mp4"),
        ("/live/demo/audio-en/init-0af3.mp4", "audio/mp4"),
        ("/live/demo/audio-en/933000000.m4s", "audio/mp4"),
        ("/vod/clip/index.m3u8", "application/vnd.apple.mpegurl"),
        ("/vod/clip/manifest.mpd", "application/dash+xml"),
        ("/vod/clip/360p/1.m4s", "video/mp4"),
        ("/channels.json", "application/json"),
        ("/time", "text/plain; charset=utf-8"),
        ("/", "text/html; charset=utf-8"),
        ("/nowhere/at/all", "text/plain; charset=utf-8"),
    ] {
        let response = server.get(path).await;
        let headers = response.headers().clone();
        assert_eq!(field(&headers, "content-type"), media_type, "{path}");
        assert_eq!(field(&headers, "access-control-allow-origin"), "*", "{path}");
        assert_eq!(field(&headers, "x-content-type-options"), "nosniff", "{path}");
        for name in ["Date", "ETag", "Content-Length", "Content-Range"] {
            assert!(field(&headers, "access-control-expose-headers").contains(name), "{path} {name}");
        }
        assert!(field(&headers, "date").ends_with("GMT"), "{path}");
        assert_eq!(field(&headers, "content-length"), bytes(response).await.len().to_string(), "{path}");
    }
}

#[tokio::test]
async fn head_tells_all_that_get_does_but_the_body() {
    let server = serve_demo().await;
    for path in [
        "/live/demo/720p/index.m3u8",
        "/live/demo/720p/933000004.m4s",
        "/vod/clip/360p/1.m4s",
        "/live/nothing/index.m3u8",
        "/live/new/index.m3u8",
        "/",
    ] {
        for client in [http1(), http2()] {
            let get = sent(client.get(server.url(path))).await;
            let head = sent(client.head(server.url(path))).await;
            assert_eq!(get.status(), head.status(), "{path}");
            for (name, value) in get.headers().iter().filter(|(name, _)| *name != "date") {
                assert_eq!(head.headers().get(name), Some(value), "{path} {name}");
            }
            assert!(bytes(head).await.is_empty(), "{path}");
            assert!(!bytes(get).await.is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn one_range_of_a_chunked_segment_is_exactly_those_bytes() {
    let server = serve_demo().await;
    let path = "/live/demo/720p/933000004.m4s";
    let all = whole("demo/720p/933000004");
    let length = all.len();
    // Within the first chunk, over the seams, up to the end, beyond it.
    for (range, first, last) in [
        ("bytes=0-0".to_owned(), 0, 0),
        ("bytes=3-40".to_owned(), 3, 40),
        (format!("bytes=20-{}", length - 2), 20, length - 2),
        (format!("bytes={}-", length - 4), length - 4, length - 1),
        ("bytes=-5".to_owned(), length - 5, length - 1),
        ("bytes=0-99999999999999999999999".to_owned(), 0, length - 1),
    ] {
        for client in [http1(), http2()] {
            let response = sent(client.get(server.url(path)).header("range", &range)).await;
            assert_eq!(response.status(), 206, "{range}");
            let headers = response.headers().clone();
            assert_eq!(field(&headers, "content-range"), format!("bytes {first}-{last}/{length}"), "{range}");
            assert!(field(&headers, "cache-control").contains("immutable"), "{range}");
            assert_eq!(bytes(response).await, all[first..=last], "{range}");
        }
    }
}

#[tokio::test]
async fn odd_ranges_never_cost_more_than_the_object() {
    let server = serve_demo().await;
    let path = "/live/demo/720p/933000004.m4s";
    let all = whole("demo/720p/933000004");
    let thousand = format!("bytes={}", (0..1000).map(|n| format!("{n}-")).collect::<Vec<_>>().join(","));
    for range in ["bytes=0-1,3-4", "bytes=5-2", "bytes=a-b", "pages=1-2", "bytes=-", &thousand] {
        let response = sent(server.request(Method::GET, path).header("range", range)).await;
        assert_eq!(response.status(), 200, "{range}");
        assert_eq!(bytes(response).await, all, "{range}");
    }
    for range in [format!("bytes={}-", all.len()), "bytes=-0".to_owned()] {
        let response = sent(server.request(Method::GET, path).header("range", &range)).await;
        assert_eq!(response.status(), 416, "{range}");
        assert_eq!(field(response.headers(), "content-range"), format!("bytes */{}", all.len()));
        assert_eq!(field(response.headers(), "cache-control"), "no-store");
    }
    let head = sent(server.request(Method::HEAD, path).header("range", "bytes=0-0")).await;
    assert_eq!((head.status().as_u16(), field(head.headers(), "content-range")), (200, ""));
}

#[tokio::test]
async fn a_range_of_another_version_gives_the_whole() {
    let server = serve_demo().await;
    let path = "/live/demo/720p/933000004.m4s";
    let etag = field(server.get(path).await.headers(), "etag").to_owned();
    for (validator, status) in
        [(etag.as_str(), 206), ("\"other\"", 200), ("Mon, 23 Nov 2026 00:00:00 GMT", 200)]
    {
        let request =
            server.request(Method::GET, path).header("range", "bytes=0-3").header("if-range", validator);
        assert_eq!(sent(request).await.status(), status, "{validator}");
    }
}

#[tokio::test]
async fn a_preflight_lets_players_send_ranges_and_client_data() {
    let server = serve_demo().await;
    for path in ["/live/demo/720p/933000004.m4s", "/live/unknown/index.m3u8"] {
        let request = server
            .request(Method::OPTIONS, path)
            .header("origin", "https://player.example")
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "range,cmcd-session");
        let response = sent(request).await;
        let headers = response.headers();
        assert_eq!(response.status(), 204);
        assert_eq!(field(headers, "access-control-allow-origin"), "*");
        assert_eq!(field(headers, "access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert!(field(headers, "access-control-allow-headers").contains("Range"));
        assert!(field(headers, "access-control-allow-headers").contains("CMCD-Session"));
        assert_eq!(field(headers, "access-control-max-age"), "86400");
        assert_eq!(field(headers, "allow"), "GET, HEAD, OPTIONS");
    }
}

#[tokio::test]
async fn the_time_is_true_and_in_no_cache() {
    let server = serve_demo().await;
    let before = clock::unix_nanos() / 1_000_000;
    let response = server.get("/time").await;
    assert_eq!(field(response.headers(), "cache-control"), "no-store");
    let text = text(response).await;
    let after = clock::unix_nanos() / 1_000_000;
    assert!(text.ends_with('Z') && text.len() == "2026-11-23T14:00:00.000Z".len(), "{text}");
    let told = i128::from(chrono::DateTime::parse_from_rfc3339(&text).unwrap().timestamp_millis());
    assert!((before..=after).contains(&told), "{before} {told} {after}");
}

#[tokio::test]
async fn the_list_tells_states_and_tracks_but_no_secrets() {
    let server = serve_demo().await;
    let list: serde_json::Value =
        serde_json::from_str(&text(server.get("/channels.json").await).await).unwrap();
    assert_eq!(
        list,
        serde_json::json!({
            "channels": [
                {"name": "broken", "state": "failed", "why": "rtsp://cam/ refuses the connection", "tracks": []},
                {"name": "demo", "state": "live", "tracks": ["720p", "audio-en"]},
                {"name": "new", "state": "starting", "tracks": []},
            ],
            "assets": ["clip"],
        })
    );
}

#[tokio::test]
async fn the_page_is_confined_to_its_own_files_and_blobs() {
    let server = serve_demo().await;
    let response = server.get("/").await;
    let policy = field(response.headers(), "content-security-policy").to_owned();
    for rule in
        ["default-src 'none'", "media-src 'self' blob:", "worker-src 'self' blob:", "connect-src 'self'"]
    {
        assert!(policy.contains(rule), "{rule} in {policy}");
    }
    assert!(!policy.contains("unsafe-eval"));
    assert_eq!(field(response.headers(), "cache-control"), "no-cache");
    let html = text(response).await;
    for asset in html.split('"').filter(|value| value.starts_with("/assets/")) {
        let response = server.get(asset).await;
        assert_eq!(response.status(), 200, "{asset}");
        assert!(field(response.headers(), "cache-control").contains("immutable"), "{asset}");
    }
}
