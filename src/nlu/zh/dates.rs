//! Chinese days: "明天", "下周五", "三月三号", "二零二七年五月一日", "三天后".

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{corrected, has, numbers};

/// Days from today that have a name of their own; the longest first.
const NAMED: &[(&str, i64)] = &[
    ("大后天", 3),
    ("大前天", -3),
    ("后天", 2),
    ("前天", -2),
    ("今天", 0),
    ("今晚", 0),
    ("今日", 0),
    ("明天", 1),
    ("明日", 1),
    ("明晚", 1),
    ("昨天", -1),
    ("昨日", -1),
];

/// The day that a text names, or the one after a correction.
pub(super) fn date(signs: &[char], today: Date) -> Option<Date> {
    let text: String = signs.iter().collect();
    let iso = text.split(|c: char| !(c.is_ascii_digit() || c == '-')).find_map(|part| part.parse::<Date>().ok());
    iso.or_else(|| corrected(signs, |signs| (0..signs.len()).find_map(|at| day_at(signs, at, today))))
}

fn day_at(signs: &[char], at: usize, today: Date) -> Option<Date> {
    if let Some((_, days)) = NAMED.iter().find(|(name, _)| has(signs, at, name)) {
        return today.checked_add(days.days()).ok();
    }
    weekday(signs, at, today).or_else(|| counted(signs, at, today)).or_else(|| calendar(signs, at, today))
}

/// "周五", "这周五", "下周五", "下下周一", "上星期天", "礼拜三".
fn weekday(signs: &[char], at: usize, today: Date) -> Option<Date> {
    let (mut from, mut weeks, mut named) = (at, 0_i64, false);
    while has(signs, from, "下") || has(signs, from, "上") {
        weeks += if signs[from] == '下' { 1 } else { -1 };
        (from, named) = (from + 1, true);
        if weeks.abs() > 4 {
            return None;
        }
    }
    if has(signs, from, "这") || has(signs, from, "本") {
        (from, named) = (from + 1, true);
    }
    from += usize::from(has(signs, from, "个"));
    let week = ["星期", "礼拜", "周"].iter().find(|week| has(signs, from, week))?;
    let offset = match signs.get(from + week.chars().count())? {
        '一' | '1' => 0,
        '二' | '2' => 1,
        '三' | '3' => 2,
        '四' | '4' => 3,
        '五' | '5' => 4,
        '六' | '6' => 5,
        '日' | '天' | '7' => 6,
        _ => return None,
    };
    let monday = today.checked_sub(i64::from(today.weekday().to_monday_zero_offset()).days()).ok()?;
    let day = monday.checked_add((offset + 7 * weeks).days()).ok()?;
    // Without "this" or "next" it is the coming one.
    if named || day > today { Some(day) } else { day.checked_add(7.days()).ok() }
}

/// "三天后", "两个星期之后", "一个月以后", "三天前".
fn counted(signs: &[char], at: usize, today: Date) -> Option<Date> {
    if at > 0 && numbers::is_number(signs[at - 1]) {
        return None;
    }
    let read = numbers::read(signs.get(at..)?).filter(|read| read.value.fract() == 0.0 && read.value <= 3_660.0)?;
    let count = read.value as i64;
    let mut next = at + read.used;
    next += usize::from(has(signs, next, "个"));
    let units = [("天", 1, 0), ("日", 1, 0), ("星期", 7, 0), ("礼拜", 7, 0), ("周", 7, 0), ("月", 0, 1), ("年", 0, 12)];
    let (unit, days, months) = units.iter().find(|(unit, ..)| has(signs, next, unit))?;
    next += unit.chars().count();
    let later = ["以后", "之后", "后"].iter().any(|word| has(signs, next, word));
    let earlier = ["以前", "之前", "前"].iter().any(|word| has(signs, next, word));
    let sign = if later {
        1
    } else if earlier {
        -1
    } else {
        return None;
    };
    today.checked_add((sign * days * count).days()).ok()?.checked_add((sign * months * count).months()).ok()
}

/// "二零二七年三月三号", "明年三月三日", "三月三号", "下个月五号", "十五号".
fn calendar(signs: &[char], at: usize, today: Date) -> Option<Date> {
    // Not from within another date: "二月三十一号" is no 31st of any month.
    if at > 0 && (numbers::is_number(signs[at - 1]) || matches!(signs[at - 1], '年' | '月')) {
        return None;
    }
    let mut at = at;
    let mut year = None;
    for (word, ahead) in [("今年", 0), ("明年", 1), ("后年", 2), ("去年", -1)] {
        if has(signs, at, word) {
            (year, at) = (Some(today.year().checked_add(ahead)?), at + 2);
        }
    }
    let whole = |at: usize| {
        let read = numbers::read(signs.get(at..)?).filter(|read| read.value.fract() == 0.0 && read.value < 10_000.0)?;
        Some((read.value as i16, at + read.used))
    };
    if year.is_none()
        && let Some((value, next)) = whole(at).filter(|(_, next)| has(signs, *next, "年"))
    {
        // "八五年" is 1985.
        let full = if (0..100).contains(&value) {
            value + if value + 2000 > today.year() + 10 { 1900 } else { 2000 }
        } else {
            value
        };
        (year, at) = (Some(full).filter(|year| (1850..=2200).contains(year)), next + 1);
        year?;
    }
    let month_ahead =
        [("下个月", 1_i64), ("下月", 1), ("这个月", 0), ("本月", 0)].iter().find(|(word, _)| has(signs, at, word));
    if let Some((word, ahead)) = month_ahead {
        let (day, next) = whole(at + word.chars().count())?;
        let month = today.first_of_month().checked_add(ahead.months()).ok()?;
        return is_day(signs, next)
            .then(|| Date::new(month.year(), month.month(), i8::try_from(day).ok()?).ok())
            .flatten();
    }
    let (first, next) = whole(at)?;
    if has(signs, next, "月") {
        let (day, end) = whole(next + 1)?;
        let (month, day) = (i8::try_from(first).ok()?, i8::try_from(day).ok()?);
        if !is_day(signs, end) && signs.get(end).is_some_and(|c| matches!(c, '天' | '个' | '点')) {
            return None;
        }
        return match year {
            Some(year) => Date::new(year, month, day).ok(),
            None => (0..=8)
                .filter_map(|ahead| Date::new(today.year().checked_add(ahead)?, month, day).ok())
                .find(|d| *d >= today),
        };
    }
    if year.is_some() || !has(signs, next, "号") {
        return None;
    }
    let day = i8::try_from(first).ok()?;
    (0_i64..=12)
        .filter_map(|ahead| today.first_of_month().checked_add(ahead.months()).ok())
        .filter_map(|month| Date::new(month.year(), month.month(), day).ok())
        .find(|date| *date >= today)
}

fn is_day(signs: &[char], at: usize) -> bool {
    has(signs, at, "号") || has(signs, at, "日")
}
