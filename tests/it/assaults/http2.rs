//! Floods of HTTP/2 frames that cost a client nothing (T-19).

use tokio::{
    net::{
        TcpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
};

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;
/// RFC 9113 6.5.2.
const MAX_CONCURRENT_STREAMS: u8 = 3;
const INITIAL_WINDOW_SIZE: u8 = 4;
/// RFC 9113 7.
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What a flood may take while it lasts.
const MEMORY: u64 = 50 << 20;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A list of fields that asks for `path`, in literals of RFC 7541.
fn fields(path: &str) -> Vec<u8> {
    let literal = |name: u8, value: &str| [&[name, value.len() as u8][..], value.as_bytes()].concat();
    [vec![0x82, 0x86], literal(0x04, path), literal(0x01, "a")].concat()
}

fn odd(number: u32) -> u32 {
    2 * number + 1
}

async fn open(quiet: &Quiet) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut stream = quiet.connect().await;
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    stream.into_split()
}

/// Sends all of `frames`, as long as the server takes them.
fn send(mut write: OwnedWriteHalf, frames: impl Iterator<Item = Vec<u8>>) -> JoinHandle<OwnedWriteHalf> {
    let frames: Vec<Vec<u8>> = frames.collect();
    tokio::spawn(async move {
        for batch in frames.chunks(50) {
            if write.write_all(&batch.concat()).await.is_err() {
                break;
            }
        }
        write
    })
}

/// Everything that the server sends, until it closes.
async fn received(mut read: OwnedReadHalf) -> Vec<u8> {
    let mut received = Vec::new();
    let _ = timeout(Duration::from_secs(10), read.read_to_end(&mut received)).await.expect("it is closed");
    received
}

/// The frames of `bytes`: kinds and payloads.
fn frames(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut frames = Vec::new();
    while bytes.len() >= 9 {
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        frames.push((bytes[3], bytes.get(9..9 + length).unwrap_or_default()));
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    frames
}

/// Fails if the connection was ended otherwise than for its conduct; a reset may have overtaken the words.
fn assert_sent_away(bytes: &[u8]) {
    let goaway = frames(bytes).into_iter().find(|(kind, _)| *kind == GOAWAY);
    if let Some((_, [_, _, _, _, code @ ..])) = goaway {
        assert_eq!(code[..4], ENHANCE_YOUR_CALM.to_be_bytes());
    }
}

/// How long 99 of a hundred requests of one client take at most.
async fn p99(quiet: &Quiet) -> Duration {
    let client = Client::new();
    let mut took = Vec::new();
    for _ in 0..100 {
        took.push(quiet.ask(&client).await);
    }
    took.sort();
    took[98]
}

/// Fails if somebody else waits twice as long as `before` while a flood lasts, and some turns of a scheduler, as the flood
/// and other tests have the same cores.
async fn assert_unimpressed(quiet: &Quiet, before: Duration) {
    let during = p99(quiet).await;
    println!("p99 of a healthy client: {before:?} before, {during:?} during the flood");
    assert!(during <= 2 * before + Duration::from_millis(100), "{during:?}, and {before:?} before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_at_once_end_their_connection() {
    let quiet = Quiet::start(4000).await;
    let (calm, before) = (p99(&quiet).await, quiet.rss());
    let (read, write) = open(&quiet).await;
    let pairs = (0..5000).map(|number| {
        let headers = frame(HEADERS, 5, odd(number), &fields("/live/demo/index.m3u8"));
        [headers, frame(RST_STREAM, 0, odd(number), &[0, 0, 0, 8])].concat()
    });
    let (writing, reading) = (send(write, pairs), tokio::spawn(received(read)));
    assert_unimpressed(&quiet, calm).await;
    let bytes = reading.await.unwrap();
    assert_sent_away(&bytes);
    writing.await.unwrap();
    let answers = frames(&bytes).iter().filter(|(kind, _)| *kind == HEADERS).count();
    assert!(answers < 5000, "it was sent away before it was through: {answers} answers");
    assert!(quiet.rss().saturating_sub(before) <= MEMORY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_fields_that_never_ends_ends_its_connection() {
    let quiet = Quiet::start(4000).await;
    let (calm, before) = (p99(&quiet).await, quiet.rss());
    // RFC 7541 6.2.2: a field of a kilobyte that is not remembered, and an empty frame, which costs even less.
    let field = [&[0, 1, b'x', 0x7f, 0x81, 0x07][..], &[b'a'; 1024]].concat();
    for piece in [field, Vec::new()] {
        let (read, write) = open(&quiet).await;
        let begun = frame(HEADERS, 1, 1, &fields("/time"));
        let more = (0..5000).map(|_| frame(CONTINUATION, 0, 1, &piece));
        let (writing, reading) =
            (send(write, std::iter::once(begun).chain(more)), tokio::spawn(received(read)));
        assert_unimpressed(&quiet, calm).await;
        assert_sent_away(&reading.await.unwrap());
        writing.await.unwrap();
    }
    assert!(quiet.rss().saturating_sub(before) <= MEMORY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_and_pings_in_thousands_cost_their_sender_more_than_others() {
    let quiet = Quiet::start(4000).await;
    let (calm, before) = (p99(&quiet).await, quiet.rss());
    for (kind, payload) in [(SETTINGS, &[][..]), (PING, b"headwate")] {
        let (mut read, write) = open(&quiet).await;
        let writing = send(write, (0..5000).map(|_| frame(kind, 0, 0, payload)));
        let reading = tokio::spawn(async move {
            let mut received = Vec::new();
            // Until it is closed, or has nothing more to say.
            while let Ok(Ok(1..)) = timeout(Duration::from_secs(2), read.read_buf(&mut received)).await {}
            received
        });
        assert_unimpressed(&quiet, calm).await;
        let bytes = reading.await.unwrap();
        assert!(frames(&bytes).len() <= 5010, "one answer each at most");
        writing.await.unwrap();
    }
    assert!(quiet.rss().saturating_sub(before) <= MEMORY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_pings_and_takes_no_answer_is_closed_and_nothing_is_kept_for_it() {
    let quiet = Quiet::start(4000).await;
    let (calm, before) = (p99(&quiet).await, quiet.rss());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(quiet.served.address()).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    let pings = frame(PING, 0, 0, b"headwate").repeat(4000);
    // More than all buffers on the way hold; it takes no more as nobody takes what it says, and then it is closed.
    let flood = async {
        for _ in 0..500 {
            if stream.write_all(&pings).await.is_err() {
                return;
            }
        }
        panic!("all was taken");
    };
    timeout(Duration::from_secs(30), flood).await.expect("closed after ten seconds");
    assert!(quiet.rss().saturating_sub(before) <= MEMORY);
    assert_unimpressed(&quiet, calm).await;
}

/// Frames that come one after another, with their streams and flags.
async fn next_frame(stream: &mut TcpStream) -> (u8, u8, u32, Vec<u8>) {
    let mut head = [0; 9];
    timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("a frame in time").unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let mut payload = vec![0; length];
    timeout(PATIENCE, stream.read_exact(&mut payload)).await.expect("all of it").unwrap();
    (head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_all_its_streams_open_is_refused_the_next_and_keeps_the_others() {
    const STREAMS: u32 = 4;
    let quiet = Quiet::with(&format!("[server.limits]\nhttp2_streams = {STREAMS}\n"), 4000).await;
    let mut stream = quiet.connect().await;
    // Without a window, what is answered stays open.
    let no_window = [&[0, INITIAL_WINDOW_SIZE][..], &0_u32.to_be_bytes()].concat();
    let mut hello = [PREFACE, &frame(SETTINGS, 0, 0, &no_window)].concat();
    hello.extend((0..=STREAMS).flat_map(|number| frame(HEADERS, 5, odd(number), &fields("/time"))));
    stream.write_all(&hello).await.unwrap();

    let mut announced = None;
    let refused = loop {
        match next_frame(&mut stream).await {
            (SETTINGS, _, _, payload) => {
                let setting = payload.chunks(6).find(|setting| setting[1] == MAX_CONCURRENT_STREAMS);
                announced = announced.or(setting.map(|setting| setting[5]));
            }
            (RST_STREAM, _, id, code) => break (id, code),
            (kind, _, id, _) => assert!(kind != DATA && id < odd(STREAMS), "kind {kind} on {id}"),
        }
    };
    assert_eq!(announced, Some(STREAMS as u8));
    assert_eq!(refused, (odd(STREAMS), REFUSED_STREAM.to_be_bytes().to_vec()));

    for number in 0..STREAMS {
        let window = frame(WINDOW_UPDATE, 0, odd(number), &1000_u32.to_be_bytes());
        stream.write_all(&window).await.unwrap();
    }
    let mut ended = 0;
    while ended < STREAMS {
        let (kind, flags, ..) = next_frame(&mut stream).await;
        ended += u32::from(kind == DATA && flags & END_STREAM != 0);
    }
}
