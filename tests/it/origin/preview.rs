//! Viewers over WebSockets: on real sockets, with a client that we did not write, on frames that are published by hand.

mod ending;
mod errors;
mod handshake;
mod slow;

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use headwater::channel::frames::{Fresh, Publisher};
use headwater_packager::{
    codec::CodecConfig,
    sample::Sample,
    time::Timescale,
    track::{Audio, Media, Track, Video},
};
use serde_json::Value;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::mpsc,
};
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

use super::*;

const SEGMENT: Duration = Duration::from_secs(2);
const FRAMES_A_SECOND: u64 = 30;

/// A channel `demo` with video tracks of 2, 1 and 0.3 Mbit/s, and sound.
pub(super) struct Studio {
    publisher: Publisher,
    tracks: Vec<Arc<Track>>,
    frame: u64,
    /// Tracks that shall have a key frame next.
    wishes: mpsc::Receiver<u8>,
    status: watch::Sender<Status>,
}

fn track(name: &str, height: Option<u32>, bitrate: u32) -> Arc<Track> {
    let media = match height {
        Some(height) => {
            Media::Video(Video { width: 16, height, sample_aspect: (1, 1), frame_rate: None, colour: None })
        }
        None => Media::Audio(Audio { sample_rate: 48_000, channels: 2, language: "en".into() }),
    };
    let codec = match height {
        Some(_) => CodecConfig::Avc(Bytes::from_static(&[1, 0x64, 0, 0x1f])),
        None => CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])),
    };
    let timescale = Timescale::new(30_000).unwrap();
    Arc::new(Track { name: name.into(), timescale, codec, media, bitrate, edit_start: 0 })
}

impl Studio {
    pub(super) fn open() -> (Self, Reader) {
        let publisher = Publisher::new(SEGMENT);
        let tracks = vec![
            track("720p", Some(720), 2_000_000),
            track("480p", Some(480), 1_000_000),
            track("360p", Some(360), 300_000),
            track("audio-en", None, 128_000),
        ];
        let (key_frames, wishes) = KeyFrames::new();
        let (status, statuses) = watch::channel(status(State::Live));
        let edge = watch::channel(Arc::default()).1;
        let reader = Reader { edge, status: statuses, lineup: publisher.subscribe(), key_frames };
        (Self { publisher, tracks, frame: 0, wishes, status }, reader)
    }

    /// Publishes the next frame of every track.
    pub(super) fn publish(&mut self) {
        let mut wished = Vec::new();
        while let Ok(track) = self.wishes.try_recv() {
            wished.push(usize::from(track));
        }
        let begins = self.frame.is_multiple_of(FRAMES_A_SECOND * SEGMENT.as_secs());
        let sample = |index: usize, track: &Track| Sample {
            dts: self.frame as i64 * 1000,
            cts: 0,
            duration: 1000,
            sync: begins || track.audio().is_some() || wished.contains(&index),
            captured_at: 0,
            data: vec![index as u8; track.bitrate as usize / 8 / FRAMES_A_SECOND as usize].into(),
        };
        let samples: Vec<_> =
            self.tracks.iter().enumerate().map(|(index, track)| sample(index, track)).collect();
        let fresh = |(track, sample)| Fresh { track, init: &[], samples: vec![sample] };
        self.publisher.publish(&mut self.tracks.iter().zip(samples).map(fresh).collect::<Vec<_>>(), now());
        self.frame += 1;
    }

    /// Publishes at the speed of time until the handle is dropped.
    fn run(mut self) -> OnAir {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / FRAMES_A_SECOND));
            while !stopped.is_cancelled() {
                ticks.tick().await;
                self.publish();
            }
        });
        OnAir(stop.drop_guard())
    }
}

struct OnAir(#[expect(dead_code, reason = "ends with its drop")] tokio_util::sync::DropGuard);

#[expect(clippy::disallowed_methods, reason = "a test's own clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

pub(super) fn studio_server(reader: Reader, limits: viewers::Limits) -> Server {
    let viewers = Viewers::new(limits, Metrics::default().viewing);
    let origins = vec!["https://studio.example".to_owned()];
    let admission = Admission { waiters: waiters(), viewers, origins, access: Access::open() };
    Server::start(Origin::new(Arc::new([("demo".to_owned(), reader)].into()), memory(), admission))
}

/// A handshake without a viewer behind it.
pub(super) fn upgrade(server: &Server, path: &str) -> RequestBuilder {
    server
        .request(Method::GET, path)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("sec-websocket-protocol", "headwater.v1")
}

/// Waits until another viewer may come.
async fn there_is_room(server: &Server) {
    let room = async {
        while sent(upgrade(server, "/live/demo/ws")).await.status() != 101 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, room).await.expect("another viewer may come in time");
}

pub(super) const MANY: viewers::Limits = viewers::Limits { all: 100, of_channel: 100 };

/// A viewer, as other people's programs are one.
pub(super) struct Viewer {
    socket: WebSocketStream<TcpStream>,
}

impl Viewer {
    pub(super) async fn join(server: SocketAddr, query: &str) -> Self {
        Self::with_buffer(server, query, None).await
    }

    /// One whose system takes only so many bytes before they are read.
    async fn with_buffer(server: SocketAddr, query: &str, buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        buffer.into_iter().for_each(|bytes| socket.set_recv_buffer_size(bytes).unwrap());
        let stream = socket.connect(server).await.unwrap();
        let uri = format!("ws://{server}/live/demo/ws{query}").parse().unwrap();
        let builder = ClientBuilder::from_uri(uri)
            .add_header(http::header::SEC_WEBSOCKET_PROTOCOL, "headwater.v1".parse().unwrap())
            .unwrap();
        let (socket, response) = timeout(PATIENCE, builder.connect_on(stream)).await.unwrap().unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "headwater.v1");
        Self { socket }
    }

    /// The next message; `None` once the server has closed.
    async fn next(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.socket.next()).await.expect("something in time")?.ok()
    }

    /// The next frame: its type and its payload.
    async fn frame(&mut self) -> (u8, Bytes) {
        loop {
            let message = self.next().await.expect("another frame");
            if message.is_ping() {
                continue;
            }
            assert!(message.is_binary(), "{message:?}");
            let bytes = Bytes::from(message.into_payload());
            let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
            assert_eq!(length as usize, bytes.len() - 5, "a message is one frame");
            return (bytes[0], bytes.slice(5..));
        }
    }

    /// The next event of this name; what comes before is passed over.
    async fn event(&mut self, name: &str) -> Value {
        loop {
            let (kind, payload) = self.frame().await;
            if kind == 5 {
                let event: Value = serde_json::from_slice(&payload).unwrap();
                if event["event"] == name {
                    return event;
                }
            }
        }
    }

    /// The next frame of media: its track, its time in frames, and whether it is a key frame.
    pub(super) async fn media(&mut self) -> (u8, i64, bool) {
        loop {
            let (kind, payload) = self.frame().await;
            if (2..=4).contains(&kind) {
                let dts = i64::from_be_bytes(payload[2..10].try_into().unwrap());
                return (payload[0], dts / 1000, kind == 2);
            }
        }
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) {
        let mut frame = BytesMut::from(&[kind][..]);
        frame.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        frame.extend_from_slice(payload);
        self.socket.send(Message::binary(frame)).await.unwrap();
    }

    async fn control(&mut self, json: &str) {
        self.send(8, json.as_bytes()).await;
    }

    /// The close code, when the server has closed.
    pub(super) async fn closed(&mut self) -> u16 {
        while let Some(message) = self.next().await {
            if let Some((code, _)) = message.as_close() {
                return code.into();
            }
        }
        panic!("the server left without a word");
    }
}

#[tokio::test]
async fn a_viewer_gets_catalog_gop_and_then_every_frame_as_it_comes() {
    let (mut studio, reader) = Studio::open();
    (0..70).for_each(|_| studio.publish());
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "?audio=none").await;
    let (kind, catalog) = viewer.frame().await;
    let catalog: Value = serde_json::from_slice(&catalog).unwrap();
    assert_eq!((kind, &catalog["tracks"][1]["name"]), (1, &"480p".into()));
    assert_eq!(catalog["tracks"][1]["codec_string"], "avc1.64001f");
    assert_eq!(catalog["tracks"][3]["codec"]["config"], "1190");
    for frame in 60..70 {
        assert_eq!(viewer.media().await, (0, frame, frame == 60));
    }
    studio.publish();
    assert_eq!(viewer.media().await, (0, 70, false));
}

#[tokio::test]
async fn a_viewer_that_comes_before_the_channel_has_tracks_waits_for_them() {
    let (mut studio, reader) = Studio::open();
    studio.status.send_replace(status(State::Starting));
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "").await;
    assert_eq!(viewer.event("state").await["state"], "starting");
    studio.status.send_replace(status(State::Live));
    assert_eq!(viewer.event("state").await["state"], "live");
    studio.publish();
    assert_eq!(viewer.event("selected").await["why"], "start");
    assert_eq!(viewer.media().await, (0, 0, true));
}

#[tokio::test]
async fn a_switch_asks_the_encoder_for_a_key_frame_and_happens_there() {
    let (mut studio, reader) = Studio::open();
    (0..5).for_each(|_| studio.publish());
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "?audio=none").await;
    viewer.event("selected").await;
    viewer.control(r#"{"control":"select","video":2}"#).await;
    let wished = timeout(PATIENCE, studio.wishes.recv()).await.unwrap();
    assert_eq!(wished, Some(2), "the next one is 1.8 s away");
    studio.publish();
    assert_eq!(studio.frame, 6);
    // As the encoder does what it is asked.
    reader_wish(&mut studio, 2);
    let event = viewer.event("selected").await;
    assert_eq!((&event["video"], &event["why"]), (&2.into(), &"asked".into()));
    assert_eq!(viewer.media().await, (2, 6, true));
}

/// Publishes a frame in which `track` has a key frame.
fn reader_wish(studio: &mut Studio, track: u8) {
    let (wishes, receiver) = mpsc::channel(1);
    wishes.try_send(track).unwrap();
    let before = std::mem::replace(&mut studio.wishes, receiver);
    studio.publish();
    studio.wishes = before;
}

#[tokio::test]
async fn pause_resume_and_ping_are_obeyed() {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "?audio=none").await;
    assert_eq!(viewer.media().await, (0, 0, true));
    viewer.control(r#"{"control":"pause"}"#).await;
    viewer.event("paused").await;
    (0..65).for_each(|_| studio.publish());
    viewer.send(6, &[]).await;
    assert_eq!(viewer.frame().await.0, 7, "nothing but the pong");
    viewer.control(r#"{"control":"resume"}"#).await;
    assert_eq!(viewer.media().await, (0, 60, true));
}
