//! What refusals look like to programs, and what hyper refuses by itself.

use headwater::origin::Refusal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

#[tokio::test]
async fn a_refusal_is_text_unless_the_client_would_rather_have_a_problem() {
    let server = serve_demo().await;
    for (path, status, reason) in [
        ("/live/quux/index.m3u8", 404, "unknown-channel"),
        ("/live/demo/720p/1.m4s", 410, "segment-gone"),
        ("/live/demo/720p/index.m3u8?_HLS_msn=x", 400, "directive"),
        ("/live/new/index.m3u8", 503, "not-yet-published"),
    ] {
        let said = server.get(path).await;
        assert_eq!(field(said.headers(), "content-type"), "text/plain; charset=utf-8", "{path}");
        assert_eq!(field(said.headers(), "vary"), "accept", "{path}");
        assert_eq!(field(said.headers(), "headwater-reason"), reason, "{path}");
        let words = text(said).await;
        for client in [http1(), http2()] {
            let request = client.get(server.url(path)).header("accept", "application/problem+json");
            let problem = sent(request).await;
            assert_eq!(problem.status(), status, "{path}");
            assert_eq!(field(problem.headers(), "content-type"), "application/problem+json", "{path}");
            assert_eq!(field(problem.headers(), "vary"), "accept", "{path}");
            assert_eq!(field(problem.headers(), "headwater-reason"), reason, "{path}");
            let title = problem.status().canonical_reason().unwrap();
            let problem: serde_json::Value = serde_json::from_slice(&bytes(problem).await).unwrap();
            assert_eq!(
                problem,
                serde_json::json!({
                    "type": "about:blank", "title": title, "status": status, "detail": words.trim_end(), "reason": reason,
                })
            );
        }
    }
    let served =
        server.request(Method::GET, "/live/demo/index.m3u8").header("accept", "application/problem+json");
    let served = sent(served).await;
    assert_eq!((served.status().as_u16(), field(served.headers(), "vary")), (200, "accept-encoding"));
    assert_eq!(field(served.headers(), "headwater-reason"), "");
}

#[tokio::test]
async fn head_tells_the_length_of_the_problem_that_get_is_sent() {
    let server = serve_demo().await;
    let ask = |method| {
        server
            .request(method, "/live/quux/index.m3u8")
            .header("accept", "application/problem+json, */*;q=0.1")
    };
    let (get, head) = (sent(ask(Method::GET)).await, sent(ask(Method::HEAD)).await);
    assert_eq!(field(get.headers(), "content-length"), field(head.headers(), "content-length"));
    assert_eq!(field(head.headers(), "content-length"), bytes(get).await.len().to_string());
}

#[tokio::test]
async fn what_was_is_gone_and_what_never_was_is_not_found() {
    let server = serve_demo().await;
    for (path, status) in [
        ("/live/demo/720p/932999990.m4s", 404),
        ("/live/demo/720p/932999989.m4s", 410),
        ("/live/demo/720p/0.m4s", 410),
        ("/live/demo/720p/933000011.m4s", 404),
        // Without low latency there never were parts.
        ("/live/demo/720p/932999989.0.m4s", 404),
        ("/vod/clip/360p/0.m4s", 404),
    ] {
        assert_eq!(server.get(path).await.status(), status, "{path}");
    }
    let live = super::low_latency::Live::start();
    for (part, status) in [("932999000.0", 410), ("933000012.0", 404)] {
        let url = live.part_url(0).replace("933000010.0", part);
        assert_eq!(sent(http1().get(&url)).await.status(), status, "{part}");
    }
}

/// What a server says to `request`, which asks it to close.
async fn exchanged(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is written.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut received = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("an end in time");
    String::from_utf8(received).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn heads_that_are_too_large_are_named_so() {
    let server = serve_demo().await;
    let many: String = (0..200).map(|index| format!("X-{index}: a\r\n")).collect();
    let field = |length| format!("X-A: {}\r\n", "a".repeat(length));
    for (target, fields, status, reason) in [
        ("/time".to_owned(), field(15_000), 200, ""),
        ("/time".to_owned(), field(17_000), 431, "header-fields"),
        ("/time".to_owned(), field(9_000).repeat(2), 431, "header-fields"),
        (format!("/time?{}", "a".repeat(4_000)), String::new(), 200, ""),
        (format!("/time?{}", "a".repeat(4_100)), String::new(), 414, "uri-too-long"),
        // These hyper answers by itself.
        ("/time".to_owned(), many, 431, ""),
        (format!("/time?{}", "a".repeat(80_000)), String::new(), 414, ""),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n");
        let answer = exchanged(server.address, &request).await;
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{status}: {answer}");
        assert!(answer.contains("connection: close\r\n") && answer.contains("\r\ndate: "), "{answer}");
        let told =
            answer.lines().find_map(|line| line.strip_prefix("headwater-reason: ")).unwrap_or_default();
        assert_eq!(told, reason, "{status}");
    }
}

#[test]
fn the_page_on_http_has_every_refusal_with_its_status_and_lifetime() {
    let rows: Vec<String> = Refusal::ALL
        .iter()
        .map(|refusal| format!("| `{refusal}` | {} | `{}` | ", refusal.status().as_u16(), refusal.cache()))
        .collect();
    let page = include_str!("../../../docs/http.md");
    let table = page.split("## Refusals").nth(1).unwrap().split("\n## ").next().unwrap();
    let written: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).skip(1).collect();
    assert_eq!(written.len(), rows.len(), "{written:#?}");
    for (written, row) in written.iter().zip(&rows) {
        assert!(written.starts_with(row), "{written} is not {row}");
    }
}
