//! Calls that callers asked us to make: noted when they ask, made when their time has come.
//!
//! ```text
//! Output::Book ─ allowed? ─▶ store ─ due, within hours, a place free ─▶ ring ─ answered ─▶ a call like any other
//!                              ▲                                        └ not: later, so often
//!                              └────────────────────────────────────────┘
//! ```
//! No number is ever called that the configuration does not name, whatever a caller or a plan says.

use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::accept::Acceptor;
use super::agent::{Dialled, Dialler, Unanswered};
use super::caller::CallerLeg;
use super::{metrics, unix_ms};
use crate::config::CallbackConfig;
use crate::dialplan::script::{CallBack, TransferFailure};
use crate::pii::Pii;
use crate::queue::tries::Tries;
use crate::store::{Booking, Phase, Store, StoreError};

/// How often the store is asked what is due.
const EVERY: Duration = Duration::from_secs(1);
/// With all places taken it is tried again after this time.
const NO_ROOM_MS: i64 = 10_000;

/// Notes and makes calls. Cheap to clone.
#[derive(Clone)]
pub(super) struct Callbacks {
    config: Arc<CallbackConfig>,
    store: Store,
}

impl Callbacks {
    pub(super) fn new(config: CallbackConfig, store: Store) -> Self {
        Self { config: Arc::new(config), store }
    }

    /// Notes a wish; why not, if it is refused. `called` is the number whose plan answers, `plan` its name.
    pub(super) async fn book(
        self,
        wish: CallBack,
        caller: Pii<String>,
        called: String,
        plan: String,
    ) -> Result<(), String> {
        let number = self.allowed(&wish.number)?;
        let due = wish.due.to_zoned(TimeZone::system()).map_err(|_| "there is no such time".to_owned())?;
        let asked_ms = unix_ms();
        let booking = Booking {
            id: format!("{asked_ms:013}-{:08x}", rand::random::<u32>()),
            number: Pii::new(number),
            caller,
            called,
            plan,
            state: wish.state,
            within: wish.within,
            reason: wish.reason,
            asked_ms,
            due_ms: due.timestamp().as_millisecond(),
            tries: 0,
            phase: Phase::Waiting,
            trouble: None,
        };
        metrics::callback("asked");
        self.store.book_callback(&booking).await.map_err(|error| error.to_string())
    }

    /// The number as it is dialled, if it may be.
    fn allowed(&self, number: &str) -> Result<String, String> {
        let number = dialled(number).ok_or("what is to be called is no telephone number")?;
        let allowed = self.config.trunk.is_some() && self.config.allow.iter().any(|prefix| number.starts_with(prefix));
        if allowed {
            Ok(number)
        } else {
            Err("`[callback] allow` of the configuration does not name this number".into())
        }
    }

    /// Makes what is due until the server takes no more calls.
    pub(super) async fn run(self, acceptor: Acceptor, dialler: Dialler, closing: CancellationToken) {
        if self.config.trunk.is_none() {
            return;
        }
        let again = unix_ms().saturating_add(self.tries().spacing_ms);
        noted(self.store.resume_callbacks(again).await.map(drop));
        let room = Arc::new(Semaphore::new(self.config.most));
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = closing.cancelled() => return,
            }
            let free = u32::try_from(room.available_permits()).unwrap_or(u32::MAX);
            if free == 0 {
                continue;
            }
            match self.store.claim_callbacks(unix_ms(), free).await {
                Ok(due) => {
                    for booking in due {
                        // As many were claimed as there are permits, and nobody else takes any.
                        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
                        let make =
                            self.clone().make(booking, acceptor.clone(), dialler.clone(), closing.clone(), permit);
                        acceptor.spawn(make);
                    }
                }
                Err(error) => noted(Err(error)),
            }
        }
    }

    fn tries(&self) -> Tries {
        let spacing_ms = i64::try_from(self.config.again.as_millis()).unwrap_or(i64::MAX);
        Tries { most: self.config.tries, spacing_ms }
    }

    /// One try.
    async fn make(
        self,
        booking: Booking,
        acceptor: Acceptor,
        dialler: Dialler,
        closing: CancellationToken,
        _permit: OwnedSemaphorePermit,
    ) {
        let later = |due: Option<i64>, counts: bool, why: &str| {
            tracing::info!(callback = %booking.id, tries = booking.tries, again = due.is_some(), "not called back: {why}");
            let (store, id, why) = (self.store.clone(), booking.id.clone(), why.to_owned());
            async move { noted(store.callback_again(&id, due, counts, &why).await) }
        };
        // The configuration may have become another since the caller asked.
        let number = match self.allowed(booking.number.reveal()) {
            Ok(number) => number,
            Err(why) => return later(None, false, &why).await,
        };
        let Some(line) = acceptor.line(&booking.called) else {
            return later(None, false, "no plan answers the number any more").await;
        };
        let now = here();
        match line.plan.in_hours(booking.within.as_deref(), now) {
            Some(open) if open > now => return later(Some(ms(open)), false, "it is out of hours").await,
            Some(_) => {}
            None => return later(None, false, "the opening hours have no time for it").await,
        }
        let Some(place) = acceptor.place() else {
            return later(Some(unix_ms() + NO_ROOM_MS), false, "all places are taken").await;
        };
        let to = self.config.trunk.as_deref().unwrap_or_default().replace("{number}", &number);
        let from = self.config.from.clone();
        let ringing = dialler.dial(to, from, self.config.credentials.clone());
        let rung = tokio::select! {
            rung = tokio::time::timeout(self.config.ring, ringing) => {
                rung.unwrap_or(Err(Unanswered { failure: TransferFailure::NoAnswer, trouble: None }))
            }
            () = closing.cancelled() => return later(Some(unix_ms()), false, "the server is shut down").await,
        };
        let Dialled { party, config } = match rung {
            Ok(dialled) => dialled,
            Err(Unanswered { failure, trouble }) => {
                metrics::callback("not_answered");
                if let Some(error) = trouble {
                    tracing::warn!(callback = %booking.id, %error, "check the `trunk` of [callback]");
                }
                return later(self.tries().next(booking.tries, unix_ms()), true, &failure.to_string()).await;
            }
        };
        metrics::callback("answered");
        tracing::info!(callback = %booking.id, "called back, and answered");
        noted(self.store.remove_callback(&booking.id).await.map(drop));
        let Booking { state, within, reason, called, .. } = booking;
        let wish = CallBack { number: number.clone(), due: now, within, state, reason };
        acceptor.called_back(place, line, wish, &called, config, CallerLeg::Sip(Box::new(party))).await;
    }
}

/// A telephone number as it is dialled: digits, a `+` before them where there was one or 00. `None` for anything else, codes
/// with `*` and `#` among it.
fn dialled(number: &str) -> Option<String> {
    let uri = number.trim();
    let uri = ["sip:", "sips:", "tel:"].iter().find_map(|scheme| uri.strip_prefix(scheme)).unwrap_or(uri);
    let user = uri.split(['@', ';']).next()?;
    let mut digits = String::new();
    for (at, c) in user.char_indices() {
        match c {
            '+' if at == 0 => {}
            '0'..='9' => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' => {}
            _ => return None,
        }
    }
    let international = if user.starts_with('+') { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    let number = international.map_or(digits.clone(), |rest| format!("+{rest}"));
    // E.164 has 15 digits at most; less than three are no subscriber's.
    (3..=15).contains(&number.trim_start_matches('+').len()).then_some(number)
}

fn noted(result: Result<(), StoreError>) {
    if let Err(error) = result {
        tracing::error!(%error, "calls back cannot be kept");
    }
}

/// Unix milliseconds of a moment on the wall's clock; now, for one that there is not.
fn ms(at: DateTime) -> i64 {
    at.to_zoned(TimeZone::system()).map_or_else(|_| unix_ms(), |at| at.timestamp().as_millisecond())
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
fn here() -> DateTime {
    Zoned::now().datetime()
}

#[cfg(test)]
mod tests {
    use super::dialled;

    #[test]
    fn only_telephone_numbers_are_dialled() {
        for (given, number) in [
            ("+49 (30) 123-45", Some("+493012345")),
            ("0049 30 12345", Some("+493012345")),
            ("sip:+493012345@trunk.example;user=phone", Some("+493012345")),
            ("tel:030-12345", Some("03012345")),
            ("112", Some("112")),
            ("anonymous", None),
            ("*21*03012345#", None),
            ("+49301;x@evil.example", Some("+49301")),
            ("+4930123@evil", Some("+4930123")),
            ("49+301", None),
            ("+1234567890123456", None),
            ("12", None),
            ("", None),
            ("sip:1234%40evil@x", None),
        ] {
            assert_eq!(dialled(given).as_deref(), number, "{given}");
        }
    }
}
