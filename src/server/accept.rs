//! The door: who is let in, which plan answers them, and what is agreed about media before they are.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[cfg(feature = "webrtc")]
use super::caller::new_leg;
use super::caller::{CallerLeg, SipParty, leg_config};
use super::metrics;
use super::task::{self, Answered, Shared};
use crate::call::leg::LegConfig;
#[cfg(feature = "webrtc")]
use crate::call::leg::LegMedia;
use crate::call::line::Line;
use crate::call::logbook::Header;
use crate::call::profile::Profile;
use crate::config::Config;
use crate::dialplan::script::CallBack;
use crate::net::rtp::{PortPool, Sources};
use crate::net::sip::{Incoming, SipEvent, SipLeg};
use crate::pii::Pii;
use crate::sip::{Direction, MediaCodec, Negotiated, SdpSession};
use crate::store::{RecordingHandle, Recordings};

/// Codecs in our order of preference.
const CODECS: [MediaCodec; 2] = [MediaCodec::Pcmu, MediaCodec::Pcma];
/// Seconds after which a caller who was turned away may try again.
const RETRY_AFTER: &str = "10";

/// Lets calls in. Cheap to clone.
#[derive(Clone)]
pub(super) struct Acceptor(Arc<Inner>);

struct Inner {
    places: Arc<Semaphore>,
    max_calls: usize,
    shared: Arc<Shared>,
    recordings: Option<Recordings>,
    ports: PortPool,
    advertise: Option<IpAddr>,
    sources: Sources,
    trust_identity: bool,
    calls: TaskTracker,
    closing: CancellationToken,
}

impl Acceptor {
    pub(super) fn new(
        config: &Config,
        shared: Arc<Shared>,
        recordings: Recordings,
        ports: PortPool,
        calls: TaskTracker,
        closing: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            places: Arc::new(Semaphore::new(config.max_calls)),
            max_calls: config.max_calls,
            advertise: config.sip.advertise,
            sources: if config.sip.nat { Sources::Nat } else { Sources::Signalled },
            trust_identity: config.sip.trust_identity,
            shared,
            recordings: config.keep.record.then_some(recordings),
            ports,
            calls,
            closing,
        }))
    }

    /// Answers INVITEs until stopped.
    pub(super) async fn run(self, mut incoming: mpsc::Receiver<Incoming>, stop: CancellationToken) {
        loop {
            let call = tokio::select! {
                call = incoming.recv() => call,
                () = stop.cancelled() => return,
            };
            let Some(call) = call else { return };
            let acceptor = self.clone();
            self.0.calls.spawn(acceptor.invited(call));
        }
    }

    /// Runs something for as long as there are calls.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.calls.spawn(task);
    }

    /// The door for browsers: the same as for INVITEs.
    #[cfg(feature = "webrtc")]
    pub(super) fn admit_browsers(&self) -> crate::net::webrtc::Admit {
        use crate::call::ports::Refusal;
        let acceptor = self.clone();
        Box::new(move |called| match acceptor.admit(called) {
            Ok((place, _)) => Ok(place),
            Err(status) => {
                metrics::refused(status);
                Err(if status == 404 { Refusal::UnknownNumber } else { Refusal::Busy })
            }
        })
    }

    /// A browser whose media flows.
    #[cfg(feature = "webrtc")]
    pub(super) async fn connected(self, mut session: crate::net::webrtc::Session) {
        let (Some(place), Some(line)) = (session.take_place(), self.line(&session.called)) else { return };
        let header = header(session.caller.clone(), None, &session.called, "webrtc");
        let media = LegMedia {
            codec: session.codec,
            payload_type: session.payload_type,
            event_payload_type: session.event.map(|(payload_type, _)| payload_type),
        };
        let config = LegConfig { ssrc: session.ssrc, ..new_leg(media) };
        self.serve(place, line, header, config, CallerLeg::Web(Box::new(session))).await;
    }

    /// The line that answers `called`.
    pub(super) fn line(&self, called: &str) -> Option<Arc<Line>> {
        self.0.shared.board.line(called)
    }

    /// A place for one more call.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0.places).try_acquire_owned().ok()
    }

    /// A call that we have made, and that was answered.
    pub(super) async fn called_back(
        &self,
        place: OwnedSemaphorePermit,
        line: Arc<Line>,
        wish: CallBack,
        called: &str,
        config: LegConfig,
        leg: CallerLeg,
    ) {
        let header = header(Pii::new(wish.number.clone()), None, called, "sip");
        self.serve(place, line, Header { callback: Some(wish), ..header }, config, leg).await;
    }

    /// A place for one more call, and the line that answers `called`.
    fn admit(&self, called: &str) -> Result<(OwnedSemaphorePermit, Arc<Line>), u16> {
        if self.0.closing.is_cancelled() {
            return Err(503);
        }
        let place = Arc::clone(&self.0.places).try_acquire_owned().map_err(|_| 503_u16)?;
        Ok((place, self.line(called).ok_or(404_u16)?))
    }

    async fn invited(self, call: Incoming) {
        let (place, line) = match self.admit(&call.called) {
            Ok(admitted) => admitted,
            Err(status) => return refuse(call, status).await,
        };
        let mut media = match self.0.ports.take(self.0.sources) {
            Ok(media) => media,
            Err(error) => {
                tracing::error!(%error, "a call is refused; widen sip.rtp_ports");
                return refuse(call, 503).await;
            }
        };
        let told =
            if call.source.ip().is_loopback() { call.local_ip } else { self.0.advertise.unwrap_or(call.local_ip) };
        let address = SocketAddr::new(told, media.local_addr().port());
        let mut sdp = SdpSession::new(rand::random::<u32>().into(), address, &CODECS);
        let (body, mut agreed) = match &call.offer {
            Some(offer) => match sdp.answer(offer) {
                Ok((answer, negotiated)) => (answer, Some(negotiated)),
                Err(error) => {
                    tracing::info!(%error, "an offer that cannot be answered");
                    return refuse(call, 488).await;
                }
            },
            None => (sdp.offer(Direction::SendRecv), None),
        };
        let identity = if self.0.trust_identity { &call.asserted } else { &call.caller };
        let header = header(identity.number.clone(), identity.name.clone(), &call.called, "sip");
        let mut leg = match call.accept(body).await {
            Ok(leg) => leg,
            Err(error) => return tracing::info!(%error, "the caller went away before they were answered"),
        };
        if !confirmed(&mut leg, &mut sdp, &mut agreed).await {
            return;
        }
        let Some(negotiated) = agreed else { return leg.bye(Some("no answer in ACK")).await };
        media.set_remote(negotiated.remote_rtp, negotiated.remote_rtcp);
        let leg = CallerLeg::Sip(Box::new(SipParty { leg, media, sdp }));
        self.serve(place, line, header, leg_config(&negotiated), leg).await;
    }

    /// Runs a call that has been answered, whatever carries it.
    pub(super) async fn serve(
        &self,
        place: OwnedSemaphorePermit,
        line: Arc<Line>,
        header: Header,
        config: LegConfig,
        leg: CallerLeg,
    ) {
        metrics::active(self.0.max_calls - self.0.places.available_permits());
        let recording = self.record(&header, config.media.codec.rate().hz());
        task::run(Arc::clone(&self.0.shared), Answered { line, header, config, leg, recording }).await;
        drop(place);
        metrics::active(self.0.max_calls - self.0.places.available_permits());
    }

    /// A recording that cannot be made does not cost the caller their call.
    fn record(&self, header: &Header, rate_hz: u32) -> Option<RecordingHandle> {
        let recordings = self.0.recordings.as_ref()?;
        match recordings.open(&header.id, rate_hz) {
            Ok(handle) => Some(handle),
            Err(error) => {
                tracing::error!(call = %header.id, %error, "this call is not recorded");
                None
            }
        }
    }
}

/// What is known of a call before it begins.
fn header(caller: Pii<String>, caller_name: Option<Pii<String>>, called: &str, transport: &str) -> Header {
    let now = now();
    let started_ms = now.timestamp().as_millisecond();
    Header {
        id: format!("{started_ms:013}-{:08x}", rand::random::<u32>()),
        started_ms,
        local: now.datetime(),
        caller,
        caller_name,
        called: called.to_owned(),
        transport: transport.to_owned(),
        callback: None,
        // Recalled by the call's task.
        profile: Profile::default(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
fn now() -> jiff::Zoned {
    jiff::Zoned::now()
}

/// Waits for the ACK, which may hold the answer to an offer of ours.
async fn confirmed(leg: &mut SipLeg, sdp: &mut SdpSession, agreed: &mut Option<Negotiated>) -> bool {
    loop {
        match leg.next().await {
            Some(SipEvent::Confirmed { sdp: answer }) => {
                if let (None, Some(answer)) = (&agreed, answer) {
                    *agreed = sdp.accept_answer(&answer).ok();
                }
                return true;
            }
            Some(SipEvent::Ended { .. } | SipEvent::Rejected { .. }) | None => return false,
            Some(_) => {}
        }
    }
}

async fn refuse(call: Incoming, status: u16) {
    metrics::refused(status);
    let headers = if status == 503 { vec![("Retry-After".to_owned(), RETRY_AFTER.to_owned())] } else { Vec::new() };
    call.reject(status, headers).await;
}
