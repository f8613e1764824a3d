//! All 49 torture messages of RFC 4475, raw, over UDP: the right answer or silence, and a server that lives on.
//!
//! The user agent under test answers every INVITE that it understands with 486: that is "understood" here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use sidetone::net::sip::Limits;
use tokio::net::UdpSocket;

use crate::sipp::Agent;

/// Message, section of RFC 4475, final statuses that the section (or RFC 3261, where it is named) allows; none: silence.
const EXPECTED: [(&str, &str, &[u16]); 49] = [
    // It has a To tag: a request of a dialog that nobody knows (RFC 3261 section 12.2.2).
    ("wsinv", "3.1.1.1", &[481]),
    ("intmeth", "3.1.1.2", &[405, 501]),
    ("esc01", "3.1.1.3", &[486]),
    ("escnull", "3.1.1.4", &[405]),
    ("esc02", "3.1.1.5", &[405, 501]),
    ("lwsdisp", "3.1.1.6", &[200]),
    ("longreq", "3.1.1.7", &[486]),
    // Octets beyond the body are not a second message in a datagram.
    ("dblreq", "3.1.1.8", &[405]),
    ("semiuri", "3.1.1.9", &[200]),
    ("transports", "3.1.1.10", &[200]),
    ("mpart01", "3.1.1.11", &[405]),
    ("unreason", "3.1.1.12", &[]),
    ("noreason", "3.1.1.13", &[]),
    ("badinv01", "3.1.2.1", &[400]),
    ("clerr", "3.1.2.2", &[400]),
    ("ncl", "3.1.2.3", &[400]),
    ("scalar02", "3.1.2.4", &[400]),
    ("scalarlg", "3.1.2.5", &[]),
    ("quotbal", "3.1.2.6", &[400]),
    ("ltgtruri", "3.1.2.7", &[400]),
    ("lwsruri", "3.1.2.8", &[400]),
    ("lwsstart", "3.1.2.9", &[400]),
    ("trws", "3.1.2.10", &[400]),
    ("escruri", "3.1.2.11", &[400]),
    // The Date is ignored, as the section allows whoever has no use for it.
    ("baddate", "3.1.2.12", &[400, 486]),
    ("regbadct", "3.1.2.13", &[400]),
    ("badaspec", "3.1.2.14", &[400]),
    ("baddn", "3.1.2.15", &[400]),
    ("badvers", "3.1.2.16", &[505]),
    ("mismatch01", "3.1.2.17", &[400]),
    ("mismatch02", "3.1.2.18", &[400, 405, 501]),
    ("bigcode", "3.1.2.19", &[]),
    // A branch that is the cookie alone is taken as RFC 2543 took one.
    ("badbranch", "3.2.1", &[200, 400]),
    ("insuf", "3.3.1", &[400]),
    ("unkscm", "3.3.2", &[416]),
    ("novelsc", "3.3.3", &[416]),
    ("unksm2", "3.3.4", &[405]),
    ("bext01", "3.3.5", &[420]),
    ("invut", "3.3.6", &[415]),
    ("regaut01", "3.3.7", &[405]),
    ("multi01", "3.3.8", &[400]),
    ("mcl01", "3.3.9", &[400]),
    ("bcast", "3.3.10", &[]),
    // The server is the target, not a proxy: Max-Forwards of zero is reached, not exceeded (RFC 3261 section 8.1.1.6).
    ("zeromf", "3.3.11", &[200]),
    ("cparam01", "3.3.12", &[405]),
    ("cparam02", "3.3.13", &[405]),
    ("regescrt", "3.3.14", &[405]),
    ("sdp01", "3.3.15", &[406]),
    ("inv2543", "3.4.1", &[486]),
];

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("SIDETONE_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from)
        .join("rfc4475");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is absent", folder.display());
    None
}

/// A bare socket that speaks SIP by hand.
pub(crate) struct Peer {
    socket: UdpSocket,
    server: SocketAddr,
    probes: u32,
}

impl Peer {
    pub(crate) async fn new(server: SocketAddr) -> Self {
        Self { socket: UdpSocket::bind("127.0.0.1:0").await.expect("a port"), server, probes: 0 }
    }

    pub(crate) async fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.server).await.expect("sent");
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().expect("an address")
    }

    pub(crate) async fn receive(&self, of: &str) -> String {
        let mut buffer = vec![0; 65_535];
        let received = tokio::time::timeout(Duration::from_secs(10), self.socket.recv_from(&mut buffer)).await;
        let (length, _) = received.unwrap_or_else(|_| panic!("no answer to {of}")).expect("a datagram");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Asks whether the server lives, and returns what else came before its answer.
    pub(crate) async fn probe(&mut self) -> Vec<String> {
        self.probes += 1;
        let id = format!("probe-{}", self.probes);
        let local = self.local();
        let options = format!(
            "OPTIONS sip:ping@{} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id};rport\r\nFrom: <sip:p@{local}>;tag=p\r\n\
             To: <sip:ping@{}>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.server, self.server
        );
        self.send(options.as_bytes()).await;
        let mut others = Vec::new();
        loop {
            let message = self.receive(&id).await;
            if message.contains(&id) {
                assert!(message.starts_with("SIP/2.0 200"), "{message}");
                return others;
            }
            others.push(message);
        }
    }
}

fn status(message: &str) -> u16 {
    message.strip_prefix("SIP/2.0 ").and_then(|m| m.get(..3)).and_then(|s| s.parse().ok()).expect(message)
}

#[tokio::test]
async fn every_torture_message_has_its_answer() {
    let Some(folder) = folder() else { return };
    // A short T1, so that what a test leaves unacknowledged is over soon.
    let limits = Limits { t1: Duration::from_millis(10), ..Limits::default() };
    let agent = Agent::start_refusing(limits).await;
    let mut wrong = Vec::new();
    for (name, section, allowed) in EXPECTED {
        let bytes = std::fs::read(folder.join(format!("{name}.dat"))).expect(name);
        let mut peer = Peer::new(agent.udp).await;
        peer.send(&bytes).await;
        let mut answers = peer.probe().await;
        while !allowed.is_empty() && !answers.iter().any(|a| status(a) >= 200) {
            answers.push(peer.receive(name).await);
        }
        // Whoever would answer twice, or late, does so before this.
        answers.extend(peer.probe().await);
        let mut finals: Vec<u16> = answers.iter().map(|a| status(a)).filter(|s| *s >= 200).collect();
        finals.dedup();
        let right = match finals[..] {
            [] => allowed.is_empty(),
            [one] => allowed.contains(&one),
            _ => false,
        };
        if !right {
            wrong.push(format!("{name} (section {section}): {finals:?}, allowed {allowed:?}"));
        }
        check_echo(name, &answers);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    nothing_is_left(&agent).await;
}

/// What a response must repeat of its request, for the messages whose headers are the hard part.
fn check_echo(name: &str, answers: &[String]) {
    let expected: &[&str] = match name {
        "inv2543" => &["From: <sip:+13035551111@ift.client.example.net;user=phone>\r\n", "CSeq: 56 INVITE\r\n"],
        "wsinv" => &["tag=1918181833n", ";tag=98asjd8", "CSeq: 9 INVITE\r\n", "Call-ID: wsinv.ndaksdj@192.0.2.1\r\n"],
        "bext01" => &["Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n"],
        "invut" => &["Accept: application/sdp"],
        "intmeth" | "escnull" => &["Allow: INVITE"],
        "transports" => &["SIP/2.0/UNKNOWN t4.example.com", "SIP/2.0/TCP t5.example.com"],
        _ => &[],
    };
    let answer = answers.iter().find(|a| status(a) >= 200);
    for part in expected {
        assert!(answer.is_some_and(|a| a.contains(part)), "{name}: no {part:?} in {answer:?}");
    }
}

/// Transactions and dialogs end by themselves within a few times 64*T1.
pub(crate) async fn nothing_is_left(agent: &Agent) {
    let mut look = tokio::time::interval(Duration::from_millis(50));
    let looks = 400;
    for _ in 0..looks {
        look.tick().await;
        if agent.endpoint.running_transactions() == 0 && agent.endpoint.dialogs() == 0 {
            return;
        }
    }
    panic!("{} transactions and {} dialogs are left", agent.endpoint.running_transactions(), agent.endpoint.dialogs());
}
