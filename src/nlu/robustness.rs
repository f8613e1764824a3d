//! No text that a recogniser could write makes a parser panic, or slow.

use std::time::Instant;

use jiff::civil::date;
use proptest::prelude::*;

use super::slots::{Fill, SlotKind, fill, fill_in, fill_keys};
use super::{language, passing, phrases, spoken, text};

fn kinds() -> Vec<SlotKind> {
    vec![
        SlotKind::Digits { length: Some((4, 8)) },
        SlotKind::Digits { length: None },
        SlotKind::Number,
        SlotKind::Money,
        SlotKind::Date,
        SlotKind::Time,
        SlotKind::YesNo,
        SlotKind::Choice(vec![
            vec!["savings account".into(), "savings".into()],
            vec!["the other one".into()],
            vec![String::new()],
            vec![],
        ]),
        SlotKind::Name,
        SlotKind::Postcode,
        SlotKind::Email,
        SlotKind::Phone,
        SlotKind::Text,
    ]
}

/// Words that drive the parsers into their corners.
const CORNERS: &[&str] = &[
    "one",
    "twenty",
    "hundred",
    "thousand",
    "billion",
    "and",
    "point",
    "double",
    "oh",
    "to",
    "half",
    "past",
    "quarter",
    "next",
    "last",
    "Friday",
    "March",
    "third",
    "31st",
    "2024",
    "12",
    "1,234.5",
    "$",
    "/",
    ":",
    "-5",
    "dollars",
    "cents",
    "not",
    "no",
    "yes",
    "I",
    "don't",
    "right",
    "a",
    "couple",
    "of",
    "weeks",
    "ago",
    "from",
    "today",
    "week",
    "18446744073709551615",
    "grand",
    "k",
    "sorry",
    "pm",
    "ß",
    "İ",
    "’",
    "٣",
    "at",
    "@",
    "dot",
    "com",
    "J-O-H-N",
    "as",
    "in",
    "plus",
    "name",
    "two hundred",
    "两百",
    "零",
    "万",
    "亿",
    "点",
    "下",
    "周",
    "月",
    "号",
    "块",
    "差",
    "半",
    "不是",
    "是",
    "年",
    "天后",
    "幺",
];

proptest! {
    #[test]
    fn any_text_is_read_without_panic(heard in "\\PC{0,200}") {
        read_all(&heard);
    }

    #[test]
    fn any_mix_of_corners_is_read_without_panic(words in prop::collection::vec(prop::sample::select(CORNERS), 0..24)) {
        read_all(&words.join(" "));
        read_all(&words.concat());
    }

    #[test]
    fn any_day_survives_the_edges_of_the_calendar(heard in prop::collection::vec(prop::sample::select(CORNERS), 0..8), edge: bool) {
        let today = if edge { jiff::civil::Date::MAX } else { jiff::civil::Date::MIN };
        fill(&SlotKind::Date, &heard.join(" "), today);
        fill_in(language::of("zh"), &SlotKind::Date, &heard.concat(), today);
    }

    #[test]
    fn digits_that_are_spoken_are_heard(value in "[0-9]{1,20}") {
        let kind = SlotKind::Digits { length: Some((value.len(), value.len())) };
        let heard = fill(&kind, &spoken::digits(&value), date(2026, 11, 22));
        prop_assert!(matches!(&heard, Fill::Value { canonical, .. } if *canonical == value), "{heard:?}");
    }

    #[test]
    fn numbers_that_are_spoken_are_heard(value in -1_000_000_000_000_i64..1_000_000_000) {
        let value = value % 999_999_999_999;
        prop_assume!(value.abs() < 1_000_000_000_000);
        let said = spoken::number(value);
        prop_assume!(!said.contains("trillion"));
        prop_assert_eq!(super::numbers::number(&said), Some(value as f64), "{}", said);
    }

    #[test]
    fn dates_that_are_spoken_are_heard(days in 0_i64..360) {
        let today = date(2026, 11, 22);
        let day = today.checked_add(jiff::Span::new().days(days)).expect("within the calendar");
        prop_assert_eq!(super::dates::date(&spoken::date(day, today), today), Some(day));
    }

    #[test]
    fn times_that_are_spoken_are_heard(hour in 0_i8..24, minute in 0_i8..60) {
        let time = jiff::civil::Time::new(hour, minute, 0, 0).expect("a time");
        prop_assert_eq!(super::times::time(&spoken::time(time)).map(|(t, _)| t), Some(time), "{}", spoken::time(time));
    }
}

fn read_all(heard: &str) {
    let today = date(2026, 11, 22);
    for kind in kinds() {
        if let Fill::Value { confidence, .. } = fill(&kind, heard, today) {
            assert!((0.0..=1.0).contains(&confidence));
        }
        fill_keys(&kind, heard, today);
    }
    let kinds = kinds();
    let wanted: Vec<(usize, &SlotKind)> = kinds.iter().enumerate().collect();
    for language in ["en", "zh"].map(language::of) {
        passing::in_passing(language, heard, &wanted, today);
        language.asks_for_person(heard);
    }
    for kind in &kinds {
        fill_in(language::of("zh"), kind, heard, today);
    }
    text::normalise(heard);
    spoken::digits(heard);
    phrases::Phrases::new([(0, heard)].into_iter()).find(heard, &[0]);
}

#[test]
fn ten_kilobytes_are_read_in_bounded_time() {
    #[expect(clippy::disallowed_methods, reason = "this test is about real time")]
    let start = Instant::now();
    for word in CORNERS.iter().step_by(4) {
        read_all(&format!("{word} ").repeat(10_000 / (word.len() + 1)));
        read_all(&word.repeat(10_000 / word.len()));
    }
    read_all(&"a week from ".repeat(900));
    read_all(&"half past quarter to ".repeat(500));
    let took = start.elapsed();
    // Some thirty texts for ten parsers, two seconds without optimisation; a loaded machine gets room.
    assert!(took.as_secs() < 60, "{took:?}");
}
