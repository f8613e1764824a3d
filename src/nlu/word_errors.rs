//! How far a transcript is from what was said: substitutions, insertions and deletions of words.
//!
//! Owns what counts as the same word: case, marks, and a number written in digits or in words make no difference.

use super::spoken;

/// The words of a text as they are compared: lower case, without marks, numbers below a hundred in words.
pub fn spoken_words(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '\'' || c == '’' { c } else { ' ' })
        .filter(|c| !matches!(c, '\'' | '’'))
        .collect();
    plain.split_whitespace().flat_map(in_words).collect()
}

/// Word errors of `heard` against `said`: Levenshtein's distance in words.
pub fn word_errors(said: &[String], heard: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in heard.iter().enumerate() {
            let best = (diagonal + usize::from(word != other)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[heard.len()]
}

fn in_words(word: &str) -> Vec<String> {
    let short = word.len() <= 2 && word.bytes().all(|c| c.is_ascii_digit());
    match word.parse::<i64>().ok().filter(|_| short) {
        Some(n) => spoken::number(n).split('-').map(str::to_string).collect(),
        None => vec![word.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_case_and_digits_make_no_difference() {
        assert_eq!(
            spoken_words("Press 1, or dial 42: it's CALL-forward!"),
            spoken_words("press one or dial forty two its call forward")
        );
        assert_eq!(spoken_words("in 1984").last().map(String::as_str), Some("1984"));
    }

    #[test]
    fn errors_are_counted_once_each() {
        let errors = |said: &str, heard: &str| word_errors(&spoken_words(said), &spoken_words(heard));
        assert_eq!(errors("I lost my card", "I lost my card."), 0);
        assert_eq!(errors("I lost my card", "I lost a car"), 2);
        assert_eq!(errors("I lost my card", ""), 4);
        assert_eq!(errors("card", "oh my card"), 2);
        assert_eq!(errors("", ""), 0);
    }
}
