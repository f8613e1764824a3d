//! The languages that callers speak: one reader a language, chosen by the plan's language tag.
//!
//! Adding a language is adding a folder like `zh` that implements [`Language`], and a line in [`of`]. What a language does
//! not read is read as English, which also covers what a recogniser writes in digits.

use jiff::civil::{Date, Time};

use super::digits::Digits;
use super::money::Money;
use super::{dates, digits, english, money, names, numbers, person, times, yes_no, zh};

/// How one language says what slots ask for.
pub trait Language: Sync {
    /// Its tag (BCP 47), without a region.
    fn tag(&self) -> &'static str;
    /// Strings of digits.
    fn digits(&self, text: &str, length: Option<(usize, usize)>) -> Option<Digits> {
        digits::digits(text, length)
    }
    /// A number.
    fn number(&self, text: &str) -> Option<f64> {
        numbers::number(text)
    }
    /// An amount.
    fn money(&self, text: &str) -> Option<Money> {
        money::money(text)
    }
    /// A day, seen from `today`.
    fn date(&self, text: &str, today: Date) -> Option<Date> {
        dates::date(text, today)
    }
    /// A time of day, and how sure it is.
    fn time(&self, text: &str) -> Option<(Time, f32)> {
        times::time(text)
    }
    /// A yes or a no, and how sure it is.
    fn yes_no(&self, text: &str) -> Option<(bool, f32)> {
        yes_no::yes_no(text)
    }
    /// A person's name, and how sure it is.
    fn name(&self, text: &str) -> Option<(String, f32)> {
        names::name(text)
    }
    /// Which of some options are said.
    fn choice(&self, text: &str, options: &[Vec<String>]) -> super::slots::Fill {
        english::choice(text, options)
    }
    /// Whether a text is too short for its embedding alone to say what it means.
    fn is_short(&self, _text: &str) -> bool {
        false
    }
    /// Whether a text is nothing but greetings, thanks and sounds, as far as an embedding would take them for more.
    fn is_small_talk(&self, _text: &str) -> bool {
        false
    }
    /// Whether a human is asked for.
    fn asks_for_person(&self, text: &str) -> bool {
        person::asks_for_person(text)
    }
    /// The text in pieces that belong to one value each, for values given in passing: words, or signs where a language
    /// writes no spaces. Joined with [`Language::gap`] between them they are the text again, as far as reading goes.
    fn pieces<'t>(&self, text: &'t str) -> Vec<&'t str> {
        text.split_whitespace().collect()
    }
    /// What stands between pieces.
    fn gap(&self) -> &'static str {
        " "
    }
}

/// The reader of a language tag: "zh", "zh-CN"; English for any that is not known.
pub fn of(tag: &str) -> &'static dyn Language {
    match tag.split(['-', '_']).next().map(str::to_ascii_lowercase).as_deref() {
        Some("zh" | "cmn") => &zh::Chinese,
        _ => &english::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_choose_readers() {
        for (tag, expected) in
            [("zh-CN", "zh"), ("zh", "zh"), ("cmn-Hans", "zh"), ("en-GB", "en"), ("", "en"), ("xx", "en")]
        {
            assert_eq!(of(tag).tag(), expected, "{tag}");
        }
    }
}
