//! Chinese amounts: "两百块", "十二块五", "三毛", "一万二", "¥200", "五十美元".

use super::{corrected, has, numbers};
use crate::nlu::money::{Currency, Money};

/// Names of the major unit; the longest first.
const MAJOR: &[(&str, Currency)] = &[
    ("人民币", Currency::Yuan),
    ("块钱", Currency::Yuan),
    ("元钱", Currency::Yuan),
    ("美元", Currency::Dollar),
    ("美金", Currency::Dollar),
    ("英镑", Currency::Pound),
    ("欧元", Currency::Euro),
    ("块", Currency::Yuan),
    ("元", Currency::Yuan),
    ("圆", Currency::Yuan),
];
/// The most, in yuan.
const MOST: f64 = 1e12;

/// The first amount with its currency, else the first number; or what follows a correction.
pub(super) fn money(signs: &[char]) -> Option<Money> {
    corrected(signs, |signs| {
        let starts = (0..signs.len())
            .filter(|at| numbers::is_number(signs[*at]) && (*at == 0 || !numbers::is_number(signs[*at - 1])));
        let mut bare = None;
        for read in starts.filter_map(|at| amount(signs, at)) {
            if read.currency.is_some() {
                return Some(read);
            }
            bare = bare.or(Some(read));
        }
        bare
    })
}

fn amount(signs: &[char], at: usize) -> Option<Money> {
    let read = numbers::read(&signs[at..]).filter(|read| read.value < MOST)?;
    let sign = match at.checked_sub(1).map(|before| signs[before]) {
        Some('¥' | '￥') => Some(Currency::Yuan),
        Some('$') => Some(Currency::Dollar),
        Some('£') => Some(Currency::Pound),
        Some('€') => Some(Currency::Euro),
        _ => None,
    };
    let minor = (read.value * 100.0).round() as i64;
    let next = at + read.used;
    let unit = |at: usize| MAJOR.iter().find(|(name, _)| has(signs, at, name));
    if let Some((name, currency)) = unit(next) {
        let rest = next + name.chars().count();
        return Some(Money { minor: minor + small(signs, rest), currency: Some(*currency) });
    }
    match signs.get(next) {
        Some('毛' | '角') => Some(Money { minor: minor / 10 + fen(signs, next + 1), currency: Some(Currency::Yuan) }),
        Some('分') if signs.get(next + 1) != Some(&'钟') => {
            Some(Money { minor: minor / 100, currency: Some(Currency::Yuan) })
        }
        _ => Some(Money { minor, currency: sign }),
    }
}

/// After the yuan: "五" or "五毛" are tenths, "半" is half of one, "零五分" hundredths.
fn small(signs: &[char], at: usize) -> i64 {
    if signs.get(at) == Some(&'半') {
        return 50;
    }
    let at = at + usize::from(signs.get(at) == Some(&'零'));
    let Some(value) = signs.get(at).and_then(|c| numbers::digit(*c).or_else(|| c.to_digit(10).map(u64::from))) else {
        return 0;
    };
    let value = i64::try_from(value).unwrap_or(0);
    match signs.get(at + 1) {
        Some('毛' | '角') => value * 10 + fen(signs, at + 2),
        Some('分') => value,
        // "十二块五" ends there, or goes on with other than a number.
        next if next.is_none_or(|c| !numbers::is_number(*c) && *c != '个' && *c != '点') => value * 10,
        _ => 0,
    }
}

fn fen(signs: &[char], at: usize) -> i64 {
    let value = signs.get(at).and_then(|c| numbers::digit(*c)).and_then(|value| i64::try_from(value).ok());
    value.filter(|_| signs.get(at + 1).is_none_or(|c| *c == '分')).unwrap_or(0)
}
