//! Listeners and connections from their beginning to their end.

use std::{io::ErrorKind, net::TcpListener, time::Instant};

use headwater::clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

use super::*;

/// A body that no socket takes in at once.
const LARGE: usize = 64 << 20;

fn serve_large() -> Server {
    let chunk = Bytes::from(vec![7; 1 << 20]);
    let body = Arc::new(Body::new(vec![chunk; LARGE >> 20]));
    let track =
        TrackEdge { segments: [(1, Arc::new(Segment::settled(body)))].into(), ..TrackEdge::default() };
    let edge = Edge { tracks: [("720p".to_owned(), fixed(track))].into(), ..Edge::default() };
    let channels = Arc::new([("demo".to_owned(), reader(edge, State::Live))].into());
    Server::start(Origin::new(channels, memory(), admission(waiters())))
}

const LARGE_PATH: &str = "/live/demo/720p/1.m4s";

#[tokio::test]
async fn a_port_in_use_is_named_with_what_to_do() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let message = origin::listen(address).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "cannot listen on {address}: the port is in use; stop the program that has it or give another address \
             under [server]"
        )
    );
    let message = origin::listen("192.0.2.1:8080".parse().unwrap()).unwrap_err().to_string();
    assert!(message.contains("192.0.2.1:8080") && message.contains("no such address"), "{message}");
}

#[tokio::test]
async fn a_body_under_way_is_finished_after_the_end_was_called() {
    for client in [http1(), http2()] {
        let mut server = serve_large();
        let mut response = sent(client.get(server.url(LARGE_PATH))).await;
        let mut received = response.chunk().await.unwrap().unwrap().len();
        server.stop.cancel();
        refuses_connections(server.address).await;
        while let Some(chunk) = timeout(PATIENCE, response.chunk()).await.expect("more in time").unwrap() {
            assert!(chunk.iter().all(|&byte| byte == 7));
            received += chunk.len();
        }
        assert_eq!(received, LARGE);
        timeout(PATIENCE, &mut server.task).await.expect("the end in time").unwrap();
    }
}

async fn refuses_connections(address: SocketAddr) {
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the port is closed in time");
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let mut server = serve_demo().await;
    let (one, two) = (http1(), http2());
    for client in [&one, &two] {
        assert_eq!(sent(client.get(server.url("/time"))).await.status(), 200);
    }
    let silent = TcpStream::connect(server.address).await.unwrap();
    let began = clock::now();
    server.stop.cancel();
    timeout(PATIENCE, &mut server.task).await.expect("the end in time").unwrap();
    assert!(began.elapsed() < Duration::from_secs(9), "they were waited for: {:?}", began.elapsed());
    drop(silent);
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_hold_up_the_end_for_ever() {
    let mut server = serve_large();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {LARGE_PATH} HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
    server.stop.cancel();
    timeout(PATIENCE, &mut server.task).await.expect("the end in time").unwrap();
}

/// Reads until the server closes, and tells how long that took.
async fn closed_after(mut stream: TcpStream, began: Instant) -> Duration {
    let mut rest = Vec::new();
    match timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("closed in time") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    began.elapsed()
}

#[tokio::test]
async fn a_head_that_comes_too_slowly_ends_its_connection_and_idleness_does_not() {
    let server = serve_demo().await;
    let began = clock::now();
    let mut partial = TcpStream::connect(server.address).await.unwrap();
    partial.write_all(b"GET /time HTT").await.unwrap();
    let mut single = TcpStream::connect(server.address).await.unwrap();
    single.write_all(b"P").await.unwrap();
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let request = b"GET /time HTTP/1.1\r\nHost: a\r\n\r\n";
    kept.write_all(request).await.unwrap();
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let two = http2();
    assert_eq!(sent(two.get(server.url("/time"))).await.status(), 200);

    let (partial, single) = tokio::join!(closed_after(partial, began), closed_after(single, began));
    for took in [partial, single] {
        assert!(took > Duration::from_secs(4), "closed before its time: {took:?}");
    }
    let mut received = vec![0; 4096];
    assert!(kept.read(&mut received).await.unwrap() > 0);
    for stream in [&mut kept, &mut silent] {
        stream.write_all(request).await.unwrap();
        let read = timeout(PATIENCE, stream.read(&mut received)).await.expect("an answer in time").unwrap();
        assert!(received[..read].starts_with(b"HTTP/1.1 200"), "still open after {:?}", began.elapsed());
    }
    assert_eq!(sent(two.get(server.url("/time"))).await.status(), 200);
}

/// Longer than a connection keeps its buffers while nothing is asked.
const RESTED: Duration = Duration::from_millis(3500);

#[tokio::test]
async fn a_connection_that_has_rested_goes_on_with_the_next_request() {
    let server = serve_demo().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let mut received = vec![0; 4096];
    // Whole, in two pieces, and one and a half at once, of which the rest comes after the connection was taken apart.
    for pieces in [
        &["GET /time HTTP/1.1\r\nHost: a\r\n\r\n"][..],
        &["GET /ti", "me HTTP/1.1\r\nHost: a\r\n\r\n"],
        &["GET /time HTTP/1.1\r\nHost: a\r\n\r\nGET /time HT"],
        &["TP/1.1\r\nHost: a\r\n\r\n"],
    ] {
        for piece in pieces {
            stream.write_all(piece.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(20)).await;
        }
        let read = timeout(PATIENCE, stream.read(&mut received)).await.expect("an answer in time").unwrap();
        let answer = String::from_utf8_lossy(&received[..read]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
        sleep(RESTED).await;
    }
}

#[tokio::test]
async fn an_http2_connection_that_has_asked_for_nothing_yet_is_not_a_slow_head() {
    let server = serve_demo().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The preface byte by byte, then an empty SETTINGS frame, then nothing.
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    sleep(Duration::from_secs(6)).await;
    // PING with its answer: alive.
    stream.write_all(b"\0\0\x08\x06\0\0\0\0\0headwate").await.unwrap();
    let mut received = Vec::new();
    while !received.windows(8).any(|window| window == b"headwate") {
        let read =
            timeout(PATIENCE, stream.read_buf(&mut received)).await.expect("an answer in time").unwrap();
        assert_ne!(read, 0, "closed");
    }
}
