//! Yes or no, as callers say it: "yeah that's right", "no that's wrong", "not really", "I don't think so".
//!
//! Owns polarity of short answers. A sentence that merely contains "no" ("I have no money") is no answer.

use super::text::words;

/// Phrases that answer by themselves, in normalised words; longer ones are tried first at each place.
const PHRASES: &[(&str, bool)] = &[
    ("i do not think so", false),
    ("i would not say so", false),
    ("i do not want to", false),
    ("i do not believe so", false),
    ("i would rather not", false),
    ("rather not", false),
    ("of course not", false),
    ("absolutely not", false),
    ("definitely not", false),
    ("certainly not", false),
    ("probably not", false),
    ("hopefully not", false),
    ("i hope not", false),
    ("not at all", false),
    ("not really", false),
    ("not exactly", false),
    ("not quite", false),
    ("not today", false),
    ("not now", false),
    ("not yet", false),
    ("no way", false),
    ("not correct", false),
    ("not right", false),
    ("not true", false),
    ("not that one", false),
    ("not the right", false),
    ("not the correct", false),
    ("that is not wrong", true),
    ("it is not wrong", true),
    ("that is not incorrect", true),
    ("nothing is wrong", true),
    ("is not incorrect", true),
    ("is not", false),
    ("it is not", false),
    ("that is not", false),
    ("it does not", false),
    ("i did not", false),
    ("i do not", false),
    ("do not", false),
    ("please do not", false),
    ("that is all", false),
    ("that will be all", false),
    ("nothing else", false),
    ("not wrong", true),
    ("not incorrect", true),
    ("nothing wrong", true),
    ("i think so", true),
    ("i believe so", true),
    ("i guess so", true),
    ("i suppose so", true),
    ("i guess", true),
    ("i hope so", true),
    ("that is right", true),
    ("that is correct", true),
    ("that is it", true),
    ("that is the one", true),
    ("that is fine", true),
    ("that is true", true),
    ("that is me", true),
    ("that works", true),
    ("that is wrong", false),
    ("that is incorrect", false),
    ("you got it wrong", false),
    ("got it wrong", false),
    ("you got it", true),
    ("sounds good", true),
    ("sounds right", true),
    ("go ahead", true),
    ("go for it", true),
    ("do it", true),
    ("please do", true),
    ("of course", true),
    ("for sure", true),
    ("why not", true),
    ("no problem", true),
    ("no doubt", true),
    ("by all means", true),
    ("very well", true),
    ("all right", true),
    ("i do", true),
    ("i did", true),
    ("it is", true),
    ("it does", true),
    ("you bet", true),
    ("uh huh", true),
    ("mm hmm", true),
    ("mhm", true),
    ("huh uh", false),
];

/// Words that answer by themselves wherever they open a sentence or stand alone.
const WORDS: &[(&str, bool)] = &[
    ("yes", true),
    ("yeah", true),
    ("yea", true),
    ("yah", true),
    ("ya", true),
    ("yep", true),
    ("yup", true),
    ("yes.", true),
    ("aye", true),
    ("sure", true),
    ("ok", true),
    ("okay", true),
    ("alright", true),
    ("correct", true),
    ("right", true),
    ("exactly", true),
    ("absolutely", true),
    ("definitely", true),
    ("certainly", true),
    ("affirmative", true),
    ("indeed", true),
    ("true", true),
    ("perfect", true),
    ("fine", true),
    ("precisely", true),
    ("please", true),
    ("totally", true),
    ("no", false),
    ("nope", false),
    ("nah", false),
    ("naw", false),
    ("negative", false),
    ("never", false),
    ("wrong", false),
    ("incorrect", false),
    ("false", false),
    ("nay", false),
    ("neither", false),
];

/// Words before an answer that do not change it.
const OPENERS: &[&str] = &[
    "well", "oh", "so", "and", "but", "actually", "i", "think", "say", "said", "hm", "the", "answer", "is", "mean",
    "sorry",
];

/// Words after which the caller answers anew.
const CORRECTIONS: &[&str] = &["sorry", "actually", "wait", "mean"];

/// Words that may surround an answer without making a sentence of their own.
const PADDING: &[&str] = &[
    "please",
    "thanks",
    "thank",
    "you",
    "that",
    "is",
    "it",
    "i",
    "am",
    "sir",
    "ma'am",
    "the",
    "just",
    "very",
    "quite",
    "well",
    "oh",
    "so",
    "all",
    "much",
    "yes",
    "no",
    "one",
    "think",
    "would",
    "like",
    "to",
    "a",
    "bit",
    "there",
    "was",
    "not",
    "here",
    "good",
    "great",
    "with",
    "me",
    "by",
    "sounds",
    "looks",
    "number",
    "absolutely",
];

/// Words of a text that are looked at: an answer stands at its start.
const LONGEST: usize = 60;

/// Yes (`true`) or no, and how sure, 0..1; `None` when the text answers neither way or both.
pub fn yes_no(text: &str) -> Option<(bool, f32)> {
    if let Some(answer) = grunt(text) {
        return Some((answer, 0.85));
    }
    let words = words(text);
    let words: Vec<&str> = words.iter().take(LONGEST).map(String::as_str).collect();
    let cut = words.iter().rposition(|word| CORRECTIONS.contains(word)).map(|at| at + 1).filter(|at| *at < words.len());
    if let Some(answer) = cut.filter(|at| *at > 1).and_then(|at| answer(&words[at..])) {
        return Some((answer.0, answer.1 * 0.9));
    }
    answer(&words)
}

/// Sounds that normalisation would drop as fillers.
fn grunt(text: &str) -> Option<bool> {
    let lower: String = text.to_lowercase().chars().filter(|c| c.is_alphabetic() || *c == '-').take(12).collect();
    match lower.as_str() {
        "uh-huh" | "uhhuh" | "mm-hmm" | "mmhmm" | "mhm" | "mm-hm" | "mmhm" | "m-hm" => Some(true),
        "uh-uh" | "uhuh" | "nuh-uh" | "nuhuh" | "huh-uh" => Some(false),
        _ => None,
    }
}

/// A polarity found in the words, and where it ends.
struct Vote {
    yes: bool,
    start: usize,
    end: usize,
}

fn answer(words: &[&str]) -> Option<(bool, f32)> {
    let lead = words.iter().take_while(|word| OPENERS.contains(word)).count();
    let votes = votes(words);
    let first = votes.first()?;
    let strict = matches!(words[first.start], "yes" | "yeah" | "yep" | "yup" | "no" | "nope" | "nah");
    let leads = first.start <= lead;
    let last_word = votes.last().is_some_and(|vote| vote.end == words.len() && vote.end - vote.start == 1);
    let covered: usize = votes.iter().map(|vote| vote.end - vote.start).sum();
    let in_votes = |at: usize| votes.iter().any(|vote| (vote.start..vote.end).contains(&at));
    let padding = words.iter().enumerate().filter(|(at, word)| !in_votes(*at) && PADDING.contains(*word)).count();
    let rest = words.len() - covered - padding;
    if !leads && rest > 2 && !(last_word && rest <= 4) {
        return None;
    }
    // "right, what I want is …" opens a sentence; "yes, I lost it" answers and goes on.
    if !strict && rest > 3 {
        return None;
    }
    let agree = votes.iter().all(|vote| vote.yes == first.yes);
    let sure = match rest {
        0 => 0.98,
        1..=2 => 0.9,
        3..=5 => 0.8,
        _ => 0.7,
    };
    if agree {
        return Some((first.yes, sure));
    }
    // "No, that's right" and "yes, but no" contradict themselves; "no, that is fine, yes" ends on what is meant.
    let last = votes.last()?;
    let settled = votes.len() >= 3 && votes[votes.len() - 2].yes == last.yes;
    settled.then_some((last.yes, 0.6))
}

fn votes(words: &[&str]) -> Vec<Vote> {
    let mut out: Vec<Vote> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let phrase =
            PHRASES.iter().filter(|(phrase, _)| starts_with(&words[at..], phrase)).max_by_key(|(p, _)| p.len());
        if let Some((phrase, yes)) = phrase {
            let end = at + phrase.split(' ').count();
            // "I do not know" and "it is about my card" go on: they answer nothing.
            let goes_on = matches!(
                *phrase,
                "i do not"
                    | "do not"
                    | "is not"
                    | "it does not"
                    | "i did not"
                    | "i do"
                    | "i did"
                    | "it is"
                    | "it does"
                    | "i guess"
            ) && words
                .get(end)
                .is_some_and(|next| !PADDING.contains(next) && !WORDS.iter().any(|(w, _)| w == next));
            if !goes_on {
                out.push(Vote { yes: *yes, start: at, end });
                at = end;
                continue;
            }
        } else if let Some((_, yes)) = WORDS.iter().find(|(word, _)| *word == words[at]) {
            let negated = at > 0 && words[at - 1] == "not";
            let polite = words[at] == "please" && (words.len() > 2);
            let determiner = words[at] == "no"
                && at > 0
                && !OPENERS.contains(&words[at - 1])
                && !voted(&out, at)
                && at + 1 < words.len();
            if !polite && !determiner {
                out.push(Vote { yes: *yes != negated, start: at, end: at + 1 });
            }
        }
        at += 1;
    }
    out
}

/// Whether the word before `at` was itself an answer ("no no").
fn voted(votes: &[Vote], at: usize) -> bool {
    votes.last().is_some_and(|vote| vote.end == at)
}

fn starts_with(words: &[&str], phrase: &str) -> bool {
    phrase.split(' ').enumerate().all(|(at, part)| words.get(at) == Some(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let rows: &[(&str, Option<bool>)] = &[
            ("yes", Some(true)),
            ("Yes.", Some(true)),
            ("Yeah.", Some(true)),
            ("yeah that's right", Some(true)),
            ("yes please", Some(true)),
            ("that's right", Some(true)),
            ("That is correct.", Some(true)),
            ("correct", Some(true)),
            ("sure, go ahead", Some(true)),
            ("I think so", Some(true)),
            ("uh-huh", Some(true)),
            ("Mm-hmm.", Some(true)),
            ("of course", Some(true)),
            ("okay", Some(true)),
            ("no problem", Some(true)),
            ("um, yes it is", Some(true)),
            ("yep, that's the one", Some(true)),
            ("please do", Some(true)),
            ("it is", Some(true)),
            ("I do", Some(true)),
            ("yes I would like that", Some(true)),
            ("yes, I lost my card yesterday", Some(true)),
            ("absolutely", Some(true)),
            ("why not", Some(true)),
            ("that's not wrong", Some(true)),
            ("all right", Some(true)),
            ("sounds good to me", Some(true)),
            ("no", Some(false)),
            ("No.", Some(false)),
            ("nope", Some(false)),
            ("no that's wrong", Some(false)),
            ("No, that's not right.", Some(false)),
            ("that's not correct", Some(false)),
            ("not really", Some(false)),
            ("I don't think so", Some(false)),
            ("no thank you", Some(false)),
            ("no thanks, that's all", Some(false)),
            ("nah", Some(false)),
            ("absolutely not", Some(false)),
            ("of course not", Some(false)),
            ("no no no", Some(false)),
            ("wrong", Some(false)),
            ("that isn't right", Some(false)),
            ("it's not", Some(false)),
            ("uh-uh", Some(false)),
            ("I said no", Some(false)),
            ("I would rather not", Some(false)),
            ("no, I want to talk about my mortgage", Some(false)),
            ("yes, sorry, no", Some(false)),
            ("no wait yes", Some(true)),
            ("please don't", Some(false)),
            ("that's incorrect", Some(false)),
            ("I have no money", None),
            ("I don't know", None),
            ("what is my balance", None),
            ("there is no card in the letter that you sent me", None),
            ("right what I want to know is when my order arrives", None),
            ("no that's right", None),
            ("maybe", None),
            ("", None),
            ("one two three four", None),
            ("please block my card", None),
            ("it is about my card", None),
            ("I need the right form for my application", None),
        ];
        for (text, expected) in rows {
            assert_eq!(yes_no(text).map(|(yes, _)| yes), *expected, "{text}");
        }
    }

    #[test]
    fn a_bare_answer_is_surer_than_one_within_a_sentence() {
        let sure = |text: &str| yes_no(text).map_or(0.0, |(_, sure)| sure);
        assert!(sure("yes") > 0.95);
        assert!(sure("yes, I lost my card yesterday") < sure("yes"));
    }
}
