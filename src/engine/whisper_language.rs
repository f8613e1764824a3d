//! What Whisper is told of the language that it hears, and what it writes where nobody spoke.

use super::tidy;

/// A language as Whisper is run for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// English.
    English,
    /// Mandarin Chinese, written in simplified characters.
    Chinese,
}

impl Tongue {
    /// Of a tag like `zh-CN`; English for any other.
    pub fn of(tag: &str) -> Self {
        match tag.split(['-', '_']).next() {
            Some("zh" | "cmn") => Self::Chinese,
            _ => Self::English,
        }
    }

    /// As Whisper names it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh",
        }
    }

    /// Text that came just before: for anything, digits, yes or no, a day. It sets the script, and the form of an answer.
    pub(super) fn prompts(self) -> [&'static str; 4] {
        match self {
            Self::English => [
                "",
                "0 1 2 3 4 5 6 7 8 9. The number is 4 0 7 1 9 2 8 3.",
                "Yes. No. Yes, please. No, thank you.",
                "On Monday, the 3rd of March. Tomorrow. March 21st, 1985. Next Friday.",
            ],
            Self::Chinese => [
                "以下是普通话的句子。",
                "以下是普通话的句子。号码是40719283。",
                "以下是普通话的句子。是的。不是。对。不用了，谢谢。",
                "以下是普通话的句子。下周一，3月3号。明天。1985年3月21号。",
            ],
        }
    }

    /// Tokens that are said in a second at most: a Chinese sign takes one or two.
    pub(super) fn tokens_per_second(self) -> usize {
        match self {
            Self::English => 8,
            Self::Chinese => 14,
        }
    }

    /// The text in the script of the plans.
    pub(super) fn written(self, text: String) -> String {
        match self {
            Self::English => text,
            Self::Chinese => fast2s::convert(&text),
        }
    }

    /// Whether this is what Whisper writes over silence and noise.
    pub(super) fn is_made_up(self, text: &str, confidence: f32) -> bool {
        // Ends of films and of broadcasts, which its training held; and the prompt itself.
        const ENDS: &[&str] =
            &["谢谢观看", "谢谢大家", "字幕", "请不吝点赞", "订阅", "打赏", "优优独播剧场", "以下是普通话的句子"];
        match self {
            Self::English => tidy::is_made_up(text, confidence),
            Self::Chinese => {
                tidy::is_made_up(text, confidence) || (confidence < 0.7 && ENDS.iter().any(|end| text.contains(end)))
            }
        }
    }

    /// Cuts a loop off where no spaces part the words: signs that come three times in a row stay once. Digits may repeat.
    pub(super) fn without_loop(self, text: &str) -> Option<String> {
        const SHORTEST: usize = 2;
        const LONGEST: usize = 20;
        if self == Self::English {
            return None;
        }
        let signs: Vec<char> = text.chars().collect();
        for start in 0..signs.len() {
            for n in SHORTEST..=LONGEST {
                let Some(span) = signs.get(start..start + 3 * n) else { break };
                let group = &span[..n];
                let numbers = group.iter().all(|c| c.is_ascii_digit() || "零一二三四五六七八九幺".contains(*c));
                if !numbers && span.chunks(n).all(|chunk| chunk == group) {
                    return Some(signs[..start + n].iter().collect());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_written_in_simplified_signs() {
        assert_eq!(Tongue::of("zh-TW").written("請問餘額還剩多少錢".into()), "请问余额还剩多少钱");
        assert_eq!(Tongue::of("en-US").written("Hello".into()), "Hello");
    }

    #[test]
    fn a_loop_without_spaces_is_cut() {
        let cut = |text: &str| Tongue::Chinese.without_loop(text);
        assert_eq!(cut("我要查余额我要查余额我要查余额我要").as_deref(), Some("我要查余额"));
        assert_eq!(cut("我要查余额"), None);
        assert_eq!(cut("121212"), None);
        assert_eq!(Tongue::English.without_loop("ababab"), None);
    }

    #[test]
    fn what_films_end_with_is_made_up_only_when_unsure() {
        assert!(Tongue::Chinese.is_made_up("谢谢观看", 0.4));
        assert!(!Tongue::Chinese.is_made_up("谢谢大家", 0.9) && !Tongue::Chinese.is_made_up("我的卡丢了", 0.4));
    }
}
