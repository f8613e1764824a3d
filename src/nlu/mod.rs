//! From words to meaning: intents, slots, numbers, dates, knowledge. Pure; embeddings come in as vectors.

pub mod background;
pub mod dates;
pub mod digits;
pub mod intents;
pub mod keypad;
mod lexicon;
pub mod money;
pub mod numbers;
pub mod person;
mod ridge;
pub mod slots;
pub mod spoken;
pub mod text;
pub mod word_errors;
pub mod yes_no;

#[cfg(test)]
mod robustness;
