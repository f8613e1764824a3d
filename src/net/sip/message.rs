//! Builds requests and responses out of a dialog's state (RFC 3261 sections 8 and 12). Never sends.

use std::net::SocketAddr;

use rsipstack::sip::headers::make_header;
use rsipstack::sip::prelude::{HeadersExt, ToTypedHeader};
use rsipstack::sip::{Header, Host, Method, Request, Response, StatusCode, StatusCodeKind, Uri, Version};
use rsipstack::transaction::endpoint::EndpointInner;
use rsipstack::transaction::random_text;

use crate::sip::{ALLOW, ANONYMOUS_TAG, split_outside_quotes, unescape};

use super::transport::Path;

/// The two body types that are understood, for Accept.
pub(super) const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";
const HOPS: &str = "70";

pub(super) fn header(name: &str, value: impl Into<String>) -> Header {
    make_header(name, value.into())
}

/// A header from a caller of this module: whatever could forge another line is left out.
pub(super) fn safe_header(name: &str, value: &str) -> Option<Header> {
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    good.then(|| header(name, one_line(value)))
}

pub(super) fn one_line(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).collect()
}

/// Parses a URI. The parser ends the user part at the first `;` or `?`, and writes escapes twice: both are mended here.
pub(super) fn parse_uri(text: &str) -> Option<Uri> {
    let text = text.trim();
    let hidden = match text.rsplit_once('@') {
        Some((user, host)) => format!("{}@{host}", user.replace(';', "%3B").replace('?', "%3F")),
        None => text.to_string(),
    };
    let mut uri = Uri::try_from(hidden.as_str()).ok()?;
    if let Some(auth) = &mut uri.auth {
        auth.user = unescape(&auth.user);
    }
    Some(uri)
}

/// What both ends of an INVITE dialog know (RFC 3261 section 12), and where its requests go.
#[derive(Debug, Clone)]
pub(super) struct Dialog {
    pub(super) call_id: String,
    pub(super) local_tag: String,
    /// Empty until the other side has one; `ANONYMOUS_TAG` if it has none (RFC 2543).
    pub(super) remote_tag: String,
    /// Our From and To values, without tag.
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) local_seq: u32,
    pub(super) remote_seq: u32,
    pub(super) target: Uri,
    /// In the order in which requests carry it.
    pub(super) routes: Vec<String>,
    pub(super) contact: String,
    pub(super) path: Path,
    /// Where requests go whatever the target says: the caller is behind a NAT that its Contact does not know of.
    pub(super) pinned: Option<SocketAddr>,
}

impl Dialog {
    /// A request within the dialog, or the INVITE that asks for one.
    pub(super) fn request(&mut self, method: Method, extra: Vec<Header>, body: Vec<u8>) -> Request {
        if !matches!(method, Method::Ack | Method::Cancel) {
            self.local_seq += 1;
        }
        let to = match self.remote_tag.as_str() {
            "" | ANONYMOUS_TAG => self.remote.clone(),
            tag => format!("{};tag={tag}", self.remote),
        };
        let mut headers = vec![
            header("Via", self.path.via(&format!("z9hG4bK{}", random_text(16)))),
            header("Max-Forwards", HOPS),
            header("From", format!("{};tag={}", self.local, self.local_tag)),
            header("To", to),
            header("Call-ID", self.call_id.as_str()),
            header("CSeq", format!("{} {method}", self.local_seq)),
        ];
        headers.extend(self.routes.iter().map(|route| header("Route", route.as_str())));
        if matches!(method, Method::Invite | Method::Update) {
            headers.push(header("Contact", self.contact.as_str()));
            headers.push(header("Allow", ALLOW));
        }
        headers.extend(extra);
        headers.push(header("Content-Length", body.len().to_string()));
        Request { method, uri: self.target.clone(), version: Version::V2, headers: headers.into(), body }
    }

    /// Takes the remote target, and with the first 2xx the tag and routes, from the answer to our INVITE (section 12.1.2).
    pub(super) fn establish(&mut self, response: &Response, first: bool) {
        if let Some(target) = contact_uri(response) {
            self.target = target;
        }
        if first {
            self.remote_tag = to_tag(response).unwrap_or_default();
            self.routes = record_routes(response);
            self.routes.reverse();
        }
    }

    /// The URI that decides where a request goes first.
    pub(super) fn next_hop(&self) -> Uri {
        let route = self.routes.first().and_then(|r| parse_uri(r.split(['<', '>']).nth(1).unwrap_or(r)));
        route.unwrap_or_else(|| self.target.clone())
    }
}

/// CANCEL for a pending INVITE: its Via, From, To, Call-ID and CSeq number (section 9.1).
pub(super) fn cancel_of(invite: &Request) -> Request {
    let mut headers: Vec<Header> = Vec::new();
    for name in ["Via", "From", "To", "Call-ID", "Route"] {
        headers.extend(invite.headers.iter().filter(|h| h.name().eq_ignore_ascii_case(name)).cloned());
    }
    let seq = invite.cseq_header().ok().and_then(|c| c.seq().ok()).unwrap_or(1);
    headers.push(header("CSeq", format!("{seq} CANCEL")));
    headers.push(header("Max-Forwards", HOPS));
    headers.push(header("Content-Length", "0"));
    Request {
        method: Method::Cancel,
        uri: invite.uri.clone(),
        version: Version::V2,
        headers: headers.into(),
        body: vec![],
    }
}

/// A response to `request`; final ones get `tag` in To unless the request brought one.
pub(super) fn respond(
    endpoint: &EndpointInner,
    request: &Request,
    status: u16,
    tag: &str,
    extra: Vec<Header>,
    body: Vec<u8>,
) -> Response {
    let status = StatusCode::from(status);
    let kind = status.kind();
    let tagged = status != StatusCode::Trying;
    let mut response = endpoint.make_response(request, status, Some(body));
    if tagged {
        for h in response.headers.iter_mut() {
            if let Header::To(to) = h
                && to.tag().ok().flatten().is_none()
            {
                let value = format!("{};tag={tag}", to.value());
                to.replace(value);
            }
        }
    }
    let routes =
        matches!(kind, StatusCodeKind::Provisional | StatusCodeKind::Successful) && request.method == Method::Invite;
    if routes && tagged {
        for h in request.headers.iter().filter(|h| matches!(h, Header::RecordRoute(_))) {
            response.headers.push(h.clone());
        }
    }
    response.headers.extend(extra);
    response
}

pub(super) fn to_tag(message: &impl HeadersExt) -> Option<String> {
    message.to_header().ok()?.tag().ok().flatten().map(|t| t.value().to_string())
}

pub(super) fn from_tag(message: &impl HeadersExt) -> Option<String> {
    message.from_header().ok()?.tag().ok().flatten().map(|t| t.value().to_string())
}

pub(super) fn call_id(message: &impl HeadersExt) -> Option<String> {
    message.call_id_header().ok().map(|c| c.value().to_string())
}

pub(super) fn sequence(message: &impl HeadersExt) -> Option<u32> {
    message.cseq_header().ok()?.seq().ok()
}

pub(super) fn contact_uri(message: &impl HeadersExt) -> Option<Uri> {
    let contact = message.contact_header().ok()?.value();
    let inner = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(contact, |(uri, _)| uri);
    parse_uri(inner).filter(|uri| !uri.host_with_port.to_string().is_empty())
}

/// The Record-Route values in the order in which they stand.
pub(super) fn record_routes(message: &impl HeadersExt) -> Vec<String> {
    message
        .record_route_headers()
        .iter()
        .flat_map(|h| split_outside_quotes(h.value(), ',').unwrap_or_default())
        .map(|route| route.trim().to_string())
        .collect()
}

/// The address of a From or To value as our own requests carry it: without its parameters.
pub(super) fn bare_address(value: &str) -> String {
    match value.rfind('>') {
        Some(end) => value[..=end].to_string(),
        None => format!("<{}>", value.split(';').next().unwrap_or(value)),
    }
}

/// Body, if it is SDP (the type is checked, not the length).
pub(super) fn sdp_of(body: &[u8], content_type: Option<&str>) -> Option<String> {
    let sdp =
        content_type.is_none_or(|t| t.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/sdp"));
    (sdp && !body.is_empty()).then(|| String::from_utf8_lossy(body).into_owned())
}

pub(super) fn content_type(message: &impl HeadersExt) -> Option<String> {
    message.header_value("Content-Type")
}

/// Content-Type and the length-bearing body of a description.
pub(super) fn sdp_headers() -> Vec<Header> {
    vec![header("Content-Type", "application/sdp")]
}

/// Whether the topmost Via names another IP address than the one that the request came from: the peer is behind a NAT
/// and does not know it.
pub(super) fn is_translated(request: &Request) -> bool {
    let via: Option<rsipstack::sip::typed::Via> = request.top_via_header().ok().and_then(|via| via.typed().ok());
    via.is_some_and(|via| match (&via.sent_by().host, via.received()) {
        (Host::IpAddr(own), Some(Ok(seen))) => *own != seen,
        _ => false,
    })
}
