//! A conversation by microphone and loudspeaker.

use std::future::poll_fn;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::MissedTickBehavior;

use super::ear::{self, Ear};
use super::mouth::Mouth;
use super::playout::Playout;
use super::{FRAME, Phone, PhoneReport, Stopwatch, now};
use crate::call::ports::{Kind, MediaTransport};
use crate::net::sip::SipEvent;

/// What a person hears and speaks with.
pub(crate) trait Sound {
    /// The next 20 ms of the microphone, at 8 kHz.
    fn listen(&mut self, frame: &mut [i16; FRAME]);
    /// Plays 20 ms.
    fn play(&mut self, frame: &[i16; FRAME]);
    /// Whether it was taken away.
    fn is_gone(&self) -> bool;
}

impl Sound for crate::net::device::Device {
    fn listen(&mut self, frame: &mut [i16; FRAME]) {
        Self::listen(self, frame);
    }
    fn play(&mut self, frame: &[i16; FRAME]) {
        Self::play(self, frame);
    }
    fn is_gone(&self) -> bool {
        Self::is_gone(self)
    }
}

/// What a person does besides talking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Press {
    /// Keys.
    Keys(String),
    /// The red button.
    HangUp,
}

impl Phone {
    /// Joins the call with `sound` until one side hangs up or the sound is gone.
    pub(crate) async fn converse(mut self, sound: &mut impl Sound, mut presses: Receiver<Press>) -> PhoneReport {
        let mut ticker = tokio::time::interval(Duration::from_millis(20));
        ticker.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut voice, mut ear) = (Mouth::new(&self.negotiated), Ear::new(self.negotiated.codec));
        let mut playout = Playout::new();
        let mut frame = [0; FRAME];
        let mut buffer = [0_u8; 2048];
        let mut pressing = true;
        loop {
            tokio::select! {
                biased;
                _ = ticker.tick() => {
                    sound.listen(&mut frame);
                    self.send(&mut voice, Some(&frame));
                    sound.play(&playout.take());
                    if sound.is_gone() {
                        self.leg.bye(None).await;
                        break;
                    }
                }
                press = presses.recv(), if pressing => match press {
                    Some(Press::HangUp) => {
                        self.leg.bye(None).await;
                        break;
                    }
                    Some(Press::Keys(keys)) => {
                        if !voice.type_keys(&keys) {
                            tracing::warn!("the far end takes no keys by RTP; they are left out");
                        }
                    }
                    None => pressing = false,
                },
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
                        if let Some(audio) = ear::audio(self.negotiated.codec, &buffer[..length]) {
                            playout.put(audio.ssrc, audio.timestamp, audio.samples());
                        }
                        ear.packet(now(), &buffer[..length], voice.ticks);
                    }
                }
            }
        }
        self.finish(voice, ear, Stopwatch::default())
    }
}
