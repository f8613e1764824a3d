//! "Did you mean … or …?": asked where two intents are nearly as likely and lead to different places.
//!
//! Owns the question and its answer. Asked once a turn: what is said instead of an answer is taken as it is understood
//! best, and never asked about again.

use std::sync::Arc;

use super::super::lines;
use super::super::plan::{Route, Trigger};
use super::understand::Meaning;
use super::walk::{Pause, Script, Wait};
use super::{Heard, Input};

/// An answer by number is of these words alone.
const FIRST: &[&str] = &["first", "former", "one", "1", "1st", "第一个", "第一", "前一个", "前者"];
const SECOND: &[&str] = &["second", "latter", "two", "2", "2nd", "last", "第二个", "第二", "后一个", "后者"];
const BESIDE: &[&str] = &["the", "first", "second", "option", "number", "please", "i", "mean", "meant", "one", "it's"];
/// Answers that are neither, and what goes with them.
const NEITHER: &[&str] = &["neither", "none", "no", "nope", "都不是", "都不", "不是"];
const BESIDE_NEITHER: &[&str] = &["of", "them", "those", "these", "the", "two", "thanks", "thank", "you"];

/// How the two are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Is(usize),
    Neither,
}

impl Script {
    /// Whether the turn may mean another intent as well, and that leads elsewhere.
    pub(super) fn unsure(&self, heard: &Heard, route: Route) -> Option<Meaning> {
        let (rival, _) = heard.rival.filter(|(rival, _)| *rival < self.plan.intents.len())?;
        let other = self.route(Trigger::Intent(rival))?;
        let answering = matches!(self.wait, Wait::Choosing(..));
        (!answering && other.to != route.to).then_some(Meaning::Unsure([route.intent?, rival]))
    }

    pub(super) fn ask_which(&mut self, pause: Pause, both: [usize; 2]) {
        let plan = Arc::clone(&self.plan);
        let [first, second] = both.map(|intent| plan.intents[intent].called.as_str());
        self.say_text(lines::did_you_mean(first, second, &plan.language), true, false);
        self.wait_for(Wait::Choosing(pause, both));
    }

    /// The answer; or whatever else was said.
    pub(super) fn understand_choice(&mut self, pause: Pause, both: [usize; 2], input: Input) -> Meaning {
        let choice = match &input {
            Input::Keys(keys) => match keys.as_str() {
                "1" => Some(Choice::Is(both[0])),
                "2" => Some(Choice::Is(both[1])),
                _ => None,
            },
            Input::Heard(heard) => self.chosen(both, heard),
            _ => None,
        };
        match choice {
            // What came with the words that were unsure still counts, and so do the words themselves.
            Some(Choice::Is(intent)) => match self.route(Trigger::Intent(intent)) {
                Some(route) => {
                    self.meant = Some(intent);
                    Meaning::Route(route)
                }
                None => Meaning::Nothing,
            },
            Some(Choice::Neither) => {
                self.meant = None;
                self.given.clear();
                Meaning::Nothing
            }
            None => self.understand(pause, input),
        }
    }

    /// Whether these words answer a "did you mean" that has been asked.
    pub fn is_choice(&self, text: &str) -> bool {
        let heard = Heard { text: text.to_string(), ..Heard::default() };
        matches!(self.wait, Wait::Choosing(_, both) if self.chosen(both, &heard).is_some())
    }

    fn chosen(&self, both: [usize; 2], heard: &Heard) -> Option<Choice> {
        let words = words(&heard.text);
        let only = |of: &[&str], beside: &[&str]| {
            let hit = words.iter().any(|word| of.contains(&word.as_str()));
            hit && words.iter().all(|word| of.contains(&word.as_str()) || beside.contains(&word.as_str()))
        };
        // "The second one" is the second.
        if only(SECOND, BESIDE) && !words.iter().any(|word| word == "first") {
            return Some(Choice::Is(both[1]));
        }
        if only(FIRST, BESIDE) {
            return Some(Choice::Is(both[0]));
        }
        if only(NEITHER, BESIDE_NEITHER) {
            return Some(Choice::Neither);
        }
        let names = both.map(|intent| self::words(&self.plan.intents[intent].called));
        let own = |at: usize| {
            let told = |word: &&String| word.len() > 2 && names[at].contains(*word) && !names[1 - at].contains(*word);
            words.iter().filter(told).count()
        };
        match (own(0), own(1)) {
            (1.., 0) => Some(Choice::Is(both[0])),
            (0, 1..) => Some(Choice::Is(both[1])),
            _ => heard.intent.map(|(intent, _)| intent).filter(|intent| both.contains(intent)).map(Choice::Is),
        }
    }
}

/// In small letters, without marks.
fn words(text: &str) -> Vec<String> {
    let tidy = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    text.split_whitespace().map(tidy).filter(|word| !word.is_empty()).collect()
}
