//! Joins a plan with the means of understanding: which words, in a given expectation, mean what.
//!
//! Trained once, when a plan is loaded, from the plan's own examples; shared by all its calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::ports::Hint;
use crate::dialplan::script::{Expect, Heard, Listen};
use crate::dialplan::{Plan, SlotKind as PlanKind};
use crate::nlu::background;
use crate::nlu::complaint::{self, Complaints, Likeness};
use crate::nlu::flow;
use crate::nlu::intents::{Classifier, Example, name_as_example};
use crate::nlu::keypad::{EntryRule, LONGEST};
use crate::nlu::language::{self, Language};
use crate::nlu::passing::in_passing;
use crate::nlu::slots::{self, Fill, SlotKind};
use crate::nlu::text;
use crate::speech::emotion::Event;
use crate::speech::turn_end::Words;

/// While a slot is asked for, an intent must be plainer: digits and names resemble many things a little.
const ACCEPT_ASIDE: f32 = 0.75;
/// Over free text it must be plainer still: any words fill such a slot.
const ACCEPT_OVER_TEXT: f32 = 0.9;
/// How sure a wish for a person is, when the plan has an intent for it.
const PERSON: f32 = 0.97;
/// From this score on an intent is plain enough to stand alone.
const PLAIN: f32 = 0.7;
/// An answer of so many words may mean something besides the value that it holds.
const SENTENCE: usize = 6;
/// The score of an example's own words.
const WRITTEN: f32 = 0.995;

/// What a turn means. Indices are the plan's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meaning {
    /// The intent and its probability.
    pub intent: Option<(usize, f32)>,
    /// Another intent that is nearly as likely.
    pub rival: Option<(usize, f32)>,
    /// The knowledge entry and its probability.
    pub knowledge: Option<(usize, f32)>,
    /// A yes or a no.
    pub yes_no: Option<bool>,
    /// The slot's value in canonical form.
    pub slot: Option<String>,
    /// Values of other slots that the words hold.
    pub slots: Vec<(usize, String)>,
    /// What the words are like besides, as far as their embedding was made.
    pub like: Likeness,
}

impl Meaning {
    /// Whether nothing was understood.
    pub fn is_nothing(&self) -> bool {
        *self == Self { like: self.like, ..Self::default() }
    }

    /// Whether the words hold a slot's value.
    pub fn gives_value(&self) -> bool {
        self.slot.is_some() || !self.slots.is_empty()
    }

    /// As the script hears it.
    pub fn into_heard(self, text: String) -> Heard {
        let Self { intent, rival, knowledge, yes_no, slot, slots, like: _ } = self;
        Heard { text, intent, rival, knowledge, yes_no, slot, slots }
    }
}

/// A plan's understanding.
pub struct Understanding {
    plan: Arc<Plan>,
    /// Intents first, then knowledge entries: they compete for the same words.
    classifier: Classifier,
    complaints: Complaints,
    kinds: Vec<SlotKind>,
    /// The intent by which callers ask for a person, where the plan has one.
    person: Option<usize>,
    /// The language that callers of the plan speak.
    language: &'static dyn Language,
    /// The examples of each intent, then the questions of each knowledge entry.
    texts: Vec<Vec<String>>,
    /// Of each intent, then of each knowledge entry, the words that tell it from the others.
    words: Vec<Vec<String>>,
}

/// So many letters of likely words help a recogniser; more would cost it time.
const MOST_TOPICS: usize = 300;
/// Words that most intents share help nobody.
const MOST_SHARED: usize = 2;
/// Shorter words are mostly of grammar.
const LEAST_WORD: usize = 4;

impl Understanding {
    /// The texts whose embeddings [`Understanding::train`] wants: every intent's examples and its name, as far as that
    /// says something, then every knowledge entry's questions.
    pub fn texts(plan: &Plan) -> Vec<Vec<String>> {
        let intents = plan.intents().iter().map(|intent| {
            let name = name_as_example(&intent.name).filter(|name| !intent.examples.contains(name));
            intent.examples.iter().cloned().chain(name).collect()
        });
        intents.chain(plan.knowledge().map(<[String]>::to_vec)).collect()
    }

    /// The texts of a language whose embeddings it wants as well, the same for every plan.
    pub fn texts_of(language: &str) -> impl Iterator<Item = &'static str> {
        background::sentences_of(language).chain(complaint::sentences(language))
    }

    /// Trains on the embeddings of [`Understanding::texts`] and of [`Understanding::texts_of`] the plan's language.
    pub fn train(plan: Arc<Plan>, vectors: &[Vec<Vec<f32>>], common: &[Vec<f32>]) -> Self {
        let unrelated = background::sentences_of(plan.language()).count().min(common.len());
        let (background, kinds) = common.split_at(unrelated);
        let complaints = Complaints::new(plan.language(), kinds, background);
        let texts = Self::texts(&plan);
        let examples = |(texts, vectors): (&Vec<String>, &Vec<Vec<f32>>)| {
            texts.iter().zip(vectors).map(|(text, embedding)| (text.clone(), embedding.clone())).collect::<Vec<_>>()
        };
        let owned: Vec<Vec<(String, Vec<f32>)>> = texts.iter().zip(vectors).map(examples).collect();
        let classes: Vec<Vec<Example<'_>>> = owned
            .iter()
            .map(|class| class.iter().map(|(text, embedding)| Example { text, embedding }).collect())
            .collect();
        let background: Vec<Example<'_>> = background::sentences_of(plan.language())
            .zip(background)
            .map(|(text, embedding)| Example { text, embedding })
            .collect();
        let classifier = Classifier::train(&classes, &background);
        let kinds = plan.slots().iter().map(|slot| kind_of(&slot.kind)).collect();
        let language = language::of(plan.language());
        let person = plan.intents().iter().position(|intent| {
            let asking = intent.examples.iter().filter(|example| language.asks_for_person(example)).count();
            asking > 0 && asking * 2 >= intent.examples.len()
        });
        let words = telling_words(&texts);
        Self { plan, classifier, complaints, kinds, person, language, texts, words }
    }

    /// What can be told from the words alone, without an embedding: a slot's value, a yes or no, an example's own words.
    /// `None` when more work is needed.
    pub fn at_once(&self, text: &str, listen: Option<&Listen>, today: Date) -> Option<Meaning> {
        if text.trim().is_empty() {
            return Some(Meaning::default());
        }
        if self.language.asks_for_person(text)
            && let Some(meaning) = self.person(text, listen)
        {
            return Some(meaning);
        }
        let (slot, slots) = self.values(text, listen, today);
        let yes_no = self.language.yes_no(text).map(|(yes, _)| yes);
        let found = || self.classifier.match_text(text, &self.allowed(listen));
        if self.expects_any_words(listen) {
            // An intent's own words are no text; whether other words are, their meaning tells.
            let found = found().filter(|(_, score)| *score >= ACCEPT_OVER_TEXT);
            return found.map(|found| Meaning { slots, ..self.meaning(found, yes_no) });
        }
        if slot.is_some() {
            // "The brakes that you mended are broken again" says more than which part is meant.
            if self.language.pieces(text).len() < SENTENCE || self.allowed(listen).is_empty() {
                return Some(Meaning { slot, slots, ..Meaning::default() });
            }
            let found = found().filter(|(_, score)| *score >= WRITTEN)?;
            return Some(Meaning { slot, slots, ..self.meaning(found, yes_no) });
        }
        let answered = yes_no.is_some() || !slots.is_empty();
        if answered && matches!(listen.map(|l| &l.expect), Some(Expect::YesNo)) {
            return Some(Meaning { yes_no, slots, ..Meaning::default() });
        }
        Some(Meaning { slots, ..self.meaning(found()?, yes_no) })
    }

    /// What an embedding of the words tells.
    pub fn by_vector(&self, text: &str, embedding: &[f32], listen: Option<&Listen>, today: Date) -> Meaning {
        Meaning { like: self.complaints.judge(embedding), ..self.ranked(text, embedding, listen, today) }
    }

    fn ranked(&self, text: &str, embedding: &[f32], listen: Option<&Listen>, today: Date) -> Meaning {
        let (slot, slots) = self.values(text, listen, today);
        let yes_no = self.language.yes_no(text).map(|(yes, _)| yes);
        let ranking = self.classifier.rank(Example { text, embedding }, &self.allowed(listen));
        let any_words = self.expects_any_words(listen);
        let least = match listen.map(|l| &l.expect) {
            Some(Expect::Slot { .. }) if any_words || slot.is_some() => ACCEPT_OVER_TEXT,
            Some(Expect::Slot { .. }) => ACCEPT_ASIDE,
            _ => 0.0,
        };
        let short = self.language.is_short(text);
        let told = |class: usize| !self.language.is_small_talk(text) && (!short || self.shares(text, class));
        match ranking.best.filter(|(class, score)| *score >= least && told(*class)) {
            // What is plainly meant is no text.
            Some(best) => {
                let intents = self.plan.intents().len();
                let rival = ranking.rival().filter(|(rival, _)| best.0 < intents && *rival < intents);
                Meaning { slot: slot.filter(|_| !any_words), slots, rival, ..self.meaning(best, yes_no) }
            }
            None => Meaning { slot, slots, yes_no, ..Meaning::default() },
        }
    }

    /// What these words and what they are like say of the caller's patience.
    pub fn pleas(&self, text: &str, meaning: &Meaning) -> impl Iterator<Item = Event> {
        let person = self.language.asks_for_person(text) || meaning.like.person;
        let complained = meaning.like.complaint.then_some(Event::Complained);
        person.then_some(Event::AskedForPerson).into_iter().chain(complained)
    }

    /// Whether an example of the class has these words in it.
    fn shares(&self, text: &str, class: usize) -> bool {
        let said: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
        self.texts.get(class).is_some_and(|examples| examples.iter().any(|example| example.contains(&said)))
    }

    /// A wish for a person: the plan's own intent for it; or, where any words would fill the slot, nothing, so that the
    /// repair offers one.
    fn person(&self, text: &str, listen: Option<&Listen>) -> Option<Meaning> {
        /// A longer text says more than that.
        const SHORT: usize = 8;
        let intent = self.person.filter(|person| self.allowed(listen).contains(person));
        match intent {
            Some(intent) => Some(Meaning { intent: Some((intent, PERSON)), ..Meaning::default() }),
            None if self.expects_any_words(listen) && self.language.pieces(text).len() <= SHORT => {
                self.classifier.match_text(text, &self.allowed(listen)).is_none().then(Meaning::default)
            }
            None => None,
        }
    }

    /// Whether a slot is asked for that hardly any words would not fill.
    fn expects_any_words(&self, listen: Option<&Listen>) -> bool {
        let Some(Expect::Slot { slot }) = listen.map(|l| &l.expect) else { return false };
        matches!(self.kinds.get(*slot), Some(SlotKind::Text | SlotKind::Name))
    }

    fn meaning(&self, (class, score): (usize, f32), yes_no: Option<bool>) -> Meaning {
        let intents = self.plan.intents().len();
        if class < intents {
            Meaning { intent: Some((class, score)), yes_no, ..Meaning::default() }
        } else {
            Meaning { knowledge: Some((class - intents, score)), yes_no, ..Meaning::default() }
        }
    }

    /// Classes that may be meant: what the script says is understood here, or all where it does not listen.
    fn allowed(&self, listen: Option<&Listen>) -> Vec<usize> {
        let intents = self.plan.intents().len();
        match listen {
            Some(listen) => {
                listen.intents.iter().copied().chain(listen.knowledge.iter().map(|k| k + intents)).collect()
            }
            None => (0..intents + self.plan.knowledge().len()).collect(),
        }
    }

    /// Whether a yes or a no would be an answer here.
    pub fn awaits_yes_no(&self, listen: Option<&Listen>) -> bool {
        match listen.map(|l| &l.expect) {
            Some(Expect::YesNo) => true,
            Some(Expect::Slot { slot }) => self.kinds.get(*slot) == Some(&SlotKind::YesNo),
            _ => false,
        }
    }

    /// Whether words that may lack their end, as they are known while somebody speaks, leave something open for sure.
    pub fn is_open(&self, text: &str, listen: Option<&Listen>, today: Date) -> bool {
        let meaning = self.at_once(text, listen, today).unwrap_or_default();
        !text.trim().is_empty() && self.completeness(text, &meaning, listen) == Words::Unfinished
    }

    /// What the words so far say of whether more will come.
    pub fn completeness(&self, text: &str, meaning: &Meaning, listen: Option<&Listen>) -> Words {
        let kind = match listen.map(|l| &l.expect) {
            Some(Expect::Slot { slot }) => self.kinds.get(*slot),
            _ => None,
        };
        if let Some(SlotKind::Digits { length: Some((_, most)) }) = kind
            && meaning.intent.is_none()
        {
            let digits = meaning.slot.as_ref().map(|value| value.chars().filter(char::is_ascii_digit).count());
            return match digits {
                Some(count) if count >= *most => Words::Complete,
                Some(_) => Words::Unknown,
                None => Words::Unfinished,
            };
        }
        if flow::is_unfinished(text) {
            return Words::Unfinished;
        }
        let answers = meaning.yes_no.is_some() && self.awaits_yes_no(listen);
        let plain = |found: Option<(usize, f32)>| found.is_some_and(|(_, score)| score >= PLAIN);
        let own = || self.classifier.match_text(text, &self.allowed(listen)).is_some_and(|(_, score)| score >= WRITTEN);
        match meaning {
            _ if answers => Words::Complete,
            // Word for word what the plan's author wrote: nothing is missing, however the voice fell.
            _ if (meaning.intent.is_some() || meaning.knowledge.is_some()) && own() => Words::Complete,
            _ if meaning.slot.is_some() => Words::Likely,
            _ if plain(meaning.intent) || plain(meaning.knowledge) => Words::Likely,
            _ => Words::Unknown,
        }
    }

    /// The value of the slot that is asked for, and those of the slots that may be filled in passing. Each word counts for
    /// one slot.
    fn values(&self, text: &str, listen: Option<&Listen>, today: Date) -> (Option<String>, Vec<(usize, String)>) {
        let Some(listen) = listen else { return (None, Vec::new()) };
        let asked = match listen.expect {
            Expect::Slot { slot } => Some(slot),
            Expect::YesNo | Expect::Intents { .. } => None,
        };
        let mut at: Vec<usize> = listen.slots.iter().copied().chain(asked).collect();
        at.sort_unstable();
        at.dedup();
        // The slot that is asked for goes first among those of its kind.
        at.sort_by_key(|slot| Some(*slot) != asked);
        let wanted: Vec<(usize, &SlotKind)> =
            at.iter().filter_map(|slot| Some((*slot, self.kinds.get(*slot)?))).collect();
        let given = if wanted.iter().any(|(slot, _)| Some(*slot) != asked) {
            in_passing(self.language, text, &wanted, today)
        } else {
            Vec::new()
        };
        let value = given.iter().find(|given| Some(given.slot) == asked).map(|given| given.canonical.clone());
        let slots: Vec<(usize, String)> =
            given.into_iter().filter(|g| Some(g.slot) != asked).map(|g| (g.slot, g.canonical)).collect();
        let alone = || match slots::fill_in(self.language, self.kinds.get(asked?)?, text, today) {
            Fill::Value { canonical, .. } => Some(canonical),
            _ => None,
        };
        let value = value.or_else(|| alone().filter(|_| self.stands_beside(asked, &slots)));
        (value, slots)
    }

    /// Whether a value read from the whole text may stand beside those that were taken from parts of it: a number that is
    /// another slot's, it may not be.
    fn stands_beside(&self, asked: Option<usize>, taken: &[(usize, String)]) -> bool {
        let numeric = |slot: usize| {
            use SlotKind::{Date, Digits, Money, Number, Phone, Postcode, Time};
            matches!(self.kinds.get(slot), Some(Digits { .. } | Number | Money | Date | Time | Phone | Postcode))
        };
        !asked.is_some_and(numeric) || !taken.iter().any(|(slot, _)| numeric(*slot))
    }

    /// What helps the recogniser to hear this; `names` are the caller's own, from their profile.
    pub fn hint(&self, expect: &Expect, names: &[String]) -> Hint {
        match expect {
            Expect::YesNo => Hint::YesNo,
            Expect::Slot { slot } => match self.kinds.get(*slot) {
                Some(SlotKind::Digits { length }) => {
                    let (least, most) = length.unwrap_or((1, LONGEST));
                    let count = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
                    Hint::Digits { least: count(least), most: count(most) }
                }
                Some(SlotKind::Phone) => Hint::Digits { least: 3, most: 15 },
                Some(SlotKind::YesNo) => Hint::YesNo,
                Some(SlotKind::Date) => Hint::Date,
                Some(SlotKind::Choice(choices)) => Hint::Words(choices.concat().join(", ").into()),
                Some(SlotKind::Name) => topics(names),
                _ => Hint::Open,
            },
            Expect::Intents { intents, .. } => {
                let entries = self.plan.intents().len()..;
                let expected = intents.iter().copied().chain(entries.take_while(|&n| n < self.words.len()));
                topics(names.iter().chain(expected.filter_map(|n| self.words.get(n)).flatten()))
            }
        }
    }

    /// How keys are collected in this expectation; `None` where they mean nothing.
    pub fn entry_rule(&self, expect: &Expect) -> Option<EntryRule> {
        let slot = match expect {
            Expect::Intents { .. } | Expect::YesNo => return Some(EntryRule::menu()),
            Expect::Slot { slot } => self.plan.slots().get(*slot)?,
        };
        let length = match slot.kind {
            PlanKind::Digits { min, max } => (min, max),
            PlanKind::YesNo => (1, 1),
            PlanKind::Time => (4, 4),
            _ => (1, LONGEST),
        };
        slot.keypad.then(|| EntryRule::number(length.0, length.1))
    }
}

/// Likely words as a recogniser takes them.
fn topics<'a>(words: impl IntoIterator<Item = &'a String>) -> Hint {
    let mut text = String::new();
    for word in words {
        if text.split(", ").any(|known| known == word) {
            continue;
        }
        if text.len() + word.len() > MOST_TOPICS {
            break;
        }
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(word);
    }
    if text.is_empty() { Hint::Open } else { Hint::Topics(text.into()) }
}

/// Of each class, the words of its texts that hardly any other class has.
fn telling_words(classes: &[Vec<String>]) -> Vec<Vec<String>> {
    let of = |texts: &Vec<String>| -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for word in texts.iter().flat_map(|text| text::words(text)) {
            if word.chars().count() >= LEAST_WORD && !words.contains(&word) {
                words.push(word);
            }
        }
        words
    };
    let all: Vec<Vec<String>> = classes.iter().map(of).collect();
    let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
    for word in all.iter().flatten() {
        *shared.entry(word).or_default() += 1;
    }
    let telling = |words: &Vec<String>| -> Vec<String> {
        words.iter().filter(|word| shared.get(word.as_str()).is_some_and(|&n| n <= MOST_SHARED)).cloned().collect()
    };
    all.iter().map(telling).collect()
}

/// The language's slots are understood by these means.
fn kind_of(kind: &PlanKind) -> SlotKind {
    match kind {
        PlanKind::Digits { min, max } => SlotKind::Digits { length: Some((*min, *max)) },
        PlanKind::Number => SlotKind::Number,
        PlanKind::YesNo => SlotKind::YesNo,
        PlanKind::Choice(choices) => {
            // A choice's own name is a word for it.
            let named = |(name, words): &(String, Vec<String>)| {
                let others = words.iter().filter(|word| !word.eq_ignore_ascii_case(name));
                std::iter::once(name).chain(others).cloned().collect::<Vec<_>>()
            };
            SlotKind::Choice(choices.iter().map(named).collect())
        }
        PlanKind::Money => SlotKind::Money,
        PlanKind::Date => SlotKind::Date,
        PlanKind::Time => SlotKind::Time,
        PlanKind::Phone => SlotKind::Phone,
        PlanKind::Name => SlotKind::Name,
        PlanKind::Postcode => SlotKind::Postcode,
        PlanKind::Email => SlotKind::Email,
        PlanKind::Text => SlotKind::Text,
    }
}

#[cfg(test)]
#[path = "understand_tests.rs"]
mod tests;
