//! RTP and RTCP over UDP. Owns pairs of ports, from their allocation to the end of their quarantine, and which source is
//! believed; never looks into a packet further than to tell that it is one.
//!
//! ```text
//! PortPool ─take─▶ RtpPort ─(latch, send, receive)─▶ drop ─▶ quarantine: drained, then free again
//! ```

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rand::RngExt;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use crate::call::ports::{Kind, MediaTransport};

/// How long a closed call's ports are kept from others: a peer that missed the BYE retransmits it for 32 s, but stops
/// its media at the first.
pub const QUARANTINE: Duration = Duration::from_secs(5);
/// Kernel buffer of a socket, octets: about a second of G.711.
const BUFFER: usize = 16 * 1024;
/// Expedited forwarding (RFC 4594 section 4.1): DSCP 46, in the upper six bits.
const DSCP_EF: u32 = 46 << 2;
/// Packets that are read past in one poll before others get their turn.
const PATIENCE: usize = 64;
/// Tries to bind a pair when any free port will do.
const EPHEMERAL_TRIES: usize = 50;

/// Why there are no ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Every pair of the range is in use, in quarantine or taken by another program.
    #[error("no RTP ports are free in {first}-{last}")]
    Exhausted {
        /// First port of the range.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// The address cannot be bound at all.
    #[error("cannot bind RTP ports on {ip}: {error}")]
    Bind {
        /// Which address.
        ip: IpAddr,
        /// Why.
        error: String,
    },
}

/// From where media is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sources {
    /// Only from the IP address that the description names (its port may differ).
    #[default]
    Signalled,
    /// From whoever sends first: callers behind a NAT.
    Nat,
}

/// What a pair of ports has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpCounts {
    /// Packets from a source that is not the one latched to.
    pub foreign: u64,
    /// Packets that are neither RTP nor RTCP of version 2.
    pub not_rtp: u64,
    /// Packets that could not be sent at once.
    pub send_dropped: u64,
}

/// The ports of a machine, and who has them.
#[derive(Debug, Clone)]
pub struct PortPool(Arc<Mutex<Pool>>);

#[derive(Debug)]
struct Pool {
    ip: IpAddr,
    first: u16,
    last: u16,
    /// Index of the next pair to try: pairs are reused as late as possible.
    next: u16,
    used: Vec<bool>,
    quarantine: VecDeque<(Instant, Pair)>,
    quarantine_time: Duration,
}

#[derive(Debug)]
struct Pair {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Index in the pool's range; none for an ephemeral pair.
    index: Option<u16>,
}

impl PortPool {
    /// Pairs of an even port and the odd one above it, out of `range`; `0..=0` takes any free ones (tests).
    pub fn new(ip: IpAddr, range: RangeInclusive<u16>) -> Self {
        Self::with_quarantine(ip, range, QUARANTINE)
    }

    /// [`PortPool::new`] with a quarantine of one's own.
    pub fn with_quarantine(ip: IpAddr, range: RangeInclusive<u16>, quarantine_time: Duration) -> Self {
        let first = range.start().saturating_add(range.start() % 2);
        let pairs = if first == 0 { 0 } else { (u32::from(*range.end()) + 1).saturating_sub(first.into()) / 2 };
        let pool = Pool {
            ip,
            first,
            last: *range.end(),
            next: 0,
            used: vec![false; pairs as usize],
            quarantine: VecDeque::new(),
            quarantine_time,
        };
        Self(Arc::new(Mutex::new(pool)))
    }

    /// Takes a pair.
    ///
    /// # Errors
    /// [`RtpError::Exhausted`]: the call is refused with 503; [`RtpError::Bind`].
    pub fn take(&self, sources: Sources) -> Result<RtpPort, RtpError> {
        let pair = self.lock().take(now())?;
        let local = pair.rtp.local_addr().map_err(|e| RtpError::Bind { ip: self.lock().ip, error: e.to_string() })?;
        Ok(RtpPort {
            pair: Some(pair),
            pool: self.clone(),
            local,
            sources,
            remote: None,
            latched: None,
            latched_rtcp: None,
            rtcp_turn: false,
            counts: RtpCounts::default(),
        })
    }

    /// Pairs that could be taken now, at best.
    pub fn free(&self) -> usize {
        let mut pool = self.lock();
        pool.release(now());
        pool.used.iter().filter(|used| !**used).count()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "a driver's clock, for the quarantine of ports")]
fn now() -> Instant {
    Instant::now()
}

impl Pool {
    fn take(&mut self, now: Instant) -> Result<Pair, RtpError> {
        self.release(now);
        if self.first == 0 {
            return self.take_ephemeral();
        }
        let pairs = self.used.len() as u16;
        for step in 0..pairs {
            let index = (self.next + step) % pairs;
            if self.used[usize::from(index)] {
                continue;
            }
            // Another program may sit on a port of the range.
            if let Ok(pair) = bind_pair(self.ip, self.first + 2 * index, Some(index)) {
                self.used[usize::from(index)] = true;
                self.next = (index + 1) % pairs;
                return Ok(pair);
            }
        }
        Err(RtpError::Exhausted { first: self.first, last: self.last })
    }

    fn take_ephemeral(&self) -> Result<Pair, RtpError> {
        let mut random = rand::rng();
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..EPHEMERAL_TRIES {
            match bind_pair(self.ip, random.random_range(10_000..30_000u16) * 2, None) {
                Ok(pair) => return Ok(pair),
                Err(error) => last = error,
            }
        }
        Err(RtpError::Bind { ip: self.ip, error: last.to_string() })
    }

    fn retire(&mut self, pair: Pair, now: Instant) {
        self.quarantine.push_back((now + self.quarantine_time, pair));
        self.release(now);
    }

    /// Closes what has been quiet for long enough. Until then the sockets stay open: what still arrives for the old
    /// call fills their small buffers and dies with them, where a port that is free would hand it to the next call.
    fn release(&mut self, now: Instant) {
        while self.quarantine.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, Pair { index: Some(index), .. })) = self.quarantine.pop_front() {
                self.used[usize::from(index)] = false;
            }
        }
    }
}

fn bind_pair(ip: IpAddr, port: u16, index: Option<u16>) -> io::Result<Pair> {
    let rtcp_port = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(Pair { rtp: bind(SocketAddr::new(ip, port))?, rtcp: bind(SocketAddr::new(ip, rtcp_port))?, index })
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(BUFFER)?;
    // Marking is a courtesy that some systems refuse to strangers.
    drop(if address.is_ipv4() { socket.set_tos_v4(DSCP_EF) } else { socket.set_tclass_v6(DSCP_EF) });
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// One call's pair of ports: symmetric RTP (RFC 4961). Sends to the latched source, or before that to the signalled
/// address; takes packets from the latched source alone.
#[derive(Debug)]
pub struct RtpPort {
    /// Present until drop.
    pair: Option<Pair>,
    pool: PortPool,
    local: SocketAddr,
    sources: Sources,
    remote: Option<(SocketAddr, SocketAddr)>,
    latched: Option<SocketAddr>,
    latched_rtcp: Option<SocketAddr>,
    rtcp_turn: bool,
    counts: RtpCounts,
}

impl RtpPort {
    /// A single pair of its own, not out of a shared pool: `0..=0` for any free ports.
    ///
    /// # Errors
    /// [`RtpError`].
    pub fn bind(ip: IpAddr, range: RangeInclusive<u16>) -> Result<Self, RtpError> {
        PortPool::new(ip, range).take(Sources::default())
    }

    /// The RTP address; RTCP is one port above.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Where the other side's description wants RTP and RTCP. A change lets the port latch again: that is what a
    /// re-INVITE is for. An unspecified address (hold) sends nowhere.
    pub fn set_remote(&mut self, rtp: SocketAddr, rtcp: SocketAddr) {
        if self.remote.replace((rtp, rtcp)) != Some((rtp, rtcp)) {
            self.latched = None;
            self.latched_rtcp = None;
        }
    }

    /// Who is listened to, once somebody has sent.
    pub const fn latched(&self) -> Option<SocketAddr> {
        self.latched
    }

    /// What has been seen so far.
    pub const fn counts(&self) -> RtpCounts {
        self.counts
    }

    /// Whether a packet from `source` is taken, and latches if it is the first.
    fn admit(&mut self, kind: Kind, source: SocketAddr, packet: &[u8]) -> bool {
        let right_kind = match packet {
            // RFC 5761 section 4 tells them apart by the second octet; the version is in the first.
            [first, second, ..] if first >> 6 == 2 => matches!(kind, Kind::Rtcp) == (192..=223).contains(second),
            _ => false,
        };
        let long_enough = packet.len() >= if kind == Kind::Rtp { 12 } else { 8 };
        if !right_kind || !long_enough {
            self.counts.not_rtp += 1;
            return false;
        }
        let signalled = self.remote.map(|(rtp, _)| rtp.ip());
        let believed = match (self.latched, self.sources) {
            // RTCP may come from another port than RTP, never from another host.
            (Some(latched), _) if kind == Kind::Rtcp => source.ip() == latched.ip(),
            (Some(latched), _) => source == latched,
            (None, Sources::Nat) => true,
            (None, Sources::Signalled) => signalled == Some(source.ip()),
        };
        if !believed {
            self.counts.foreign += 1;
            return false;
        }
        match kind {
            Kind::Rtp => self.latched = Some(source),
            Kind::Rtcp => self.latched_rtcp = Some(source),
        }
        true
    }

    fn poll_one(&mut self, kind: Kind, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Kind, usize)>> {
        for _ in 0..PATIENCE {
            let Some(pair) = &self.pair else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            let socket = if kind == Kind::Rtp { &pair.rtp } else { &pair.rtcp };
            let mut read = ReadBuf::new(buf);
            match socket.poll_recv_from(cx, &mut read) {
                Poll::Ready(Ok(source)) => {
                    let length = read.filled().len();
                    if self.admit(kind, source, &buf[..length]) {
                        return Poll::Ready(Ok((kind, length)));
                    }
                }
                // The peer's port is closed (ICMP): it may open again, and silence is for others to judge.
                Poll::Ready(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl MediaTransport for RtpPort {
    fn poll_recv(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<(Kind, usize)>> {
        // Each goes first in turn, so that a flood of one does not starve the other.
        self.rtcp_turn = !self.rtcp_turn;
        let order = if self.rtcp_turn { [Kind::Rtcp, Kind::Rtp] } else { [Kind::Rtp, Kind::Rtcp] };
        for kind in order {
            if let Poll::Ready(result) = self.poll_one(kind, cx, buf) {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }

    fn send(&mut self, kind: Kind, packet: &[u8]) -> io::Result<()> {
        let signalled = self.remote.map(|(rtp, rtcp)| if kind == Kind::Rtp { rtp } else { rtcp });
        let latched = if kind == Kind::Rtp { self.latched } else { self.latched_rtcp };
        let held = signalled.is_some_and(|s| s.ip().is_unspecified());
        let Some(target) = latched.or(signalled).filter(|_| !held) else { return Ok(()) };
        let Some(pair) = &self.pair else { return Err(io::ErrorKind::NotConnected.into()) };
        let socket = if kind == Kind::Rtp { &pair.rtp } else { &pair.rtcp };
        match socket.try_send_to(packet, target) {
            Ok(_) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => {
                self.counts.send_dropped += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for RtpPort {
    fn drop(&mut self) {
        if let Some(pair) = self.pair.take() {
            self.pool.lock().retire(pair, now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const RTP: [u8; 12] = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
    const RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

    async fn receive(port: &mut RtpPort) -> (Kind, usize) {
        let mut buf = [0; 1500];
        poll_fn(|cx| port.poll_recv(cx, &mut buf)).await.expect("a packet")
    }

    async fn peer() -> UdpSocket {
        UdpSocket::bind((HOME, 0)).await.expect("a port")
    }

    #[tokio::test]
    async fn latches_to_the_first_and_ignores_others() {
        let mut port = RtpPort::bind(HOME, 0..=0).expect("a pair");
        let (alice, mallory) = (peer().await, peer().await);
        let alice_at = alice.local_addr().expect("an address");
        port.set_remote((HOME, 9).into(), (HOME, 10).into());
        alice.send_to(&RTP, port.local_addr()).await.expect("sent");
        assert_eq!(receive(&mut port).await, (Kind::Rtp, 12));
        assert_eq!(port.latched(), Some(alice_at), "another port of the signalled host is believed");
        mallory.send_to(&RTP, port.local_addr()).await.expect("sent");
        alice.send_to(b"not rtp", port.local_addr()).await.expect("sent");
        alice.send_to(&[RTP, RTP].concat(), port.local_addr()).await.expect("sent");
        assert_eq!(receive(&mut port).await, (Kind::Rtp, 24));
        assert_eq!(port.counts(), RtpCounts { foreign: 1, not_rtp: 1, send_dropped: 0 });
        port.send(Kind::Rtp, &RTP).expect("sent");
        let mut buf = [0; 100];
        assert_eq!(alice.recv_from(&mut buf).await.expect("a packet"), (12, port.local_addr()));
        // A re-INVITE with another address lets the other in.
        port.set_remote(mallory.local_addr().expect("an address"), (HOME, 10).into());
        mallory.send_to(&RTP, port.local_addr()).await.expect("sent");
        receive(&mut port).await;
        assert_eq!(port.latched(), mallory.local_addr().ok());
    }

    #[tokio::test]
    async fn strangers_are_believed_only_behind_nat() {
        let elsewhere: SocketAddr = ([192, 0, 2, 1], 4000).into();
        for (sources, believed) in [(Sources::Signalled, false), (Sources::Nat, true)] {
            let mut port = PortPool::new(HOME, 0..=0).take(sources).expect("a pair");
            port.set_remote(elsewhere, elsewhere);
            assert_eq!(port.admit(Kind::Rtp, (HOME, 5).into(), &RTP), believed);
            assert_eq!(port.latched().is_some(), believed);
        }
    }

    #[tokio::test]
    async fn rtcp_has_its_own_port_and_hold_sends_nothing() {
        let mut port = RtpPort::bind(HOME, 0..=0).expect("a pair");
        let (alice, control) = (peer().await, peer().await);
        let (rtp_at, rtcp_at) = (alice.local_addr().expect("an address"), control.local_addr().expect("an address"));
        port.set_remote(rtp_at, rtcp_at);
        assert_eq!(port.local_addr().port() % 2, 0);
        let above = SocketAddr::new(HOME, port.local_addr().port() + 1);
        control.send_to(&RTCP, above).await.expect("sent");
        assert_eq!(receive(&mut port).await, (Kind::Rtcp, 8));
        port.send(Kind::Rtcp, &RTCP).expect("sent");
        let mut buf = [0; 100];
        assert_eq!(control.recv_from(&mut buf).await.expect("a packet").1, above);
        assert!(!port.admit(Kind::Rtp, rtp_at, &RTCP), "RTCP on the RTP port");
        port.set_remote(([0, 0, 0, 0], 4000).into(), ([0, 0, 0, 0], 4001).into());
        port.send(Kind::Rtp, &RTP).expect("nothing to send to");
        assert_eq!(alice.try_recv(&mut buf).map_err(|e| e.kind()), Err(io::ErrorKind::WouldBlock));
    }

    #[tokio::test]
    async fn a_closed_pair_is_kept_from_the_next_call() {
        // Ports that were free a moment ago.
        let probe = RtpPort::bind(HOME, 0..=0).expect("a pair");
        let first = probe.local_addr().port();
        drop(probe);
        let pool = PortPool::new(HOME, first..=first + 3);
        assert_eq!(pool.free(), 2);
        let one = pool.take(Sources::Signalled).expect("a pair");
        let two = pool.take(Sources::Signalled).expect("a pair");
        let exhausted = RtpError::Exhausted { first, last: first + 3 };
        assert_eq!(pool.take(Sources::Signalled).map(|p| p.local_addr()), Err(exhausted.clone()));
        let port = one.local_addr().port();
        drop(one);
        assert_eq!(pool.take(Sources::Signalled).map(|p| p.local_addr()), Err(exhausted), "in quarantine");
        let later = now() + QUARANTINE * 2;
        let again = pool.lock().take(later).expect("free again");
        assert_eq!(again.rtp.local_addr().expect("an address").port(), port);
        drop(two);
    }
}
