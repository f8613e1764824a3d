//! A call: joins the pure machines, and owns the traits through which the drivers serve it.
//!
//! ```text
//!           receive(packet)   tick()                     handle(Input)
//!                 ▼             ▼                              ▼
//!  caller ─▶ MediaLeg ─▶ Hearing ─▶ Turn ─▶ Understanding ─▶ Script ─▶ Speaking ─▶ MediaLeg ─▶ caller
//!                           └─▶ prosody ─▶ Frustration ────────┘  └─▶ Handover ─▶ MediaLeg ─▶ agent
//! ```
//! The contract is "mutate, drain": after any of the three, `poll()` until `None`, then wait until `deadline()`. It reads
//! no clock, starts no thread and holds no lock.

pub mod ear;
pub mod handover;
pub mod hearing;
pub mod io;
pub mod leg;
pub mod line;
pub mod logbook;
pub mod ports;
pub mod profile;
pub mod record;
pub mod sentences;
pub mod services;
pub mod speaking;
pub mod understand;

mod message;
mod steps;
mod timers;
mod turn;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::civil::Date;

use crate::audio::{AudioError, Frame, Rate, Recording};
use crate::dialplan::script::{self, Listen, Script};
use crate::nlu::keypad::{Entry, Keypad, Mashing};
use crate::speech::emotion::{self, Frustration};
use crate::speech::prosody::Analyser;

use handover::Handover;
use hearing::Hearing;
use io::{Finish, Input, Output, Report, Side, Sink};
use leg::{LegConfig, MediaLeg, Received};
use line::Line;
use logbook::{Header, Logbook};
use ports::{Done, Hint, JobError, Kind, SayId};
use profile::{Changes, VoiceChange};
use record::{CallRecord, Outcome};
use speaking::{Manner, Speaking};
use timers::{Timer, Timers};
use turn::Turns;
use wire::WireClock;

/// One tick of media.
pub const TICK: Duration = Duration::from_millis(20);
/// Without a packet from the caller for this long, the path is gone.
const MEDIA_LOST: Duration = Duration::from_secs(60);
/// After its last line a call is over within this time, whatever happens to the line.
const GOODBYE: Duration = Duration::from_secs(20);
/// A late driver catches up by at most this many ticks; what is older is skipped, as a caller would not want it.
const MAX_BEHIND: u32 = 10;

/// How far a call is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The script speaks and listens.
    Script,
    /// The caller is being put through, or is.
    Handover,
    /// The last line is being said.
    Goodbye,
    /// Done: only `finish` is left.
    Over,
}

/// One call. One task owns it.
pub struct Call {
    line: Arc<Line>,
    leg: MediaLeg,
    rate: Rate,
    hearing: Hearing,
    prosody: Analyser,
    wire: WireClock,
    frustration: Frustration,
    speaking: Speaking,
    was_audible: bool,
    script: Script,
    /// What helps to hear the words that are listened for.
    hint: Hint,
    today: Date,
    /// How often another plan was to take over.
    switches: u32,
    listening: Option<Listen>,
    keypad: Keypad,
    mashing: Mashing,
    typed_ahead: Option<Entry>,
    unheard: Option<script::Heard>,
    turns: Turns,
    handover: Option<Handover>,
    /// The message that is being left.
    message: Option<message::Taking>,
    /// Messages so far.
    messages: u32,
    recorder: Recording,
    log: Logbook,
    timers: Timers,
    phase: Phase,
    next_tick: Instant,
    held: bool,
    scratch: [u8; 1500],
    outbox: VecDeque<Output>,
}

impl Call {
    /// A call that has just been answered. Fails only if the leg's codec is not built in.
    pub fn new(now: Instant, line: Arc<Line>, mut header: Header, leg: LegConfig) -> Result<Self, AudioError> {
        let codec = leg.media.codec;
        let rate = codec.rate();
        let plan = Arc::clone(&line.plan);
        let mut timers = Timers::default();
        timers.set(Timer::Longest, now + line.longest_call);
        timers.set(Timer::Media, now + MEDIA_LOST);
        let (today, local) = (header.local.date(), header.local);
        let callback = header.callback.take();
        let profile = header.profile.clone();
        let log = Logbook::new(header, plan.name().to_owned(), codec.name().to_owned(), now);
        let mut script = Script::new(plan, local);
        script.recall(&profile.values);
        if !line.emotion {
            script.without_feelings();
        }
        let known = callback.as_ref().map(|wish| script.calls_back(wish));
        let mut frustration = Frustration::new(Arc::clone(&line.prosody), emotion::Config::default());
        let voice = profile.calm_voice.filter(|_| line.emotion && script.keeps_calm_voice());
        voice.into_iter().for_each(|voice| frustration.recall(voice));
        let mut call = Self {
            leg: MediaLeg::new(leg, now)?,
            rate,
            hearing: Hearing::new(now, rate),
            prosody: Analyser::new(rate),
            wire: WireClock::new(rate.hz()),
            frustration,
            speaking: Speaking::new(rate, line.voice().to_owned(), SayId(0)).pronounce(line.plan.lexicon()),
            was_audible: false,
            script,
            today,
            line,
            switches: 0,
            listening: None,
            hint: Hint::Open,
            keypad: Keypad::idle(),
            mashing: Mashing::default(),
            typed_ahead: None,
            unheard: None,
            turns: Turns::default(),
            handover: None,
            message: None,
            messages: 0,
            recorder: Recording::new(rate),
            log,
            timers,
            phase: Phase::Script,
            next_tick: now,
            held: false,
            scratch: [0; 1500],
            outbox: VecDeque::new(),
        };
        if call.line.hears() {
            call.leg.listen(now)?;
        }
        match known {
            None => {}
            Some(true) => call.log.event(now, "we called back"),
            // The plan was changed since: its start is the next best.
            Some(false) => call.trouble(now, "we called back, and the plan has no such state any more".to_owned()),
        }
        let caller = call.caller_fields();
        call.run(now, script::Input::Start { caller });
        Ok(call)
    }

    fn caller_fields(&self) -> serde_json::Value {
        let header = self.log.header();
        let name = header.caller_name.as_ref().map(|n| n.reveal().clone());
        serde_json::json!({ "number": header.caller.reveal(), "name": name })
    }

    /// A packet from a leg. Hostile bytes are counted and ignored.
    pub fn receive(&mut self, now: Instant, side: Side, kind: Kind, packet: &[u8], sink: &mut dyn Sink) {
        let leg = match (side, &mut self.handover) {
            (Side::Caller, _) => &mut self.leg,
            (Side::Agent, Some(handover)) => match handover.leg_mut() {
                Some(leg) => leg,
                None => return,
            },
            (Side::Agent, None) => return,
        };
        match kind {
            // A report that cannot be read is counted by the leg.
            Kind::Rtcp => drop(leg.receive_rtcp(now, packet)),
            Kind::Rtp => match leg.receive(now, packet) {
                Received::Ignored(_) => {}
                Received::Audio | Received::Event => {
                    self.alive(now, side);
                    if side == Side::Caller {
                        self.overhear(now, sink);
                        self.sounds(now);
                        self.said(now);
                    }
                }
                Received::Digit(digit) => {
                    self.alive(now, side);
                    self.pressed(now, side, digit.digit);
                }
            },
        }
    }

    fn alive(&mut self, now: Instant, side: Side) {
        if side == Side::Caller {
            self.timers.set(Timer::Media, now + MEDIA_LOST);
        }
    }

    fn pressed(&mut self, now: Instant, side: Side, digit: char) {
        if side == Side::Caller {
            self.key(now, digit);
        }
    }

    /// Twenty milliseconds of media: one frame in and one out on each leg. Allocates nothing but at the edges of turns.
    pub fn tick(&mut self, now: Instant, sink: &mut dyn Sink) {
        self.next_tick += TICK;
        if self.next_tick + TICK * MAX_BEHIND < now {
            self.next_tick = now + TICK;
        }
        let mut ours = Frame::silence(self.rate);
        let from_agent = self.handover.as_mut().and_then(|h| h.tick(now, &mut self.scratch, sink));
        let audible = match from_agent {
            Some(frame) => {
                ours = frame;
                false
            }
            None => self.speaking.next_frame(&mut ours),
        };
        let tick = self.leg.tick(now, (!self.held).then_some(&ours), &mut self.scratch);
        if tick.sent > 0 {
            sink.packet(Side::Caller, Kind::Rtp, &self.scratch[..tick.sent]);
        }
        self.audible(now, audible, &ours);
        if let Some(handover) = &mut self.handover {
            handover.hear_caller(&tick.incoming);
        }
        self.recorder.mute(self.masking(), self.leg.playout_delay());
        self.message_frame(&tick.incoming, sink);
        sink.recording(self.recorder.pair(Some(&tick.incoming), Some(&ours)));
        if self.line.hears() {
            self.hearing.ours(audible.then_some(&ours));
            self.overhear(now, sink);
        }
        if let Some(length) = self.leg.rtcp(now, &mut self.scratch) {
            sink.packet(Side::Caller, Kind::Rtcp, &self.scratch[..length]);
        }
        if let Some(digit) = tick.digit {
            self.key(now, digit.digit);
        }
        self.sounds(now);
        self.said(now);
        self.handover_tick(now);
        self.message_tick(now);
        while let Some(timer) = self.timers.expired(now) {
            self.timeout(now, timer);
        }
    }

    /// Hears what has come in: at once, while it waits for its time to be played to an agent or recorded.
    fn overhear(&mut self, now: Instant, sink: &mut dyn Sink) {
        let attend = self.phase == Phase::Script && !self.keys_only() || self.bridged();
        while let Some(heard) = self.leg.overheard() {
            self.hearing.frame(now, &heard.frame, attend, |samples| sink.voice(samples));
            if self.line.emotion {
                self.prosody.push(heard.frame.samples());
            }
            self.wire.caller(self.hearing.position(), heard.arrived.unwrap_or(now), &heard.frame);
        }
    }

    /// Notes when an answer begins to be heard, and when our line starts and ends.
    fn audible(&mut self, now: Instant, audible: bool, ours: &Frame) {
        if self.wire.ours(now, ours) && audible && !self.held {
            self.answered(now);
        }
        if let Some(after) = self.wire.stopped(now) {
            self.silenced(after);
        }
        if audible && !self.was_audible {
            self.hearing.we_start(self.speaking.interruptible());
        } else if !audible && self.was_audible {
            self.hearing.we_end();
        }
        self.was_audible = audible;
    }

    /// Lines that have been heard to their end.
    fn said(&mut self, now: Instant) {
        while let Some(heard) = self.speaking.finished(now) {
            self.note_heard(now, heard);
        }
        while let Some(job) = self.speaking.job() {
            self.outbox.push_back(Output::Synthesize(job));
        }
        if self.speaking.is_idle() {
            self.quiet(now);
        }
    }

    /// Stops our lines, if they may be, and notes what was heard of them.
    fn interrupt(&mut self, now: Instant) {
        let heard = self.speaking.interrupt();
        if !heard.is_empty() {
            self.hearing.we_end();
            self.was_audible = false;
        }
        for heard in heard {
            self.note_heard(now, heard);
        }
    }

    fn note_heard(&mut self, now: Instant, heard: speaking::Heard) {
        if heard.text.is_empty() {
            // A tone has no words.
            return;
        }
        self.log.heard(now, &heard.text, heard.masked);
        let text = if heard.masked { logbook::MASKED.to_owned() } else { heard.text };
        self.report(Report::Said { text, whole: heard.whole });
    }

    /// Nothing is being said: the wait for the caller begins, or the call ends.
    fn quiet(&mut self, now: Instant) {
        match self.phase {
            Phase::Goodbye => self.over(Outcome::Completed, true),
            Phase::Script => {
                if let Some(listen) = &self.listening
                    && !self.timers.is_set(Timer::NoInput)
                    && !self.held
                    && !self.hearing.is_active()
                    && self.turns.is_idle()
                {
                    self.timers.set(Timer::NoInput, now + listen.timeout);
                }
            }
            Phase::Handover => self.comforted(now),
            Phase::Over => {}
        }
    }

    /// News other than packets and ticks.
    pub fn handle(&mut self, now: Instant, input: Input) {
        if self.phase == Phase::Over {
            return;
        }
        match input {
            Input::Done(done) => self.done(now, done),
            Input::Key(key) => self.key(now, key),
            Input::Fetched(result) => {
                if let Err(error) = &result {
                    self.log.event(now, format!("fetch failed: {error}"));
                    self.report(Report::Trouble { what: format!("fetch failed: {error}") });
                }
                self.run(now, script::Input::Fetched(result));
            }
            Input::Thought(thought) => self.run(now, script::Input::Thought(thought)),
            Input::Renegotiated { side: Side::Caller, send, receive } => {
                self.leg.set_direction(send, receive);
                self.held = !send;
                self.timers.clear(Timer::NoInput);
                self.log.event(now, if send { "resumed" } else { "held" });
            }
            Input::Renegotiated { side: Side::Agent, send, receive } => {
                if let Some(leg) = self.handover.as_mut().and_then(Handover::leg_mut) {
                    leg.set_direction(send, receive);
                }
            }
            Input::HungUp(Side::Caller) => self.caller_hung_up(now),
            Input::HungUp(Side::Agent) => self.agent_hung_up(now),
            Input::AgentRinging => self.agent_ringing(now),
            Input::AgentAnswered(config) => self.agent_answered(now, config),
            Input::AgentFailed(failure) => self.agent_failed(now, failure),
            Input::Referred(result) => self.referred(now, result),
            Input::Booked(result) => self.run(now, script::Input::Booked(result)),
            Input::MessageKept(result) => self.message_kept(now, result),
            Input::Switched(line) => self.switched(now, line),
            Input::Finish(why) => self.finish_politely(now, why),
        }
        self.said(now);
    }

    fn done(&mut self, now: Instant, done: Done) {
        match done {
            Done::Voice { position, probability } => {
                self.hearing.voice(position, probability);
                self.sounds(now);
            }
            Done::Heard { turn, role, result, took } => self.recognized(now, turn, role, result, took),
            Done::TurnEnd { turn, result, .. } => self.voice_ended(now, turn, result),
            Done::Language { turn, result } => self.language_told(now, turn, result),
            Done::Embedded { turn, result, took } => self.embedded(now, turn, result, took),
            Done::Spoken { say, sentence, result, .. } => {
                if let Err(error) = &result
                    && *error != JobError::Full
                {
                    self.log.event(now, format!("synthesis failed: {error}"));
                    self.report(Report::Trouble { what: format!("synthesis failed: {error}; a tone instead") });
                }
                match &mut self.handover {
                    Some(handover) if handover.owns(say) => handover.sentence(now, say, sentence, result),
                    _ => {
                        let first = self.speaking.sentence(now, say, sentence, result);
                        self.turns.rendered(now, first);
                    }
                }
            }
        }
    }

    fn timeout(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::NoInput => self.no_input(now),
            Timer::Engine => self.engine_late(now),
            Timer::Language => self.language_late(now),
            Timer::Doubt => self.doubt_over(now),
            Timer::Longest => self.finish_politely(now, Finish::Longest),
            Timer::Keypad => self.keypad_expired(now),
            Timer::Ring => self.ring_timeout(now),
            Timer::Media => {
                self.log.event(now, "no media for 60 s");
                self.over(Outcome::Ended { reason: "the media path stopped".into() }, true);
            }
            Timer::Goodbye => self.over(Outcome::Completed, true),
        }
    }

    /// Says why, and ends.
    fn finish_politely(&mut self, now: Instant, why: Finish) {
        if matches!(self.phase, Phase::Goodbye | Phase::Over) {
            return;
        }
        self.drop_handover(now);
        self.message_breaks_off(now);
        self.interrupt(now);
        self.speaking.say(now, why.words(), Manner::FIRM);
        self.log.outcome(Outcome::Ended { reason: why.reason().into() });
        self.goodbye(now);
    }

    fn goodbye(&mut self, now: Instant) {
        self.phase = Phase::Goodbye;
        self.listening = None;
        self.timers.clear(Timer::NoInput);
        self.timers.set(Timer::Goodbye, now + GOODBYE);
    }

    fn caller_hung_up(&mut self, now: Instant) {
        self.log.event(now, "the caller hung up");
        if self.message_outlives(now) {
            return;
        }
        self.over(Outcome::CallerHungUp, false);
    }

    /// Ends the call; `hang_up` when it is for us to say so.
    fn over(&mut self, outcome: Outcome, hang_up: bool) {
        if self.phase == Phase::Over {
            return;
        }
        self.phase = Phase::Over;
        self.log.outcome(outcome);
        self.keep_what_is_there();
        self.turns.abort();
        if let Some(handover) = &self.handover {
            let output = if handover.answered() { Output::HangUp(Side::Agent) } else { Output::CancelRing };
            self.outbox.push_back(output);
        }
        if hang_up {
            self.outbox.push_back(Output::HangUp(Side::Caller));
        }
        self.outbox.push_back(Output::Over);
    }

    /// What the driver is to do next, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outbox.pop_front()
    }

    /// When `tick` wants to be called.
    pub fn deadline(&self) -> Instant {
        self.next_tick
    }

    /// The last packets: on each leg an RTCP report with BYE, so that the other side need not wait for more (RFC 3550,
    /// 6.3.7).
    pub fn farewell(&mut self, now: Instant, sink: &mut dyn Sink) {
        let length = self.leg.goodbye(now, &mut self.scratch);
        if length > 0 {
            sink.packet(Side::Caller, Kind::Rtcp, &self.scratch[..length]);
        }
        let Some(agent) = self.handover.as_mut().and_then(Handover::leg_mut) else { return };
        let length = agent.goodbye(now, &mut self.scratch);
        if length > 0 {
            sink.packet(Side::Agent, Kind::Rtcp, &self.scratch[..length]);
        }
    }

    /// What the call changes in its caller's profile, by what it has come to so far.
    pub fn changes(&self) -> Changes {
        let voice = match self.frustration.calm_voice() {
            _ if !self.line.emotion || !self.script.keeps_calm_voice() => VoiceChange::Forgotten,
            Some(voice) => VoiceChange::Kept(voice),
            None => VoiceChange::None,
        };
        Changes { kept: self.script.kept().clone(), voice }
    }

    /// The record, at the end.
    pub fn finish(mut self, now: Instant) -> CallRecord {
        self.interrupt(now);
        let media = self.leg.stats();
        self.log.finish(now, media)
    }

    fn report(&mut self, report: Report) {
        self.outbox.push_back(Output::Report(report));
    }

    fn bridged(&self) -> bool {
        self.handover.as_ref().is_some_and(Handover::bridged)
    }
}
