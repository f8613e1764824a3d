//! Sentences that are no business of any plan: chit-chat, household, general knowledge. They stand for "none of these"
//! when a classifier is trained, so that it knows what rejection looks like.
//!
//! Owns the sentences. Their embeddings are made by whoever holds the embedding model.

/// The sentences in English, one a line in `background.txt`; written for this project.
pub fn sentences() -> impl Iterator<Item = &'static str> {
    sentences_of("en")
}

/// The sentences in the language of a tag like `zh-CN`, English for any that has none of its own; the files are named
/// by the language.
pub fn sentences_of(tag: &str) -> impl Iterator<Item = &'static str> {
    let text = match super::language::of(tag).tag() {
        "zh" => include_str!("background.zh.txt"),
        _ => include_str!("background.txt"),
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sentences_are_many_and_different() {
        let all: Vec<&str> = sentences().collect();
        assert!(all.len() >= 150, "{}", all.len());
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        let chinese: Vec<&str> = sentences_of("zh-CN").collect();
        assert!(chinese.len() >= 60 && chinese.iter().all(|line| !line.is_ascii()));
    }
}
