//! Ports of the loopback interface for servers that are started later.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    ops::Range,
};

/// Below those that the system gives to whoever asks for any: connections of other tests would take one meanwhile.
const PORTS: Range<u16> = 12_000..32_000;
const TRIES: u64 = 1000;

/// A TCP port that nobody listens on now. Other tests draw another one.
///
/// # Errors
/// `AddrInUse` if there is none.
pub fn tcp() -> io::Result<u16> {
    free(|address| TcpListener::bind(address).is_ok())
}

/// A UDP port that nobody listens on now. Other tests draw another one.
///
/// # Errors
/// `AddrInUse` if there is none.
pub fn udp() -> io::Result<u16> {
    free(|address| UdpSocket::bind(address).is_ok())
}

fn free(is_free: impl Fn(SocketAddr) -> bool) -> io::Result<u16> {
    let random = RandomState::new();
    let draw = |attempt: u64| PORTS.start + (random.hash_one(attempt) % PORTS.len() as u64) as u16;
    let mut drawn = (0..TRIES).map(draw);
    let free = drawn.find(|port| is_free((Ipv4Addr::LOCALHOST, *port).into()));
    free.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))
}
