//! How it ends.

use super::*;

#[tokio::test]
async fn a_server_that_goes_down_says_so() {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let mut server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "").await;
    viewer.media().await;
    server.stop.cancel();
    assert_eq!(viewer.closed().await, 1001);
    timeout(Duration::from_secs(5), &mut server.task).await.expect("it does not wait for viewers").unwrap();
}

#[tokio::test]
async fn an_ended_channel_is_seen_to_its_end() {
    let (mut studio, reader) = Studio::open();
    (0..30).for_each(|_| studio.publish());
    let server = studio_server(reader, MANY);
    let mut viewer = Viewer::join(server.address, "?audio=none").await;
    viewer.media().await;
    studio.status.send_replace(status(State::Ended));
    for frame in 1..30 {
        assert_eq!(viewer.media().await.1, frame);
    }
    assert_eq!(viewer.closed().await, 1000);
}

#[tokio::test]
async fn a_peer_that_is_not_heard_of_any_more_is_dropped() {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = studio_server(reader, viewers::Limits { all: 1, of_channel: 1 });
    // Reads nothing, and so does not answer pings.
    let silent = Viewer::join(server.address, "").await;
    let joined = now();
    there_is_room(&server).await;
    let took = joined.elapsed();
    assert!(took > Duration::from_secs(29), "not before the second ping is due: {took:?}");
    drop(silent);
}
