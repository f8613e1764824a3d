//! One call's task: it owns the call, its media paths and its legs, and is one `select!` over an inbox, media and a timer.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::agent::{Dialled, Dialler};
use super::board::Board;
use super::callbacks::Callbacks;
use super::caller::{CallerLeg, LegNews, Signal, Signalling, SipParty};
use super::events::{CallEvent, Events, What};
use super::messages::Messages;
use super::metrics;
use super::notices::Notices;
use crate::call::Call;
use crate::call::io::{Finish, Input, Output, Side, Sink};
use crate::call::leg::LegConfig;
use crate::call::line::Line;
use crate::call::logbook::Header;
use crate::call::ports::{Done, Kind, MediaTransport, Reply};
use crate::call::profile::Profile;
use crate::call::record::{Event, Outcome};
use crate::dialplan::Plan;
use crate::dialplan::script::{Thought, TransferFailure};
use crate::engine::{Engines, VoiceStream};
use crate::net::{http, llm};
use crate::pii::Pii;
use crate::store::{RecordingHandle, Store};

/// Results that may wait for a call: more than it can have jobs under way, and 640 ms of voice probabilities.
const INBOX: usize = 64;
/// How long a caller waits for the store to say what it knows of them.
const RECALL: Duration = Duration::from_millis(300);
/// The largest packet that is read.
const PACKET: usize = 2_048;

/// What every call's task shares.
pub(super) struct Shared {
    pub(super) engines: Engines,
    pub(super) store: Store,
    pub(super) events: Events,
    pub(super) dialler: Dialler,
    pub(super) board: Board,
    pub(super) notices: Notices,
    pub(super) messages: Messages,
    pub(super) callbacks: Callbacks,
    pub(super) drained: CancellationToken,
}

/// A call that has been answered.
pub(super) struct Answered {
    pub(super) line: Arc<Line>,
    pub(super) header: Header,
    pub(super) config: LegConfig,
    pub(super) leg: CallerLeg,
    pub(super) recording: Option<RecordingHandle>,
}

/// Where a tick's traffic goes.
struct TickSink<'a> {
    caller: &'a mut dyn MediaTransport,
    agent: Option<&'a mut dyn MediaTransport>,
    recording: Option<&'a mut RecordingHandle>,
    message: Option<&'a mut RecordingHandle>,
    voice: &'a mut VoiceStream,
}

impl Sink for TickSink<'_> {
    fn packet(&mut self, side: Side, kind: Kind, packet: &[u8]) {
        let media = match side {
            Side::Caller => Some(&mut *self.caller),
            Side::Agent => self.agent.as_deref_mut(),
        };
        // A packet that cannot be sent is lost, as on any network; a path that is gone shows when it is read.
        let _ = media.map(|media| media.send(kind, packet));
    }
    fn recording(&mut self, stereo: &[i16]) {
        if let Some(recording) = &mut self.recording {
            recording.push(stereo);
        }
    }
    fn message(&mut self, mono: &[i16]) {
        if let Some(message) = &mut self.message {
            message.push(mono);
        }
    }
    fn voice(&mut self, samples: &[i16]) {
        self.voice.push(samples);
    }
}

type Dialling = Pin<Box<dyn Future<Output = Result<Dialled, TransferFailure>> + Send>>;
type Keeping = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;
type Fetching = Pin<Box<dyn Future<Output = Result<serde_json::Value, String>> + Send>>;

/// The running task.
struct Task {
    shared: Arc<Shared>,
    /// This call's own handle: a newer partial of a turn replaces the older one that waits.
    engines: Engines,
    call: Call,
    leg: CallerLeg,
    agent: Option<SipParty>,
    ringing: Option<Dialling>,
    fetching: Option<Fetching>,
    thinking: Option<mpsc::Receiver<Thought>>,
    recording: Option<RecordingHandle>,
    /// The message that is being left, and the one that is being kept.
    message: Option<RecordingHandle>,
    keeping: Option<Keeping>,
    booking: Option<Keeping>,
    /// The caller hung up.
    left: bool,
    voice: VoiceStream,
    inbox: mpsc::Sender<Done>,
    id: Arc<str>,
    caller: Pii<String>,
    plan: Arc<Plan>,
    /// Unix milliseconds.
    started_ms: i64,
    begin: Instant,
    over: bool,
    draining: bool,
    hang_up: bool,
    hang_up_agent: bool,
}

/// Runs a call to its end and stores its record.
pub(super) async fn run(shared: Arc<Shared>, answered: Answered) {
    let Answered { line, mut header, config, leg, recording } = answered;
    header.profile = recalled(&shared, &line, &header).await;
    let now = now();
    let (caller, started_ms, plan) = (header.caller.clone(), header.started_ms, Arc::clone(&line.plan));
    let id: Arc<str> = header.id.as_str().into();
    let begun = What::Begun { called: header.called.clone(), codec: config.media.codec.name().to_owned() };
    shared.events.send(CallEvent { call: Arc::clone(&id), at_ms: 0, what: begun });
    // The plan's language was loaded, or the line would not be.
    let engines = shared.engines.in_language(line.plan.language()).unwrap_or_else(|| shared.engines.clone()).for_call();
    let (inbox, mut results) = mpsc::channel(INBOX);
    let voice = {
        let inbox = inbox.clone();
        // A probability that finds no room is missed: the segmenter sees a gap of 32 ms.
        let sink = Box::new(move |position, probability| {
            let _ = inbox.try_send(Done::Voice { position, probability });
        });
        engines.voice_stream(config.media.codec.rate(), sink)
    };
    let call = match Call::new(now, line, header, config) {
        Ok(call) => call,
        Err(error) => return tracing::error!(call = %id, %error, "the call cannot be served"),
    };
    let mut task = Task {
        shared,
        engines,
        call,
        leg,
        agent: None,
        ringing: None,
        fetching: None,
        thinking: None,
        recording,
        message: None,
        keeping: None,
        booking: None,
        left: false,
        voice,
        inbox,
        id,
        caller,
        plan,
        started_ms,
        begin: now,
        over: false,
        draining: false,
        hang_up: false,
        hang_up_agent: false,
    };
    task.drain();
    while !task.over {
        task.step(&mut results).await;
        task.drain();
    }
    task.end().await;
}

impl Task {
    /// Waits for one thing, and lets the call know.
    async fn step(&mut self, results: &mut mpsc::Receiver<Done>) {
        let mut from_caller = [0; PACKET];
        let mut from_agent = [0; PACKET];
        let here = !self.left;
        let deadline = tokio::time::Instant::from_std(self.call.deadline());
        let (leg, media) = self.leg.split();
        let (agent_leg, agent_media) = match &mut self.agent {
            Some(agent) => {
                let (leg, media) = agent.split();
                (Some(leg), Some(media))
            }
            None => (None, None),
        };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(deadline) => self.tick(),
            signal = leg.next(), if here => {
                let news = self.leg.take(signal);
                self.leg_news(Side::Caller, news);
            }
            signal = maybe(agent_leg.map(Signalling::next)) => self.agent_signal(signal),
            packet = receive(media, &mut from_caller), if here => self.packet(Side::Caller, packet, &from_caller),
            packet = maybe(agent_media.map(|media| receive(media, &mut from_agent))) =>
                self.packet(Side::Agent, packet, &from_agent),
            Some(done) = results.recv() => self.call.handle(now(), Input::Done(done)),
            dialled = maybe(self.ringing.as_mut()) => self.dialled(dialled),
            fetched = maybe(self.fetching.as_mut()) => {
                self.fetching = None;
                self.call.handle(now(), Input::Fetched(fetched));
            }
            thought = maybe(self.thinking.as_mut().map(mpsc::Receiver::recv)) => {
                let thought = thought.unwrap_or_else(|| {
                    self.thinking = None;
                    Thought::Failed("the model's answer broke off".into())
                });
                self.call.handle(now(), Input::Thought(thought));
            }
            booked = maybe(self.booking.as_mut()) => {
                self.booking = None;
                self.call.handle(now(), Input::Booked(booked));
            }
            kept = maybe(self.keeping.as_mut()) => {
                self.keeping = None;
                self.call.handle(now(), Input::MessageKept(kept));
            }
            () = self.shared.drained.cancelled(), if !self.draining => {
                self.draining = true;
                self.call.handle(now(), Input::Finish(Finish::Draining));
            }
        }
    }

    fn tick(&mut self) {
        let (call, mut sink) = self.media();
        call.tick(now(), &mut sink);
    }

    /// The call, and where its packets go.
    fn media(&mut self) -> (&mut Call, TickSink<'_>) {
        let sink = TickSink {
            caller: self.leg.split().1,
            agent: self.agent.as_mut().map(|agent| agent.split().1),
            recording: self.recording.as_mut(),
            message: self.message.as_mut(),
            voice: &mut self.voice,
        };
        (&mut self.call, sink)
    }

    fn packet(&mut self, side: Side, packet: io::Result<(Kind, usize)>, buffer: &[u8]) {
        match packet {
            Ok((kind, length)) => {
                let (call, mut sink) = self.media();
                call.receive(now(), side, kind, &buffer[..length], &mut sink);
            }
            Err(_) => self.gone(side),
        }
    }

    fn leg_news(&mut self, side: Side, news: LegNews) {
        match news {
            LegNews::Key(key) if side == Side::Caller => self.call.handle(now(), Input::Key(key)),
            LegNews::Media { send, receive } => {
                self.call.handle(now(), Input::Renegotiated { side, send, receive });
            }
            LegNews::Referred(status) if side == Side::Caller => self.referred(status),
            LegNews::Ended => self.gone(side),
            LegNews::Key(_) | LegNews::Referred(_) | LegNews::Nothing => {}
        }
    }

    fn agent_signal(&mut self, signal: Signal) {
        let news = match (&mut self.agent, signal) {
            (Some(agent), Signal::Sip(event)) => agent.take(event),
            _ => LegNews::Nothing,
        };
        self.leg_news(Side::Agent, news);
    }

    /// How far a telephone is that was sent elsewhere (RFC 3515, 2.4.5).
    fn referred(&mut self, status: u16) {
        let input = match status {
            ..180 => return,
            180..200 => Input::AgentRinging,
            200..300 => Input::Referred(Ok(())),
            _ => Input::Referred(Err(super::agent::failure(status))),
        };
        self.call.handle(now(), input);
    }

    fn gone(&mut self, side: Side) {
        match side {
            Side::Agent => self.agent = None,
            // The call may have a message to keep yet; of the caller nothing more comes.
            Side::Caller => self.left = true,
        }
        self.call.handle(now(), Input::HungUp(side));
    }

    fn dialled(&mut self, dialled: Result<Dialled, TransferFailure>) {
        self.ringing = None;
        let input = match dialled {
            Ok(Dialled { party, config }) => {
                self.agent = Some(party);
                Input::AgentAnswered(config)
            }
            Err(failure) => Input::AgentFailed(failure),
        };
        self.call.handle(now(), input);
    }

    /// Does what the call wants.
    fn drain(&mut self) {
        while let Some(output) = self.call.poll() {
            match output {
                Output::Recognize(job) => self.engines.recognize(job, self.reply()),
                Output::Language(job) => self.engines.language(job, self.reply()),
                Output::TurnEnd(job) => self.engines.turn_end(job, self.reply()),
                Output::Synthesize(job) => self.engines.synthesize(job, self.reply()),
                Output::Embed(job) => self.engines.embed(job, self.reply()),
                Output::Fetch(request) => self.fetching = Some(Box::pin(http::fetch(request))),
                Output::Think(request) => self.thinking = Some(llm::think(request)),
                Output::Notify(request) => self.shared.notices.send(&self.id, request),
                Output::Ring { agent, queue } => {
                    self.ringing = Some(Box::pin(self.shared.dialler.clone().ring(agent, queue)));
                }
                Output::Refer { to } => {
                    if !self.leg.refer(&to) {
                        tracing::warn!(call = %self.id, %to, "this caller cannot be sent elsewhere: only a SIP telephone can");
                        self.call.handle(now(), Input::Referred(Err(TransferFailure::Unreachable)));
                    }
                }
                Output::Book { wish, caller, called, plan } => {
                    let callbacks = self.shared.callbacks.clone();
                    self.booking = Some(Box::pin(callbacks.book(wish, caller, called, plan)));
                }
                Output::OpenMessage { id, rate } => match self.shared.messages.open(&id, rate) {
                    Ok(sound) => self.message = Some(sound),
                    Err(why) => self.call.handle(now(), Input::MessageKept(Err(why))),
                },
                Output::KeepMessage(message) => {
                    let sound = self.message.take();
                    self.keeping = Some(Box::pin(self.shared.messages.clone().keep(sound, *message)));
                }
                Output::DropMessage { id } => self.shared.messages.discard(self.message.take(), id),
                Output::Switch { number } => {
                    let switched = self.line_of(&number);
                    self.call.handle(now(), Input::Switched(switched));
                }
                Output::CancelRing => self.ringing = None,
                Output::HangUp(Side::Caller) => self.hang_up = true,
                Output::HangUp(Side::Agent) => self.hang_up_agent = true,
                Output::Report(report) => {
                    metrics::report(&report);
                    let at_ms = now().duration_since(self.begin).as_millis() as u64;
                    tracing::info!(call = %self.id, at_ms, report = %report);
                    self.shared.events.send(CallEvent {
                        call: Arc::clone(&self.id),
                        at_ms,
                        what: What::Report(report),
                    });
                }
                Output::Over => self.over = true,
            }
        }
    }

    /// The way back for a job. A result that finds no room is as if it had been late.
    fn reply(&self) -> Reply {
        let inbox = self.inbox.clone();
        Box::new(move |done| {
            if inbox.try_send(done).is_err() {
                metrics::result_lost();
            }
        })
    }

    /// The line that takes over, with the engines of its language from here on.
    fn line_of(&mut self, number: &str) -> Result<Arc<Line>, String> {
        let line = self.shared.board.line(number).ok_or("nothing answers that number")?;
        let engines = self.shared.engines.in_language(line.plan.language());
        self.engines = engines.ok_or("its language is not loaded: start the server again")?.for_call();
        Ok(line)
    }

    /// Keeps what the plan wants kept of the caller.
    async fn keep(&mut self) {
        let names = self.plan.profile();
        if names.is_empty() {
            return;
        }
        let (plan, caller) = ((self.plan.name(), names), self.caller.reveal());
        if let Err(error) = self.shared.store.keep(plan, caller, &self.call.changes(), self.started_ms).await {
            tracing::error!(call = %self.id, %error, "what this call would have kept of its caller is lost");
        }
    }

    /// Says BYE where it is for us to say, closes the recording, stores the record.
    async fn end(mut self) {
        let (call, mut sink) = self.media();
        call.farewell(now(), &mut sink);
        if let Some(agent) = &self.agent
            && self.hang_up_agent
        {
            agent.leg.bye(None).await;
        }
        if self.hang_up {
            self.leg.bye().await;
        }
        if let Some(keeping) = self.keeping.take() {
            // What came of it is in the log.
            let _ = keeping.await;
        }
        self.keep().await;
        let mut record = self.call.finish(now());
        if let Some(recording) = self.recording {
            let recorded = recording.finish().await;
            if let Some(failure) = recorded.trouble {
                tracing::error!(call = %self.id, %failure, "the recording was given up");
                let at_ms = record.duration_ms;
                record.events.push(Event { at_ms, what: format!("recording given up: {failure}") });
            }
            record.recording = Some(recorded.name);
        }
        metrics::ended(&record);
        if let Err(error) = self.shared.store.save(&record).await {
            tracing::error!(call = %self.id, %error, "the record of this call is lost");
        }
        let what = What::Ended { outcome: outcome_words(&record.outcome), recording: record.recording };
        self.shared.events.send(CallEvent { call: self.id, at_ms: record.duration_ms, what });
    }
}

/// What the plan kept of this caller. A store that is slow or broken costs them their preferences, and not the call.
async fn recalled(shared: &Shared, line: &Line, header: &Header) -> Profile {
    if line.plan.profile().is_empty() {
        return Profile::default();
    }
    let profile = shared.store.profile(line.plan.name(), header.caller.reveal(), header.started_ms);
    let why = match tokio::time::timeout(RECALL, profile).await {
        Ok(Ok(profile)) => return profile,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the store took too long".to_owned(),
    };
    tracing::error!(call = %header.id, %why, "this caller is taken for one who calls for the first time");
    Profile::default()
}

/// Waits for what is there, or for ever.
async fn maybe<F: Future>(what: Option<F>) -> F::Output {
    match what {
        Some(what) => what.await,
        None => std::future::pending().await,
    }
}

async fn receive(media: &mut dyn MediaTransport, buffer: &mut [u8]) -> io::Result<(Kind, usize)> {
    poll_fn(|cx| media.poll_recv(cx, buffer)).await
}

/// How a call ended, in words.
pub(crate) fn outcome_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::CallerHungUp => "the caller hung up".into(),
        Outcome::HandedOver { to, agent, .. } => format!("handed over to {to} ({agent})"),
        Outcome::HandoverFailed { to, failure } => format!("handover to {to} failed: {failure:?}"),
        Outcome::Ended { reason } => reason.clone(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
fn now() -> Instant {
    Instant::now()
}
