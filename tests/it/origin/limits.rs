//! What one client, and all of them, may take: each limit is met, named and counted, and those within it notice nothing.

use std::fs;

use headwater::{
    config::{self, Cdn},
    metrics::Exposition,
    origin::secret::Secret,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

const REQUEST: &[u8] = b"GET /time HTTP/1.1\r\nHost: a\r\n\r\n";

fn limits() -> config::Limits {
    config::Limits::default()
}

/// With `limits` that apply to clients on this machine, too.
async fn serve(limits: config::Limits, metrics: &Metrics) -> Server {
    let nobody = Cdn { addresses: Vec::new(), secret: None };
    Server::behind_measured(demo(memory()).await, metrics, |listener| listener.limited(limits, nobody))
}

/// A connection on which one request was answered.
async fn connected(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let answer = asked(&mut stream, REQUEST).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    stream
}

async fn asked(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer in time").unwrap();
    String::from_utf8(answer[..read].to_vec()).unwrap()
}

fn told(metrics: &Metrics, line: &str) -> bool {
    Exposition::new(metrics).text().lines().any(|each| each == line)
}

#[tokio::test]
async fn who_comes_when_as_many_are_there_as_may_is_told_so_until_one_leaves() {
    for (limits, why) in [
        (config::Limits { connections: 2, ..limits() }, "too-many-connections"),
        (config::Limits { connections_per_address: 2, ..limits() }, "too-many-of-address"),
    ] {
        let metrics = Metrics::default();
        let server = serve(limits, &metrics).await;
        let (mut first, second) = (connected(&server).await, connected(&server).await);
        let mut third = TcpStream::connect(server.address).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, third.read_to_end(&mut answer)).await.expect("closed in time").unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
        let line = format!("headwater_http_closed_connections_total{{listener=\"media\",why=\"{why}\"}} 1");
        assert!(told(&metrics, &line), "{line}");

        assert!(asked(&mut first, REQUEST).await.starts_with("HTTP/1.1 200 "), "those inside notice nothing");
        drop(second);
        let room = async {
            loop {
                let mut stream = TcpStream::connect(server.address).await.unwrap();
                let mut answer = vec![0; 64];
                if stream.write_all(REQUEST).await.is_ok()
                    && stream
                        .read(&mut answer)
                        .await
                        .is_ok_and(|read| answer[..read].starts_with(b"HTTP/1.1 200"))
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, room).await.expect("room again");
    }
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_to_wait_a_second_and_a_cdn_is_not() {
    let metrics = Metrics::default();
    let server = serve(config::Limits { requests_per_second: 5, ..limits() }, &metrics).await;
    let mut statuses = Vec::new();
    for client in [http1(), http2(), http1()] {
        for _ in 0..6 {
            let response = sent(client.get(server.url("/time"))).await;
            if response.status() == 429 {
                assert_eq!(field(response.headers(), "retry-after"), "1");
                assert_eq!(field(response.headers(), "cache-control"), "no-store");
            }
            statuses.push(response.status().as_u16());
        }
    }
    assert_eq!(statuses[..10], [200; 10], "two seconds' worth");
    assert!(statuses.iter().filter(|&&status| status == 429).count() >= 5, "{statuses:?}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(server.get("/time").await.status(), 200);

    let limits = config::Limits { requests_per_second: 1, connections_per_address: 1, ..limits() };
    let server = Server::behind(demo(memory()).await, |listener| listener.limited(limits, Cdn::default()));
    let _other = connected(&server).await;
    let client = http1();
    for _ in 0..20 {
        assert_eq!(sent(client.get(server.url("/time"))).await.status(), 200, "it comes from the CDN");
    }
}

#[tokio::test]
async fn urls_and_fields_have_sizes() {
    let limits = config::Limits { url_bytes: 300, header_bytes: 2000, ..limits() };
    let server = serve(limits, &Metrics::default()).await;
    let long = format!("/time?{}", "a".repeat(400));
    let large = "b".repeat(2100);
    for client in [http1(), http2()] {
        let response = sent(client.get(server.url(&long))).await;
        assert_eq!(response.status(), 414);
        assert_eq!(text(response).await, "No URI here is as long as this.\n");
        assert_eq!(sent(client.get(server.url("/time")).header("x-large", &large)).await.status(), 431);
        assert_eq!(
            sent(client.get(server.url("/time")).header("x-large", &large[..1000])).await.status(),
            200
        );
    }
    // More than is read at all, in a path and in a field: the connection ends with it.
    for (request, status) in [
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(66_000)), "414"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "a".repeat(66_000)), "431"),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = vec![0; 1024];
        let read = timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer in time").unwrap_or(0);
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?}");
    }
}

#[tokio::test]
async fn heads_and_idleness_have_the_time_that_is_set() {
    let (head_timeout, idle_timeout) = (Duration::from_millis(600), Duration::from_millis(1500));
    let metrics = Metrics::default();
    let server = serve(config::Limits { head_timeout, idle_timeout, ..limits() }, &metrics).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /ti").await.unwrap();
    let mut idle = connected(&server).await;
    for (stream, why) in [(&mut slow, "slow-head"), (&mut idle, "idle")] {
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{why} in time");
        let line = format!("headwater_http_closed_connections_total{{listener=\"media\",why=\"{why}\"}} 1");
        assert!(told(&metrics, &line), "{}", Exposition::new(&metrics).text());
    }
}

#[tokio::test]
async fn only_who_says_the_secret_is_answered() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("secret");
    let (first, second) = ("0123456789abcdef", "fedcba9876543210");
    fs::write(&file, format!("{first}\n{second}\n")).unwrap();
    let secret =
        Secret::load(&config::Secret { header: "x-origin-secret".into(), file: file.clone() }).unwrap();
    let server = Server::behind(demo(memory()).await, |listener| listener.confided(Some(secret)));
    let status = async |said: Option<&str>| {
        let request = http1().get(server.url("/live/demo/index.m3u8"));
        let request = said.iter().fold(request, |request, said| request.header("x-origin-secret", *said));
        sent(request).await.status().as_u16()
    };
    for (said, expected) in [
        (None, 403),
        (Some(first), 200),
        (Some(second), 200),
        (Some("0123456789abcdeX"), 403),
        (Some(""), 403),
    ] {
        assert_eq!(status(said).await, expected, "{said:?}");
    }
    // Replaced by one that is none, it stays; by one that is one, it goes.
    fs::write(&file, "short").unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(status(Some(first)).await, 200);
    fs::write(&file, second).unwrap();
    let gone = async {
        while status(Some(first)).await == 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.expect("the old secret is gone soon");
    assert_eq!(status(Some(second)).await, 200);
}
