//! Requests of which a proxy and an origin may think differently: where they end is never in doubt here (T-20).

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// What would be answered if the request before it ended earlier, or later, than it does.
const SMUGGLED: &str = "GET /channels.json HTTP/1.1\r\nHost: smuggled\r\n\r\n";

/// All that comes in answer to `request`, until the server closes.
async fn answered(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    // The server closes while there is more to read, so a reset may be what ends it.
    let _ = timeout(Duration::from_secs(4), stream.read_to_end(&mut answer)).await.expect("closed at once");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_of_whose_length_there_are_two_opinions_is_refused_and_the_last() {
    let server = serve_demo().await;
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\u{b}chunked",
        "Transfer-Encoding\t: chunked",
        " Transfer-Encoding: chunked",
        "X: a\r\n Transfer-Encoding: chunked",
        "X: a\rTransfer-Encoding: chunked",
        "X: a\nTransfer-Encoding: chunked",
        "X: a\0b",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5, 6",
        "Content-Length: 18446744073709551616",
        "X: a\n",
        "X: a\n\r",
    ] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let request =
                format!("{method} /time HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{SMUGGLED}");
            let answer = answered(&server, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
            assert!(!answer.contains("\"channels\""), "{request:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_line_that_ends_without_a_carriage_return_is_no_line() {
    let server = serve_demo().await;
    for request in [
        "GET /time HTTP/1.1\nHost: a\n\n",
        "GET /time HTTP/1.1\r\nHost: a\n\r\n",
        "GET /time HTTP/1.1\r\nHost: a\r\n\n",
        "\nGET /time HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let answer = answered(&server, format!("{request}{SMUGGLED}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
    }
    // However the bytes are cut, CR and LF belong together.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in b"\r\nGET /time HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("closed in time").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
