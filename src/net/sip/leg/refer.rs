//! Blind transfer: our REFER and what the other side tells of it (RFC 3515).
//!
//! ```text
//! Asked ─2xx─▶ Subscribed ─NOTIFY 1xx─▶ Subscribed ─NOTIFY final─▶ over
//!   └─ 3xx–6xx: refused ─▶ over
//! ```

use rsipstack::sip::{Header, Method, Request};
use rsipstack::transaction::transaction::Transaction;

use super::super::SipEvent;
use super::super::message::{self, header};
use super::Leg;

/// How far our REFER is. A NOTIFY may overtake the 2xx (section 2.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Referral {
    Asked(u64),
    Subscribed,
}

impl Leg {
    pub(super) async fn refer(&mut self, to: &str) {
        if !self.is_established() || self.referral.is_some() {
            return self.tell(SipEvent::Referred { status: 500 });
        }
        let refer_to = if to.starts_with('<') { to.to_string() } else { format!("<{to}>") };
        let mut headers = self.contact_header();
        headers.push(header("Refer-To", refer_to));
        headers.push(header("Referred-By", self.dialog.contact.as_str()));
        let request = self.dialog.request(Method::Refer, headers, vec![]);
        let id = self.run_client(request).await;
        self.referral = Some(Referral::Asked(id));
    }

    pub(super) fn on_refer_response(&mut self, id: u64, status: u16) {
        if self.referral != Some(Referral::Asked(id)) {
            return;
        }
        match status {
            ..200 => {}
            200..300 => self.referral = Some(Referral::Subscribed),
            _ => self.refer_ended(status),
        }
    }

    /// The transaction is over without an answer.
    pub(super) fn on_refer_over(&mut self, id: u64) {
        if self.referral == Some(Referral::Asked(id)) {
            self.refer_ended(408);
        }
    }

    /// Whether this NOTIFY is about our REFER.
    pub(super) fn awaits_notify(&self, request: &Request) -> bool {
        let refer = |header: &Header| match header {
            Header::Event(event) => event.value().split(';').next().is_some_and(|name| name.trim() == "refer"),
            _ => false,
        };
        self.referral.is_some() && request.headers.iter().any(refer)
    }

    /// Section 2.4.5: the body is the start of the response that the other side got there.
    pub(super) async fn on_notify(&mut self, transaction: Box<Transaction>) {
        let request = &transaction.original;
        let fragment = message::content_type(request).is_some_and(|kind| {
            kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("message/sipfrag"))
        });
        let status = fragment.then(|| sipfrag_status(&request.body)).flatten();
        let terminated = request.headers.iter().any(|header| {
            header.name().eq_ignore_ascii_case("Subscription-State")
                && header.value().trim_start().to_ascii_lowercase().starts_with("terminated")
        });
        let Some(status) = status else {
            self.answer_directly(
                transaction,
                if fragment { 400 } else { 415 },
                vec![header("Accept", "message/sipfrag")],
            )
            .await;
            return;
        };
        self.answer_directly(transaction, 200, vec![]).await;
        match status {
            // Nothing more will be told: whether they met is not known, and counts as no.
            ..200 if terminated => self.refer_ended(408),
            ..200 => {
                self.referral = Some(Referral::Subscribed);
                self.tell(SipEvent::Referred { status });
            }
            _ => self.refer_ended(status),
        }
    }

    fn refer_ended(&mut self, status: u16) {
        self.referral = None;
        self.tell(SipEvent::Referred { status });
    }
}

/// The status of "SIP/2.0 180 Ringing".
fn sipfrag_status(body: &[u8]) -> Option<u16> {
    let line = body.split(|b| matches!(b, b'\r' | b'\n')).next()?;
    let rest = std::str::from_utf8(line).ok()?.trim().strip_prefix("SIP/2.0 ")?;
    let status = rest.split(' ').next()?.parse().ok()?;
    (100..700).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_tells_its_status() {
        for (body, status) in [
            ("SIP/2.0 100 Trying\r\n", Some(100)),
            ("SIP/2.0 200 OK\r\nContact: <sip:a@b>\r\n", Some(200)),
            ("SIP/2.0 603", Some(603)),
            ("SIP/2.0 99 X", None),
            ("SIP/2.0 700 X", None),
            ("SIP/2.0 70000000000 X", None),
            ("SIP/3.0 200 OK", None),
            ("BYE sip:a@b SIP/2.0", None),
            ("", None),
        ] {
            assert_eq!(sipfrag_status(body.as_bytes()), status, "{body}");
        }
        assert_eq!(sipfrag_status(&[0xff, 0xfe]), None);
    }
}
