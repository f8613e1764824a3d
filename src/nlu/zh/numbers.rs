//! Chinese numbers: "两百零五", "一万二", "三点一四", and strings of digits: "幺三八 零零一三".

use super::corrected;
use crate::nlu::digits::Digits;

/// A number read off the front of some signs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Read {
    pub(super) value: f64,
    /// How many signs it took.
    pub(super) used: usize,
}

/// The most that is read: more is a misheard string of digits.
const MOST: f64 = 1e15;

/// A digit as it is said within a number.
pub(super) fn digit(c: char) -> Option<u64> {
    Some(match c {
        '零' | '〇' => 0,
        '一' => 1,
        '二' | '两' => 2,
        '三' => 3,
        '四' => 4,
        '五' => 5,
        '六' => 6,
        '七' => 7,
        '八' => 8,
        '九' => 9,
        _ => return None,
    })
}

fn unit(c: char) -> Option<u64> {
    Some(match c {
        '十' => 10,
        '百' => 100,
        '千' => 1_000,
        _ => return None,
    })
}

fn scale(c: char) -> Option<u64> {
    Some(match c {
        '万' => 10_000,
        '亿' => 100_000_000,
        _ => return None,
    })
}

/// Whether a number may begin or go on with it.
pub(super) fn is_number(c: char) -> bool {
    c.is_ascii_digit() || digit(c).is_some() || unit(c).is_some() || scale(c).is_some()
}

/// A number at the front: written in digits ("1,200", "3.5万"), or spoken.
pub(super) fn read(signs: &[char]) -> Option<Read> {
    let first = *signs.first()?;
    let read = if first.is_ascii_digit() { literal(signs)? } else { spoken(signs)? };
    (read.value < MOST).then_some(read)
}

fn literal(signs: &[char]) -> Option<Read> {
    let mut text = String::new();
    let mut used = 0;
    for (at, c) in signs.iter().enumerate() {
        let digit_follows = signs.get(at + 1).is_some_and(char::is_ascii_digit);
        match c {
            c if c.is_ascii_digit() => text.push(*c),
            '.' if digit_follows && !text.contains('.') => text.push('.'),
            ',' if digit_follows && !text.contains('.') => {}
            _ => break,
        }
        used = at + 1;
    }
    let mut value: f64 = text.parse().ok()?;
    while let Some(by) = signs.get(used).and_then(|c| unit(*c).or_else(|| scale(*c))) {
        value *= by as f64;
        used += 1;
        if value > MOST {
            return None;
        }
    }
    Some(Read { value, used })
}

fn spoken(signs: &[char]) -> Option<Read> {
    let (mut total, mut section, mut pending) = (0_u64, 0_u64, None::<u64>);
    // The unit said last and whether a zero came after it: "一万二" is 12,000, "一万零二" 10,002.
    let (mut last, mut zero) = (0_u64, false);
    let mut at = 0;
    let start = signs.iter().take_while(|c| digit(**c).is_some()).count();
    let goes_on = signs.get(start).is_some_and(|c| unit(*c).is_some() || scale(*c).is_some());
    if start > 1 && !(goes_on && start == 2 && signs[0] == '零') {
        // Digits without units: said one by one.
        let value = signs[..start].iter().filter_map(|c| digit(*c)).fold(0.0, |sum, digit| sum * 10.0 + digit as f64);
        return with_fraction(signs, value, start);
    }
    while let Some(&c) = signs.get(at) {
        if let Some(value) = digit(c) {
            if pending.is_some() {
                break;
            }
            if value == 0 {
                zero = last > 0
            } else {
                pending = Some(value)
            }
            if value == 0 && last == 0 {
                pending = Some(0);
            }
        } else if let Some(by) = unit(c) {
            if pending.is_none() && at > 0 && !zero && last != 0 && last <= by {
                break;
            }
            section = section.checked_add(pending.take().unwrap_or(1).checked_mul(by)?)?;
            (last, zero) = (by, false);
        } else if let Some(by) = scale(c) {
            let whole = section + pending.take().unwrap_or(0);
            if whole == 0 && total == 0 {
                break;
            }
            if by == 100_000_000 {
                total = total.checked_add(whole)?.checked_mul(by)?;
            } else {
                total = total.checked_add(whole.checked_mul(by)?)?;
            }
            section = 0;
            (last, zero) = (by, false);
        } else {
            break;
        }
        at += 1;
    }
    if at == 0 {
        return None;
    }
    // "三百五" leaves out its last unit.
    let tail = pending.unwrap_or(0) * if last >= 100 && !zero && pending.is_some() { last / 10 } else { 1 };
    with_fraction(signs, (total.checked_add(section)?.checked_add(tail)?) as f64, at)
}

/// "点五", "点一四".
fn with_fraction(signs: &[char], value: f64, used: usize) -> Option<Read> {
    if signs.get(used) != Some(&'点') {
        return Some(Read { value, used });
    }
    let digits: String = signs[used + 1..]
        .iter()
        .take(9)
        .map_while(|c| digit(*c))
        .filter_map(|d| char::from_digit(d as u32, 10))
        .collect();
    let fraction = format!("0.{digits}0").parse::<f64>().unwrap_or(0.0);
    let taken = digits.len();
    Some(if taken > 0 { Read { value: value + fraction, used: used + 1 + taken } } else { Read { value, used } })
}

/// The first number, or the one after a correction.
pub(super) fn number(signs: &[char]) -> Option<f64> {
    corrected(signs, |signs| {
        let at = (0..signs.len()).find(|at| is_number(signs[*at]))?;
        let found = read(&signs[at..])?;
        let negative = at > 0 && matches!(signs[at - 1], '负' | '-');
        // "两个半", "一半" aside.
        let half =
            if signs.get(at + found.used + 1) == Some(&'半') && signs[at + found.used] == '个' { 0.5 } else { 0.0 };
        let value = found.value + half;
        Some(if negative { -value } else { value })
    })
}

/// Strings of digits; a number with units counts by its digits ("二十五" is 25). `length` decides between several.
pub(super) fn digits(signs: &[char], length: Option<(usize, usize)>) -> Option<Digits> {
    let fits = |digits: &str| length.is_none_or(|(least, most)| (least..=most).contains(&digits.len()));
    corrected(signs, |signs| {
        let runs = runs(signs);
        let joined: String = runs.concat();
        let found =
            |digits: &str, confidence| Some(Digits { digits: digits.to_string(), confidence, fits: fits(digits) });
        let fitting: Vec<&String> = runs.iter().filter(|run| fits(run)).collect();
        match fitting[..] {
            [only] => found(only, 0.95),
            _ if length.is_some() && fits(&joined) && !joined.is_empty() => found(&joined, 0.8),
            [.., last] => found(last, 0.6),
            [] => found(runs.iter().max_by_key(|run| run.len())?, 0.4),
        }
    })
}

fn runs(signs: &[char]) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut at = 0;
    while at < signs.len() {
        let Some(run) = out.last_mut() else { break };
        let c = signs[at];
        let spoken = if matches!(c, '幺' | '妖') { Some(1) } else { digit(c) };
        let number = signs[at..].iter().take_while(|c| is_number(**c)).count();
        let scaled = signs[at..at + number].iter().any(|c| unit(*c).is_some());
        if scaled && let Some(found) = read(&signs[at..]).filter(|found| found.used == number && found.value < 1e9) {
            run.push_str(&format!("{}", found.value));
            at += number;
            continue;
        }
        if let Some(value) = spoken.and_then(|d| char::from_digit(d as u32, 10)) {
            run.push(value);
        } else if c.is_ascii_digit() {
            run.push(c);
        } else if !matches!(c, ',' | '-' | '，' | '、' | '.' | '。' | '然' | '后' | '横' | '杠' | '嗯' | '呃')
            && !run.is_empty()
        {
            out.push(String::new());
        }
        at += 1;
    }
    out.retain(|run| !run.is_empty());
    out
}
