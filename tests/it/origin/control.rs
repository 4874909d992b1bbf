//! The control listener.

use headwater::{control::Control, metrics::Metrics};

use super::*;

struct Rig {
    server: Server,
    status: watch::Sender<Status>,
    shutdown: CancellationToken,
}

fn rig() -> Rig {
    let (status, states) = watch::channel(super::status(State::Starting));
    let reader = reading(watch::channel(Arc::default()).1, states);
    let shutdown = CancellationToken::new();
    let channels = Arc::new([("demo".to_owned(), reader)].into());
    let server = Server::start(Control::new(channels, &Metrics::default(), shutdown.clone()));
    Rig { server, status, shutdown }
}

impl Rig {
    async fn ready(&self) -> (u16, String) {
        let response = self.server.get("/readyz").await;
        assert_eq!(field(response.headers(), "cache-control"), "no-store");
        (response.status().as_u16(), text(response).await)
    }
}

#[tokio::test]
async fn readiness_follows_the_channels_and_says_what_is_in_the_way() {
    let rig = rig();
    assert_eq!(rig.ready().await, (503, "channel demo is starting\n".into()));
    for state in [
        State::Live,
        State::Stalled { why: "no packets".into() },
        State::Restarting { why: "killed".into() },
        State::Ended,
    ] {
        rig.status.send(status(state)).unwrap();
        assert_eq!(rig.ready().await, (200, "ready\n".into()));
    }
    rig.status.send(status(State::Failed { why: "no such file".into() })).unwrap();
    assert_eq!(rig.ready().await, (503, "channel demo failed: no such file\n".into()));
    rig.status.send(status(State::Live)).unwrap();
    rig.shutdown.cancel();
    assert_eq!(rig.ready().await, (503, "shutting down\n".into()));
    assert_eq!(text(rig.server.get("/healthz").await).await, "alive\n");
}

#[tokio::test]
async fn operators_are_told_everything_and_only_reading_is_allowed() {
    let rig = rig();
    let why = "rtsp://user:secret@cam/ is gone".to_owned();
    rig.status.send(Status { encoder_pid: Some(7), ..status(State::Restarting { why }) }).unwrap();
    let list = text(rig.server.get("/api/v1/channels").await).await;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&list).unwrap(),
        serde_json::json!({"channels": [{
            "name": "demo", "state": "restarting", "why": "rtsp://user:secret@cam/ is gone", "epoch": 1,
            "takeovers": 0,
            "encoder_starts": 1,
            "encoder_pid": 7, "filler_parts": 0, "encoders": {}, "store_degraded": null, "unfenced": null, "low_latency_off": null, "edge_from": null,
        }]})
    );
    let refused = sent(rig.server.request(Method::POST, "/api/v1/channels")).await;
    assert_eq!((refused.status().as_u16(), field(refused.headers(), "allow")), (405, "GET, HEAD, OPTIONS"));
    assert_eq!(sent(rig.server.request(Method::OPTIONS, "/readyz")).await.status(), 204);
    assert_eq!(rig.server.get("/live/demo/index.m3u8").await.status(), 404, "media is on the other port");
}
