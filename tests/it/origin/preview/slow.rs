//! Viewers with slow lines: T-27 of the fault matrix in small.

use super::*;

/// Bytes that the system of a slow viewer takes before they are read.
const BUFFER: u32 = 4096;

/// Reads events and media as fast as `rate`, in bytes a second, allows, for `seconds`; gives the events.
async fn read_at(viewer: &mut Viewer, rate: f64, seconds: u64) -> Vec<Value> {
    let (begun, mut read, mut events) = (tokio::time::Instant::now(), 0, Vec::new());
    let deadline = begun + Duration::from_secs(seconds);
    while let Ok(Some(Ok(message))) = tokio::time::timeout_at(deadline, viewer.socket.next()).await {
        let bytes = Bytes::from(message.into_payload());
        if bytes.first() == Some(&5) {
            events.push(serde_json::from_slice(&bytes[5..]).unwrap());
        }
        read += bytes.len();
        tokio::time::sleep_until(begun + Duration::from_secs_f64(read as f64 / rate)).await;
    }
    events
}

fn tracks_selected(events: &[Value], why: &str) -> Vec<u64> {
    let selected = events.iter().filter(|event| event["event"] == "selected" && event["why"] == why);
    selected.map(|event| event["video"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_slow_line_gets_a_lower_track_and_a_better_one_again_when_it_recovers() {
    let (studio, reader) = Studio::open();
    let server = studio_server(reader, MANY);
    let _air = studio.run();
    let undisturbed =
        tokio::spawn(misses_nothing(Viewer::join(server.address, "?audio=none").await, 20 * FRAMES_A_SECOND));
    let mut slow = Viewer::with_buffer(server.address, "?audio=none", Some(BUFFER)).await;
    // Enough for the smallest track, 37 KB/s, and not for the next one.
    let events = read_at(&mut slow, 60_000.0, 5).await;
    assert_eq!(tracks_selected(&events, "slow"), [1, 2], "{events:?}");
    let events = read_at(&mut slow, 10_000_000.0, 15).await;
    assert_eq!(tracks_selected(&events, "recovered"), [1, 0], "{events:?}");
    undisturbed.await.unwrap();
}

/// Fails if a frame of the best track is missing.
async fn misses_nothing(mut viewer: Viewer, frames: u64) {
    let mut last = None;
    for _ in 0..frames {
        let (track, frame, _) = viewer.media().await;
        assert!(
            track == 0 && last.is_none_or(|last| frame == last + 1),
            "track {track}, {frame} after {last:?}"
        );
        last = Some(frame);
    }
}

#[tokio::test]
async fn a_line_that_is_too_slow_for_anything_is_closed() {
    let (studio, reader) = Studio::open();
    let server = studio_server(reader, MANY);
    let _air = studio.run();
    let mut slow = Viewer::with_buffer(server.address, "?video=360p", Some(BUFFER)).await;
    // A tenth of the smallest track.
    let events = read_at(&mut slow, 4_000.0, 20).await;
    let skips = events.iter().filter(|event| event["event"] == "skipped").count();
    assert!(skips <= 3, "{events:?}");
    let rest = timeout(PATIENCE, async { while let Some(Ok(_)) = slow.socket.next().await {} });
    rest.await.expect("the server has closed");
}
