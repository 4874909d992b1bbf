//! The caches of cdn-config: each example is run by its program in front of a real origin, and held to the same
//! properties. What a program cannot do stands in [`Program`], and in the table of cdn-config/README.md.

mod described;
mod keeping;
mod low_latency;
mod purging;
mod readme;

use std::sync::atomic::{AtomicUsize, Ordering};

use headwater_test_support::cache::{Cache, Program};
use http::HeaderValue;

use super::{low_latency::Live, *};

/// Counts what reaches the origin.
struct Counted {
    origin: Origin,
    requests: Arc<AtomicUsize>,
    /// What it says to CDNs besides.
    to_cdns: Option<HeaderValue>,
}

impl Service for Counted {
    const NAME: &'static str = "counted";

    async fn answer(&self, request: &http::request::Parts, connection: &Waiting) -> Reply {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let mut reply = self.origin.answer(request, connection).await;
        if let Some(value) = &self.to_cdns {
            reply.set("cdn-cache-control", value.clone());
        }
        reply
    }
}

/// A cache that runs in front of an origin, and what reaches the latter.
struct Front {
    cache: Cache,
    client: Client,
    requests: Arc<AtomicUsize>,
}

impl Front {
    /// `None`, and a line that says so, where the program is not installed.
    async fn start(program: Program, origin: SocketAddr, requests: Arc<AtomicUsize>) -> Option<Self> {
        let start = tokio::task::spawn_blocking(move || Cache::start(program, origin));
        let cache = start.await.unwrap().expect("the cache takes its configuration and listens")?;
        // Some look whether the origin is there before they begin.
        requests.store(0, Ordering::Relaxed);
        Some(Self { cache, client: http1(), requests })
    }

    /// In front of channels that stay as they are: `demo` is live and its playlists are good for longer than a test takes,
    /// `new` is starting.
    async fn of_the_demo(program: Program) -> Option<(Server, Self)> {
        Self::of_a_demo(program, None).await
    }

    /// The same, where CDNs are told something else than all.
    async fn of_a_demo(program: Program, to_cdns: Option<&'static str>) -> Option<(Server, Self)> {
        let requests = Arc::new(AtomicUsize::new(0));
        let lasting = Edge { target_duration: Duration::from_secs(600), ..edge("demo") };
        let channels = [
            ("demo", reader(lasting, State::Live)),
            ("short", reader(edge("short"), State::Live)),
            ("new", reader(Edge::default(), State::Starting)),
        ];
        let channels = channels.map(|(name, reader)| (name.to_owned(), reader)).into();
        let origin = Origin::new(Arc::new(channels), memory(), admission(waiters()));
        let to_cdns = to_cdns.map(HeaderValue::from_static);
        let server = Server::start(Counted { origin, requests: requests.clone(), to_cdns });
        let front = Self::start(program, server.address, requests).await?;
        Some((server, front))
    }

    /// In front of a channel that is published by hand.
    async fn of_live(program: Program) -> Option<(Live, Self)> {
        let requests = Arc::new(AtomicUsize::new(0));
        let limits = Limits { all: 1000, of_connection: 1000 };
        let counted = |origin| Counted { origin, requests: requests.clone(), to_cdns: None };
        let live = Live::behind(limits, counted);
        let front = Self::start(program, live.address(), requests).await?;
        Some((live, front))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.cache.address)
    }

    async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.get(self.url(path));
        sent(fields.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
    }

    /// How many requests have reached the origin since this was asked last.
    fn asked(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

/// One module of tests for each program, so that they are named and run one by one.
macro_rules! programs {
    ($($module:ident: $program:ident),* $(,)?) => {
        $(mod $module {
            use super::{keeping, low_latency, purging, Program};

            const PROGRAM: Program = Program::$program;

            #[tokio::test]
            async fn what_may_be_kept_is_asked_for_once() {
                keeping::what_may_be_kept_is_asked_for_once(PROGRAM).await;
            }

            #[tokio::test]
            async fn every_stretch_is_an_object_of_its_own() {
                keeping::every_stretch_is_an_object_of_its_own(PROGRAM).await;
            }

            #[tokio::test]
            async fn refusals_are_kept_for_as_long_as_they_say() {
                keeping::refusals_are_kept_for_as_long_as_they_say(PROGRAM).await;
            }

            #[tokio::test]
            async fn nobody_gets_bytes_of_another_object() {
                keeping::nobody_gets_bytes_of_another_object(PROGRAM).await;
            }

            #[tokio::test]
            async fn what_cdns_are_told_counts_more_and_is_not_told_to_players() {
                keeping::what_cdns_are_told_counts_more_and_is_not_told_to_players(PROGRAM).await;
            }

            #[tokio::test]
            async fn other_spellings_poison_nothing() {
                keeping::other_spellings_poison_nothing(PROGRAM).await;
            }

            #[tokio::test]
            async fn no_stale_playlist_is_served_for_an_origin_that_is_gone() {
                keeping::no_stale_playlist_is_served_for_an_origin_that_is_gone(PROGRAM).await;
            }

            #[tokio::test]
            async fn two_hundred_players_that_wait_hear_of_an_update_at_once() {
                low_latency::two_hundred_players_that_wait_hear_of_an_update_at_once(PROGRAM).await;
            }

            #[tokio::test]
            async fn what_only_looks_like_a_directive_is_not_kept_for_those_who_wait() {
                low_latency::what_only_looks_like_a_directive_is_not_kept_for_those_who_wait(PROGRAM).await;
            }

            #[tokio::test]
            async fn an_open_segment_goes_through_as_it_comes() {
                low_latency::an_open_segment_goes_through_as_it_comes(PROGRAM).await;
            }

            #[tokio::test]
            async fn a_segment_that_breaks_off_is_not_kept() {
                low_latency::a_segment_that_breaks_off_is_not_kept(PROGRAM).await;
            }

            #[tokio::test]
            async fn viewers_over_websockets_are_let_through() {
                low_latency::viewers_over_websockets_are_let_through(PROGRAM).await;
            }

            #[tokio::test]
            async fn what_is_purged_is_asked_for_again() {
                purging::what_is_purged_is_asked_for_again(PROGRAM).await;
            }
        })*
    };
}

programs! {
    nginx: Nginx,
    varnish: Varnish,
    trafficserver: TrafficServer,
    haproxy: Haproxy,
}
