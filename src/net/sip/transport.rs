//! UDP and TCP under the transaction layer. Owns the sockets, framing, size and number; shows every message to
//! `crate::sip::screen` before the parser sees it.
//!
//! ```text
//! datagram ─┐                     ┌─ Refuse ─▶ answered from here, no state kept
//!           ├─ Raw ─▶ screen ─────┼─ Drop
//! stream ───┘                     └─ Pass ───▶ parser ─▶ transactions (rsipstack) ─▶ dispatch
//! ```

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rsipstack::platform::net::UdpSocket as StackSocket;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Method, SipMessage, StatusCodeKind};
use rsipstack::transaction::endpoint::EndpointInnerRef;
use rsipstack::transaction::key::{TransactionKey, TransactionRole};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use socket2::{Domain, Protocol, Socket as Socket2, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::sip::{Raw, RawError, Refusal, Verdict, screen};

use super::dispatch::Dialogs;
use super::framing::{Frame, STREAM_STALL, next_frame, without_anonymous_tag, write_stream};
use super::{Limits, SipError, SipOptions, Transport, spawn};

/// Messages that wait for one stream's peer to read; when full, senders wait until the stream is given up.
const STREAM_QUEUE: usize = 64;
/// A quiet stream is kept for calls that say nothing for long.
const STREAM_IDLE: Duration = Duration::from_secs(3600);
/// Octets that are asked of the kernel for datagrams; it gives what `net.core.rmem_max` allows.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
/// Seconds after which a refused peer may try again.
pub(super) const RETRY_AFTER: u32 = 5;

/// One way to a peer, with what we call ourselves on it.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) transport: Transport,
    pub(super) connection: SipConnection,
    /// Where datagrams go; a stream goes where it goes.
    pub(super) peer: SocketAddr,
    /// Our address as the peer shall see it, for Via and Contact.
    pub(super) local: SocketAddr,
}

impl Path {
    pub(super) fn via(&self, branch: &str) -> String {
        match self.transport {
            Transport::Udp => format!("SIP/2.0/UDP {};branch={branch};rport", self.local),
            Transport::Tcp => format!("SIP/2.0/TCP {};branch={branch};rport;alias", self.local),
        }
    }

    pub(super) fn contact(&self, user: &str) -> String {
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        match self.transport {
            Transport::Udp => format!("<sip:{user}{}>", self.local),
            Transport::Tcp => format!("<sip:{user}{};transport=tcp>", self.local),
        }
    }

    pub(super) fn destination(&self) -> SipAddr {
        SipAddr { r#type: Some(stack_transport(self.transport)), addr: self.peer.into() }
    }

    pub(super) async fn send(&self, message: SipMessage) {
        if let Err(error) = self.connection.send(message, Some(&self.destination())).await {
            debug!(%error, "a message could not be sent");
        }
    }
}

const fn stack_transport(transport: Transport) -> rsipstack::sip::Transport {
    match transport {
        Transport::Udp => rsipstack::sip::Transport::Udp,
        Transport::Tcp => rsipstack::sip::Transport::Tcp,
    }
}

/// A stream to a peer.
#[derive(Clone)]
struct Stream {
    connection: SipConnection,
    raw: mpsc::Sender<Vec<u8>>,
    closed: CancellationToken,
}

/// The sockets.
pub(super) struct Wires {
    pub(super) endpoint: EndpointInnerRef,
    pub(super) dialogs: Arc<Dialogs>,
    datagram: Vec<(SocketAddr, Arc<Socket>, SipConnection)>,
    listening: Vec<SocketAddr>,
    streams: Mutex<HashMap<SocketAddr, Stream>>,
    stream_permits: Arc<Semaphore>,
    advertise: Option<IpAddr>,
    limits: Limits,
    cancel: CancellationToken,
}

/// Takes the tag that stands for "no tag" out of everything that leaves.
struct Socket(UdpSocket);

#[async_trait::async_trait]
impl StackSocket for Socket {
    async fn recv_from(&self, buf: &mut [u8]) -> rsipstack::Result<(usize, SocketAddr)> {
        Ok(self.0.recv_from(buf).await?)
    }
    async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> rsipstack::Result<usize> {
        Ok(self.0.send_to(&without_anonymous_tag(buf), addr).await?)
    }
    fn local_addr(&self) -> rsipstack::Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }
}

impl Wires {
    /// Binds every address of `options` and starts to listen.
    pub(super) async fn bind(
        options: &SipOptions,
        limits: Limits,
        endpoint: EndpointInnerRef,
        dialogs: Arc<Dialogs>,
        cancel: CancellationToken,
    ) -> Result<Arc<Self>, SipError> {
        let mut datagram = Vec::new();
        let mut listeners = Vec::new();
        for &(transport, address) in &options.listen {
            let failed = |error: io::Error| SipError::Bind { address, error: error.to_string() };
            match transport {
                Transport::Udp => {
                    let socket = Arc::new(Socket(bind_datagrams(address).map_err(failed)?));
                    let local = socket.0.local_addr().map_err(failed)?;
                    let connection = UdpConnection::from_socket(socket.clone(), None, None)
                        .await
                        .map_err(|e| SipError::Bind { address, error: e.to_string() })?;
                    datagram.push((local, socket, SipConnection::Udp(connection)));
                }
                Transport::Tcp => listeners.push(TcpListener::bind(address).await.map_err(failed)?),
            }
        }
        let listening = listeners.iter().filter_map(|l| l.local_addr().ok()).collect();
        let wires = Arc::new(Self {
            endpoint,
            dialogs,
            datagram,
            listening,
            streams: Mutex::default(),
            stream_permits: Arc::new(Semaphore::new(limits.streams)),
            advertise: options.advertise,
            limits,
            cancel,
        });
        for index in 0..wires.datagram.len() {
            spawn(wires.clone().serve_datagrams(index));
        }
        for listener in listeners {
            spawn(wires.clone().accept(listener));
        }
        Ok(wires)
    }

    pub(super) fn local_addrs(&self) -> Vec<(Transport, SocketAddr)> {
        let udp = self.datagram.iter().map(|(local, ..)| (Transport::Udp, *local));
        udp.chain(self.listening.iter().map(|local| (Transport::Tcp, *local))).collect()
    }

    /// The address by which `peer` reaches us: the advertised one, the one that is bound, or the one that the routing
    /// table would send from.
    pub(super) fn ip_for(&self, bound: IpAddr, peer: SocketAddr) -> IpAddr {
        if let Some(advertised) = self.advertise.filter(|a| a.is_ipv4() == peer.is_ipv4() && !peer.ip().is_loopback()) {
            return advertised;
        }
        if !bound.is_unspecified() {
            return bound;
        }
        routed_ip(peer).unwrap_or(bound)
    }

    /// The way to answer and ask a peer that has spoken to us.
    pub(super) fn path_back(&self, connection: &SipConnection, peer: SocketAddr) -> Option<Path> {
        match connection {
            SipConnection::Udp(_) => {
                let bound = connection.get_addr().get_socketaddr().ok()?;
                let local =
                    self.datagram.iter().map(|(local, ..)| *local).find(|local| local.port() == bound.port())?;
                Some(self.path(Transport::Udp, connection.clone(), peer, local))
            }
            _ => Some(self.path(Transport::Tcp, connection.clone(), peer, self.stream_local(peer))),
        }
    }

    /// A way to a peer; a stream is opened if there is none.
    pub(super) async fn path_to(self: &Arc<Self>, transport: Transport, peer: SocketAddr) -> Result<Path, SipError> {
        match transport {
            Transport::Udp => {
                let routed = routed_ip(peer);
                let reaches = |ip: IpAddr| ip.is_unspecified() || Some(ip) == routed;
                let fits = || self.datagram.iter().filter(|(local, ..)| local.is_ipv4() == peer.is_ipv4());
                let best = fits().find(|(local, ..)| reaches(local.ip())).or_else(|| fits().next());
                let (local, _, connection) = best.ok_or(SipError::NoTransport)?;
                Ok(self.path(Transport::Udp, connection.clone(), peer, *local))
            }
            Transport::Tcp => {
                let open = self.lock().get(&peer).filter(|s| !s.closed.is_cancelled()).map(|s| s.connection.clone());
                let connection = match open {
                    Some(connection) => connection,
                    None => self.connect(peer).await?,
                };
                Ok(self.path(Transport::Tcp, connection, peer, self.stream_local(peer)))
            }
        }
    }

    fn path(&self, transport: Transport, connection: SipConnection, peer: SocketAddr, local: SocketAddr) -> Path {
        Path { transport, connection, peer, local: SocketAddr::new(self.ip_for(local.ip(), peer), local.port()) }
    }

    /// Where streams to us would go: our listener, else the datagram socket's address for want of a better one.
    fn stream_local(&self, peer: SocketAddr) -> SocketAddr {
        let fits = |local: &&SocketAddr| local.is_ipv4() == peer.is_ipv4();
        let udp = self.datagram.iter().map(|(local, ..)| local);
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        self.listening.iter().chain(udp).find(fits).copied().unwrap_or(any)
    }

    async fn connect(self: &Arc<Self>, peer: SocketAddr) -> Result<SipConnection, SipError> {
        let permit = self.stream_permits.clone().try_acquire_owned().map_err(|_| SipError::Overloaded)?;
        let unreachable = |_| SipError::Unreachable(peer);
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(peer))
            .await
            .map_err(|_| SipError::Unreachable(peer))?
            .map_err(unreachable)?;
        Ok(self.clone().serve_stream(stream, peer, permit).await)
    }

    async fn serve_datagrams(self: Arc<Self>, index: usize) {
        let (_, socket, connection) = &self.datagram[index];
        let mut buffer = vec![0; 65_535];
        loop {
            let received = tokio::select! {
                received = socket.0.recv_from(&mut buffer) => received,
                () = self.cancel.cancelled() => return,
            };
            // An ICMP error of an earlier datagram shows up here; it concerns no one in particular.
            let Ok((length, source)) = received else { continue };
            let bytes = &buffer[..length];
            if bytes == b"\r\n\r\n" {
                drop(socket.0.send_to(b"\r\n", source).await);
            } else if let Some(refusal) = self.receive(bytes, source, connection, Transport::Udp).await {
                drop(socket.0.send_to(&refusal, source).await);
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.cancel.cancelled() => return,
            };
            let Ok((stream, peer)) = accepted else { continue };
            let Ok(permit) = self.stream_permits.clone().try_acquire_owned() else {
                count("stream_refused");
                continue;
            };
            self.clone().serve_stream(stream, peer, permit).await;
        }
    }

    async fn serve_stream(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        permit: tokio::sync::OwnedSemaphorePermit,
    ) -> SipConnection {
        drop(stream.set_nodelay(true));
        let (reader, writer) = stream.into_split();
        let (messages, outgoing) = mpsc::channel(STREAM_QUEUE);
        let (raw, raw_outgoing) = mpsc::channel(STREAM_QUEUE);
        #[expect(clippy::disallowed_methods, reason = "the stack asks for one; nothing is ever sent into it")]
        let (_, unused) = mpsc::unbounded_channel();
        let address = SipAddr { r#type: Some(rsipstack::sip::Transport::Tcp), addr: peer.into() };
        let closed = self.cancel.child_token();
        let channel =
            ChannelConnection::create_connection_bounded(unused, messages, address, Some(closed.clone())).await;
        let connection = match channel {
            Ok(channel) => SipConnection::Channel(channel),
            Err(never) => unreachable!("the constructor only allocates: {never}"),
        };
        let link = Stream { connection: connection.clone(), raw, closed };
        self.lock().insert(peer, link.clone());
        spawn(write_stream(writer, outgoing, raw_outgoing, link.closed.clone()));
        let wires = self.clone();
        spawn(async move {
            let _permit = permit;
            tokio::select! {
                () = wires.read_stream(reader, peer, &link) => {}
                () = link.closed.cancelled() => {}
            }
            link.closed.cancel();
            let mut streams = wires.lock();
            // A newer stream to the same peer stays.
            if streams.get(&peer).is_some_and(|s| s.closed.is_cancelled()) {
                streams.remove(&peer);
            }
        });
        connection
    }

    async fn read_stream(
        self: &Arc<Self>,
        mut reader: tokio::net::tcp::OwnedReadHalf,
        peer: SocketAddr,
        link: &Stream,
    ) {
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            loop {
                match next_frame(&buffer, self.limits.message) {
                    Frame::Message(length) => {
                        let message: Vec<u8> = buffer.drain(..length).collect();
                        if let Some(refusal) = self.receive(&message, peer, &link.connection, Transport::Tcp).await {
                            drop(link.raw.try_send(refusal));
                        }
                    }
                    Frame::Keepalive => {
                        buffer.drain(..4);
                        drop(link.raw.try_send(b"\r\n".to_vec()));
                    }
                    Frame::Pong => drop(buffer.drain(..2)),
                    Frame::More => break,
                    Frame::Lost(refusal) => {
                        count("stream_lost");
                        // Without a length nobody knows where the next message starts: answer, and hang up.
                        let response = Raw::parse(&buffer).ok().and_then(|raw| refusal.respond(&raw, peer));
                        if let Some(response) = response {
                            drop(link.raw.try_send(response));
                            drop(tokio::time::timeout(STREAM_STALL, link.raw.reserve_many(STREAM_QUEUE)).await);
                        }
                        return;
                    }
                }
            }
            let patience = if buffer.is_empty() { STREAM_IDLE } else { STREAM_STALL };
            match tokio::time::timeout(patience, reader.read_buf(&mut buffer)).await {
                Ok(Ok(1..)) => {}
                _ => return,
            }
        }
    }

    /// Takes one framed message; what comes back goes to the source as it is.
    async fn receive(
        self: &Arc<Self>,
        bytes: &[u8],
        source: SocketAddr,
        connection: &SipConnection,
        transport: Transport,
    ) -> Option<Vec<u8>> {
        let raw = match Raw::parse(bytes) {
            Ok(raw) => raw,
            Err(error) => {
                count("unreadable");
                return unfinished(bytes, error, source);
            }
        };
        let refuse = |refusal: Refusal| {
            count("refused");
            debug!(status = refusal.status().0, "a request was refused unseen");
            refusal.respond(&raw, source)
        };
        if bytes.len() > self.limits.message {
            return refuse(Refusal::TooLarge);
        }
        let plain = match screen(&raw) {
            Verdict::Pass(plain) => plain,
            Verdict::Refuse(refusal) => return refuse(refusal),
            Verdict::Drop(why) => {
                count("dropped");
                debug!(why, "a message was dropped");
                return None;
            }
        };
        let unreadable = Refusal::Malformed("Unreadable Message");
        let Ok(message) = SipMessage::try_from(&plain[..]) else { return refuse(unreadable) };
        let Ok(message) = SipConnection::update_msg_received(message, source, stack_transport(transport)) else {
            return refuse(unreadable);
        };
        if self.is_overloaded(&message) {
            return refuse(Refusal::Overloaded(RETRY_AFTER));
        }
        if let Some(message) = self.claim_late_answer(message) {
            let from = SipAddr { r#type: Some(stack_transport(transport)), addr: source.into() };
            if self.endpoint.on_received_message(message, connection.clone(), &from).await.is_err() {
                return refuse(unreadable);
            }
        }
        None
    }

    /// New transactions are refused before they cost anything once too many are remembered.
    fn is_overloaded(&self, message: &SipMessage) -> bool {
        let SipMessage::Request(request) = message else { return false };
        if matches!(request.method, Method::Ack | Method::Cancel | Method::Bye) {
            return false;
        }
        self.endpoint.transactions.len() + self.endpoint.finished_transactions.len() >= self.limits.transactions
    }

    /// A 2xx to an INVITE whose transaction is over goes to the dialog, which acknowledges it again (section 13.2.2.4).
    fn claim_late_answer(&self, message: SipMessage) -> Option<SipMessage> {
        let SipMessage::Response(response) = message else { return Some(message) };
        let to_invite = response.cseq_header().and_then(|c| c.method()).is_ok_and(|m| m == Method::Invite);
        let late = to_invite
            && response.status_code.kind() == StatusCodeKind::Successful
            && TransactionKey::from_response(&response, TransactionRole::Client)
                .is_ok_and(|key| self.endpoint.transactions.get(&key).is_none());
        if late {
            self.dialogs.late_answer(response);
            return None;
        }
        Some(SipMessage::Response(response))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for as large a buffer as the system gives: what does not fit during a stall is lost, and costs T1.
fn bind_datagrams(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket2::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// A request without the empty line at its end can still be told so.
fn unfinished(bytes: &[u8], error: RawError, source: SocketAddr) -> Option<Vec<u8>> {
    if error != RawError::Unfinished {
        return None;
    }
    let ended = [bytes, b"\r\n\r\n"].concat();
    let raw = Raw::parse(&ended).ok().filter(|raw| raw.start.ends_with(" SIP/2.0"))?;
    Refusal::Malformed("No Empty Line").respond(&raw, source)
}

/// The address from which the system would send to `peer`; nothing is sent.
fn routed_ip(peer: SocketAddr) -> Option<IpAddr> {
    let any = match peer {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|local| local.ip())
}

pub(super) fn count(what: &'static str) {
    metrics::counter!("sidetone_sip_total", "what" => what).increment(1);
}
