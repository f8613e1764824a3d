//! What SIPp cannot be made to do: messages out of order, lost, doubled and crossing, spoken by hand over UDP.

use std::time::Duration;

use sidetone::net::sip::{EndCause, Limits, Outgoing, SipEvent, SipLeg};

use crate::rfc4475::{Peer, nothing_is_left};
use crate::sipp::Agent;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn quick() -> Limits {
    Limits { t1: Duration::from_millis(10), ..Limits::default() }
}

/// One side of a dialog, by hand.
struct Caller {
    peer: Peer,
    user: &'static str,
    to_tag: String,
}

impl Caller {
    async fn new(agent: &Agent, user: &'static str) -> Self {
        Self { peer: Peer::new(agent.udp).await, user, to_tag: String::new() }
    }

    async fn send(&self, method: &str, sequence: u32, extra: &str, body: &str) {
        let local = self.peer.local();
        let branch = if method == "ACK" { format!("ack{sequence}") } else { format!("{method}{sequence}") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:{0}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:hand@{local}>;tag=hand\r\nTo: <sip:{0}@127.0.0.1>{1}\r\nCall-ID: by-hand-{local}\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:hand@{local}>\r\n{extra}{kind}Content-Length: {2}\r\n\r\n{body}",
            self.user,
            self.to_tag,
            body.len()
        );
        self.peer.send(text.as_bytes()).await;
    }

    /// The next message that holds all the words; what comes again meanwhile is passed over.
    async fn until(&self, words: &[&str]) -> String {
        loop {
            let message = self.peer.receive(&format!("{words:?}")).await;
            if words.iter().all(|word| message.contains(word)) {
                return message;
            }
        }
    }

    /// INVITE up to the 200, without the ACK.
    async fn call(&mut self) -> String {
        self.send("INVITE", 1, "", SDP).await;
        let answer = self.until(&["SIP/2.0 200", "CSeq: 1 INVITE"]).await;
        let to = header(&answer, "To");
        self.to_tag = to[to.find(";tag=").expect("a tag")..].to_string();
        answer
    }

    /// Answers a request of the server.
    async fn answer(&self, request: &str, status: &str, body: &str) {
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            text += &format!("{name}: {}\r\n", header(request, name));
        }
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        text +=
            &format!("Contact: <sip:hand@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}", self.peer.local(), body.len());
        self.peer.send(text.as_bytes()).await;
    }
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line =
        message.lines().find(|l| l.starts_with(&format!("{name}: "))).unwrap_or_else(|| panic!("{name} in {message}"));
    &line[name.len() + 2..]
}

#[tokio::test]
async fn a_re_invite_before_the_ack_is_held_not_lost() {
    let mut agent = Agent::start(Limits::default()).await;
    for _ in 0..20 {
        let mut caller = Caller::new(&agent, "answer").await;
        caller.call().await;
        caller.send("INVITE", 2, "", SDP).await;
        caller.send("ACK", 1, "", "").await;
        caller.until(&["SIP/2.0 200", "CSeq: 2 INVITE", "m=audio"]).await;
        caller.send("ACK", 2, "", "").await;
        caller.send("BYE", 3, "", "").await;
        caller.until(&["SIP/2.0 200", "CSeq: 3 BYE"]).await;
        for word in ["confirmed", "reoffer SendRecv", "ended RemoteBye"] {
            assert_eq!(agent.report().await, word);
        }
    }
    assert_eq!(agent.endpoint.dialogs(), 0);
}

#[tokio::test]
async fn requests_of_the_past_and_of_strangers_are_refused() {
    let agent = Agent::start(Limits::default()).await;
    let mut caller = Caller::new(&agent, "answer").await;
    caller.call().await;
    caller.send("ACK", 1, "", "").await;
    caller.send("OPTIONS", 9, "", "").await;
    caller.until(&["SIP/2.0 200", "CSeq: 9 OPTIONS", "Allow: INVITE"]).await;
    caller.send("INFO", 8, "", "").await;
    caller.until(&["SIP/2.0 500", "CSeq: 8 INFO"]).await;
    caller.send("UPDATE", 10, "", "").await;
    caller.until(&["SIP/2.0 200", "CSeq: 10 UPDATE"]).await;
    caller.send("UPDATE", 11, "", SDP).await;
    caller.until(&["SIP/2.0 200", "CSeq: 11 UPDATE", "m=audio"]).await;
    caller.send("UPDATE", 12, "Require: timer\r\n", "").await;
    caller.until(&["SIP/2.0 420", "Unsupported: timer"]).await;
    caller.send("REFER", 13, "Refer-To: <sip:a@b>\r\n", "").await;
    caller.until(&["SIP/2.0 405", "CSeq: 13 REFER", "Allow: INVITE"]).await;
    let good = std::mem::replace(&mut caller.to_tag, ";tag=other".into());
    caller.send("BYE", 14, "", "").await;
    caller.until(&["SIP/2.0 481", "CSeq: 14 BYE"]).await;
    caller.to_tag = good;
    caller.send("BYE", 15, "", "").await;
    caller.until(&["SIP/2.0 200", "CSeq: 15 BYE"]).await;
}

#[tokio::test]
async fn an_answer_that_is_never_acknowledged_ends_in_bye() {
    let mut agent = Agent::start(quick()).await;
    let mut caller = Caller::new(&agent, "answer").await;
    caller.call().await;
    let again = caller.until(&["SIP/2.0 200", "CSeq: 1 INVITE"]).await;
    assert!(again.contains("m=audio"), "the 200 is sent again: {again}");
    let bye = caller.until(&["BYE sip:hand@"]).await;
    caller.answer(&bye, "200 OK", "").await;
    assert_eq!(agent.report().await, "ended AckTimeout");
    nothing_is_left(&agent).await;
}

#[tokio::test]
async fn two_changes_at_once_are_glare() {
    let agent = Agent::start(Limits::default()).await;
    let mut caller = Caller::new(&agent, "changer").await;
    caller.call().await;
    caller.send("ACK", 1, "", "").await;
    let theirs = caller.until(&["INVITE sip:hand@"]).await;
    caller.send("INVITE", 2, "", SDP).await;
    caller.until(&["SIP/2.0 491", "CSeq: 2 INVITE"]).await;
    caller.answer(&theirs, "200 OK", SDP).await;
    caller.until(&["ACK sip:hand@"]).await;
    caller.send("INVITE", 3, "", SDP).await;
    caller.until(&["SIP/2.0 200", "CSeq: 3 INVITE"]).await;
}

/// Our call to a hand-made agent, and its INVITE.
async fn ring(agent: &Agent) -> (Caller, SipLeg, String) {
    let callee = Caller::new(agent, "unused").await;
    let call = Outgoing {
        to: format!("sip:a;b=c%20d@{}", callee.peer.local()),
        from_user: "server".into(),
        display_name: None,
        sdp: SDP.into(),
        credentials: None,
        headers: vec![("X-Reason".into(), "handover\r\nX-Forged: yes".into())],
    };
    let leg = agent.endpoint.invite(call).await.expect("on its way");
    let invite = callee.until(&["INVITE sip:a;b=c%20d@", "X-Reason: handoverX-Forged: yes\r\n", "m=audio"]).await;
    (callee, leg, invite)
}

fn tagged(invite: &str, tag: &str) -> String {
    let to = header(invite, "To");
    invite.replace(&format!("To: {to}\r\n"), &format!("To: {to};tag={tag}\r\n"))
}

#[tokio::test]
async fn a_lost_ack_is_sent_again_and_a_second_branch_is_hung_up() {
    let agent = Agent::start(Limits::default()).await;
    let (callee, mut leg, invite) = ring(&agent).await;
    let (one, two) = (tagged(&invite, "one"), tagged(&invite, "two"));
    callee.answer(&one, "183 Session Progress", SDP).await;
    assert!(matches!(leg.next().await, Some(SipEvent::Ringing { status: 183, sdp: Some(_) })));
    callee.answer(&one, "200 OK", SDP).await;
    callee.until(&["ACK sip:hand@", ";tag=one"]).await;
    callee.answer(&one, "200 OK", SDP).await;
    callee.until(&["ACK sip:hand@", ";tag=one"]).await;
    callee.answer(&two, "200 OK", SDP).await;
    callee.until(&["ACK sip:hand@", ";tag=two"]).await;
    let bye = callee.until(&["BYE sip:hand@", ";tag=two"]).await;
    callee.answer(&bye, "200 OK", "").await;
    assert!(matches!(leg.next().await, Some(SipEvent::Answered { sdp }) if sdp == SDP));
    drop(leg);
    let bye = callee.until(&["BYE sip:hand@", ";tag=one"]).await;
    callee.answer(&bye, "200 OK", "").await;
}

#[tokio::test]
async fn an_answer_that_crosses_our_cancel_is_hung_up() {
    let agent = Agent::start(Limits::default()).await;
    let (callee, mut leg, invite) = ring(&agent).await;
    // Nothing came back yet, so that the CANCEL waits (RFC 3261 section 9.1).
    leg.cancel().await;
    callee.answer(&tagged(&invite, "one"), "200 OK", SDP).await;
    callee.until(&["ACK sip:hand@", ";tag=one"]).await;
    let bye = callee.until(&["BYE sip:hand@", ";tag=one"]).await;
    callee.answer(&bye, "200 OK", "").await;
    assert!(matches!(leg.next().await, Some(SipEvent::Ended { cause: EndCause::LocalBye })));
}

#[tokio::test]
async fn nobody_there_is_408() {
    let agent = Agent::start(quick()).await;
    let (_callee, mut leg, _) = ring(&agent).await;
    assert!(matches!(leg.next().await, Some(SipEvent::Rejected { status: 408, .. })));
    assert!(leg.next().await.is_none());
    nothing_is_left(&agent).await;
}
