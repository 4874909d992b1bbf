//! A running server that is meant harm, or is told to stop in the middle of its work: what it takes is measured from
//! outside.

mod http2;

use std::{fs, time::Duration};

use headwater::clock;
use reqwest::{Client, Response};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::served::{Served, eventually};

/// No wait in these tests is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server whose only channel never gets an encoder, so that all it does is what the test wants of it.
struct Quiet {
    served: Served,
    _socket: TempDir,
}

impl Quiet {
    async fn start(descriptors: u32) -> Self {
        Self::with("", descriptors).await
    }

    /// The same with more settings, in TOML.
    async fn with(settings: &str, descriptors: u32) -> Self {
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        let directory = TempDir::new().unwrap();
        let socket = directory.path().join("encoder.sock");
        let channel = format!("{settings}[channel.demo]\nsource = \"test:\"\nencoder_socket = {socket:?}\n");
        Self { served: Served::within(&channel, descriptors).await, _socket: directory }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.served.address()).await.unwrap()
    }

    fn rss(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.served.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.served.pid())).unwrap().count()
    }

    /// The processor time that it has used so far.
    fn busy(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.served.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// One request of somebody who means no harm, and how long it took.
    async fn ask(&self, client: &Client) -> Duration {
        let began = clock::now();
        let response = timeout(PATIENCE, client.get(self.served.url("time")).send()).await;
        assert_eq!(response.expect("an answer in time").unwrap().status(), 200);
        began.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_partial_heads_are_gone_soon_and_hold_nobody_up() {
    let quiet = Quiet::start(4000).await;
    let before = quiet.descriptors();
    let mut partial = JoinSet::new();
    for number in 0..500 {
        let mut stream = quiet.connect().await;
        let head = &b"GET /time HTTP/1.1\r\nHost: a\r\nX-A: b"[..1 + number % 30];
        stream.write_all(head).await.unwrap();
        partial.spawn(async move { drop(stream.read_to_end(&mut Vec::new()).await) });
    }
    for _ in 0..20 {
        let took = quiet.ask(&Client::new()).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    let gone = async { while partial.join_next().await.is_some() {} };
    timeout(Duration::from_secs(6), gone).await.expect("gone after five seconds");
    eventually("their descriptors are free", 5, async || {
        Some(()).filter(|()| quiet.descriptors() <= before + 30)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_for_unknown_streams_leaves_nothing_behind() {
    let quiet = Quiet::start(4000).await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    let flood = async |round: usize| {
        let mut asking = JoinSet::new();
        for worker in 0..8 {
            let (client, root) = (client.clone(), quiet.served.url(""));
            asking.spawn(async move {
                for number in 0..1000 {
                    let path = format!("live/ghost-{round}-{worker}-{number}/720p/index.m3u8");
                    let response = client.get(format!("{root}{path}")).send().await.unwrap();
                    assert_eq!(response.status(), 404);
                    assert!(is_whole(response).await);
                }
            });
        }
        while let Some(ended) = timeout(PATIENCE, asking.join_next()).await.expect("all in time") {
            ended.unwrap();
        }
    };
    // What the allocator and the connection keep for themselves, they have by then.
    flood(0).await;
    let before = quiet.rss();
    flood(1).await;
    flood(2).await;
    let grown = quiet.rss().saturating_sub(before);

    assert!(grown <= 5 << 20, "{grown} bytes more after 16,000 names");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_descriptors_it_rests_and_goes_on_as_soon_as_there_are_some() {
    const LIMIT: u32 = 200;
    let quiet = Quiet::start(LIMIT).await;
    let mut clients = Vec::new();
    for _ in 0..2 * LIMIT {
        clients.push(quiet.connect().await);
    }
    eventually("all descriptors are taken", 10, async || {
        Some(()).filter(|()| quiet.descriptors() >= LIMIT as usize)
    })
    .await;
    let (began, busy) = (clock::now(), quiet.busy());
    sleep(Duration::from_secs(3)).await;
    let share = (quiet.busy() - busy).as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(share <= 0.2, "{:.0} % of a processor", share * 100.0);
    let log = quiet.served.log();
    assert!(log.contains("cannot accept connections"), "{log}");

    drop(clients);
    let took = quiet.ask(&Client::new()).await;
    assert!(took <= Duration::from_secs(1), "{took:?}");
}

const CHANNEL: &str = "[channel.cam]\nsource = \"test:?size=320x180&rate=30\"\nsegment = \"1s\"\npart = \"200ms\"\n\
    window = \"30s\"\n[[channel.cam.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n";

/// Reads the body of an answer; false if it is cut off.
async fn is_whole(response: Response) -> bool {
    timeout(PATIENCE, response.bytes()).await.expect("the body in time").is_ok()
}

/// Plays until nobody answers any more; gives how many bodies came, and how many of them were cut off.
async fn play(server: String) -> (usize, usize) {
    let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
    let (mut bodies, mut cut) = (0, 0);
    loop {
        let Ok(list) = client.get(format!("{server}live/cam/180p/index.m3u8")).send().await else { break };
        let Ok(list) = list.text().await else { return (bodies, cut + 1) };
        let segments: Vec<&str> = list.lines().filter(|line| line.ends_with(".m4s")).collect();
        for segment in segments.iter().rev().take(3) {
            let url = format!("{server}live/cam/180p/{segment}");
            let Ok(response) = client.get(url).send().await else { return (bodies, cut) };
            bodies += 1;
            cut += usize::from(!is_whole(response).await);
        }
    }
    (bodies, cut)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn told_to_stop_under_load_it_sends_all_it_has_begun_and_is_gone_in_ten_seconds() {
    let mut server = Served::start(CHANNEL).await;
    let list = server.playlist_with("cam/180p", 30, |list| list.segments.len() >= 3).await;
    assert_eq!(server.readiness().await, Some(200));
    let mut players = JoinSet::new();
    (0..8).for_each(|_| drop(players.spawn(play(server.url("")))));
    let mut waiters = JoinSet::new();
    let next = list.media_sequence + list.segments.len() as u64 + 1;
    for _ in 0..40 {
        let request = Client::new().get(server.url(&format!("live/cam/180p/index.m3u8?_HLS_msn={next}")));
        waiters.spawn(async move { timeout(PATIENCE, request.send()).await.expect("an answer in time") });
    }
    sleep(Duration::from_millis(300)).await;

    server.terminate();
    let began = clock::now();
    let mut told = Vec::new();
    while let Some(status) = server.readiness().await {
        told.push(status);
        sleep(Duration::from_millis(5)).await;
    }
    server.ended().await;
    let took = began.elapsed();
    assert!(took <= Duration::from_secs(10), "{took:?}");
    while let Some(answer) = waiters.join_next().await {
        let answer = answer.unwrap().expect("who waits is answered");
        assert!(matches!(answer.status().as_u16(), 200 | 503), "{}", answer.status());
        assert!(is_whole(answer).await);
    }
    let mut bodies = 0;
    while let Some(played) = players.join_next().await {
        let (whole, cut) = played.unwrap();
        bodies += whole;
        assert_eq!(cut, 0, "bodies that were cut off");
    }
    assert!(bodies > 8, "{bodies}");
    assert!(told.contains(&503), "not ready before nobody is there: {told:?}");
    let ready_after = told.iter().skip_while(|&&status| status == 200).filter(|&&status| status == 200);
    assert_eq!(ready_after.count(), 0, "{told:?}");
}
