//! A syllable of pinyin as the phonemes of Kokoro's Mandarin voices: IPA, the tone as an arrow after the vowel.
//!
//! The set is that of the `misaki` project, with which the voices were trained: `ꭧ` for zh, `ɨ` for the vowel of "zhi" and
//! "zi", `→ ↗ ↓ ↘` for the four tones.

/// A syllable in letters without marks (`ü` as `ü`) and its tone, 5 for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Syllable {
    letters: String,
    tone: u8,
}

impl Syllable {
    /// Reads "zhāng", "zhang1" or "lv4"; what is no letter of pinyin is left out.
    pub(super) fn read(text: &str) -> Self {
        let (mut letters, mut tone) = (String::new(), 5);
        for c in text.chars() {
            match c {
                '1'..='5' => tone = c as u8 - b'0',
                'v' => letters.push('ü'),
                c if c.is_ascii_lowercase() || c == 'ü' => letters.push(c),
                c => {
                    if let Some((vowel, marked)) = unmarked(c) {
                        letters.push(vowel);
                        tone = marked;
                    }
                }
            }
        }
        Self { letters, tone }
    }

    /// Its phonemes; `None` for what is no syllable of Mandarin.
    pub(super) fn phonemes(&self) -> Option<String> {
        let tone = match self.tone {
            1 => "→",
            2 => "↗",
            3 => "↓",
            4 => "↘",
            _ => "",
        };
        let with_tone = |sound: &str| sound.replace('0', tone);
        if let Some(alone) = alone(&self.letters) {
            return Some(with_tone(alone));
        }
        let (initial, rest) = split(&self.letters);
        let rest = full(initial, rest);
        let vowel = match (initial, rest.as_str()) {
            ("zh" | "ch" | "sh" | "r" | "z" | "c" | "s", "i") => "ɨ0",
            (_, rest) => vowel(rest)?,
        };
        Some(format!("{}{}", consonant(initial)?, with_tone(vowel)))
    }
}

/// A vowel with its tone's mark, taken apart.
fn unmarked(c: char) -> Option<(char, u8)> {
    const MARKED: [(char, &str); 8] = [
        ('a', "āáǎà"),
        ('e', "ēéěè"),
        ('i', "īíǐì"),
        ('o', "ōóǒò"),
        ('u', "ūúǔù"),
        ('ü', "ǖǘǚǜ"),
        ('n', "\u{0}ńňǹ"),
        ('m', "\u{0}ḿ"),
    ];
    MARKED.iter().find_map(|(plain, marked)| {
        let at = marked.chars().position(|m| m == c)?;
        Some((*plain, u8::try_from(at).ok()? + 1))
    })
}

fn alone(letters: &str) -> Option<&'static str> {
    Some(match letters {
        "er" | "r" => "ɚ0",
        "o" => "ɔ0",
        "yo" => "jɔ0",
        "m" => "m0",
        "n" => "n0",
        "ng" => "ŋ0",
        "hm" => "hm0",
        "hng" => "hŋ0",
        _ => return None,
    })
}

fn split(letters: &str) -> (&str, &str) {
    const INITIALS: [&str; 21] =
        ["zh", "ch", "sh", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "r", "z", "c", "s"];
    let initial = INITIALS.iter().find(|initial| letters.starts_with(**initial)).copied().unwrap_or("");
    (initial, &letters[initial.len()..])
}

/// The rest of a syllable as it sounds, not as it is shortened in writing: "you" and "-iu" are both `iou`.
fn full(initial: &str, rest: &str) -> String {
    match (initial, rest) {
        ("j" | "q" | "x", rest) if rest.starts_with('u') => format!("ü{}", &rest[1..]),
        ("", "yi") => "i".into(),
        ("", "yin") => "in".into(),
        ("", "ying") => "ing".into(),
        ("", "you") => "iou".into(),
        ("", "wu") => "u".into(),
        ("", "wei") => "uei".into(),
        ("", "wen") => "uen".into(),
        ("", rest) if rest.starts_with("yu") => format!("ü{}", &rest[2..]),
        ("", rest) if rest.starts_with('y') => format!("i{}", &rest[1..]),
        ("", rest) if rest.starts_with('w') => format!("u{}", &rest[1..]),
        (_, "iu") => "iou".into(),
        (_, "ui") => "uei".into(),
        (_, "un") => "uen".into(),
        (_, rest) => rest.into(),
    }
}

fn consonant(initial: &str) -> Option<&'static str> {
    Some(match initial {
        "" => "",
        "b" => "p",
        "p" => "pʰ",
        "m" => "m",
        "f" => "f",
        "d" => "t",
        "t" => "tʰ",
        "n" => "n",
        "l" => "l",
        "g" => "k",
        "k" => "kʰ",
        "h" => "x",
        "j" => "ʨ",
        "q" => "ʨʰ",
        "x" => "ɕ",
        "zh" => "ꭧ",
        "ch" => "ꭧʰ",
        "sh" => "ʂ",
        "r" => "ɻ",
        "z" => "ʦ",
        "c" => "ʦʰ",
        "s" => "s",
        _ => return None,
    })
}

/// `0` stands where the tone goes.
fn vowel(rest: &str) -> Option<&'static str> {
    Some(match rest {
        "a" => "a0",
        "ai" => "ai0",
        "an" => "a0n",
        "ang" => "a0ŋ",
        "ao" => "au0",
        "e" => "ɤ0",
        "ei" => "ei0",
        "en" => "ə0n",
        "eng" => "ə0ŋ",
        "i" => "i0",
        "ia" => "ja0",
        "ian" => "jɛ0n",
        "iang" => "ja0ŋ",
        "iao" => "jau0",
        "ie" => "je0",
        "in" => "i0n",
        "ing" => "i0ŋ",
        "iong" | "üng" => "jʊ0ŋ",
        "iou" => "jou0",
        "ong" => "ʊ0ŋ",
        "ou" => "ou0",
        "u" => "u0",
        "ua" => "wa0",
        "uai" => "wai0",
        "uan" => "wa0n",
        "uang" => "wa0ŋ",
        "uei" => "wei0",
        "uen" => "wə0n",
        "ueng" => "wə0ŋ",
        "uo" | "o" => "wo0",
        "ü" => "y0",
        "üe" | "ue" => "ɥe0",
        "üan" => "ɥɛ0n",
        "ün" => "y0n",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_become_the_voices_phonemes() {
        for (pinyin, phonemes) in [
            ("nín", "ni↗n"),
            ("hǎo", "xau↓"),
            ("zhe4", "ꭧɤ↘"),
            ("shì", "ʂɨ↘"),
            ("zi", "ʦɨ"),
            ("qǐng", "ʨʰi↓ŋ"),
            ("wen4", "wə↘n"),
            ("yǒu", "jou↓"),
            ("liu4", "ljou↘"),
            ("me5", "mɤ"),
            ("lüè", "lɥe↘"),
            ("lve4", "lɥe↘"),
            ("xū", "ɕy→"),
            ("juan3", "ʨɥɛ↓n"),
            ("yun2", "y↗n"),
            ("yuan2", "ɥɛ↗n"),
            ("yòng", "jʊ↘ŋ"),
            ("er4", "ɚ↘"),
            ("guǐ", "kwei↓"),
            ("bo1", "pwo→"),
            ("dùn", "twə↘n"),
        ] {
            assert_eq!(Syllable::read(pinyin).phonemes().as_deref(), Some(phonemes), "{pinyin}");
        }
        assert_eq!(Syllable::read("xyz").phonemes(), None);
    }
}
