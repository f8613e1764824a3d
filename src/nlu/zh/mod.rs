//! Mandarin Chinese, in simplified characters, as callers say it and as a recogniser writes it.
//!
//! Owns Chinese numbers, amounts, days, times, answers and wishes. What is written in Latin letters (mail addresses) is read
//! as in English.

mod answers;
mod dates;
mod money;
mod numbers;
mod times;

use jiff::civil::{Date, Time};

use super::digits::Digits;
use super::language::Language;
use super::money::Money;
use super::slots::{Fill, Shortfall, name};

/// The reader.
pub(super) struct Chinese;

impl Language for Chinese {
    fn tag(&self) -> &'static str {
        "zh"
    }
    fn digits(&self, text: &str, length: Option<(usize, usize)>) -> Option<Digits> {
        numbers::digits(&signs(text), length)
    }
    fn number(&self, text: &str) -> Option<f64> {
        numbers::number(&signs(text))
    }
    fn money(&self, text: &str) -> Option<Money> {
        money::money(&signs(text))
    }
    fn date(&self, text: &str, today: Date) -> Option<Date> {
        dates::date(&signs(text), today)
    }
    fn time(&self, text: &str) -> Option<(Time, f32)> {
        times::time(&signs(text))
    }
    fn yes_no(&self, text: &str) -> Option<(bool, f32)> {
        answers::yes_no(text)
    }
    fn name(&self, text: &str) -> Option<(String, f32)> {
        answers::name(text)
    }
    fn choice(&self, text: &str, options: &[Vec<String>]) -> Fill {
        choice(text, options)
    }
    fn is_short(&self, text: &str) -> bool {
        signs(text).into_iter().filter(|c| c.is_alphanumeric()).count() <= 2
    }
    fn is_small_talk(&self, text: &str) -> bool {
        answers::is_small_talk(text)
    }
    fn asks_for_person(&self, text: &str) -> bool {
        answers::asks_for_person(text)
    }
    fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        // A Latin word or a number stays whole.
        let latin = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '@' | ':' | '-' | '/' | '_');
        let mut out = Vec::new();
        let mut start = 0;
        let mut before: Option<char> = None;
        for (at, c) in text.char_indices() {
            if before.is_some_and(|before| !(latin(before) && latin(c))) {
                out.push(text[start..at].trim());
                start = at;
            }
            before = Some(c);
        }
        out.push(text[start..].trim());
        out.retain(|piece| !piece.is_empty());
        out
    }
    fn gap(&self) -> &'static str {
        ""
    }
}

/// Signs that are looked at: a value is said within a minute of speech.
const LONGEST: usize = 300;

/// The first [`LONGEST`] characters, full-width digits and letters made plain, without spaces.
fn signs(text: &str) -> Vec<char> {
    let plain = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    };
    text.chars().filter(|c| !c.is_whitespace()).take(LONGEST).map(plain).collect()
}

/// Whether the text goes on with `word` at `at`.
fn has(signs: &[char], at: usize, word: &str) -> bool {
    let mut rest = signs.get(at..).unwrap_or(&[]).iter();
    word.chars().all(|c| rest.next() == Some(&c))
}

/// Where a correction ends, if there is one: "周一，不对，周二".
fn after_correction(signs: &[char]) -> Option<usize> {
    const CORRECTIONS: &[&str] = &["不对", "不是", "错了", "说错了", "应该是", "我是说", "哦不", "改成"];
    (0..signs.len()).rev().find_map(|at| CORRECTIONS.iter().find(|c| has(signs, at, c)).map(|c| at + c.chars().count()))
}

/// Reads after the last correction, else from the start.
fn corrected<T>(signs: &[char], read: impl Fn(&[char]) -> Option<T>) -> Option<T> {
    let after = after_correction(signs).and_then(|at| read(&signs[at..]));
    after.or_else(|| read(signs))
}

/// An option that is said whole, or by its place ("第二个"); several that are said are ambiguous, unless one holds the other.
fn choice(text: &str, options: &[Vec<String>]) -> Fill {
    let heard: String = signs(text).into_iter().flat_map(char::to_lowercase).collect();
    let place = |word: &str| heard.contains(word);
    for (at, (spoken, written)) in
        [("第一", "第1"), ("第二", "第2"), ("第三", "第3"), ("第四", "第4")].iter().enumerate()
    {
        if let Some(option) = options.get(at).filter(|_| place(spoken) || place(written)) {
            return Fill::Value { canonical: name(option).to_owned(), confidence: 0.9 };
        }
    }
    if let Some(last) = options.last().filter(|_| place("最后一个")) {
        return Fill::Value { canonical: name(last).to_owned(), confidence: 0.9 };
    }
    let plain = |word: &String| signs(word).into_iter().flat_map(char::to_lowercase).collect::<String>();
    let said: Vec<(String, &str)> = options
        .iter()
        .flat_map(|option| option.iter().map(|word| (plain(word), name(option))))
        .filter(|(plain, _)| !plain.is_empty() && heard.contains(plain.as_str()))
        .collect();
    // "活期账户" is not also "账户".
    let mut widest: Vec<&(String, &str)> = said
        .iter()
        .filter(|(plain, _)| !said.iter().any(|(other, _)| other != plain && other.contains(plain.as_str())))
        .collect();
    // Two words for one option are one option.
    widest.dedup_by_key(|(_, option)| *option);
    match widest[..] {
        [] => Fill::None,
        [(plain, option)] => {
            let confidence = if *plain == heard { 1.0 } else { 0.95 };
            Fill::Value { canonical: (*option).to_owned(), confidence }
        }
        // "不要储蓄账户，要支票账户": what follows a correction counts.
        [(_, first), (_, second), ..] => {
            let all = signs(text);
            let rest: Option<String> = after_correction(&all).map(|at| all[at..].iter().collect());
            match rest.map(|rest| choice(&rest, options)) {
                Some(value @ Fill::Value { .. }) => value,
                _ => Fill::Partial { canonical: format!("{first} or {second}"), shortfall: Shortfall::Ambiguous },
            }
        }
    }
}

#[cfg(test)]
mod tests;
