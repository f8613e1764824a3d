//! A telephone of our own: rings or answers, speaks clips in turn, types keys, and measures from the packets how soon it
//! is answered. `sidetone call`, `load` and `demo` stand on it. It shares no code with the server's media path beyond
//! G.711, so that what it measures is what a caller's telephone would see.

mod ear;
#[cfg(feature = "device")]
mod live;
mod mouth;
#[cfg(feature = "device")]
mod playout;
mod turns;

use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::audio::file;
use crate::call::ports::{Kind, MediaTransport};
use crate::net::rtp::RtpPort;
use crate::net::sip::{Incoming, Outgoing, SipEndpoint, SipEvent, SipLeg, SipOptions, Transport};
use crate::sip::{Direction, MediaCodec, Negotiated, SdpSession};

use ear::Ear;
#[cfg(feature = "device")]
pub(crate) use live::Press;
use mouth::Mouth;
pub(crate) use turns::{Clip, Turn, parse_turn};

/// Samples in 20 ms at 8 kHz.
const FRAME: usize = 160;
/// Far-end silence after which it is our turn.
const SETTLE: Duration = Duration::from_millis(900);
/// Longest wait for the far end to say something before we speak all the same.
const PATIENCE: Duration = Duration::from_secs(12);
/// How long the far end speaks before an interruption starts.
const INTERRUPT_AFTER: Duration = Duration::from_millis(800);

/// What came of a call, seen from this telephone.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct PhoneReport {
    /// From INVITE to the 200.
    pub(crate) answered_ms: Option<f32>,
    /// For each clip that was answered: from the packet with its last speech sample to the first packet of speech.
    pub(crate) answer_ms: Vec<f32>,
    /// For each interruption: from its first speech packet to the last packet of the prompt that is louder than −40 dBov.
    pub(crate) barge_in_ms: Vec<f32>,
    /// For each key entry: from its last end packet to the first packet of speech.
    pub(crate) key_ms: Vec<f32>,
    /// For each clip: from the call's answer to the packet with its first speech sample.
    pub(crate) spoke_ms: Vec<f32>,
    /// Packets received.
    pub(crate) received: u64,
    /// Largest gap between two packets, ms.
    pub(crate) worst_gap_ms: f32,
    /// Share of packet gaps within 5 ms of 20 ms.
    pub(crate) paced: f32,
    /// Status with which the call was refused.
    pub(crate) refused: Option<u16>,
    /// Whether the far end said BYE.
    pub(crate) remote_bye: bool,
    /// What was received, at 8 kHz.
    #[serde(skip)]
    pub(crate) heard: Vec<i16>,
    /// What was sent, aligned with it.
    #[serde(skip)]
    pub(crate) said: Vec<i16>,
}

/// A telephone's own SIP endpoint on `address`.
pub(crate) async fn endpoint(
    transport: Transport,
    address: SocketAddr,
    stop: &CancellationToken,
) -> anyhow::Result<(SipEndpoint, tokio::sync::mpsc::Receiver<Incoming>)> {
    let options =
        SipOptions { listen: vec![(transport, address)], advertise: None, user_agent: "Sidetone telephone".into() };
    Ok(SipEndpoint::bind(options, stop.clone()).await?)
}

/// A call that this telephone is on.
pub(crate) struct Phone {
    leg: SipLeg,
    media: RtpPort,
    sdp: SdpSession,
    negotiated: Negotiated,
    report: PhoneReport,
    packet: Vec<u8>,
    /// When the call was answered.
    begin: Instant,
}

/// Rings `to`. `Ok(Err(report))` when the far end refuses.
pub(crate) async fn ring(
    endpoint: &SipEndpoint,
    address: IpAddr,
    to: &str,
    from: &str,
) -> anyhow::Result<Result<Phone, PhoneReport>> {
    let mut media = RtpPort::bind(address, 0..=0)?;
    let mut sdp = SdpSession::new(rand::random::<u32>().into(), media.local_addr(), &CODECS);
    let begin = now();
    let call = Outgoing {
        to: to.to_owned(),
        from_user: from.to_owned(),
        display_name: None,
        sdp: sdp.offer(Direction::SendRecv),
        credentials: None,
        headers: Vec::new(),
    };
    let mut leg = endpoint.invite(call).await?;
    let mut report = PhoneReport::default();
    loop {
        match leg.next().await {
            Some(SipEvent::Answered { sdp: answer }) => {
                report.answered_ms = Some(ms(now() - begin));
                let negotiated = sdp.accept_answer(&answer).context("the far end's answer cannot be used")?;
                media.set_remote(negotiated.remote_rtp, negotiated.remote_rtcp);
                return Ok(Ok(Phone { leg, media, sdp, negotiated, report, packet: Vec::new(), begin: now() }));
            }
            Some(SipEvent::Rejected { status, .. }) => {
                report.refused = Some(status);
                return Ok(Err(report));
            }
            None | Some(SipEvent::Ended { .. }) => {
                report.refused = Some(408);
                return Ok(Err(report));
            }
            Some(_) => {}
        }
    }
}

/// Answers a call.
pub(crate) async fn answer(call: Incoming, address: IpAddr) -> anyhow::Result<Phone> {
    let mut media = RtpPort::bind(address, 0..=0)?;
    let mut sdp = SdpSession::new(rand::random::<u32>().into(), media.local_addr(), &CODECS);
    let offer = call.offer.clone().context("the caller offers nothing")?;
    let (body, negotiated) = sdp.answer(&offer)?;
    media.set_remote(negotiated.remote_rtp, negotiated.remote_rtcp);
    let leg = call.accept(body).await?;
    Ok(Phone { leg, media, sdp, negotiated, report: PhoneReport::default(), packet: Vec::new(), begin: now() })
}

const CODECS: [MediaCodec; 2] = [MediaCodec::Pcmu, MediaCodec::Pcma];

/// What the telephone is doing.
enum Doing {
    /// Waits for the far end to speak and to fall silent.
    Waiting { since: Instant },
    /// Speaks a clip from this sample on.
    Speaking { clip: Clip, at: usize, interrupts: bool },
    /// Sends keys.
    Typing,
    /// All turns are done.
    Done { since: Instant },
}

/// What is being timed.
#[derive(Default)]
struct Stopwatch {
    /// Our last speech sample left then.
    asked: Option<Instant>,
    /// Our last key's end left then.
    typed: Option<Instant>,
    /// Our interruption began then; the last speech packet of the far end since.
    interrupted: Option<(Instant, Option<Instant>)>,
}

impl Phone {
    /// Speaks the turns, each when the far end has spoken and fallen silent, then stays for `linger` after its last word,
    /// or until it hangs up.
    pub(crate) async fn talk(mut self, turns: Vec<Turn>, linger: Duration) -> PhoneReport {
        let mut ticker = tokio::time::interval(Duration::from_millis(20));
        ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut voice = Mouth::new(&self.negotiated);
        let mut ear = Ear::new(self.negotiated.codec);
        let mut turns = turns.into_iter().collect::<std::collections::VecDeque<_>>();
        let mut doing = Doing::Waiting { since: now() };
        let mut watch = Stopwatch::default();
        let mut buffer = [0_u8; 2048];
        loop {
            tokio::select! {
                biased;
                _ = ticker.tick() => {
                    doing = self.tick(doing, &mut turns, &mut voice, &ear, &mut watch);
                    if let Doing::Done { since } = doing
                        && now() - since >= linger && ear.silent_for(now()) >= linger {
                        self.leg.bye(None).await;
                        break;
                    }
                }
                event = self.leg.next() => match event {
                    None | Some(SipEvent::Ended { .. } | SipEvent::Rejected { .. }) => {
                        self.report.remote_bye = true;
                        break;
                    }
                    Some(SipEvent::Reoffer { sdp: Some(offer), reply }) => {
                        let answer = self.sdp.answer(&offer).map(|(answer, _)| answer).map_err(|_| 488);
                        let _ = reply.send(answer);
                    }
                    Some(_) => {}
                },
                read = poll_fn(|cx| self.media.poll_recv(cx, &mut buffer)) => {
                    if let Ok((Kind::Rtp, length)) = read {
                        let at = now();
                        if let Some(dbov) = ear.packet(at, &buffer[..length], voice.ticks) {
                            self.heard(at, dbov, &mut watch);
                        }
                    }
                }
            }
        }
        self.finish(voice, ear, watch)
    }

    fn heard(&mut self, at: Instant, dbov: f32, watch: &mut Stopwatch) {
        if dbov > ear::HEARD_DBOV
            && let Some((_, last)) = &mut watch.interrupted
        {
            *last = Some(at);
        }
        if dbov <= ear::SPEECH_DBOV {
            return;
        }
        if let Some(asked) = watch.asked.take() {
            self.report.answer_ms.push(ms(at - asked));
        }
        if let Some(typed) = watch.typed.take() {
            self.report.key_ms.push(ms(at - typed));
        }
    }

    fn tick(
        &mut self,
        doing: Doing,
        turns: &mut std::collections::VecDeque<Turn>,
        voice: &mut Mouth,
        ear: &Ear,
        watch: &mut Stopwatch,
    ) -> Doing {
        let at = now();
        match doing {
            Doing::Waiting { since } => {
                self.send(voice, None);
                let waited = at - since;
                let (interrupts, ready) = match turns.front() {
                    Some(Turn::Interrupt(_)) => (true, ear.speaking_for(at) >= INTERRUPT_AFTER),
                    Some(Turn::Wait(time)) => (false, waited >= *time),
                    Some(_) => (false, ear.spoke_since(since) && ear.silent_for(at) >= SETTLE || waited >= PATIENCE),
                    None => return Doing::Done { since: at },
                };
                if !ready {
                    return Doing::Waiting { since };
                }
                match turns.pop_front() {
                    Some(Turn::Speak(clip) | Turn::Interrupt(clip)) => {
                        watch.interrupted = None;
                        Doing::Speaking { clip, at: 0, interrupts }
                    }
                    Some(Turn::Keys(keys)) if voice.type_keys(&keys) => Doing::Typing,
                    Some(Turn::Keys(keys)) => {
                        tracing::warn!(%keys, "the far end takes no keys by RTP; they are left out");
                        Doing::Waiting { since: at }
                    }
                    Some(Turn::Wait(_)) | None => Doing::Waiting { since: at },
                }
            }
            Doing::Speaking { clip, at: from, interrupts } => {
                let to = (from + FRAME).min(clip.pcm.len());
                self.send(voice, Some(&clip.pcm[from..to]));
                let holds = |sample: usize| (from..to).contains(&sample);
                if interrupts && holds(clip.first) {
                    watch.interrupted = Some((at, None));
                }
                if holds(clip.first) {
                    self.report.spoke_ms.push(ms(at - self.begin));
                }
                if holds(clip.last) {
                    watch.asked = Some(at);
                    if let Some((began, Some(last))) = watch.interrupted.take() {
                        self.report.barge_in_ms.push(ms(last - began));
                    }
                }
                if to == clip.pcm.len() {
                    Doing::Waiting { since: at }
                } else {
                    Doing::Speaking { clip, at: to, interrupts }
                }
            }
            Doing::Typing => {
                if self.send(voice, None) {
                    watch.typed = Some(at);
                }
                if voice.is_typing() { Doing::Typing } else { Doing::Waiting { since: at } }
            }
            Doing::Done { since } => {
                self.send(voice, None);
                if ear.silent_for(at) < SETTLE { Doing::Done { since: at } } else { Doing::Done { since } }
            }
        }
    }

    /// Sends 20 ms; true when it is the first end packet of a key.
    fn send(&mut self, voice: &mut Mouth, speech: Option<&[i16]>) -> bool {
        let ends = voice.packet(speech, &mut self.packet);
        // A packet that cannot be sent is lost, as on any network.
        let _ = self.media.send(Kind::Rtp, &self.packet);
        ends
    }

    fn finish(mut self, voice: Mouth, ear: Ear, watch: Stopwatch) -> PhoneReport {
        if let Some((began, Some(last))) = watch.interrupted {
            self.report.barge_in_ms.push(ms(last - began));
        }
        let (received, worst_gap, paced, heard) = ear.finish();
        self.report.received = received;
        self.report.worst_gap_ms = ms(worst_gap);
        self.report.paced = paced;
        self.report.heard = heard;
        self.report.said = voice.said;
        self.report
    }
}

impl PhoneReport {
    /// What was sent (left) and received (right) as a stereo WAV at 8 kHz.
    pub(crate) fn wav(&self) -> anyhow::Result<Vec<u8>> {
        let length = self.said.len().max(self.heard.len());
        let at = |samples: &[i16], n: usize| samples.get(n).copied().unwrap_or(0);
        let stereo: Vec<i16> = (0..length).flat_map(|n| [at(&self.said, n), at(&self.heard, n)]).collect();
        Ok(file::wav(&stereo, 2, 8_000)?)
    }
}

fn ms(duration: Duration) -> f32 {
    duration.as_secs_f32() * 1_000.0
}

#[expect(clippy::disallowed_methods, reason = "a telephone is a driver: it reads the clock")]
fn now() -> Instant {
    Instant::now()
}
