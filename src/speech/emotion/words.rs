//! Words of frustration: a small weighted lexicon of English phrases, matched on whole words.
//!
//! Only the lexicon's own phrases are ever quoted, never what the caller said around them.

/// What a phrase is a sign of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Anger or contempt.
    Anger,
    /// Having had to say it before.
    Repetition,
    /// A complaint about the service, the product or the machine.
    Complaint,
    /// Wanting a human.
    AskForPerson,
    /// Content: it takes frustration away.
    Content,
}

/// A phrase that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// The lexicon's phrase.
    pub phrase: &'static str,
    /// Of what.
    pub sign: Sign,
    /// Log-odds that it adds.
    pub weight: f32,
}

use Sign::{Anger, AskForPerson, Complaint, Content, Repetition};

/// Longest first within a sign, so that the fuller phrase is quoted. Apostrophes are left out on both sides.
#[rustfmt::skip]
const LEXICON: &[(Sign, f32, &[&str])] = &[
    (Anger, 1.8, &["fuck", "fucking", "bullshit", "shit", "go to hell", "piece of crap", "piss off", "pissed off", "goddamn"]),
    (Anger, 1.5, &["this is ridiculous", "this is a joke", "this is unacceptable", "this is outrageous", "sick and tired",
        "sick of this", "fed up", "had enough", "i am furious", "im furious", "i am so angry", "im so angry", "i am angry",
        "im angry", "i am livid", "im livid", "how dare you", "you people", "are you kidding me", "are you serious",
        "what is wrong with you", "whats wrong with you", "for gods sake", "for heavens sake", "for crying out loud",
        "complete joke", "absolute joke", "ridiculous", "unacceptable", "outrageous", "disgusting", "disgraceful", "disgrace",
        "appalling", "pathetic", "i want to complain", "make a complaint", "file a complaint", "my lawyer", "sue you",
        "cancel everything", "cancel my account", "close my account", "never again"]),
    (Complaint, 1.0, &["waste of time", "wasting my time", "useless", "terrible", "horrible", "awful", "worst", "stupid",
        "idiot", "idiots", "incompetent", "rubbish", "garbage", "nonsense", "frustrating", "frustrated", "annoying", "annoyed",
        "unbelievable", "damn", "hopeless", "not good enough", "makes no sense", "you dont understand", "you do not understand",
        "youre not listening", "you are not listening", "not listening", "listen to me", "nobody helps", "no one helps",
        "nobody can help", "hate this", "stupid machine", "stupid robot"]),
    (Complaint, 0.6, &["still not working", "still doesnt work", "still does not work", "doesnt work", "does not work", "not working",
        "still waiting", "been waiting", "on hold for", "that is wrong", "thats wrong", "thats not what i said",
        "that is not what i said", "not what i asked", "i didnt say that", "i did not say that", "disappointed", "upset",
        "what the hell", "come on", "hurry up", "too long", "nothing works", "not happy", "unhappy"]),
    (Repetition, 1.0, &["i already told you", "ive already told you", "i have already told you", "i told you already", "i already said",
        "i just told you", "i just said", "ive just told you", "how many times", "for the last time", "for the third time",
        "for the fourth time", "for the fifth time", "for the tenth time", "for the hundredth time", "third time i",
        "fourth time i", "over and over", "again and again", "as i said", "like i said", "i keep telling you", "keeps happening",
        "i told you"]),
    (Repetition, 0.6, &["for the second time", "once again", "yet again", "i said", "not again", "second time i"]),
    (AskForPerson, 1.3, &["real person", "real human", "a human being", "human being", "a human", "speak to someone", "talk to someone",
        "speak to somebody", "talk to somebody", "speak with someone", "talk with someone", "to a person", "with a person",
        "speak to a manager", "your manager", "the manager", "a supervisor", "your supervisor", "an agent", "to agent",
        "human agent", "live agent", "an operator", "the operator", "a representative", "customer service representative",
        "an advisor", "an adviser", "someone in charge", "actual person", "put me through", "not a machine", "not a robot",
        "operator", "representative", "agent please"]),
    (Content, -0.8, &["thank you very much", "thank you so much", "thanks a lot", "thank you", "thanks", "perfect", "wonderful", "great",
        "lovely", "excellent", "fantastic", "amazing", "awesome", "so happy", "very happy", "good news", "love it", "glad", "brilliant", "no problem", "no worries", "appreciate it", "very helpful", "that works",
        "made my day", "cant wait", "looking forward", "excited", "delighted", "congratulations", "beautiful", "hooray", "yay", "haha"]),
];

/// Words right before a phrase that take it back ("not useless").
const NEGATIONS: &[&str] = &["not", "isnt", "wasnt", "arent", "never", "hardly", "no"];
/// The most that the words of one utterance add or take away.
const MOST: f32 = 2.4;

/// The phrases of the lexicon in a text, strongest first; one within another counts once.
pub fn hits(text: &str) -> Vec<Hit> {
    let words = words(text);
    let mut found: Vec<(usize, usize, Hit)> = Vec::new();
    for (sign, weight, phrases) in LEXICON {
        for phrase in *phrases {
            let parts: Vec<&str> = phrase.split(' ').collect();
            let places =
                words.windows(parts.len()).enumerate().filter(|(_, w)| w.iter().zip(&parts).all(|(a, b)| a == b));
            for (at, _) in places {
                let taken_back = at > 0 && NEGATIONS.contains(&words[at - 1].as_str()) && *sign != AskForPerson;
                if !taken_back {
                    found.push((at, at + parts.len(), Hit { phrase, sign: *sign, weight: *weight }));
                }
            }
        }
    }
    // Longer phrases first: a shorter one within them is the same words again.
    found.sort_by_key(|(start, end, _)| (std::cmp::Reverse(end - start), *start));
    let mut kept: Vec<(usize, usize, Hit)> = Vec::new();
    for hit in found {
        if kept.iter().all(|k| hit.1 <= k.0 || hit.0 >= k.1) && kept.iter().all(|k| k.2.phrase != hit.2.phrase) {
            kept.push(hit);
        }
    }
    let mut hits: Vec<Hit> = kept.into_iter().map(|(_, _, hit)| hit).collect();
    hits.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    hits
}

/// Log-odds that the words of an utterance add, asking for a person aside (that is an event of its own). The second and
/// later phrases count half: they come together.
pub(super) fn weight(hits: &[Hit]) -> f32 {
    let part = |positive: bool| {
        let of = hits.iter().filter(|h| h.sign != AskForPerson && (h.weight > 0.0) == positive);
        of.enumerate().map(|(i, h)| if i == 0 { h.weight } else { h.weight / 2.0 }).sum::<f32>()
    };
    let (against, content) = (part(true), part(false));
    // "Thanks for nothing, this is ridiculous": thanks beside anger are none.
    if against > 0.0 { against.min(MOST) } else { content.max(-MOST / 2.0) }
}

/// Lower-case words; apostrophes vanish, everything else that is no letter or digit separates.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.chars().filter(|c| !matches!(c, '\'' | '’')).collect();
    plain.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrases(text: &str) -> Vec<&'static str> {
        hits(text).into_iter().map(|h| h.phrase).collect()
    }

    #[test]
    fn finds_whole_phrases_once_and_the_fullest() {
        assert_eq!(
            phrases("This is RIDICULOUS, I've already told you!"),
            ["this is ridiculous", "ive already told you"]
        );
        assert_eq!(phrases("Can I talk to a human being?"), ["a human being"]);
        assert_eq!(phrases("What is the agenda of my shitake order?"), Vec::<&str>::new());
    }

    #[test]
    fn negation_takes_it_back() {
        assert_eq!(phrases("Oh, that was not terrible at all"), Vec::<&str>::new());
    }

    #[test]
    fn weights_add_less_and_less_and_thanks_beside_anger_are_none() {
        let of = |text| weight(&hits(text));
        assert_eq!(of("what is my balance"), 0.0);
        assert!(of("thank you") < 0.0);
        assert!(of("thanks, this is ridiculous") > 1.0);
        assert!(of("useless terrible awful stupid horrible worst garbage") <= MOST);
        assert_eq!(of("let me speak to a human"), 0.0);
    }
}
