//! From words to meaning: intents, slots, numbers, dates, knowledge. Pure; embeddings come in as vectors.

mod acceptance;
pub mod background;
mod centre;
pub mod complaint;
pub mod dates;
pub mod digits;
pub mod email;
mod english;
pub mod flow;
pub mod intents;
pub mod keypad;
pub mod language;
pub mod money;
pub mod names;
pub mod numbers;
pub mod passing;
pub mod person;
pub mod phone;
mod phrases;
pub mod postcode;
mod ridge;
pub mod slots;
mod softmax;
mod spelling;
pub mod spoken;
pub mod text;
pub mod times;
pub mod word_errors;
pub mod yes_no;
mod zh;

#[cfg(test)]
mod robustness;
