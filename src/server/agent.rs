//! The agent's leg: rung by SIP, bounded to what the configuration names.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::caller::{SipParty, leg_config};
use crate::call::leg::LegConfig;
use crate::dialplan::script::TransferFailure;
use crate::net::rtp::{PortPool, Sources};
use crate::net::sip::{Credentials, Outgoing, SipEndpoint, SipEvent};
use crate::sip::{Direction, MediaCodec, SdpSession};

/// Rings agents.
#[derive(Clone)]
pub(super) struct Dialler {
    pub(super) endpoint: SipEndpoint,
    pub(super) ports: PortPool,
    pub(super) advertise: Option<IpAddr>,
    pub(super) credentials: BTreeMap<String, Credentials>,
}

/// An agent who answered.
pub(super) struct Dialled {
    pub(super) party: SipParty,
    pub(super) config: LegConfig,
}

/// Why nobody did.
pub(super) struct Unanswered {
    pub(super) failure: TransferFailure,
    /// What is wrong on our side: an address, a port, an answer that cannot be understood.
    pub(super) trouble: Option<String>,
}

impl Dialler {
    /// Rings `agent` until they answer or not; dropped, it stops ringing.
    pub(super) async fn ring(self, agent: String, queue: Option<String>) -> Result<Dialled, TransferFailure> {
        let credentials = queue.and_then(|name| self.credentials.get(&name).cloned());
        let dialled = self.dial(agent.clone(), "sidetone".into(), credentials).await;
        dialled.map_err(|unanswered| {
            if let Some(error) = unanswered.trouble {
                tracing::warn!(%agent, %error, "the agent cannot be reached; check the address in the queue's `agents`");
            }
            unanswered.failure
        })
    }

    /// Calls `to` as `from`, likewise.
    pub(super) async fn dial(
        self,
        to: String,
        from: String,
        credentials: Option<Credentials>,
    ) -> Result<Dialled, Unanswered> {
        let unreachable = |error: &dyn std::fmt::Display| Unanswered {
            failure: TransferFailure::Unreachable,
            trouble: Some(error.to_string()),
        };
        let mut media = self.ports.take(Sources::Signalled).map_err(|error| unreachable(&error))?;
        let local = self.endpoint.local_ip_for(&to).await.map_err(|error| unreachable(&error))?;
        let told = if local.is_loopback() { local } else { self.advertise.unwrap_or(local) };
        let address = SocketAddr::new(told, media.local_addr().port());
        let mut sdp = SdpSession::new(rand::random::<u32>().into(), address, &CODECS);
        let call = Outgoing {
            to,
            from_user: from,
            display_name: Some("Sidetone".into()),
            sdp: sdp.offer(Direction::SendRecv),
            credentials,
            headers: Vec::new(),
        };
        let mut leg = self.endpoint.invite(call).await.map_err(|error| unreachable(&error))?;
        loop {
            match leg.next().await {
                Some(SipEvent::Answered { sdp: answer }) => {
                    let negotiated = sdp.accept_answer(&answer).map_err(|error| unreachable(&error))?;
                    media.set_remote(negotiated.remote_rtp, negotiated.remote_rtcp);
                    let config = leg_config(&negotiated);
                    return Ok(Dialled { party: SipParty { leg, media, sdp }, config });
                }
                Some(SipEvent::Rejected { status, .. }) => {
                    return Err(Unanswered { failure: failure(status), trouble: None });
                }
                None | Some(SipEvent::Ended { .. }) => {
                    return Err(Unanswered { failure: TransferFailure::Unreachable, trouble: None });
                }
                Some(_) => {}
            }
        }
    }
}

/// What an agent's telephone may be offered.
const CODECS: [MediaCodec; 2] = [MediaCodec::Pcmu, MediaCodec::Pcma];

/// RFC 3261, 21.4 and 21.6.
pub(super) fn failure(status: u16) -> TransferFailure {
    match status {
        486 | 600 => TransferFailure::Busy,
        408 | 480 | 487 => TransferFailure::NoAnswer,
        403 | 603 => TransferFailure::Declined,
        _ => TransferFailure::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_by_its_status() {
        for (status, expected) in [
            (486, TransferFailure::Busy),
            (603, TransferFailure::Declined),
            (480, TransferFailure::NoAnswer),
            (408, TransferFailure::NoAnswer),
            (404, TransferFailure::Unreachable),
            (503, TransferFailure::Unreachable),
        ] {
            assert_eq!(failure(status), expected, "{status}");
        }
    }
}
