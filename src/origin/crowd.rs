//! Who may connect, and how much one address may ask: counted by address, so that one client's trouble is nobody else's.

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use ipnet::IpNet;

use crate::config::{Cdn, Limits};

/// How many seconds' worth of requests may come at once.
const BURST: u32 = 2;
/// How long an address is remembered once it has no connection: until all of its budget is there again.
const MEMORY: Duration = Duration::from_secs(BURST as u64);
/// How often the addresses that may be forgotten are looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// Counts the connections of a listener.
#[derive(Debug)]
pub(super) struct Crowd {
    connections: usize,
    connections_per_address: usize,
    quota: Quota,
    exempt: Vec<IpNet>,
    open: Arc<AtomicUsize>,
    addresses: Mutex<Addresses>,
}

#[derive(Debug)]
struct Addresses {
    known: HashMap<IpAddr, Arc<Address>>,
    swept: Instant,
}

/// An address, or for IPv6 the /64 that one subscriber has.
#[derive(Debug)]
pub(super) struct Address {
    open: AtomicUsize,
    requests: DefaultDirectRateLimiter,
    left: Mutex<Option<Instant>>,
}

/// A connection that was let in, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    open: Arc<AtomicUsize>,
    address: Option<Arc<Address>>,
}

/// Why a connection was not let in. The name is the same in the log and in metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnedAway {
    /// As many are open as may.
    TooManyConnections,
    /// As many of its address are open as may.
    TooManyOfAddress,
}

impl TurnedAway {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TooManyConnections => "too-many-connections",
            Self::TooManyOfAddress => "too-many-of-address",
        }
    }
}

impl fmt::Display for TurnedAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Crowd {
    pub(super) fn new(limits: &Limits, cdn: &Cdn, now: Instant) -> Self {
        let rate = NonZeroU32::new(limits.requests_per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            connections: limits.connections,
            connections_per_address: limits.connections_per_address,
            quota: Quota::per_second(rate)
                .allow_burst(rate.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1))),
            exempt: cdn.addresses.clone(),
            open: Arc::default(),
            addresses: Mutex::new(Addresses { known: HashMap::new(), swept: now }),
        }
    }

    /// Counts a connection from `peer`, if it may come in.
    pub(super) fn enter(&self, peer: IpAddr, now: Instant) -> Result<Place, TurnedAway> {
        if self.open.load(Ordering::Relaxed) >= self.connections {
            return Err(TurnedAway::TooManyConnections);
        }
        let peer = peer.to_canonical();
        let is_exempt = self.exempt.iter().any(|network| network.contains(&peer));
        let address = if is_exempt { None } else { Some(self.enter_address(peer, now)?) };
        self.open.fetch_add(1, Ordering::Relaxed);
        Ok(Place { open: self.open.clone(), address })
    }

    fn enter_address(&self, peer: IpAddr, now: Instant) -> Result<Arc<Address>, TurnedAway> {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.sweep(now);
        let address = addresses.known.entry(subscriber(peer)).or_insert_with(|| {
            let requests = RateLimiter::direct(self.quota);
            Arc::new(Address { open: AtomicUsize::new(0), requests, left: Mutex::new(None) })
        });
        if address.open.load(Ordering::Relaxed) >= self.connections_per_address {
            return Err(TurnedAway::TooManyOfAddress);
        }
        address.open.fetch_add(1, Ordering::Relaxed);
        Ok(address.clone())
    }
}

impl Addresses {
    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) > SWEEP {
            self.swept = now;
            self.known.retain(|_, address| address.is_remembered(now));
        }
    }
}

impl Address {
    fn is_remembered(&self, now: Instant) -> bool {
        let left = *self.left.lock().unwrap_or_else(PoisonError::into_inner);
        self.open.load(Ordering::Relaxed) > 0
            || left.is_some_and(|left| now.saturating_duration_since(left) <= MEMORY)
    }
}

impl Place {
    /// True if its address may ask once more.
    pub(super) fn may_ask(&self) -> bool {
        self.address.as_ref().is_none_or(|address| address.requests.check().is_ok())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = &self.address {
            *address.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(crate::clock::now());
            address.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A subscriber of IPv6 has 2^64 addresses, which would be as many budgets.
fn subscriber(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn crowd(connections: usize, connections_per_address: usize, requests_per_second: u32) -> Crowd {
        let limits =
            Limits { connections, connections_per_address, requests_per_second, ..Limits::default() };
        Crowd::new(&limits, &Cdn::default(), clock::now())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn no_more_connections_come_in_than_may_and_those_that_leave_make_room() {
        let crowd = crowd(2, 2, 1);
        let first = crowd.enter(address("127.0.0.1"), clock::now()).unwrap();
        let _second = crowd.enter(address("192.0.2.1"), clock::now()).unwrap();
        assert_eq!(
            crowd.enter(address("127.0.0.1"), clock::now()).unwrap_err(),
            TurnedAway::TooManyConnections
        );
        drop(first);
        crowd.enter(address("127.0.0.1"), clock::now()).unwrap();
    }

    #[test]
    fn one_address_has_a_share_and_the_cdn_all() {
        let crowd = crowd(100, 2, 1);
        let enter = |peer: &str| crowd.enter(address(peer), clock::now());
        // However its address is written, and whichever of its own a subscriber takes.
        for [one, two, three, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::2", "2001:db8::3:0:0:1", "2001:db8:0:1::1"],
        ] {
            let _held = [enter(one).unwrap(), enter(two).unwrap()];
            assert_eq!(enter(three).unwrap_err(), TurnedAway::TooManyOfAddress, "{three}");
            enter(other).unwrap();
        }
        let _held: Vec<_> = (0..10).map(|_| enter("127.0.0.9").unwrap()).collect();
    }

    #[test]
    fn an_address_may_ask_so_often_however_often_it_connects() {
        let crowd = crowd(100, 2, 5);
        let asked = |peer: &str, times: usize| {
            let place = crowd.enter(address(peer), clock::now()).unwrap();
            (0..times).filter(|_| place.may_ask()).count()
        };
        assert_eq!(asked("192.0.2.1", 8), 8);
        assert_eq!(asked("192.0.2.1", 8), 2, "two seconds' worth, and another connection is no other budget");
        assert_eq!(asked("192.0.2.2", 20), 10);
        assert_eq!(asked("127.0.0.1", 1000), 1000);
    }

    #[test]
    fn an_address_is_forgotten_once_it_has_left_and_its_budget_is_whole() {
        let crowd = crowd(100_000, 2, 5);
        let start = clock::now();
        let known = || crowd.addresses.lock().unwrap().known.len();
        let _stays = crowd.enter(address("198.51.100.1"), start).unwrap();
        for number in 0..1000u32 {
            crowd.enter(IpAddr::V4((0xc000_0000 + number).into()), start).unwrap();
        }
        assert_eq!(known(), 1001);
        crowd.enter(address("192.0.2.1"), start + SWEEP * 2).unwrap();
        assert_eq!(known(), 2, "the one that stays and the one that came");
    }
}
