//! Chinese text to the phonemes of Kokoro's Mandarin voices.
//!
//! ```text
//! text ─ numbers in characters ─ words (jieba) ─ readings (phrases, else signs) ─ syllables ─ IPA with arrows for tones
//! ```
//! Owns the words and readings, which lie beside the voice. Never sees sound.

mod numbers;
mod syllables;

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use jieba_rs::Jieba;
use pinyin::ToPinyin as _;

use super::EngineError;
use syllables::Syllable;

/// The longest phrase whose reading is looked up, in signs.
const LONGEST_PHRASE: usize = 8;

/// Reads Chinese aloud, into phonemes.
pub(super) struct Reader {
    words: Jieba,
    /// Phrases that hold a sign of several readings, and all others of the list: their phonemes.
    readings: HashMap<Box<str>, Box<str>>,
}

impl Reader {
    /// Loads jieba's list of words and pypinyin's readings of phrases; takes a second.
    pub(super) fn load(words: &Path, readings: &Path) -> Result<Self, EngineError> {
        let open = |path: &Path| {
            let unreadable = |error: std::io::Error| EngineError::File { path: path.into(), why: error.to_string() };
            File::open(path).map(BufReader::new).map_err(unreadable)
        };
        let refused = |path: &Path, why: String| EngineError::File { path: path.into(), why };
        let list = Jieba::with_dict(&mut open(words)?).map_err(|error| refused(words, error.to_string()))?;
        let phrases: HashMap<String, Vec<Vec<String>>> =
            serde_json::from_reader(open(readings)?).map_err(|error| refused(readings, error.to_string()))?;
        let spoken = phrases.into_iter().filter_map(|(phrase, signs)| {
            let first = signs.iter().map(|readings| Syllable::read(readings.first()?).phonemes());
            let phonemes = first.collect::<Option<String>>()?;
            (signs.len() == phrase.chars().count()).then(|| (phrase.into(), phonemes.into()))
        });
        Ok(Self { words: list, readings: spoken.collect() })
    }

    /// The phonemes of a text, with the marks of its clauses. `foreign` reads what is written in Latin letters.
    pub(super) fn phonemes(&self, text: &str, foreign: &mut dyn FnMut(&str) -> String) -> String {
        let text = numbers::spelled(text);
        let mut line = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let kind = Kind::of(first);
            let end = rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            match kind {
                Kind::Chinese => {
                    let words = self.words.cut(run, false);
                    let spoken = words.iter().map(|word| self.word(word.word)).collect::<Vec<_>>();
                    line.push_str(&spoken.join(" "));
                }
                Kind::Latin => {
                    line.push(' ');
                    line.push_str(foreign(run).trim().trim_end_matches('.'));
                    line.push(' ');
                }
                Kind::Other => run.chars().for_each(|c| line.push_str(mark(c))),
            }
            rest = after;
        }
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A word by the longest phrases that it begins with, else sign by sign.
    fn word(&self, word: &str) -> String {
        let signs: Vec<(usize, char)> = word.char_indices().collect();
        let mut spoken = String::new();
        let mut at = 0;
        while let Some(&(start, sign)) = signs.get(at) {
            let longest = LONGEST_PHRASE.min(signs.len() - at);
            let phrase = (2..=longest).rev().find_map(|n| {
                let end = signs.get(at + n).map_or(word.len(), |(end, _)| *end);
                Some((n, self.readings.get(&word[start..end])?))
            });
            match phrase {
                Some((n, phonemes)) => {
                    spoken.push_str(phonemes);
                    at += n;
                }
                None => {
                    let reading = sign.to_pinyin().map(|pinyin| Syllable::read(pinyin.with_tone_num_end()));
                    spoken.push_str(&reading.and_then(|syllable| syllable.phonemes()).unwrap_or_default());
                    at += 1;
                }
            }
        }
        spoken
    }
}

/// Runs of a text that are read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Chinese,
    Latin,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            '\u{3400}'..='\u{9fff}' | '〇' => Self::Chinese,
            c if c.is_ascii_alphabetic() || c == '\'' => Self::Latin,
            _ => Self::Other,
        }
    }
}

/// A mark as the voice knows it.
fn mark(c: char) -> &'static str {
    match c {
        '，' | '、' | ',' => ", ",
        '。' | '．' | '.' => ". ",
        '！' | '!' => "! ",
        '？' | '?' => "? ",
        '：' | ':' => ": ",
        '；' | ';' => "; ",
        '…' => "… ",
        '—' => "— ",
        _ => " ",
    }
}

/// Words and readings of a few signs, for tests without the fetched lists.
#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        let folder = tempfile::tempdir().unwrap();
        let (words, readings) = (folder.path().join("words"), folder.path().join("readings"));
        std::fs::write(&words, "银行 100 n\n余额 100 n\n查 50 v\n一下 90 m\n行 10 v\n").unwrap();
        std::fs::write(&readings, r#"{"银行": [["yín"], ["háng"]], "一下": [["yí"], ["xià"]]}"#).unwrap();
        Reader::load(&words, &readings).unwrap()
    }

    #[test]
    fn a_phrase_decides_between_readings() {
        let read = |text: &str| reader().phonemes(text, &mut |_| String::new());
        assert_eq!(read("银行"), "i↗nxa↗ŋ");
        assert_eq!(read("行"), "ɕi↗ŋ");
        assert_eq!(read("查一下余额。"), "ꭧʰa↗ i↗ɕja↘ y↗ɤ↗.");
        assert_eq!(read("2，好？"), "ɚ↘, xau↓?");
    }

    #[test]
    fn latin_letters_are_read_by_another() {
        let mut asked = Vec::new();
        let line = reader().phonemes("查 Visa 余额", &mut |word| {
            asked.push(word.to_string());
            "vˈizə.".to_string()
        });
        assert_eq!(line, "ꭧʰa↗ vˈizə y↗ɤ↗");
        assert_eq!(asked, ["Visa"]);
    }

    #[test]
    fn a_list_that_is_damaged_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (words, readings) = (folder.path().join("words"), folder.path().join("readings"));
        std::fs::write(&words, "好 1 a\n").unwrap();
        std::fs::write(&readings, "{").unwrap();
        let error = Reader::load(&words, &readings).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("readings"), "{error}");
    }
}
