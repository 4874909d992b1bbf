//! Clients that do not take what they have asked for: T-17 of the fault matrix.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;

/// More than any socket takes in at once.
const LARGE: usize = 64 << 20;
/// A client that takes nothing is gone after this.
const GONE: Duration = Duration::from_secs(16);

fn serve_large() -> Server {
    let body = Arc::new(Body::new(vec![Bytes::from(vec![7; 1 << 20]); LARGE >> 20]));
    let segments = [(LAST, Arc::new(Segment::settled(body)))].into();
    let track = TrackEdge { segments, ..TrackEdge::default() };
    let edge = Edge { tracks: [("720p".to_owned(), fixed(track))].into(), ..Edge::default() };
    let channels = Arc::new([("demo".to_owned(), reader(edge, State::Live))].into());
    Server::start(Origin::new(channels, memory(), admission(waiters())))
}

#[tokio::test]
async fn who_never_reads_is_closed() {
    let server = serve_large();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET /live/demo/720p/{LAST}.m4s HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::sleep(GONE).await;
    let mut received = Vec::new();
    // Whether this ends with the connection or with a reset, it ends before the body does.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut received)).await.expect("nothing more comes");
    assert!(received.starts_with(b"HTTP/1.1 200") && received.len() < LARGE, "{} bytes", received.len());
}

/// An HTTP/2 connection that asks for `path` and allows no byte of it to be sent.
fn without_a_window(path: &str) -> Vec<u8> {
    let literal = |name: u8, value: &str| [&[name, value.len() as u8][..], value.as_bytes()].concat();
    // RFC 7541: GET and http from the static table, path and authority with their names from there.
    let fields = [vec![0x82, 0x86], literal(0x04, path), literal(0x01, "a")].concat();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream][..], payload].concat()
    };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE = 0, and HEADERS with END_STREAM and END_HEADERS.
    [preface, frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]), frame(1, 5, 1, &fields)].concat()
}

#[tokio::test]
async fn who_closes_its_http2_window_is_closed() {
    let server = serve_large();
    for path in [format!("/live/demo/720p/{LAST}.m4s"), "/time".to_owned()] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&without_a_window(&path)).await.unwrap();
        let mut received = Vec::new();
        let ended = timeout(GONE, stream.read_to_end(&mut received)).await;
        assert!(ended.is_ok(), "{path}: still open after {GONE:?}");
        assert!(received.len() < 1000, "{path}: {} bytes", received.len());
    }
}
