//! Chinese times of day: "下午三点半", "差十分五点", "15:30", "晚上八点一刻".

use jiff::civil::Time;

use super::{corrected, has, numbers};

/// Parts of the day, and what hours they move: from the first hour on twelve are added.
const PARTS: &[(&str, Part)] = &[
    ("凌晨", Part::Night),
    ("清晨", Part::Morning),
    ("早上", Part::Morning),
    ("早晨", Part::Morning),
    ("上午", Part::Morning),
    ("中午", Part::Noon),
    ("下午", Part::Afternoon),
    ("傍晚", Part::Afternoon),
    ("晚上", Part::Evening),
    ("今晚", Part::Evening),
    ("明晚", Part::Evening),
    ("半夜", Part::Night),
    ("夜里", Part::Night),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Night,
    Morning,
    Noon,
    Afternoon,
    Evening,
}

/// The time that a text names, or the one after a correction, and how sure it is: less where the part of the day was
/// guessed (one to six are taken for the afternoon, as in English).
pub(super) fn time(signs: &[char]) -> Option<(Time, f32)> {
    corrected(signs, |signs| (0..signs.len()).find_map(|at| time_at(signs, at)))
}

fn time_at(signs: &[char], at: usize) -> Option<(Time, f32)> {
    let part = PARTS.iter().find(|(word, _)| has(signs, at, word));
    if part.is_none() && at > 0 && numbers::is_number(signs[at - 1]) {
        return None;
    }
    let from = at + part.map_or(0, |(word, _)| word.chars().count());
    let part = part.map(|(_, part)| *part);
    if has(signs, from, "正午") || has(signs, from, "午夜") {
        let noon = has(signs, from, "正午");
        return Some((Time::new(if noon { 12 } else { 0 }, 0, 0, 0).ok()?, 0.95));
    }
    if has(signs, from, "差") {
        let (minutes, next) = minutes(signs, from + 1)?;
        let (hour, _) = hour(signs, next)?;
        return finish(if hour == 0 { 23 } else { hour - 1 }, 60 - minutes, part);
    }
    let (hour, next) = hour(signs, from)?;
    if has(signs, next, "差")
        && let Some((less, _)) = minutes(signs, next + 1)
    {
        return finish(if hour == 0 { 23 } else { hour - 1 }, 60 - less, part);
    }
    let past = minutes(signs, next).map_or(0, |(minutes, _)| minutes);
    finish(hour, past, part)
}

/// "三点", "15:", "十五时"; and where what follows begins.
fn hour(signs: &[char], at: usize) -> Option<(i8, usize)> {
    // "三点五": the point of a decimal is also the word for "o'clock".
    let count = signs.get(at..)?.iter().take_while(|c| numbers::is_number(**c)).count();
    let read = numbers::read(&signs[at..at + count]).filter(|read| read.used == count)?;
    let hour = i8::try_from(read.value as i64).ok().filter(|hour| (0..=24).contains(hour))?;
    let next = at + count;
    let said = ["点钟", "点", "时", ":", "："].iter().find(|word| has(signs, next, word))?;
    Some((hour % 24, next + said.chars().count()))
}

/// "半", "一刻", "三刻", "十分", "三十", "零五"; nothing is no minutes.
fn minutes(signs: &[char], at: usize) -> Option<(i8, usize)> {
    if has(signs, at, "半") {
        return Some((30, at + 1));
    }
    for (word, minutes) in [("一刻", 15), ("三刻", 45), ("整", 0)] {
        if has(signs, at, word) {
            return Some((minutes, at + word.chars().count()));
        }
    }
    let zero = usize::from(signs.get(at) == Some(&'零'));
    let count = signs.get(at + zero..)?.iter().take_while(|c| numbers::is_number(**c)).count();
    let read = numbers::read(&signs[at + zero..at + zero + count]).filter(|read| read.used == count)?;
    let value = i8::try_from(read.value as i64).ok().filter(|value| (0..60).contains(value))?;
    let next = at + zero + count;
    Some((value, next + usize::from(has(signs, next, "分")) + usize::from(has(signs, next, "分钟"))))
}

fn finish(hour: i8, minute: i8, part: Option<Part>) -> Option<(Time, f32)> {
    let (hour, sure) = match part {
        Some(Part::Afternoon | Part::Evening) if (1..12).contains(&hour) => (hour + 12, 0.95),
        Some(Part::Evening | Part::Night) if hour == 12 => (0, 0.9),
        Some(Part::Noon) if (1..4).contains(&hour) => (hour + 12, 0.95),
        Some(_) => (hour, 0.95),
        None if (1..=6).contains(&hour) => (hour + 12, 0.7),
        None if (7..=12).contains(&hour) => (hour, 0.75),
        None => (hour, 0.9),
    };
    Some((Time::new(hour, minute, 0, 0).ok()?, sure))
}
