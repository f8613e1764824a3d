//! Puts a caller through to a human: rings the agents of a queue in order, keeps the caller company meanwhile, briefs
//! the agent, and joins the two.
//!
//! ```text
//! Ringing ─ answered ─▶ Briefing ─ heard ─▶ Bridged
//!    └─ busy, declined, no answer ─▶ the next agent ─▶ none left: the script goes on
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::io::{Output, Report, Side, Sink};
use super::leg::{LegConfig, MediaLeg};
use super::ports::{JobError, Kind, SayId};
use super::record::Outcome;
use super::speaking::{Manner, Speaking};
use super::timers::Timer;
use super::{Call, Phase};
use crate::audio::{Frame, FrameResampler, Rate};
use crate::dialplan::script::{Input as ScriptInput, Target, Transfer, TransferFailure};
use crate::queue::{Failure, Next, Queue};

/// Lines to the agent are numbered from here, lines to the caller from 0.
const AGENT_LINES: SayId = SayId(1 << 30);
/// The caller is not left with music alone for longer than this without a word.
const REASSURE_EVERY: Duration = Duration::from_secs(20);
/// What a waiting caller is told.
const REASSURANCE: &str = "Thank you for holding. Somebody will be with you in a moment.";

/// A hand-over under way.
pub(super) struct Handover {
    target: String,
    reason: String,
    queue: Queue,
    queue_name: Option<String>,
    agent: String,
    stage: Stage,
    party: Option<Box<Party>>,
    comfort: Instant,
    /// Whether the caller's own telephone is to go there without us.
    blind: bool,
    /// Where it is to go, as soon as what was said before has been heard.
    refer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ringing,
    Briefing,
    Bridged,
}

/// The agent's end.
struct Party {
    leg: MediaLeg,
    rate: Rate,
    speaking: Speaking,
    from_caller: Frame,
    to_agent: Option<FrameResampler>,
    to_caller: Option<FrameResampler>,
}

impl Handover {
    pub(super) fn leg_mut(&mut self) -> Option<&mut MediaLeg> {
        self.party.as_mut().map(|p| &mut p.leg)
    }

    pub(super) fn answered(&self) -> bool {
        self.party.is_some()
    }

    pub(super) fn bridged(&self) -> bool {
        self.stage == Stage::Bridged
    }

    pub(super) fn owns(&self, say: SayId) -> bool {
        say >= AGENT_LINES
    }

    /// A rendered sentence of the briefing.
    pub(super) fn sentence(&mut self, now: Instant, say: SayId, index: u32, result: Result<Arc<[i16]>, JobError>) {
        if let Some(party) = &mut self.party {
            party.speaking.sentence(now, say, index, result);
        }
    }

    /// The agent's 20 ms. Returns what the caller is to hear once the two are joined, at the caller's rate.
    pub(super) fn tick(&mut self, now: Instant, scratch: &mut [u8], sink: &mut dyn Sink) -> Option<Frame> {
        let bridged = self.bridged();
        let party = self.party.as_deref_mut()?;
        let mut ours = Frame::silence(party.rate);
        if bridged {
            ours = party.from_caller;
        } else {
            party.speaking.next_frame(&mut ours);
        }
        let tick = party.leg.tick(now, Some(&ours), scratch);
        if tick.sent > 0 {
            sink.packet(Side::Agent, Kind::Rtp, &scratch[..tick.sent]);
        }
        if let Some(length) = party.leg.rtcp(now, scratch) {
            sink.packet(Side::Agent, Kind::Rtcp, &scratch[..length]);
        }
        bridged.then(|| match &mut party.to_caller {
            Some(resampler) => resampler.process(&tick.incoming),
            None => tick.incoming,
        })
    }

    /// What the caller says, for the agent's next tick.
    pub(super) fn hear_caller(&mut self, frame: &Frame) {
        if let Some(party) = self.party.as_deref_mut() {
            party.from_caller = match &mut party.to_agent {
                Some(resampler) => resampler.process(frame),
                None => *frame,
            };
        }
    }
}

impl Call {
    /// The script wants the caller put through.
    pub(super) fn transfer(&mut self, now: Instant, transfer: Transfer) {
        let (target, agents, queue_name, ring) = match &transfer.target {
            Target::Queue(name) => {
                let queue = self.line.queues.get(name);
                let agents = queue.map(|q| q.agents.clone()).unwrap_or_default();
                let ring = queue.map_or(DEFAULT_RING, |q| q.ring);
                (format!("queue:{name}"), agents, Some(name.clone()), ring)
            }
            Target::Sip(address) if self.line.may_dial(address) => {
                (address.clone(), vec![address.clone()], None, DEFAULT_RING)
            }
            Target::Sip(address) => {
                self.log.event(now, format!("dialling {address} is not allowed; see sip.dial_allow"));
                (address.clone(), Vec::new(), None, DEFAULT_RING)
            }
        };
        self.phase = Phase::Handover;
        self.listening = None;
        self.timers.clear(Timer::NoInput);
        self.timers.clear(Timer::Keypad);
        self.log.event(now, format!("handover to {target}: {}", transfer.reason));
        self.report(Report::Handover { step: format!("to {target}: {}", transfer.reason) });
        self.speaking.background(Some(self.line.music(self.rate)));
        self.handover = Some(Handover {
            target,
            reason: transfer.reason,
            queue: Queue::new(agents, ring),
            queue_name,
            agent: String::new(),
            stage: Stage::Ringing,
            party: None,
            comfort: now + REASSURE_EVERY,
            blind: transfer.blind,
            refer: None,
        });
        self.ring_next(now, None);
    }

    fn ring_next(&mut self, now: Instant, last: Option<TransferFailure>) {
        let Some(handover) = &mut self.handover else { return };
        match handover.queue.next(now, last.map(to_queue)) {
            Next::Ring { agent, until } => {
                let agent = agent.to_owned();
                handover.agent.clone_from(&agent);
                handover.stage = Stage::Ringing;
                if handover.blind {
                    handover.refer = Some(agent);
                    return;
                }
                let queue = handover.queue_name.clone();
                self.timers.set(Timer::Ring, until);
                self.report(Report::Handover { step: format!("ringing {agent}") });
                self.outbox.push_back(Output::Ring { agent, queue });
            }
            Next::Failed(failure) => self.handover_failed(now, to_script(failure)),
        }
    }

    /// Nobody takes the caller: the script says so and goes on.
    fn handover_failed(&mut self, now: Instant, failure: TransferFailure) {
        let Some(handover) = self.handover.take() else { return };
        self.timers.clear(Timer::Ring);
        self.speaking.background(None);
        self.log.event(now, format!("handover to {} failed: {failure:?}", handover.target));
        self.report(Report::Handover { step: format!("failed: {failure:?}") });
        self.phase = Phase::Script;
        self.run(now, ScriptInput::TransferFailed(failure));
    }

    pub(super) fn agent_ringing(&mut self, now: Instant) {
        self.log.event(now, "the agent's telephone rings");
    }

    pub(super) fn agent_failed(&mut self, now: Instant, failure: TransferFailure) {
        if self.handover.as_ref().is_some_and(|h| !h.answered()) {
            self.timers.clear(Timer::Ring);
            self.report(Report::Handover { step: format!("not taken: {failure:?}") });
            self.ring_next(now, Some(failure));
        }
    }

    /// What came of a blind transfer. Late news of one that was given up is no news.
    pub(super) fn referred(&mut self, now: Instant, result: Result<(), TransferFailure>) {
        let Some(handover) = self.handover.as_ref().filter(|h| h.blind && h.refer.is_none()) else { return };
        match result {
            Ok(()) => {
                let (to, agent, reason) = (handover.target.clone(), handover.agent.clone(), handover.reason.clone());
                self.log.event(now, format!("the caller's telephone is with {agent}"));
                self.report(Report::Handover { step: format!("the caller is with {agent}") });
                self.timers.clear(Timer::Ring);
                self.over(Outcome::HandedOver { to, agent, reason }, true);
            }
            Err(failure) => self.agent_failed(now, failure),
        }
    }

    pub(super) fn ring_timeout(&mut self, now: Instant) {
        if self.handover.as_ref().is_some_and(|h| !h.answered()) {
            self.outbox.push_back(Output::CancelRing);
            self.report(Report::Handover { step: "no answer".into() });
            self.ring_next(now, Some(TransferFailure::NoAnswer));
        }
    }

    /// The agent is there: they are told who waits and why, while the caller still hears music.
    pub(super) fn agent_answered(&mut self, now: Instant, config: LegConfig) {
        let words = self.briefing();
        let Some(handover) = &mut self.handover else { return };
        self.timers.clear(Timer::Ring);
        let rate = config.media.codec.rate();
        let resampler = |to: Rate| (rate != self.rate).then(|| FrameResampler::new(to).ok()).flatten();
        let Ok(leg) = MediaLeg::new(config, now) else {
            self.outbox.push_back(Output::HangUp(Side::Agent));
            return self.ring_next(now, Some(TransferFailure::Unreachable));
        };
        let mut party = Box::new(Party {
            leg,
            rate,
            speaking: Speaking::new(rate, self.line.voice().to_owned(), AGENT_LINES)
                .pronounce(self.line.plan.lexicon()),
            from_caller: Frame::silence(rate),
            to_agent: resampler(rate),
            to_caller: resampler(self.rate),
        });
        party.speaking.say(now, &words, Manner { masked: true, ..Manner::FIRM });
        handover.party = Some(party);
        handover.stage = Stage::Briefing;
        self.log.event(now, format!("the agent {} answered", handover.agent));
        let step = format!("{} answered; briefing: {words}", handover.agent);
        self.report(Report::Handover { step });
    }

    /// A few seconds: who, what was asked, the slots, why they are upset.
    fn briefing(&self) -> String {
        let feelings: Vec<_> = self.frustration.reasons().into_iter().take(2).collect();
        let words = self.script.briefing().spoken();
        if feelings.is_empty() { words } else { format!("{words} The caller {}.", feelings.join(", and ")) }
    }

    /// Moves the hand-over on while our own lines are silent.
    pub(super) fn comforted(&mut self, now: Instant) {
        let Some(handover) = &mut self.handover else { return };
        match handover.stage {
            Stage::Ringing if handover.refer.is_some() => {
                if let Some(to) = handover.refer.take() {
                    self.timers.set(Timer::Ring, now + REFER);
                    self.log.event(now, format!("the caller's telephone is sent to {to}"));
                    self.report(Report::Handover { step: format!("sending the caller to {to}") });
                    self.outbox.push_back(Output::Refer { to });
                }
            }
            Stage::Ringing if now >= handover.comfort && !handover.blind => {
                handover.comfort = now + REASSURE_EVERY;
                self.speaking.say(now, REASSURANCE, Manner::PLAIN);
            }
            _ => {}
        }
    }

    /// Sends the agent's orders out, and joins the two when the briefing is over. Call it each tick.
    pub(super) fn handover_tick(&mut self, now: Instant) {
        let Some(handover) = &mut self.handover else { return };
        let Some(party) = handover.party.as_deref_mut() else { return };
        while let Some(job) = party.speaking.job() {
            self.outbox.push_back(Output::Synthesize(job));
        }
        while party.speaking.finished(now).is_some() {}
        if handover.stage == Stage::Briefing && party.speaking.is_idle() {
            handover.stage = Stage::Bridged;
            let (to, agent, reason) = (handover.target.clone(), handover.agent.clone(), handover.reason.clone());
            self.speaking.background(None);
            self.interrupt(now);
            self.log.event(now, format!("bridged with {agent}"));
            self.report(Report::Handover { step: format!("bridged with {agent}") });
            self.log.outcome(Outcome::HandedOver { to, agent, reason });
        }
    }

    /// The agent is gone: the call is over, or, if they left before the caller was on, the next one is rung.
    pub(super) fn agent_hung_up(&mut self, now: Instant) {
        let Some(handover) = &mut self.handover else { return };
        if handover.stage == Stage::Bridged {
            self.log.event(now, "the agent hung up");
            self.handover = None;
            self.over(Outcome::Completed, true);
        } else if handover.party.take().is_some() {
            self.log.event(now, "the agent hung up during the briefing");
            self.ring_next(now, Some(TransferFailure::Declined));
        }
    }

    /// Ends the hand-over from our side.
    pub(super) fn drop_handover(&mut self, now: Instant) {
        if let Some(handover) = self.handover.take() {
            self.timers.clear(Timer::Ring);
            self.speaking.background(None);
            self.log.event(now, "the hand-over was ended");
            let output = if handover.answered() { Output::HangUp(Side::Agent) } else { Output::CancelRing };
            self.outbox.push_back(output);
        }
    }
}

/// The queue and the script know nothing of each other; their words for a failure are the same.
fn to_queue(failure: TransferFailure) -> Failure {
    match failure {
        TransferFailure::Busy => Failure::Busy,
        TransferFailure::NoAnswer => Failure::NoAnswer,
        TransferFailure::Declined => Failure::Declined,
        TransferFailure::Unreachable => Failure::Unreachable,
    }
}

fn to_script(failure: Failure) -> TransferFailure {
    match failure {
        Failure::Busy => TransferFailure::Busy,
        Failure::NoAnswer => TransferFailure::NoAnswer,
        Failure::Declined => TransferFailure::Declined,
        Failure::Unreachable => TransferFailure::Unreachable,
    }
}

/// A telephone that was sent elsewhere tells what came of it by then.
const REFER: Duration = Duration::from_secs(60);
/// For an address that no queue holds.
const DEFAULT_RING: Duration = Duration::from_secs(20);
