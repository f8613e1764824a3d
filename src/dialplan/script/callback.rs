//! A call that the caller asks us to make: whom, when, and where it begins.

use std::sync::Arc;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use minijinja::value::Value;

use super::super::plan::{Callback, Step};
use super::walk::{MESSAGE_COST, Script, Wait};
use super::{Action, CallBack};

/// Nobody is called back later than this, days.
const LATEST: i32 = 60;
/// A day without a time, and without opening hours, begins then.
const MORNING: Time = Time::constant(9, 0, 0, 0);

/// `callback` where there is none.
pub(super) fn none() -> Value {
    Value::from_pairs([("booked", false), ("calling", false)])
}

fn known(wish: &CallBack, calling: bool) -> Value {
    Value::from_pairs([
        ("booked", Value::from(true)),
        ("calling", Value::from(calling)),
        ("number", Value::from(wish.number.as_str())),
        ("date", Value::from(wish.due.date().to_string())),
        ("time", Value::from(wish.due.strftime("%H:%M").to_string())),
        ("reason", Value::from(wish.reason.as_str())),
    ])
}

impl Script {
    /// This is the call that was asked for: it begins where that says. Before [`super::Input::Start`]. False when the plan
    /// has no such state any more.
    pub fn calls_back(&mut self, wish: &CallBack) -> bool {
        self.begins = self.plan.state_index(&wish.state);
        self.variables.callback = known(wish, true);
        self.begins.is_some()
    }

    /// Asks for it; true, for its answer is waited for.
    pub(super) fn book(&mut self, callback: &Callback) -> bool {
        self.spend(MESSAGE_COST);
        self.variables.callback = none();
        self.wait = Wait::Booking;
        let plan = Arc::clone(&self.plan);
        match self.wish(callback) {
            Ok(wish) => {
                self.variables.callback = known(&wish, false);
                self.out.push_back(Action::CallBack(wish));
            }
            Err(why) => self.not_booked(why, plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step)),
        }
        true
    }

    fn wish(&mut self, callback: &Callback) -> Result<CallBack, String> {
        let text = |script: &mut Self, words: &Option<super::super::plan::Words>| {
            let filled = words.as_ref().map(|words| script.filled(words));
            filled.map(|filled| filled.map(|(text, _)| text).ok_or("a text cannot be filled in"))
        };
        let number = match text(self, &callback.number).transpose()? {
            Some(number) => number,
            None => self.variables.number().ok_or("the caller's number is not known")?,
        };
        let at = text(self, &callback.at).transpose()?.unwrap_or_default();
        let reason = text(self, &callback.reason).transpose()?.unwrap_or_else(|| self.own_reason());
        let wanted = when(&at, self.variables.now)?;
        let within = callback.within.clone();
        let open = if wanted.time() == Time::midnight() && within.is_none() {
            Some(wanted.date().to_datetime(MORNING))
        } else {
            self.plan.in_hours(within.as_deref(), wanted)
        };
        let due = open.ok_or("the opening hours have no time for it")?;
        let state = self.plan.states[callback.to].name.clone();
        Ok(CallBack { number, due, within, state, reason })
    }

    /// Whether we will.
    pub(super) fn booked(&mut self, result: Result<(), String>) {
        let plan = Arc::clone(&self.plan);
        let step = plan.states[self.state].steps.get(self.step).map(|guarded| &guarded.step);
        match result {
            Ok(()) => {
                self.step += 1;
                self.run();
            }
            Err(why) => self.not_booked(why, step),
        }
    }

    fn not_booked(&mut self, why: String, step: Option<&Step>) {
        self.variables.callback = none();
        self.trouble(format!("state {}: nobody will be called back: {why}", self.state()));
        match step {
            Some(Step::Callback(callback)) if callback.failed.is_some() => {
                callback.failed.into_iter().for_each(|state| self.enter(state));
            }
            _ => self.broken(),
        }
    }
}

/// `2026-11-27 15:30`, one of the two, or nothing: now. A day alone is its first moment, or now.
fn when(text: &str, now: DateTime) -> Result<DateTime, String> {
    let (mut day, mut time): (Option<Date>, Option<Time>) = (None, None);
    for word in text.split_whitespace() {
        match (word.parse::<Date>(), word.parse::<Time>()) {
            (Ok(date), _) if day.is_none() => day = Some(date),
            (_, Ok(clock)) if time.is_none() => time = Some(clock),
            _ => return Err("the time is not like 2026-11-27 15:30".into()),
        }
    }
    let late = || "the time is past, or beyond all calendars".to_owned();
    let at = match (day, time) {
        (None, None) => now,
        (Some(day), None) if day == now.date() => now,
        (Some(day), None) => day.to_datetime(Time::midnight()),
        (Some(day), Some(time)) => day.to_datetime(time),
        (None, Some(time)) if time < now.time() => now.date().tomorrow().map_err(|_| late())?.to_datetime(time),
        (None, Some(time)) => now.date().to_datetime(time),
    };
    let latest = now.checked_add(LATEST.days()).map_err(|_| late())?;
    if at < now {
        return Err(late());
    }
    if at > latest { Err(format!("the time is more than {LATEST} days ahead")) } else { Ok(at) }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::when;

    #[test]
    fn a_wish_is_a_day_a_time_both_or_neither() {
        let now = date(2026, 11, 23).at(10, 0, 0, 0);
        for (text, expected) in [
            ("", now),
            ("2026-11-23", now),
            ("2026-11-27", date(2026, 11, 27).at(0, 0, 0, 0)),
            ("2026-11-27 15:30", date(2026, 11, 27).at(15, 30, 0, 0)),
            ("15:30", date(2026, 11, 23).at(15, 30, 0, 0)),
            ("09:00", date(2026, 11, 24).at(9, 0, 0, 0)),
        ] {
            assert_eq!(when(text, now), Ok(expected), "{text}");
        }
        for text in ["soon", "2026-11-22", "2026-11-23 09:59", "2027-11-23", "15:30 16:30", "9999-12-31 23:59"] {
            assert!(when(text, now).is_err(), "{text}");
        }
    }
}
