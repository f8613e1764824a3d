//! SIPp as caller and as agent, over UDP and TCP, against a tiny user agent that stands on `net::sip` alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use sidetone::net::sip::{
    Credentials, EndCause, Incoming, Limits, Outgoing, SipEndpoint, SipEvent, SipLeg, SipOptions, Transport,
};
use sidetone::pii::Pii;
use sidetone::sip::{Direction, MediaCodec, SdpSession};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

const PREFERENCE: [MediaCodec; 2] = [MediaCodec::Pcmu, MediaCodec::Pcma];

/// A user agent that answers by the dialled user, and what its legs reported.
pub(crate) struct Agent {
    pub(crate) endpoint: SipEndpoint,
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) seen: mpsc::Receiver<String>,
    pub(crate) cancel: CancellationToken,
}

impl Agent {
    /// Answers by the dialled user (see [`serve`]).
    pub(crate) async fn start(limits: Limits) -> Self {
        Self::start_with(limits, false).await
    }

    /// Refuses every call with 486, at once.
    pub(crate) async fn start_refusing(limits: Limits) -> Self {
        Self::start_with(limits, true).await
    }

    #[expect(clippy::disallowed_methods, reason = "the application under test runs beside its peer")]
    async fn start_with(limits: Limits, refuses: bool) -> Self {
        let home: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let options = SipOptions {
            listen: vec![(Transport::Udp, home), (Transport::Tcp, home)],
            advertise: None,
            user_agent: "sidetone-test".into(),
        };
        let cancel = CancellationToken::new();
        let (endpoint, mut calls) = SipEndpoint::bind_with(options, limits, cancel.clone()).await.expect("bound");
        let at = |wanted| endpoint.local_addrs().iter().find(|(t, _)| *t == wanted).expect("listening").1;
        let (udp, tcp) = (at(Transport::Udp), at(Transport::Tcp));
        let (report, seen) = mpsc::channel(4096);
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                if refuses {
                    call.reject(486, vec![]).await;
                } else {
                    tokio::spawn(serve(call, report.clone()));
                }
            }
        });
        Self { endpoint, udp, tcp, seen, cancel }
    }

    pub(crate) fn reports(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    /// The next report; a leg's last word may come after the peer's.
    pub(crate) async fn report(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(10), self.seen.recv()).await;
        next.expect("in time").expect("the agent lives")
    }
}

async fn serve(mut call: Incoming, report: mpsc::Sender<String>) {
    drop(call.ringing());
    match call.called.as_str() {
        "ring" => {
            call.cancelled().await;
            drop(report.send("cancelled".into()).await);
            return;
        }
        "busy" => return call.reject(503, vec![("Retry-After".into(), "7".into())]).await,
        _ => {}
    }
    let (hangs_up, changes) = (call.called == "hangup", call.called == "changer");
    let mut session = SdpSession::new(1, SocketAddr::new(call.local_ip, 40_000), &PREFERENCE);
    let sdp = match call.offer.as_deref() {
        None => session.offer(Direction::SendRecv),
        Some(offer) => match session.answer(offer) {
            Ok((answer, _)) => answer,
            Err(_) => return call.reject(488, vec![]).await,
        },
    };
    let Ok(mut leg) = call.accept(sdp).await else { return };
    while let Some(event) = leg.next().await {
        let word = match event {
            SipEvent::Confirmed { sdp } => {
                if hangs_up {
                    leg.bye(Some("Q.850;cause=16")).await;
                }
                if changes {
                    leg.reinvite(session.offer(Direction::SendOnly)).await.expect("accepted");
                }
                match sdp.map(|answer| session.accept_answer(&answer)) {
                    None => "confirmed".to_string(),
                    Some(agreed) => format!("confirmed {:?}", agreed.map(|a| a.codec)),
                }
            }
            SipEvent::Reoffer { sdp, reply } => {
                let (answer, agreed) = session.answer(&sdp.expect("an offer")).expect("an answer");
                reply.send(Ok(answer)).expect("the leg waits");
                format!("reoffer {:?}", agreed.direction)
            }
            SipEvent::Digit { digit, duration_ms } => format!("digit {digit} {duration_ms}"),
            SipEvent::Ended { cause } => format!("ended {cause:?}"),
            other => format!("unexpected {other:?}"),
        };
        drop(report.send(word).await);
    }
}

/// Whether SIPp is there; says so once if not.
fn missing() -> bool {
    let missing =
        std::process::Command::new("sipp").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err();
    if missing {
        println!("skipped: sipp (package sip-tester) is not installed");
    }
    missing
}

fn free_port() -> u16 {
    let probe = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    probe.local_addr().expect("an address").port()
}

/// SIPp binds four ports from the one it is given, and gives up if one is taken.
fn free_media_port() -> u16 {
    let free = |port: &u16| (0..4).all(|above| std::net::UdpSocket::bind(("127.0.0.1", port + above)).is_ok());
    let candidates = (0..1_000).map(|_| rand::random_range(5_000..15_000u16) * 4);
    candidates.into_iter().find(free).expect("four free ports in a row")
}

pub(crate) struct Sipp {
    child: Child,
    pub(crate) port: u16,
    scenario: String,
    _place: tempfile::TempDir,
}

/// Starts SIPp; `peer` is where a caller rings, an agent has none.
pub(crate) fn sipp(scenario: &str, peer: Option<SocketAddr>, more: &[&str]) -> Sipp {
    let place = tempfile::tempdir().expect("a place for SIPp's files");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/sipp/{scenario}.xml"));
    let port = free_port();
    let mut command = Command::new("sipp");
    command.arg("-sf").arg(file).args([
        "-i",
        "127.0.0.1",
        "-p",
        &port.to_string(),
        "-mp",
        &free_media_port().to_string(),
    ]);
    command.args(["-m", "1", "-timeout", "30s", "-timeout_error", "-nostdin", "-trace_err"]).args(more);
    if let Some(peer) = peer {
        command.arg(peer.to_string());
    }
    let child = command
        .current_dir(place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("sipp starts");
    Sipp { child, port, scenario: scenario.into(), _place: place }
}

impl Sipp {
    /// Waits for its end, and wants it good.
    pub(crate) async fn good(self) {
        let place = self._place.path().to_path_buf();
        let scenario = self.scenario;
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait_with_output()).await;
        let output = ended.expect("sipp ends").expect("sipp ran");
        let mut errors = String::from_utf8_lossy(&output.stderr).into_owned();
        for entry in std::fs::read_dir(place).expect("its place").flatten() {
            errors += &std::fs::read_to_string(entry.path()).unwrap_or_default();
        }
        assert!(output.status.success(), "{scenario}: {:?}\n{errors}", output.status);
    }

    fn address(&self, transport: &str) -> String {
        format!("sip:agent@127.0.0.1:{};transport={transport}", self.port)
    }
}

/// Runs one scenario over both transports and returns the reports of both.
async fn both(scenario: &str, service: &str) -> Vec<Vec<String>> {
    let mut reports = Vec::new();
    for transport in ["u1", "t1"] {
        let mut agent = Agent::start(Limits::default()).await;
        let peer = if transport == "u1" { agent.udp } else { agent.tcp };
        sipp(scenario, Some(peer), &["-s", service, "-t", transport]).good().await;
        let mut words = agent.reports();
        // The leg's last word may still be on its way.
        while words.iter().any(|w| w.starts_with("confirmed")) && !words.last().is_some_and(|w| w.starts_with("ended"))
        {
            words.push(agent.report().await);
        }
        reports.push(words);
        assert_eq!(agent.endpoint.dialogs(), 0, "{scenario}: a dialog is left over");
    }
    reports
}

async fn expect(scenario: &str, service: &str, words: &[&str]) {
    if missing() {
        return;
    }
    for seen in both(scenario, service).await {
        assert_eq!(seen, words, "{scenario}");
    }
}

#[tokio::test]
async fn a_call_from_invite_to_bye() {
    expect("basic", "answer", &["confirmed", "ended RemoteBye"]).await;
}

#[tokio::test]
async fn an_invite_without_an_offer() {
    expect("no_answer_sdp", "answer", &["confirmed Ok(Pcmu)", "ended RemoteBye"]).await;
}

#[tokio::test]
async fn the_callee_hangs_up() {
    expect("callee_hangs_up", "hangup", &["confirmed", "ended LocalBye"]).await;
}

#[tokio::test]
async fn hold_and_resume() {
    expect("hold", "answer", &["confirmed", "reoffer RecvOnly", "reoffer SendRecv", "ended RemoteBye"]).await;
}

#[tokio::test]
async fn digits_by_info() {
    expect("info", "answer", &["confirmed", "digit 5 160", "digit # 160", "ended RemoteBye"]).await;
}

#[tokio::test]
async fn requests_without_a_call() {
    for scenario in ["options", "unknown_method", "refer", "require", "bye_unknown"] {
        expect(scenario, "answer", &[]).await;
    }
}

#[tokio::test]
async fn refusals() {
    expect("no_codec", "answer", &[]).await;
    expect("busy", "busy", &[]).await;
}

#[tokio::test]
async fn cancel_while_ringing() {
    if missing() {
        return;
    }
    for transport in ["u1", "t1"] {
        let mut agent = Agent::start(Limits::default()).await;
        let peer = if transport == "u1" { agent.udp } else { agent.tcp };
        sipp("cancel", Some(peer), &["-s", "ring", "-t", transport]).good().await;
        assert_eq!(agent.report().await, "cancelled");
    }
}

#[tokio::test]
async fn three_hundred_calls_at_a_hundred_a_second() {
    if missing() {
        return;
    }
    let mut agent = Agent::start(Limits::default()).await;
    let load = ["-s", "answer", "-m", "300", "-r", "100", "-l", "300"];
    sipp("basic", Some(agent.udp), &load).good().await;
    let mut ended = 0;
    while ended < 300 {
        ended += usize::from(agent.report().await == "ended RemoteBye");
    }
    assert_eq!(agent.endpoint.dialogs(), 0);
}

#[tokio::test]
async fn a_hundred_holds_at_once_are_all_answered() {
    if missing() {
        return;
    }
    let agent = Agent::start(Limits::default()).await;
    sipp("hold", Some(agent.udp), &["-s", "answer", "-m", "100", "-r", "50", "-l", "100"]).good().await;
}

fn outgoing(to: String, session: &mut SdpSession) -> Outgoing {
    let credentials = Credentials { username: "agent".into(), password: Pii::new("s3cret".into()), realm: None };
    Outgoing {
        to,
        from_user: "sidetone".into(),
        display_name: Some("Side \"Tone\"".into()),
        sdp: session.offer(Direction::SendRecv),
        credentials: Some(credentials),
        headers: vec![("X-Reason".into(), "handover\r\nX-Forged: yes".into())],
    }
}

fn session() -> SdpSession {
    SdpSession::new(1, "127.0.0.1:40000".parse().expect("an address"), &PREFERENCE)
}

/// SIPp listens a moment after it starts: over TCP a refused connection is tried again.
async fn ring(agent: &Agent, to: &str, session: &mut SdpSession) -> SipLeg {
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..100 {
        if let Ok(leg) = agent.endpoint.invite(outgoing(to.to_string(), session)).await {
            return leg;
        }
        pause.tick().await;
    }
    panic!("nobody at {to}");
}

async fn until_answered(leg: &mut SipLeg) -> String {
    loop {
        match leg.next().await.expect("an event") {
            SipEvent::Ringing { .. } => {}
            SipEvent::Answered { sdp } => return sdp,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_agent_behind_digest_authentication() {
    if missing() {
        return;
    }
    for (scenario, transport, word) in [("uas_401", "u1", "udp"), ("uas_407", "u1", "udp"), ("uas_401", "t1", "tcp")] {
        let agent = Agent::start(Limits::default()).await;
        let peer = sipp(scenario, None, &["-t", transport]);
        let mut session = session();
        let mut leg = ring(&agent, &peer.address(word), &mut session).await;
        let answer = until_answered(&mut leg).await;
        assert_eq!(session.accept_answer(&answer).expect("agreed").codec, MediaCodec::Pcmu);
        leg.bye(None).await;
        assert!(matches!(leg.next().await, Some(SipEvent::Ended { cause: EndCause::LocalBye })));
        assert!(leg.next().await.is_none());
        peer.good().await;
    }
}

#[tokio::test]
async fn an_agent_who_is_busy() {
    if missing() {
        return;
    }
    let agent = Agent::start(Limits::default()).await;
    let peer = sipp("uas_busy", None, &[]);
    let mut leg = ring(&agent, &peer.address("udp"), &mut session()).await;
    loop {
        match leg.next().await {
            Some(SipEvent::Ringing { status, .. }) => assert_eq!(status, 180),
            Some(SipEvent::Rejected { status, .. }) => break assert_eq!(status, 486),
            other => panic!("{other:?}"),
        }
    }
    assert!(leg.next().await.is_none());
    peer.good().await;
}

#[tokio::test]
async fn an_agent_who_does_not_answer_is_cancelled() {
    if missing() {
        return;
    }
    let agent = Agent::start(Limits::default()).await;
    let peer = sipp("uas_cancelled", None, &[]);
    let mut leg = ring(&agent, &peer.address("udp"), &mut session()).await;
    assert!(matches!(leg.next().await, Some(SipEvent::Ringing { .. })));
    leg.cancel().await;
    assert!(matches!(leg.next().await, Some(SipEvent::Rejected { status: 487, .. })));
    peer.good().await;
}

#[tokio::test]
async fn an_agent_is_held_and_gets_a_digit() {
    if missing() {
        return;
    }
    let agent = Agent::start(Limits::default()).await;
    let peer = sipp("uas_hold", None, &[]);
    let mut session = session();
    let mut leg = ring(&agent, &peer.address("udp"), &mut session).await;
    session.accept_answer(&until_answered(&mut leg).await).expect("agreed");
    let answer = leg.reinvite(session.offer(Direction::SendOnly)).await.expect("accepted");
    assert_eq!(session.accept_answer(&answer).expect("agreed").direction, Direction::SendOnly);
    leg.info_digit('7').await;
    leg.bye(None).await;
    peer.good().await;
}
