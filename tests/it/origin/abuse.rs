//! What must not work.

use std::fmt::Write;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// An HTTP/1.1 client that sends exactly what it is told to.
struct Raw {
    address: SocketAddr,
    stream: TcpStream,
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Raw {
    async fn connect(address: SocketAddr) -> Self {
        Self { address, stream: TcpStream::connect(address).await.unwrap() }
    }

    async fn get(&mut self, target: &[u8]) -> Reply {
        let request = [b"GET ", target, b" HTTP/1.1\r\nHost: origin.example\r\n\r\n"].concat();
        self.exchange(&request).await
    }

    /// Sends a request and reads its response; connects anew for the next one if the server has closed.
    async fn exchange(&mut self, request: &[u8]) -> Reply {
        self.stream.write_all(request).await.unwrap();
        let mut received = Vec::new();
        let head = loop {
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            assert_ne!(self.read(&mut received).await, 0, "closed without an answer to {request:?}");
        };
        let text = String::from_utf8(received[..head].to_vec()).unwrap().to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while received.len() < head + length {
            assert_ne!(self.read(&mut received).await, 0, "closed within the answer to {request:?}");
        }
        if text.contains("\r\nconnection: close") {
            assert_eq!(self.read(&mut received).await, 0, "something behind the last answer");
            self.stream = TcpStream::connect(self.address).await.unwrap();
        }
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: text, body: received.split_off(head) }
    }

    async fn read(&mut self, into: &mut Vec<u8>) -> usize {
        timeout(PATIENCE, self.stream.read_buf(into)).await.expect("an answer in time").unwrap()
    }
}

#[tokio::test]
async fn only_get_head_and_options_are_answered() {
    let server = serve_demo().await;
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for client in [http1(), http2()] {
            let response = sent(client.request(method.clone(), server.url("/live/demo/index.m3u8"))).await;
            assert_eq!(response.status(), 405, "{method}");
            assert_eq!(field(response.headers(), "allow"), "GET, HEAD, OPTIONS");
            assert_eq!(field(response.headers(), "cache-control"), "no-store");
        }
    }
}

#[tokio::test]
async fn a_request_with_a_body_is_refused_and_nothing_behind_it_is_read() {
    let server = serve_demo().await;
    let mut raw = Raw::connect(server.address).await;
    let smuggled = "GET /live/demo/index.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (fields, status) in [
        (
            format!("GET /time HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
            400,
        ),
        (
            format!("GET /time HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"),
            400,
        ),
        (
            format!(
                "GET /time HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
            ),
            400,
        ),
        (
            format!("POST /time HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{smuggled}", smuggled.len()),
            405,
        ),
    ] {
        let reply = raw.exchange(fields.as_bytes()).await;
        assert_eq!(reply.status, status, "{fields}");
        assert!(reply.head.contains("\r\nconnection: close"), "{}", reply.head);
    }
    let two = sent(http2().get(server.url("/time")).body("x")).await;
    assert_eq!(two.status(), 400);
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let server = serve_demo().await;
    let mut raw = Raw::connect(server.address).await;
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let reply = raw.exchange(format!("GET /time HTTP/1.1\r\n{hosts}\r\n").as_bytes()).await;
        assert_eq!(reply.status, 400, "{hosts:?}");
    }
    assert_eq!(raw.exchange(b"GET /time HTTP/1.0\r\nConnection: close\r\n\r\n").await.status, 200);
}

/// Spellings of a dot and a slash that some decoder somewhere takes for them, or that end a C string.
const DOTS: [&[u8]; 9] = [
    b"..",
    b"%2e%2e",
    b"%2E.",
    b".%2e",
    b"%252e%252e",
    b"%c0%ae%c0%ae",
    b"..;",
    b"..%00",
    b"\xc0\xae\xc0\xae",
];
const SLASHES: [&[u8]; 9] = [b"/", b"%2f", b"%2F", b"%252f", b"\\", b"%5c", b"%c0%af", b"//", b"/./"];

#[tokio::test]
async fn thousands_of_traversal_encodings_get_nothing_from_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("1.m4s"), "the secret").unwrap();
    std::fs::write(outside.path().join("index.m3u8"), "the secret").unwrap();
    let inside = outside.path().join("data");
    let store = Store::open(inside.to_str().unwrap()).unwrap();
    store.put("state/demo/1.m4s", vec![Bytes::from("the secret")]).await.unwrap();
    let server = Server::start(demo(store).await);
    let mut raw = Raw::connect(server.address).await;
    let prefixes: [&[u8]; 8] = [
        b"/",
        b"/live/",
        b"/vod/",
        b"/live/demo/",
        b"/vod/clip/",
        b"/live/demo/720p/",
        b"/vod/clip/360p/",
        b"/assets/",
    ];
    let targets: [&[u8]; 6] =
        [b"1.m4s", b"index.m3u8", b"state/demo/1.m4s", b"etc/passwd", b"1.m4s%00.m4s", b"index.html"];
    let mut tried = 0;
    for (prefix, dots) in prefixes.iter().flat_map(|prefix| DOTS.map(|dots| (prefix, dots))) {
        for (slash, target) in SLASHES.iter().flat_map(|slash| targets.map(|target| (slash, target))) {
            for depth in [1, 3] {
                let path = [*prefix, &[dots, slash].concat().repeat(depth), target].concat();
                let reply = raw.get(&path).await;
                let shown = String::from_utf8_lossy(&path);
                assert!(matches!(reply.status, 400 | 404), "{} for {shown}", reply.status);
                assert!(!String::from_utf8_lossy(&reply.body).contains("secret"), "{shown}");
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 7776);
}

#[tokio::test]
async fn a_link_in_the_data_directory_leads_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let (outside, inside, named) =
        (place.path().join("outside"), place.path().join("data"), place.path().join("link"));
    std::fs::create_dir_all(outside.join("360p")).unwrap();
    std::fs::write(outside.join("360p/1.m4s"), "the secret").unwrap();
    // That the directory itself is reached by a link is its owner's own business.
    std::fs::create_dir(&inside).unwrap();
    std::os::unix::fs::symlink(&inside, &named).unwrap();
    let store = Store::open(named.to_str().unwrap()).unwrap();
    let server = Server::start(demo(store).await);
    std::os::unix::fs::symlink(outside.join("360p/1.m4s"), inside.join("vod/clip/360p/2.m4s")).unwrap();
    std::os::unix::fs::symlink(outside.join("360p"), inside.join("vod/clip/240p")).unwrap();
    std::os::unix::fs::symlink(&outside, inside.join("vod/away")).unwrap();
    for (path, status) in [
        ("/vod/clip/360p/1.m4s", 200),
        ("/vod/clip/360p/2.m4s", 404),
        ("/vod/clip/240p/1.m4s", 404),
        ("/vod/away/360p/1.m4s", 404),
    ] {
        assert_eq!(server.get(path).await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_storm_for_what_is_not_there_never_reaches_the_store() {
    let store = memory();
    // Were the store asked, it would give these.
    for path in ["live/ghost/720p/1.m4s", "live/demo/ghost/1.m4s", "live/demo/720p/1.m4s"] {
        store.put(path, vec![Bytes::from("boo")]).await.unwrap();
    }
    let origin = demo(store.clone()).await;
    let ask = |path: String| {
        let (request, ()) = http::Request::get(path).body(()).unwrap().into_parts();
        let origin = &origin;
        async move { origin.answer(&request, &Waiting::default()).await.response.status() }
    };
    for (path, status) in
        [("/live/ghost/720p/1.m4s", 404), ("/live/demo/ghost/1.m4s", 404), ("/live/demo/720p/1.m4s", 410)]
    {
        assert_eq!(ask(path.to_owned()).await, status, "{path}");
    }
    for number in 0..50_000 {
        assert_eq!(ask(format!("/live/ghost{number}/720p/{number}.m4s")).await, 404);
    }
    assert_eq!(store.fills(), 0);
    // What is behind the edge is in the store only, so those are counted.
    assert_eq!(ask("/live/demo/720p/932999995.m4s".to_owned()).await, 200);
    assert_eq!(store.fills(), 1);
}

#[tokio::test]
async fn a_thousand_streams_never_cross() {
    let name = |number: usize| format!("stream-{number}");
    let channels = (0..1000).map(|number| (name(number), reader(edge(&name(number)), State::Live))).collect();
    let server = Server::start(Origin::new(Arc::new(channels), memory(), admission(waiters())));
    let client = http2();
    let mut readers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (client, root) = (client.clone(), server.url(""));
        readers.spawn(async move {
            for step in 0..500 {
                // Steps by a number without a common divisor with 1,000, so that neighbours in time are none in name.
                let stream = name((worker * 125 + step * 77) % 1000);
                let (track, number) = (["720p", "audio-en"][step % 2], LAST - (step % 10) as i64);
                let path = match step % 3 {
                    0 => format!("/live/{stream}/{track}/{number}.m4s"),
                    1 => format!("/live/{stream}/{track}/index.m3u8?cache={worker}"),
                    _ => format!("/live/{stream}/manifest.mpd"),
                };
                let expected = match step % 3 {
                    0 => whole(&format!("{stream}/{track}/{number}")),
                    1 => document(&format!("{stream}/{track}")).body().to_vec(),
                    _ => document(&format!("{stream} mpd")).body().to_vec(),
                };
                let host = name(step);
                let request = client.get(format!("{root}{path}")).header("x-forwarded-host", host);
                assert_eq!(bytes(sent(request).await).await, expected, "{path}");
            }
        });
    }
    while let Some(finished) = timeout(PATIENCE, readers.join_next()).await.expect("all in time") {
        finished.unwrap();
    }
}

#[tokio::test]
async fn random_fields_and_queries_change_nothing() {
    let server = serve_demo().await;
    let plain = bytes(server.get("/live/demo/720p/index.m3u8").await).await;
    let mut raw = Raw::connect(server.address).await;
    for seed in 0..300_u32 {
        let word = format!("q{:08x}", seed.wrapping_mul(2_654_435_761));
        let mut request =
            format!("GET /live/demo/720p/index.m3u8?{word}={seed}&_hls_msn=x&a%ff HTTP/1.1\r\n");
        write!(
            request,
            "Host: {word}\r\nCookie: a={word}\r\nX-{word}: {word}\r\nOrigin: https://{word}.example\r\n\r\n"
        )
        .unwrap();
        let reply = raw.exchange(request.as_bytes()).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &plain[..]), "{request}");
        assert!(!reply.head.contains(&word) && !reply.head.contains("set-cookie"), "{}", reply.head);
    }
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let server = serve_demo().await;
    let mut raw = Raw::connect(server.address).await;
    let request = format!("GET /time HTTP/1.1\r\nHost: a\r\nX-A: {}\r\n", "a".repeat(80_000));
    assert_eq!(raw.exchange(request.as_bytes()).await.status, 431);
    let large = http2().get(server.url("/time")).header("x-a", "a".repeat(17_000));
    let refused = timeout(PATIENCE, large.send()).await.expect("an answer in time");
    assert!(refused.map_or(true, |response| response.status() == 431));
}
