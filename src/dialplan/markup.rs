//! How a text is said: pauses and spelling by a subset of SSML 1.1, and words that the voice would get wrong by the
//! plan's lexicon. What is no mark-up that is known is left out rather than read aloud.

use minijinja::value::Value;

use super::speak;

/// The longest pause, and the longest of a whole text, ms.
const LONGEST_PAUSE: u32 = 3_000;
const LONGEST_PAUSES: u32 = 10_000;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Words, without mark-up.
    Words(String),
    /// Silence, ms.
    Pause(u32),
    /// How fast what follows is spoken, percent of the voice's own pace: 50 to 200.
    Tempo(u8),
}

/// The voice's own pace.
pub const PACE: u8 = 100;
/// The slowest and the fastest, percent.
const TEMPI: std::ops::RangeInclusive<f32> = 50.0..=200.0;
/// Changes of pace that may stand in each other.
const DEEPEST: usize = 8;

/// Words that are said otherwise than they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lexicon {
    /// As written, in lower case, and as said.
    pub(super) entries: Vec<(String, String)>,
}

impl Lexicon {
    /// The text for a voice: whole words are replaced, whatever their case.
    pub fn apply(&self, text: &str) -> String {
        if self.entries.is_empty() {
            return text.to_owned();
        }
        let mut said = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let starts = !said.chars().next_back().is_some_and(is_word) && is_word(first);
            let found = self.entries.iter().filter(|_| starts).filter_map(|(written, spoken)| {
                let head = rest.get(..written.len()).filter(|head| head.to_lowercase() == *written)?;
                let ends = !rest[head.len()..].chars().next().is_some_and(is_word);
                ends.then_some((head.len(), spoken))
            });
            match found.max_by_key(|(length, _)| *length) {
                Some((length, spoken)) => {
                    said += spoken;
                    rest = &rest[length..];
                    // What is said for a word is not looked at again.
                    if let Some(next) = rest.chars().next() {
                        said.push(next);
                        rest = &rest[next.len_utf8()..];
                    }
                }
                None => {
                    said.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        said
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '\''
}

/// The text's pieces, in order; one without mark-up is one piece.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut found = Pieces { done: Vec::new(), words: String::new(), pauses: 0, tempi: Vec::new() };
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        found.words += &rest[..at];
        let Some(end) = rest[at..].find('>') else { break };
        let tag = Tag::of(&rest[at + 1..at + end]);
        rest = &rest[at + end + 1..];
        match tag.name {
            "break" => found.pause(tag.pause()),
            "prosody" if !tag.closed => found.faster(tag.attribute("rate").and_then(tempo).unwrap_or(1.0)),
            "emphasis" if !tag.closed => {
                let (pause, factor) = tag.emphasis();
                found.pause(pause);
                found.faster(factor);
            }
            "/prosody" | "/emphasis" => found.back(),
            "say-as" if !tag.closed => {
                let end = rest.find("</say-as>").unwrap_or(rest.len());
                let inner = strip(&rest[..end]);
                found.words += &said_as(&inner, tag.attribute("interpret-as").unwrap_or(""));
                rest = rest.get(end + "</say-as>".len()..).unwrap_or("");
            }
            _ => {}
        }
    }
    if !rest.contains('<') {
        found.words += rest;
    }
    found.flush();
    found.done
}

/// The words of a text that are spoken at the voice's own pace.
pub(super) fn plain_words(text: &str) -> Vec<String> {
    let mut tempo = PACE;
    let mut found = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Words(words) if tempo == PACE => found.push(words),
            Piece::Tempo(next) => tempo = next,
            Piece::Words(_) | Piece::Pause(_) => {}
        }
    }
    found
}

/// The text without its mark-up, as it is shown.
pub(super) fn strip(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        shown += &rest[..at];
        rest = rest[at..].find('>').map_or("", |end| &rest[at + end + 1..]);
    }
    shown + rest
}

/// The first tag of a text that is none of those known.
pub(super) fn unknown(text: &str) -> Option<String> {
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let Some(end) = rest[at..].find('>') else { return Some(rest[at..].chars().take(20).collect()) };
        let inside = &rest[at + 1..at + end];
        let tag = Tag::of(inside.trim_start_matches('/'));
        let known = match tag.name {
            "break" => {
                tag.attribute("time").is_some_and(|time| milliseconds(time).is_some())
                    || tag.attribute("strength").is_some()
            }
            "say-as" => {
                inside.starts_with('/') || tag.attribute("interpret-as").is_some_and(|kind| KINDS.contains(&kind))
            }
            "prosody" => inside.starts_with('/') || tag.attribute("rate").is_some_and(|rate| tempo(rate).is_some()),
            "emphasis" => tag.attribute("level").is_none_or(|level| LEVELS.contains(&level)),
            _ => false,
        };
        if !known {
            return Some(format!("<{inside}>"));
        }
        rest = &rest[at + end + 1..];
    }
    None
}

struct Pieces {
    done: Vec<Piece>,
    words: String,
    pauses: u32,
    /// The paces that are on, each of the voice's own; the last one counts.
    tempi: Vec<f32>,
}

impl Pieces {
    fn flush(&mut self) {
        let words = std::mem::take(&mut self.words);
        if !words.trim().is_empty() {
            self.done.push(Piece::Words(words.trim().to_owned()));
        }
    }

    /// By this factor from here on. One that stands too deep changes nothing, but is closed like any other.
    fn faster(&mut self, factor: f32) {
        let now = self.tempi.last().copied().unwrap_or(1.0);
        let factor = if self.tempi.len() < DEEPEST { factor } else { 1.0 };
        self.tempi.push((now * factor).clamp(TEMPI.start() / 100.0, TEMPI.end() / 100.0));
        self.at_tempo();
    }

    fn back(&mut self) {
        self.tempi.pop();
        self.at_tempo();
    }

    fn at_tempo(&mut self) {
        self.flush();
        let tempo = self.tempi.last().map_or(PACE, |tempo| (tempo * 100.0).round() as u8);
        self.done.push(Piece::Tempo(tempo));
    }

    fn pause(&mut self, pause: u32) {
        let pause = pause.min(LONGEST_PAUSE).min(LONGEST_PAUSES - self.pauses);
        if pause > 0 {
            self.flush();
            self.pauses += pause;
            self.done.push(Piece::Pause(pause));
        }
    }
}

/// What stands between `<` and `>`.
struct Tag<'t> {
    name: &'t str,
    rest: &'t str,
    closed: bool,
}

impl<'t> Tag<'t> {
    fn of(inside: &'t str) -> Self {
        let closed = inside.ends_with('/');
        let inside = inside.trim_end_matches('/').trim();
        let end = inside.find(char::is_whitespace).unwrap_or(inside.len());
        Self { name: &inside[..end], rest: &inside[end..], closed }
    }

    fn attribute(&self, name: &str) -> Option<&'t str> {
        let at = self.rest.find(&format!(" {name}="))? + name.len() + 2;
        let value = &self.rest[at..];
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        value[1..].split(quote).next()
    }

    /// Of an `emphasis`: the pause before it, ms, and its pace (SSML 1.1, 3.2.2: how it is shown is the voice's affair).
    fn emphasis(&self) -> (u32, f32) {
        match self.attribute("level") {
            Some("strong") => (150, 0.75),
            Some("reduced") => (0, 1.1),
            Some("none") => (0, 1.0),
            _ => (80, 0.85),
        }
    }

    /// Of a `break`, ms (SSML 1.1, 3.2.3).
    fn pause(&self) -> u32 {
        if let Some(time) = self.attribute("time") {
            return milliseconds(time).unwrap_or(0);
        }
        match self.attribute("strength") {
            Some("none") => 0,
            Some("x-weak" | "weak") => 150,
            Some("strong") => 700,
            Some("x-strong") => 1_200,
            _ => 400,
        }
    }
}

/// A `rate` as percent of the voice's own pace, 50 to 200.
pub(super) fn pace(rate: &str) -> Option<u8> {
    tempo(rate.trim()).map(|factor| (factor * 100.0).round() as u8)
}

/// A pace within another one.
pub fn within(pace: u8, outer: u8) -> u8 {
    (f32::from(pace) * f32::from(outer) / 100.0).round().clamp(*TEMPI.start(), *TEMPI.end()) as u8
}

/// A `rate` (SSML 1.1, 3.2.4) as a factor.
fn tempo(rate: &str) -> Option<f32> {
    match rate {
        "x-slow" => Some(0.6),
        "slow" => Some(0.8),
        "medium" | "default" => Some(1.0),
        "fast" => Some(1.2),
        "x-fast" => Some(1.5),
        percent => {
            let percent: f32 = percent.strip_suffix('%')?.trim().parse().ok()?;
            TEMPI.contains(&percent).then_some(percent / 100.0)
        }
    }
}

fn milliseconds(text: &str) -> Option<u32> {
    match text.strip_suffix("ms") {
        Some(number) => number.trim().parse().ok(),
        None => {
            text.strip_suffix('s')?.trim().parse::<f32>().ok().map(|seconds| (seconds.clamp(0.0, 60.0) * 1000.0) as u32)
        }
    }
}

/// What `level` may be.
const LEVELS: &[&str] = &["strong", "moderate", "reduced", "none"];
/// What `interpret-as` may be.
const KINDS: &[&str] = &["digits", "characters", "spell-out", "ordinal", "cardinal", "date", "time", "telephone"];

fn said_as(text: &str, kind: &str) -> String {
    let value = Value::from(text.trim());
    let said = match kind {
        "digits" | "telephone" => Some(speak::digits(text)),
        "characters" | "spell-out" => Some(speak::spell(text)),
        "ordinal" => speak::ordinal(&value).ok(),
        "cardinal" => speak::number_words(&value).ok(),
        "date" => speak::date(&value).ok(),
        "time" => speak::time(&value).ok(),
        _ => None,
    };
    said.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Piece {
        Piece::Words(text.into())
    }

    #[test]
    fn pauses_and_spelling_are_taken_apart() {
        let text = "Your code is <say-as interpret-as=\"characters\">AB1</say-as>.<break time=\"500ms\"/> Again?";
        assert_eq!(pieces(text), [words("Your code is A B 1."), Piece::Pause(500), words("Again?")]);
        assert_eq!(pieces("plain"), [words("plain")]);
        assert_eq!(pieces("a<break strength='strong'/>b"), [words("a"), Piece::Pause(700), words("b")]);
        assert_eq!(pieces("on <say-as interpret-as='date'>2026-11-24</say-as>"), [words("on Tuesday, November 24")]);
        assert_eq!(pieces(""), []);
        assert_eq!(strip("a <break time='1s'/>b"), "a b");
    }

    #[test]
    fn pace_and_emphasis_hold_until_they_are_closed() {
        use Piece::{Pause, Tempo};
        assert_eq!(
            pieces("Say <prosody rate='slow'>one <emphasis>two</emphasis> three</prosody> four"),
            [
                words("Say"),
                Tempo(80),
                words("one"),
                Pause(80),
                Tempo(68),
                words("two"),
                Tempo(80),
                words("three"),
                Tempo(100),
                words("four")
            ]
        );
        assert_eq!(pieces("<prosody rate='150%'>x"), [Tempo(150), words("x")]);
        assert_eq!(plain_words("a <prosody rate='fast'>b</prosody> c<break time='1s'/>d"), ["a", "c", "d"]);
        // Nothing gets out of bounds, nor of step.
        let deep = format!("{}x{}y", "<prosody rate='x-slow'>".repeat(40), "</prosody>".repeat(60));
        let found = pieces(&deep);
        assert!(found.iter().all(|piece| !matches!(piece, Tempo(tempo) if !(50..=200).contains(tempo))), "{found:?}");
        assert_eq!(found[found.len() - 2..], [Tempo(100), words("y")]);
        assert_eq!(strip("<emphasis level='strong'>now</emphasis>"), "now");
        assert_eq!(unknown("<prosody rate='80%'>a</prosody> <emphasis level='strong'>b</emphasis>"), None);
        assert_eq!(unknown("<prosody rate='5%'>").as_deref(), Some("<prosody rate='5%'>"));
        assert_eq!(unknown("<prosody pitch='high'>").as_deref(), Some("<prosody pitch='high'>"));
        assert_eq!(unknown("<emphasis level='loud'>").as_deref(), Some("<emphasis level='loud'>"));
    }

    #[test]
    fn what_is_hostile_is_bounded_and_never_read_aloud() {
        assert_eq!(pieces("x<break time='9000s'/>y"), [words("x"), Piece::Pause(3_000), words("y")]);
        let total: u32 = pieces(&"<break time='3s'/>".repeat(50))
            .iter()
            .map(|p| if let Piece::Pause(ms) = p { *ms } else { 0 })
            .sum();
        assert_eq!(total, 10_000);
        assert_eq!(pieces("a <audio src='http://evil/'>b</audio>"), [words("a b")]);
        assert_eq!(pieces("a < b"), [words("a")]);
        assert_eq!(pieces("<say-as interpret-as='digits'>12"), [words("1 2")]);
        assert_eq!(pieces("é<"), [words("é")]);
    }

    #[test]
    fn unknown_mark_up_is_found() {
        assert_eq!(unknown("a <break time='1s'/> <say-as interpret-as='date'>x</say-as>"), None);
        assert_eq!(unknown("<brake time='1s'/>").as_deref(), Some("<brake time='1s'/>"));
        assert_eq!(unknown("<break time='soon'/>").as_deref(), Some("<break time='soon'/>"));
        assert_eq!(unknown("1 < 2").as_deref(), Some("< 2"));
        assert_eq!(unknown("<say-as interpret-as='song'>x</say-as>").as_deref(), Some("<say-as interpret-as='song'>"));
    }

    #[test]
    fn the_lexicon_replaces_whole_words() {
        let entry = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let lexicon =
            Lexicon { entries: vec![entry("iban", "eye ban"), entry("dr. who", "doctor hoo"), entry("é", "eh")] };
        assert_eq!(
            lexicon.apply("Your IBAN, or Iban's? Ibanez. Dr. Who é!"),
            "Your eye ban, or Iban's? Ibanez. doctor hoo eh!"
        );
        assert_eq!(Lexicon::default().apply("x"), "x");
    }
}
