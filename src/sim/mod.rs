//! Whole calls in virtual time: a call, a caller, agents, a network and engines of fixed cost, without a socket, a thread
//! or a sleep.
//!
//! ```text
//! SimCaller ─ packets ─▶ Link ─▶ Call ─ jobs ─▶ Engines (fixed cost) ─▶ Call
//!     ▲───────────────── Link ◀──┘    └ ring ─▶ Agents
//! ```

mod caller;
mod engines;
mod link;
mod talk;
#[cfg(test)]
mod talk_tests;
pub mod trial;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::Codec;
use crate::call::io::{Input, Output, Report, Side, Sink};
use crate::call::leg::{LegConfig, LegMedia};
use crate::call::line::Line;
use crate::call::logbook::Header;
use crate::call::ports::{Done, Kind};
use crate::call::profile::{Changes, Profile};
use crate::call::record::{CallRecord, MessageRecord};
use crate::call::{Call, TICK};
use crate::dialplan::script::{CallBack, Thought, TransferFailure};

pub use caller::Act;
pub use engines::{Costs, Scripted, embed, line, line_by};
pub use link::Link;
pub use talk::{Ending, Surroundings, Talk, Told, Utterance};

use caller::SimCaller;

/// What an agent does when rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentManner {
    /// Picks up after this long, and stays.
    Answers(Duration),
    /// Picks up after this long, and hangs up this long after.
    Leaves(Duration, Duration),
    /// Refuses.
    Fails(TransferFailure),
    /// Lets it ring.
    Rings,
}

/// One simulated call.
pub struct Scenario {
    /// What the caller does, in order.
    pub caller: Vec<Act>,
    /// What each agent does, in the order in which they are rung; the last one's manner holds for all further.
    pub agents: Vec<AgentManner>,
    /// The answer to each question to a language model, in order: what comes, and how long after the part before it.
    pub thoughts: Vec<Vec<(Duration, Thought)>>,
    /// The answer to each fetch, in order.
    pub fetches: Vec<Result<serde_json::Value, String>>,
    /// Why messages are not kept, if they are not.
    pub disk: Result<(), String>,
    /// What is known of the caller from earlier calls.
    pub profile: Profile,
    /// The lines of other numbers.
    pub lines: BTreeMap<String, Arc<Line>>,
    /// What engines take.
    pub costs: Costs,
    /// The network.
    pub link: Link,
    /// The call is given up at this age.
    pub limit: Duration,
}

impl Scenario {
    /// A caller on a good line.
    pub fn new(caller: Vec<Act>) -> Self {
        Self {
            caller,
            agents: vec![AgentManner::Answers(Duration::from_secs(2))],
            thoughts: Vec::new(),
            fetches: Vec::new(),
            disk: Ok(()),
            profile: Profile::default(),
            lines: BTreeMap::new(),
            costs: Costs::default(),
            link: Link::good(1),
            limit: Duration::from_secs(600),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Played {
    /// The record.
    pub record: CallRecord,
    /// What it changed in the caller's profile.
    pub changes: Changes,
    /// What was reported, with virtual milliseconds.
    pub reports: Vec<(u64, Report)>,
    /// Whether the call came to its own end before the limit.
    pub ended: bool,
    /// Samples that were recorded as sound, per channel; for muting.
    pub recorded: Vec<i16>,
    /// Notices that were sent: address and body.
    pub notices: Vec<(String, String)>,
    /// Messages that were kept, and their sound.
    pub messages: Vec<(MessageRecord, Vec<i16>)>,
    /// Calls that we are to make.
    pub booked: Vec<CallBack>,
    /// The caller's RTP as the server's network card saw it.
    pub wire: Vec<Tapped>,
    /// Times at which packets reached the agent.
    pub to_agent: u64,
}

/// A packet on the server's side of the network.
#[derive(Debug, Clone)]
pub struct Tapped {
    /// Since the call began.
    pub at: Duration,
    /// Whether the caller sent it.
    pub from_caller: bool,
    /// RTP.
    pub packet: Vec<u8>,
}

/// Something that is due.
enum Due {
    Packet(Side, Vec<u8>),
    ToCaller(Vec<u8>),
    Input(Input),
}

struct Event {
    at: Instant,
    order: u64,
    due: Due,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// What a tick gives off.
#[derive(Default)]
struct Given {
    packets: Vec<(Side, Vec<u8>)>,
    stereo: Vec<i16>,
    voice: Vec<i16>,
    message: Vec<i16>,
}

impl Sink for Given {
    fn packet(&mut self, side: Side, kind: Kind, packet: &[u8]) {
        if kind == Kind::Rtp {
            self.packets.push((side, packet.to_vec()));
        }
    }
    fn recording(&mut self, stereo: &[i16]) {
        self.stereo.extend_from_slice(stereo);
    }
    fn message(&mut self, mono: &[i16]) {
        self.message.extend_from_slice(mono);
    }
    fn voice(&mut self, samples: &[i16]) {
        self.voice.extend_from_slice(samples);
    }
}

struct World<'a> {
    call: Call,
    caller: &'a mut dyn FarEnd,
    engines: &'a mut dyn Engines,
    scenario: &'a mut Scenario,
    events: BinaryHeap<Reverse<Event>>,
    order: u64,
    agents: VecDeque<AgentManner>,
    fetches: VecDeque<Result<serde_json::Value, String>>,
    thoughts: VecDeque<Vec<(Duration, Thought)>>,
    reports: Vec<(u64, Report)>,
    begin: Instant,
    over: bool,
    ring: u64,
    to_agent: u64,
    wire: Vec<Tapped>,
    notices: Vec<(String, String)>,
    messages: Vec<(MessageRecord, Vec<i16>)>,
    booked: Vec<CallBack>,
    /// The message that is being left.
    sound: Vec<i16>,
}

/// The caller's end of the line.
pub trait FarEnd {
    /// A packet (RTP) that reached them.
    fn hear(&mut self, at: Instant, packet: &[u8]);
    /// What they do in the next 20 ms.
    fn step(&mut self, now: Instant) -> Step;
    /// What they said last, for engines that know rather than hear.
    fn saying(&self) -> &str {
        ""
    }
}

/// What 20 ms of a caller bring.
#[derive(Debug, Default)]
pub struct Step {
    /// RTP.
    pub packet: Option<Vec<u8>>,
    /// They hang up.
    pub hang_up: bool,
}

/// Models, run when they are asked; what they take is charged in virtual time.
pub trait Engines {
    /// Windows of the caller's sound that are complete with these samples: position (samples, end) and probability of
    /// speech.
    fn voice(&mut self, samples: &[i16]) -> Vec<(u64, f32)>;
    /// What a job brings, and after how long. `saying` is what the caller said last.
    fn work(&mut self, job: Output, saying: &str) -> Option<(Duration, Done)>;
}

/// A caller who does these things, in order.
pub fn caller(acts: Vec<Act>) -> impl FarEnd {
    SimCaller::new(acts)
}

/// Plays a scenario from answer to end.
pub fn play(line: &Arc<Line>, mut scenario: Scenario) -> Played {
    let mut caller = SimCaller::new(std::mem::take(&mut scenario.caller));
    let mut engines = Scripted::new(scenario.costs);
    play_with(line, scenario, &mut caller, &mut engines)
}

/// The same with another caller than the scenario's, and other engines.
pub fn play_with(
    line: &Arc<Line>,
    mut scenario: Scenario,
    caller: &mut dyn FarEnd,
    engines: &mut dyn Engines,
) -> Played {
    let begin = epoch();
    let media = LegMedia { codec: Codec::Pcmu, payload_type: 0, event_payload_type: Some(101) };
    let leg = LegConfig { media, ssrc: 1, first_seq: 1, first_ts: 1, cname: "sim".into() };
    let call = Call::new(begin, Arc::clone(line), header(&scenario), leg).expect("PCMU is always built in");
    let mut world = World {
        caller,
        engines,
        events: BinaryHeap::new(),
        order: 0,
        agents: std::mem::take(&mut scenario.agents).into(),
        fetches: std::mem::take(&mut scenario.fetches).into(),
        thoughts: std::mem::take(&mut scenario.thoughts).into(),
        reports: Vec::new(),
        begin,
        over: false,
        ring: 0,
        to_agent: 0,
        wire: Vec::new(),
        notices: Vec::new(),
        messages: Vec::new(),
        booked: Vec::new(),
        sound: Vec::new(),
        scenario: &mut scenario,
        call,
    };
    let mut recorded = Vec::new();
    let mut now = begin;
    world.drain(now);
    while !world.over && now - begin < world.scenario.limit {
        let next = world.call.deadline();
        world.events_until(next);
        now = next;
        world.tick(now, &mut recorded);
    }
    let World { call, over: ended, reports, to_agent, wire, notices, messages, booked, .. } = world;
    let changes = call.changes();
    Played { record: call.finish(now), changes, reports, ended, recorded, wire, to_agent, notices, messages, booked }
}

impl World<'_> {
    fn at(&mut self, at: Instant, due: Due) {
        self.order += 1;
        self.events.push(Reverse(Event { at, order: self.order, due }));
    }

    fn events_until(&mut self, until: Instant) {
        while let Some(Reverse(event)) = self.events.peek()
            && event.at <= until
            && !self.over
        {
            let Some(Reverse(Event { at, due, .. })) = self.events.pop() else { return };
            match due {
                Due::Packet(side, packet) => {
                    let mut given = Given::default();
                    self.call.receive(at, side, Kind::Rtp, &packet, &mut given);
                    self.attend(at, &given.voice);
                    self.wire.push(Tapped { at: at - self.begin, from_caller: true, packet });
                }
                Due::ToCaller(packet) => self.caller.hear(at, &packet),
                Due::Input(input) => self.call.handle(at, input),
            }
            self.drain(at);
        }
    }

    fn tick(&mut self, now: Instant, recorded: &mut Vec<i16>) {
        let step = self.caller.step(now);
        if step.hang_up {
            self.call.handle(now, Input::HungUp(Side::Caller));
            self.drain(now);
            return;
        }
        if let Some(packet) = step.packet
            && let Some(delay) = self.scenario.link.carry()
        {
            self.at(now + delay, Due::Packet(Side::Caller, packet));
        }
        let mut given = Given::default();
        self.call.tick(now, &mut given);
        recorded.extend_from_slice(&given.stereo);
        self.sound.extend_from_slice(&given.message);
        for (side, packet) in given.packets {
            if side == Side::Caller {
                self.wire.push(Tapped { at: now - self.begin, from_caller: false, packet: packet.clone() });
            }
            match (side, self.scenario.link.carry()) {
                (Side::Caller, Some(delay)) => self.at(now + delay, Due::ToCaller(packet)),
                (Side::Agent, Some(_)) => self.to_agent += 1,
                (_, None) => {}
            }
        }
        self.attend(now, &given.voice);
        self.drain(now);
    }

    /// The voice detector sees what was heard.
    fn attend(&mut self, now: Instant, heard: &[i16]) {
        for (position, probability) in self.engines.voice(heard) {
            let done = Input::Done(Done::Voice { position, probability });
            self.at(now + self.scenario.costs.voice, Due::Input(done));
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.call.poll() {
            match output {
                Output::Over => self.over = true,
                Output::Report(report) => {
                    self.reports.push(((now - self.begin).as_millis() as u64, report));
                }
                Output::Ring { .. } => self.rung(now),
                Output::Refer { .. } => self.referred(now),
                Output::Book { wish, .. } => {
                    self.booked.push(wish);
                    self.at(now + TICK, Due::Input(Input::Booked(self.scenario.disk.clone())));
                }
                Output::OpenMessage { .. } | Output::DropMessage { .. } => self.sound.clear(),
                Output::KeepMessage(message) => {
                    let (sound, disk) = (std::mem::take(&mut self.sound), self.scenario.disk.clone());
                    if disk.is_ok() {
                        self.messages.push((*message, sound));
                    }
                    self.at(now + TICK, Due::Input(Input::MessageKept(disk)));
                }
                Output::Switch { number } => {
                    let line =
                        self.scenario.lines.get(&number).cloned().ok_or("nothing answers that number".to_owned());
                    self.at(now, Due::Input(Input::Switched(line)));
                }
                Output::CancelRing | Output::HangUp(_) => self.ring += 1,
                Output::Notify(request) => {
                    let body = request.body.map(|body| body.into_inner()).unwrap_or_default();
                    self.notices.push((request.url.into_inner(), body));
                }
                Output::Think(_) => {
                    let none = || vec![(Duration::ZERO, Thought::Failed("no model".into()))];
                    let mut at = now;
                    for (after, thought) in self.thoughts.pop_front().unwrap_or_else(none) {
                        at += after;
                        self.at(at, Due::Input(Input::Thought(thought)));
                    }
                }
                Output::Fetch(_) => {
                    let answer = self.fetches.pop_front().unwrap_or_else(|| Err("no such host".into()));
                    self.at(now + self.scenario.costs.fetch, Due::Input(Input::Fetched(answer)));
                }
                job => {
                    if let Some((cost, done)) = self.engines.work(job, self.caller.saying()) {
                        self.at(now + cost, Due::Input(Input::Done(done)));
                    }
                }
            }
        }
    }

    /// What the next agent does.
    fn manner(&mut self) -> AgentManner {
        match self.agents.len() {
            0 => AgentManner::Rings,
            1 => self.agents[0],
            _ => self.agents.pop_front().unwrap_or(AgentManner::Rings),
        }
    }

    /// The caller's own telephone rings the agent.
    fn referred(&mut self, now: Instant) {
        let (after, result) = match self.manner() {
            AgentManner::Answers(after) | AgentManner::Leaves(after, _) => (after, Ok(())),
            AgentManner::Fails(failure) => (TICK * 5, Err(failure)),
            AgentManner::Rings => return,
        };
        self.at(now + after, Due::Input(Input::Referred(result)));
    }

    fn rung(&mut self, now: Instant) {
        let manner = self.manner();
        let answered = || {
            let media = LegMedia { codec: Codec::Pcma, payload_type: 8, event_payload_type: None };
            Input::AgentAnswered(LegConfig { media, ssrc: 9, first_seq: 9, first_ts: 9, cname: "agent".into() })
        };
        match manner {
            AgentManner::Answers(after) => self.at(now + after, Due::Input(answered())),
            AgentManner::Leaves(after, stays) => {
                self.at(now + after, Due::Input(answered()));
                self.at(now + after + stays, Due::Input(Input::HungUp(Side::Agent)));
            }
            AgentManner::Fails(failure) => self.at(now + TICK * 5, Due::Input(Input::AgentFailed(failure))),
            AgentManner::Rings => {}
        }
    }
}

fn header(scenario: &Scenario) -> Header {
    let local = jiff::civil::date(2026, 11, 23).at(10, 0, 0, 0);
    Header {
        id: "sim".into(),
        started_ms: 0,
        local,
        caller: "+15550100".to_owned().into(),
        caller_name: None,
        called: "100".into(),
        transport: "sim".into(),
        callback: None,
        profile: scenario.profile.clone(),
    }
}

/// Where virtual time begins; only differences matter.
#[expect(clippy::disallowed_methods, reason = "an `Instant` has no other origin; nothing depends on its value")]
fn epoch() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod language_tests;
#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod switch_tests;
#[cfg(test)]
mod voice_tests;
