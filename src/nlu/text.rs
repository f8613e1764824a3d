//! Words as they are compared: lowercase, without punctuation, contractions spelled out, fillers gone.
//!
//! Owns every rule by which two texts count as the same words. Never decides what they mean.

/// A longer text is cut here before it is looked at: no caller says more in one utterance (about ten minutes of speech).
pub const MAX_CHARS: usize = 10_000;

/// Sounds that carry no meaning.
const FILLERS: &[&str] = &["um", "umm", "uh", "uhh", "uhm", "er", "err", "erm", "hm", "hmm", "mm", "mmm", "ah", "eh"];

/// Contractions whose expansion is not told by their ending.
const IRREGULAR: &[(&str, &[&str])] = &[
    ("can't", &["can", "not"]),
    ("cannot", &["can", "not"]),
    ("won't", &["will", "not"]),
    ("shan't", &["shall", "not"]),
    ("ain't", &["is", "not"]),
    ("let's", &["let", "us"]),
    ("dont", &["do", "not"]),
    ("didnt", &["did", "not"]),
    ("doesnt", &["does", "not"]),
    ("isnt", &["is", "not"]),
    ("wasnt", &["was", "not"]),
    ("cant", &["can", "not"]),
    ("im", &["i", "am"]),
    ("ive", &["i", "have"]),
    ("gonna", &["going", "to"]),
    ("wanna", &["want", "to"]),
    ("gotta", &["got", "to"]),
    ("gimme", &["give", "me"]),
    ("lemme", &["let", "me"]),
    ("y'all", &["you", "all"]),
    ("o'clock", &["o'clock"]),
    ("ma'am", &["ma'am"]),
];

/// Endings of contractions, in the order in which they are tried.
const ENDINGS: &[(&str, &str)] =
    &[("n't", "not"), ("'re", "are"), ("'ve", "have"), ("'ll", "will"), ("'m", "am"), ("'d", "would"), ("'s", "is")];

/// Words before `'s` after which it is a verb; after any other it is a possessive and is dropped.
const TAKES_IS: &[&str] = &[
    "it",
    "that",
    "what",
    "who",
    "where",
    "when",
    "how",
    "why",
    "there",
    "here",
    "he",
    "she",
    "this",
    "everything",
    "nothing",
    "something",
];

/// The first [`MAX_CHARS`] characters of `text`.
pub fn bounded(text: &str) -> &str {
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// Splits into lowercase words, contractions spelled out, fillers gone. Digits keep their inner marks apart:
/// "1,200" becomes "1" and "200"; whoever reads numbers looks at the text itself.
pub fn words(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for raw in tokens(bounded(text)) {
        if FILLERS.contains(&raw.as_str()) {
            continue;
        }
        expand(&raw, &mut out);
    }
    out
}

/// The words joined by single spaces: equal for texts that differ only in case, marks, contractions and fillers.
pub fn normalise(text: &str) -> String {
    words(text).join(" ")
}

/// Tidies a recogniser's text for embedding: bracketed noises ("[BLANK_AUDIO]", "(coughs)"), fillers and stammered
/// repeats go; case, marks and contractions stay, since the embedding model was trained with them.
pub fn clean(text: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut depth = 0_u32;
    for word in bounded(text).split_whitespace() {
        let opens = word.chars().filter(|c| matches!(c, '[' | '(')).count() as u32;
        let closes = word.chars().filter(|c| matches!(c, ']' | ')')).count() as u32;
        let noise = depth > 0 || opens > 0;
        depth = (depth + opens).saturating_sub(closes);
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let repeat = out.last().is_some_and(|last| bare.len() <= 4 && last.to_lowercase() == bare && !is_number(&bare));
        if !noise && !FILLERS.contains(&bare.as_str()) && !repeat {
            out.push(word);
        }
    }
    let joined = out.join(" ");
    joined.trim_start_matches([',', '.', '-', ' ']).to_string()
}

fn is_number(word: &str) -> bool {
    const UNITS: &[&str] = &["zero", "oh", "one", "two", "four", "five", "six", "nine", "ten"];
    word.chars().any(|c| c.is_ascii_digit()) || UNITS.contains(&word)
}

/// Runs of letters, digits and inner apostrophes, lowercase, curly quotes straightened.
fn tokens(text: &str) -> Vec<String> {
    let straight = |c: char| if matches!(c, '\u{2019}' | '\u{2018}' | '`') { '\'' } else { c };
    text.to_lowercase()
        .chars()
        .map(straight)
        .collect::<String>()
        .split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .map(|word| word.trim_matches('\''))
        .filter(|word| !word.is_empty())
        .flat_map(signs_apart)
        .collect()
}

/// Chinese is written without spaces: each of its signs counts as a word.
fn signs_apart(word: &str) -> Vec<String> {
    let sign = |c: char| matches!(c, '\u{3400}'..='\u{9fff}');
    if !word.contains(sign) {
        return vec![word.to_string()];
    }
    let mut out: Vec<String> = Vec::new();
    let mut joins = false;
    for c in word.chars() {
        match out.last_mut().filter(|_| joins && !sign(c)) {
            Some(last) => last.push(c),
            None => out.push(c.to_string()),
        }
        joins = !sign(c);
    }
    out
}

fn expand(word: &str, out: &mut Vec<String>) {
    if let Some((_, full)) = IRREGULAR.iter().find(|(short, _)| *short == word) {
        out.extend(full.iter().map(|w| (*w).to_string()));
        return;
    }
    for (ending, full) in ENDINGS {
        let Some(stem) = word.strip_suffix(ending).filter(|stem| !stem.is_empty()) else { continue };
        out.push(stem.to_string());
        if *ending != "'s" || TAKES_IS.contains(&stem) {
            out.push((*full).to_string());
        }
        return;
    }
    out.push(word.to_string());
}

/// Edits (insert, delete, replace) that turn `a` into `b`, by characters; more than `limit` is reported as `limit + 1`.
pub fn edit_distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
        if row.iter().min().is_some_and(|best| *best > limit) {
            return limit + 1;
        }
    }
    row[b.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_words_are_equal() {
        let rows = [
            ("What's my balance?", "what is my balance"),
            ("Um, what’s my, uh, balance", "what is my balance"),
            ("I don't think so.", "i do not think so"),
            ("I can't; won't!", "i can not will not"),
            ("John's card", "john card"),
            ("'quoted'", "quoted"),
            ("5 o'clock", "5 o'clock"),
            ("我要查余额。", "我 要 查 余 额"),
            ("查VIP卡", "查 vip 卡"),
            ("", ""),
            ("... ?!", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(normalise(text), expected, "{text}");
        }
    }

    #[test]
    fn clean_keeps_the_sentence_and_drops_the_noise() {
        let rows = [
            ("Um, I I lost my card.", "I lost my card."),
            ("[BLANK_AUDIO]", ""),
            ("(coughs loudly) What's my balance?", "What's my balance?"),
            ("one one two two", "one one two two"),
            ("uh... hello", "hello"),
        ];
        for (text, expected) in rows {
            assert_eq!(clean(text), expected, "{text}");
        }
    }

    #[test]
    fn edit_distance_is_bounded() {
        let rows = [("card", "card", 2, 0), ("card", "cart", 2, 1), ("card", "bored", 2, 3), ("", "abc", 5, 3)];
        for (a, b, limit, expected) in rows {
            assert_eq!(edit_distance(a, b, limit), expected, "{a} {b}");
        }
    }
}
