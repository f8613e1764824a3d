//! A call that goes out: from an address to its INVITE. Owns name resolution; the rest is `leg.rs`'s.

use std::net::SocketAddr;
use std::sync::Arc;

use rsipstack::dialog::authenticate::Credential;
use rsipstack::sip::{Host, Method, Param, Scheme, Uri};
use rsipstack::transaction::random_text;
use tokio::net::lookup_host;

use super::dispatch::Shared;
use super::leg::{self, Leg, SipLeg};
use super::message::{self, Dialog};
use super::transport::Path;
use super::{Outgoing, SipError, Transport, spawn};

const PORT: u16 = 5060;

/// Transport and address of a URI. Only A and AAAA records are asked for, not NAPTR and SRV (RFC 3263).
pub(super) async fn resolve(uri: &Uri) -> Result<(Transport, SocketAddr), SipError> {
    if !matches!(uri.scheme, Some(Scheme::Sip) | None) {
        return Err(SipError::Address);
    }
    let named = uri.params.iter().find_map(|p| if let Param::Transport(t) = p { Some(*t) } else { None });
    let transport = match named {
        None | Some(rsipstack::sip::Transport::Udp) => Transport::Udp,
        Some(rsipstack::sip::Transport::Tcp) => Transport::Tcp,
        Some(_) => return Err(SipError::NoTransport),
    };
    let port = uri.host_with_port.port.as_ref().map_or(PORT, |p| p.0);
    let peer = match &uri.host_with_port.host {
        Host::IpAddr(ip) => SocketAddr::new(*ip, port),
        Host::Domain(name) => {
            let unresolvable = || SipError::Unresolvable(name.0.clone());
            lookup_host((name.0.as_str(), port)).await.map_err(|_| unresolvable())?.next().ok_or_else(unresolvable)?
        }
    };
    Ok((transport, peer))
}

/// Where the dialog's next request goes.
pub(super) async fn path_of(shared: &Arc<Shared>, dialog: &Dialog) -> Result<Path, SipError> {
    if let Some(pinned) = dialog.pinned {
        return match dialog.path.transport {
            Transport::Udp => Ok(Path { peer: pinned, ..dialog.path.clone() }),
            Transport::Tcp => shared.wires.path_to(Transport::Tcp, pinned).await,
        };
    }
    let (transport, peer) = resolve(&dialog.next_hop()).await?;
    // The socket on which the other side knows us.
    if dialog.path.transport == Transport::Udp
        && transport == Transport::Udp
        && peer.is_ipv4() == dialog.path.peer.is_ipv4()
    {
        return Ok(Path { peer, ..dialog.path.clone() });
    }
    // A peer on a stream may not be listening where its Contact says: the stream that is open goes first.
    if dialog.path.transport == Transport::Tcp && transport == Transport::Tcp {
        return match shared.wires.path_to(Transport::Tcp, dialog.path.peer).await {
            Ok(path) => Ok(path),
            Err(_) => shared.wires.path_to(Transport::Tcp, peer).await,
        };
    }
    shared.wires.path_to(transport, peer).await
}

pub(super) async fn invite(shared: Arc<Shared>, call: Outgoing) -> Result<SipLeg, SipError> {
    let target = message::parse_uri(&call.to).ok_or(SipError::Address)?;
    let (transport, peer) = resolve(&target).await?;
    let path = shared.wires.path_to(transport, peer).await?;
    let user: String = call.from_user.chars().filter(|c| c.is_ascii_alphanumeric() || "+-_.".contains(*c)).collect();
    let name = call.display_name.as_deref().map(quoted).unwrap_or_default();
    let host = path.local.ip();
    let host = if host.is_ipv6() { format!("[{host}]") } else { host.to_string() };
    let mut dialog = Dialog {
        call_id: random_text(32),
        local_tag: random_text(16),
        remote_tag: String::new(),
        local: format!("{name}<sip:{user}@{host}>"),
        remote: format!("<{target}>"),
        local_seq: 0,
        remote_seq: 0,
        contact: path.contact(&user),
        target,
        routes: vec![],
        pinned: None,
        path,
    };
    let mut headers = message::sdp_headers();
    headers.extend(call.headers.iter().filter_map(|(name, value)| message::safe_header(name, value)));
    let request = dialog.request(Method::Invite, headers, call.sdp.into_bytes());
    let credentials = call.credentials.map(|c| Credential {
        username: c.username,
        password: c.password.into_inner(),
        realm: c.realm,
        auth_username: None,
    });
    let (handle, seat) = leg::pair();
    spawn(Leg::new(shared, dialog, seat).invite(request, credentials));
    Ok(SipLeg::new(handle))
}

fn quoted(name: &str) -> String {
    let safe: String = name.chars().filter(|c| !c.is_control() && *c != '"' && *c != '\\').take(80).collect();
    format!("\"{safe}\" ")
}
