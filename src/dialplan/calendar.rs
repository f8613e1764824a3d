//! Opening hours and holidays, as a plan writes them, and what they say of a moment. Never reads a clock.

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

/// Days that are looked at for the next opening.
const AHEAD: i32 = 14;
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Minutes of a day; past 1440 it is the next one's morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    from: u16,
    to: u16,
}

/// One set of opening hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) name: String,
    /// From Monday.
    pub(super) week: [Vec<Span>; 7],
    /// On holidays, instead.
    pub(super) holidays: Vec<Span>,
}

/// A day that is not like others: once, or each year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holiday {
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) name: String,
}

/// All of a plan's hours and holidays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) hours: Vec<Hours>,
    pub(super) holidays: Vec<Holiday>,
}

/// `mon`, or `mon-fri`: the days, counted from Monday; around the end of the week, too.
pub(super) fn days(text: &str) -> Option<Vec<usize>> {
    let day = |text: &str| DAYS.iter().position(|(name, _)| text.trim().eq_ignore_ascii_case(name));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    Some((0..7).map(|n| (first + n) % 7).take((last + 7 - first) % 7 + 1).collect())
}

/// `8:00-12:00, 13:00-17:30`; a span that ends before it begins goes on after midnight. `closed` is none.
pub(super) fn spans(text: &str) -> Option<Vec<Span>> {
    if text.trim() == "closed" {
        return Some(Vec::new());
    }
    text.split(',').map(span).collect()
}

fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minutes(from)?, minutes(to)?);
    let to = if to <= from { to + 1_440 } else { to };
    (from < 1_440).then_some(Span { from, to })
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && minute.to_string().len() <= 2 && hour * 60 + minute <= 1_440).then_some(hour * 60 + minute)
}

/// `12-25`, or `2026-04-03`.
pub(super) fn holiday(day: &str, name: &str) -> Option<Holiday> {
    let name = name.to_string();
    let mut parts = day.split('-').map(|part| part.parse::<i16>().ok());
    match (parts.next()??, parts.next()??, parts.next(), parts.next()) {
        (month, day, None, None) => {
            // A leap year has every day that there is.
            let date = Date::new(2024, month.try_into().ok()?, day.try_into().ok()?).ok()?;
            Some(Holiday { year: None, month: date.month(), day: date.day(), name })
        }
        (year, month, Some(day), None) => {
            let date = Date::new(year, month.try_into().ok()?, day?.try_into().ok()?).ok()?;
            Some(Holiday { year: Some(year), month: date.month(), day: date.day(), name })
        }
        _ => None,
    }
}

impl Calendar {
    /// The holiday that this day is.
    pub(super) fn holiday(&self, date: Date) -> Option<&str> {
        let is = |h: &&Holiday| {
            h.year.is_none_or(|year| year == date.year()) && (h.month, h.day) == (date.month(), date.day())
        };
        self.holidays.iter().find(is).map(|holiday| holiday.name.as_str())
    }

    fn spans<'a>(&'a self, hours: &'a Hours, date: Date) -> &'a [Span] {
        match self.holiday(date) {
            Some(_) => &hours.holidays,
            None => &hours.week[date.weekday().to_monday_zero_offset() as usize],
        }
    }

    fn named(&self, name: &str) -> Option<&Hours> {
        self.hours.iter().find(|hours| hours.name == name)
    }

    /// When the span that `now` is in ends; `None` when it is closed.
    pub(super) fn closes(&self, name: &str, now: DateTime) -> Option<DateTime> {
        let hours = self.named(name)?;
        let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
        let ends = |date: Date, minute: i32| {
            let inside = |s: &&Span| (i32::from(s.from)..i32::from(s.to)).contains(&minute);
            let span = self.spans(hours, date).iter().find(inside)?;
            at(date, span.to)
        };
        let today = ends(now.date(), minute);
        today.or_else(|| ends(now.date().yesterday().ok()?, minute + 1_440))
    }

    /// When it opens next, if it is closed now.
    pub(super) fn opens(&self, name: &str, now: DateTime) -> Option<DateTime> {
        let hours = self.named(name)?;
        let day = |ahead: i32| {
            let date = now.date().checked_add(ahead.days()).ok()?;
            let starts = self.spans(hours, date).iter().filter_map(|span| at(date, span.from));
            starts.filter(|start| *start > now).min()
        };
        (0..=AHEAD).find_map(day)
    }
}

fn at(date: Date, minute: u16) -> Option<DateTime> {
    date.at(0, 0, 0, 0).checked_add(i64::from(minute).minutes()).ok()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn shop() -> Calendar {
        let mut week: [Vec<Span>; 7] = Default::default();
        for day in days("mon-fri").unwrap() {
            week[day] = spans("8:00-12:00, 13:30-18:00").unwrap();
        }
        week[5] = spans("20:00-2:00").unwrap();
        let hours = Hours { name: "shop".into(), week, holidays: spans("10:00-11:00").unwrap() };
        let holidays = vec![holiday("12-25", "Christmas Day").unwrap(), holiday("2026-11-26", "Thanksgiving").unwrap()];
        Calendar { hours: vec![hours], holidays }
    }

    #[test]
    fn a_moment_is_open_or_not() {
        let shop = shop();
        // 23 November 2026 is a Monday.
        let open = |day: i8, hour: i8, minute: i8| shop.closes("shop", date(2026, 11, day).at(hour, minute, 0, 0));
        assert_eq!(open(23, 8, 0), Some(date(2026, 11, 23).at(12, 0, 0, 0)));
        assert_eq!(open(23, 12, 0), None);
        assert_eq!(open(23, 7, 59), None);
        assert_eq!(open(28, 23, 0), Some(date(2026, 11, 29).at(2, 0, 0, 0)));
        assert_eq!(open(29, 1, 59), Some(date(2026, 11, 29).at(2, 0, 0, 0)));
        assert_eq!(open(29, 2, 0), None);
        assert_eq!(open(26, 10, 30), Some(date(2026, 11, 26).at(11, 0, 0, 0)));
        assert_eq!(open(26, 9, 0), None);
    }

    #[test]
    fn the_next_opening_is_found() {
        let shop = shop();
        let opens = |day: i8, hour: i8| shop.opens("shop", date(2026, 11, day).at(hour, 0, 0, 0));
        assert_eq!(opens(23, 12), Some(date(2026, 11, 23).at(13, 30, 0, 0)));
        assert_eq!(opens(27, 19), Some(date(2026, 11, 28).at(20, 0, 0, 0)));
        assert_eq!(opens(29, 3), Some(date(2026, 11, 30).at(8, 0, 0, 0)));
        assert_eq!(opens(25, 19), Some(date(2026, 11, 26).at(10, 0, 0, 0)));
        assert_eq!(Calendar::default().opens("shop", date(2026, 11, 25).at(1, 0, 0, 0)), None);
    }

    #[test]
    fn what_is_no_day_and_no_span_is_refused() {
        assert_eq!(days("sat-mon"), Some(vec![5, 6, 0]));
        assert_eq!(days("mond"), None);
        assert_eq!(spans("closed"), Some(Vec::new()));
        for text in ["8-9", "8:00", "25:00-26:00", "24:00-25:00", "8:60-9:00", "", "8:00-9:00,"] {
            assert_eq!(spans(text), None, "{text}");
        }
        for day in ["13-01", "2026-02-30", "today", "1", "12-25-1-1"] {
            assert_eq!(holiday(day, "x"), None, "{day}");
        }
        assert!(holiday("02-29", "x").is_some());
    }
}
