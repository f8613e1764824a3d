//! What templates and conditions may ask about the day: opening hours, holidays, birthdays. The moment is the scope's.

use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use minijinja::value::Value;
use minijinja::{Environment, State};

use super::super::calendar::Calendar;
use super::super::{chinese, speak};

/// The scope's name for the moment of the call.
pub(in super::super) const NOW: &str = "__now";

/// Adds the functions.
pub(super) fn add(env: &mut Environment<'static>, calendar: Calendar, in_chinese: bool) {
    let calendar = Arc::new(calendar);
    let clock = if in_chinese { chinese::clock } else { speak::clock };
    let moment = if in_chinese { chinese::moment } else { speak::moment };
    let shared = Arc::clone(&calendar);
    env.add_function("open", move |state: &State<'_, '_>, name: String| {
        now(state).is_some_and(|now| shared.closes(&name, now).is_some())
    });
    let shared = Arc::clone(&calendar);
    env.add_function("opens", move |state: &State<'_, '_>, name: String| {
        let now = now(state)?;
        Some(moment(shared.opens(&name, now)?, now))
    });
    let shared = Arc::clone(&calendar);
    env.add_function("closes", move |state: &State<'_, '_>, name: String| {
        let now = now(state)?;
        let closes = shared.closes(&name, now)?;
        // "Until 6 p.m.", "until tomorrow at 2 a.m.".
        Some(if closes.date() == now.date() { clock(closes) } else { moment(closes, now) })
    });
    env.add_function("holiday", move |state: &State<'_, '_>| calendar.holiday(now(state)?.date()).map(str::to_string));
    env.add_function("birthday", |state: &State<'_, '_>, born: &Value| {
        let born: Option<Date> = born.as_str().and_then(|text| text.get(..10)?.parse().ok());
        let (Some(born), Some(now)) = (born, now(state)) else { return false };
        let (month, day) = (now.month(), now.day());
        // Who was born on the 29th of February has a birthday each year.
        let leap = (born.month(), born.day()) == (2, 29) && !now.date().in_leap_year() && (month, day) == (2, 28);
        leap || (born.month(), born.day()) == (month, day)
    });
}

fn now(state: &State<'_, '_>) -> Option<DateTime> {
    state.lookup(NOW)?.as_str()?.parse().ok()
}
