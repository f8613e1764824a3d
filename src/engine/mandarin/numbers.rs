//! Digits in a Chinese text as they are read aloud: "3.50元" as 三点五元, "2026年" digit by digit, "15:30" as a time.

/// Longer strings are read digit by digit: they are numbers of accounts and telephones.
const LONGEST_COUNT: usize = 8;

const DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

/// The text with its numbers in characters.
pub(super) fn spelled(text: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = signs.get(at) {
        let currency = currency(c).filter(|_| signs.get(at + 1).is_some_and(char::is_ascii_digit));
        at += usize::from(currency.is_some());
        if !signs[at].is_ascii_digit() {
            out.push(signs[at]);
            at += 1;
            continue;
        }
        at += number(&signs[at..], &mut out);
        out.push_str(currency.unwrap_or(""));
    }
    out
}

fn currency(c: char) -> Option<&'static str> {
    match c {
        '¥' | '￥' => Some("元"),
        '$' => Some("美元"),
        '€' => Some("欧元"),
        '£' => Some("英镑"),
        _ => None,
    }
}

/// Reads one number at the front, and says how many signs it took.
fn number(signs: &[char], out: &mut String) -> usize {
    let (whole, mut used) = digits(signs);
    let fraction = match signs.get(used) {
        Some('.') => digits(&signs[used + 1..]).0,
        _ => String::new(),
    };
    if !fraction.is_empty() {
        used += 1 + fraction.len();
    }
    let next = signs.get(used);
    if next == Some(&':') && fraction.is_empty() && whole.len() <= 2 {
        let (minutes, taken) = digits(&signs[used + 1..]);
        if minutes.len() == 2 {
            out.push_str(&counted(&whole));
            out.push('点');
            match minutes.as_str() {
                "00" => out.push('整'),
                "30" => out.push('半'),
                minutes if minutes.starts_with('0') => out.push_str(&one_by_one(minutes)),
                minutes => out.push_str(&counted(minutes)),
            }
            return used + 1 + taken;
        }
    }
    let percent = matches!(next, Some('%' | '％'));
    if percent {
        out.push_str("百分之");
        used += 1;
    }
    let is_year = next == Some(&'年') && whole.len() == 4 && fraction.is_empty();
    let is_string = whole.len() > LONGEST_COUNT || (whole.len() > 1 && whole.starts_with('0'));
    out.push_str(&if is_year || is_string { one_by_one(&whole) } else { counted(&whole) });
    if !fraction.trim_end_matches('0').is_empty() {
        out.push('点');
        out.push_str(&one_by_one(fraction.trim_end_matches('0')));
    }
    used
}

/// Digits at the front, "1,234" as one number, and how many signs they took.
fn digits(signs: &[char]) -> (String, usize) {
    let mut found = String::new();
    let mut used = 0;
    while let Some(&c) = signs.get(used) {
        let group = || signs.get(used + 1..used + 4).is_some_and(|three| three.iter().all(char::is_ascii_digit));
        let ends = || !signs.get(used + 4).is_some_and(char::is_ascii_digit);
        match c {
            c if c.is_ascii_digit() => found.push(c),
            ',' if !found.is_empty() && group() && ends() => {}
            _ => break,
        }
        used += 1;
    }
    (found, used)
}

fn one_by_one(digits: &str) -> String {
    digits.bytes().filter(u8::is_ascii_digit).map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

/// A whole number of at most [`LONGEST_COUNT`] digits as it is counted.
fn counted(digits: &str) -> String {
    let value: u64 = digits.parse().unwrap_or(0);
    let text = match (value / 10_000, value % 10_000) {
        (0, 0) => return "零".to_string(),
        (0, low) => below(low),
        (high, 0) => format!("{}万", myriads(high)),
        (high, low @ 1..1000) => format!("{}万零{}", myriads(high), below(low)),
        (high, low) => format!("{}万{}", myriads(high), below(low)),
    };
    // Ten to nineteen alone drop their one.
    text.strip_prefix("一十").map_or(text.clone(), |rest| format!("十{rest}"))
}

/// How many ten thousands: two of them are 两.
fn myriads(value: u64) -> String {
    if value == 2 { "两".to_string() } else { below(value) }
}

/// 1 to 9999.
fn below(value: u64) -> String {
    let mut text = String::new();
    let mut gap = false;
    for (size, name) in [(1000, "千"), (100, "百"), (10, "十"), (1, "")] {
        let digit = (value / size % 10) as usize;
        if digit == 0 {
            gap = !text.is_empty();
            continue;
        }
        if gap {
            text.push('零');
            gap = false;
        }
        // Two hundred and two thousand are said with 两.
        text.push(if digit == 2 && size >= 100 { '两' } else { DIGITS[digit] });
        text.push_str(name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_said() {
        for (written, said) in [
            ("余额是3450.50元。", "余额是三千四百五十点五元。"),
            ("¥200", "两百元"),
            ("1,234,567块", "一百二十三万四千五百六十七块"),
            ("10个", "十个"),
            ("110", "一百一十"),
            ("20,005", "两万零五"),
            ("2026年11月24日", "二零二六年十一月二十四日"),
            ("下午15:30", "下午十五点半"),
            ("8:05", "八点零五"),
            ("9:00", "九点整"),
            ("5%", "百分之五"),
            ("按0", "按零"),
            ("007", "零零七"),
            ("13800138000", "一三八零零一三八零零零"),
            ("第2位", "第二位"),
            ("没有数字", "没有数字"),
        ] {
            assert_eq!(spelled(written), said, "{written}");
        }
    }
}
