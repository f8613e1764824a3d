//! Sentences that are no business of any plan: chit-chat, household, general knowledge. They stand for "none of these"
//! when a classifier is trained, so that it knows what rejection looks like.
//!
//! Owns the sentences. Their embeddings are made by whoever holds the embedding model.

/// The sentences, one a line in `background.txt`; written for this project.
pub fn sentences() -> impl Iterator<Item = &'static str> {
    include_str!("background.txt").lines().map(str::trim).filter(|line| !line.is_empty())
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
    }
}
