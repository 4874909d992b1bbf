//! What a viewer may do wrong, and what it is told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

async fn watching() -> (Studio, Server, Viewer) {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "?audio=none").await;
    viewer.media().await;
    (studio, server, viewer)
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_the_picture_goes_on() {
    let (mut studio, _server, mut viewer) = watching().await;
    for (kind, payload, word) in [
        (99, &b""[..], "type 99"),
        (2, &[0; 30][..], "type 2"),
        (8, br#"{"control":"select","video":9}"#, "no track 9"),
        (8, br#"{"control":"select","video":3}"#, "audio-en"),
        (8, br#"{"control":"select","audio":0}"#, "720p"),
    ] {
        viewer.send(kind, payload).await;
        let why = viewer.event("refused").await["why"].as_str().unwrap().to_owned();
        assert!(why.contains(word), "{why}");
    }
    studio.publish();
    assert_eq!(viewer.media().await, (0, 1, false));
}

/// What is logged at INFO in this test's thread, which is that of its server too.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn each_mistake_is_logged_once() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // While there is only one in the process, tracing asks that of the thread that first comes by a line whether anybody
    // wants it, and tests beside this one have none.
    let _other = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(subscriber);
    let (_studio, _server, mut viewer) = watching().await;
    for _ in 0..3 {
        viewer.send(99, &[]).await;
        viewer.event("refused").await;
    }
    let lines = log.lines();
    assert!(lines.len() == 1 && lines[0].contains("was refused") && lines[0].contains("demo"), "{lines:#?}");
    viewer.socket.send(Message::text("{}")).await.unwrap();
    assert_eq!(viewer.closed().await, 1003);
    let lines = log.lines();
    assert!(lines.len() == 2 && lines[1].contains("1003"), "{lines:#?}");
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_the_right_code() {
    let json = |json: &str| [&[8, 0, 0, 0, json.len() as u8][..], json.as_bytes()].concat();
    for (message, code) in [
        (Message::text("{}"), 1003),
        (Message::binary(vec![6, 0, 0, 0]), 1007),
        (Message::binary(vec![6, 0, 0, 0, 0, 0]), 1007),
        (Message::binary(json("{")), 1007),
        (Message::binary(json(r#"{"control":"dance"}"#)), 1007),
        (Message::binary(json(r#"{"control":"select","video":"720p"}"#)), 1007),
        (Message::binary(vec![0; 4097]), 1009),
    ] {
        let (_studio, _server, mut viewer) = watching().await;
        let what = format!("{message:?}");
        viewer.socket.send(message).await.unwrap();
        assert_eq!(viewer.closed().await, code, "{what}");
    }
}

#[tokio::test]
async fn who_talks_too_much_is_closed() {
    let (_studio, _server, mut viewer) = watching().await;
    for _ in 0..51 {
        viewer.send(7, &[]).await;
    }
    assert_eq!(viewer.closed().await, 1008);
}

#[tokio::test]
async fn frames_that_are_no_websocket_frames_are_a_protocol_error() {
    // A ping that is not masked, one with reserved bits, an unknown opcode, and a fragmented ping.
    for bytes in [[0x89, 0x00], [0xf9, 0x80], [0x83, 0x80], [0x09, 0x80]] {
        let (_studio, _server, viewer) = watching().await;
        let mut stream = viewer.socket.into_inner();
        stream.write_all(&bytes).await.unwrap();
        let mut received = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut received)).await.unwrap().unwrap();
        let close = received.windows(4).find(|bytes| bytes[0] == 0x88).expect("a close frame");
        assert_eq!(close[2..], 1002_u16.to_be_bytes(), "{bytes:x?}");
    }
}
