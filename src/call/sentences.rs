//! Cuts a line into pieces that are spoken one after the other, so that the first plays while the next is rendered.
//!
//! Owns what counts as the end of a sentence or clause in written English, and in Chinese, whose marks need no space. Never changes a word: the pieces joined by
//! spaces are the line, its white space made single.

/// A sentence longer than this is cut at its clauses (about 7 s of speech).
const LONG: usize = 110;
/// The first sentence is cut at its first clause, or where characters are read out, if it is longer than this: its sound is
/// waited for, 10 ms of work a letter.
const LONG_FIRST: usize = 45;
/// A first piece shorter than this is over before the next is rendered (0.8 s of speech).
const SHORT_FIRST: usize = 12;
/// Letters that take as long as a digit or letter that is read out alone.
const READ_OUT: usize = 6;
/// Characters that are read out without a pause; as many, or more, after it.
const GROUP: usize = 3;
/// No piece is longer, marks or not (about 12 s of speech, and a second of work).
const MOST: usize = 180;
/// A piece shorter than this is not cut off: it would be spoken too hastily to be worth the pause.
const SHORT: usize = 24;

/// Words whose full stop ends no sentence.
const TITLES: &[&str] =
    &["mr", "mrs", "ms", "dr", "prof", "st", "vs", "approx", "no", "nos", "fig", "dept", "ext", "tel"];
/// Words whose full stop ends a sentence only if a capital follows.
const ABBREVIATIONS: &[&str] =
    &["a.m", "p.m", "e.g", "i.e", "etc", "inc", "ltd", "co", "corp", "jr", "sr", "ave", "blvd", "rd", "min", "max"];

/// What a caller hears between two marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clause<'a> {
    /// The words, without the mark; never empty.
    pub words: &'a str,
    /// One of `, . ? ! ; :`, or nothing at a line's unmarked end.
    pub mark: Option<char>,
}

/// The sentences of a line, each with its mark; long ones in clauses.
pub fn sentences(text: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, mark) in marks(&text) {
        let end = end_of_mark(&text, at);
        if matches!(mark, '.' | '?' | '!' | '。' | '？' | '！') && end > start {
            cut_long(text[start..end].trim(), &mut pieces);
            start = end;
        }
    }
    cut_long(text[start..].trim(), &mut pieces);
    cut_first(&mut pieces);
    pieces
}

/// The sooner the first piece is rendered, the sooner the answer is heard.
fn cut_first(pieces: &mut Vec<String>) {
    let Some(first) = pieces.first().filter(|first| letters(first) > LONG_FIRST) else { return };
    let after_marks = marks(first).map(|(at, _)| end_of_mark(first, at));
    let mut places: Vec<usize> = after_marks.chain(groups(first)).collect();
    places.sort_unstable();
    let fits = |&at: &usize| {
        let (one, rest) = first.split_at(at);
        (SHORT_FIRST..=LONG).contains(&letters(one.trim())) && letters(rest.trim()) >= SHORT_FIRST
    };
    let Some(at) = places.into_iter().find(fits) else { return };
    let (one, rest) = first.split_at(at);
    let two = [one.trim().to_string(), rest.trim().to_string()];
    pieces.splice(..1, two);
}

/// How long a text takes to say, in letters: characters between spaces are read out one by one.
fn letters(text: &str) -> usize {
    text.split(' ')
        .map(|word| if is_read_out(word) { READ_OUT } else { word.len() + 1 })
        .sum::<usize>()
        .saturating_sub(1)
}

fn is_read_out(word: &str) -> bool {
    let word = word.trim_end_matches(['.', ',', '?', '!', ';', ':']);
    !matches!(word, "a" | "A" | "I")
        && word.chars().count() == 1
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
}

/// Where one pauses when characters are read out: before them, and after each few.
fn groups(text: &str) -> impl Iterator<Item = usize> + '_ {
    let mut run = 0;
    let words = text.split_inclusive(' ').scan(0, |at, word| {
        let begins = *at;
        *at += word.len();
        Some((begins, word.trim_end()))
    });
    let mut words: Vec<(usize, bool)> = words.map(|(at, word)| (at, is_read_out(word))).collect();
    // One alone is a name or a count, not something that is read out.
    for n in 0..words.len() {
        let beside = |n: usize| words.get(n).is_some_and(|word| word.1);
        let alone = !(beside(n + 1) || n > 0 && beside(n - 1));
        words[n].1 &= !alone;
    }
    let mut places = Vec::new();
    for (n, &(at, read_out)) in words.iter().enumerate() {
        if !read_out {
            run = 0;
            continue;
        }
        let left = words[n..].iter().take_while(|word| word.1).count();
        if run == 0 || run % GROUP == 0 && left >= GROUP {
            places.push(at);
        }
        run += 1;
    }
    places.into_iter()
}

/// The clauses of a sentence, for a synthesiser that must be told of each pause.
pub fn clauses(text: &str) -> Vec<Clause<'_>> {
    let mut start = 0;
    let ends = marks(text).map(|(at, mark)| (at, Some(mark))).chain([(text.len(), None)]);
    ends.filter_map(|(end, mark)| {
        let words = text[start..end].trim().trim_end_matches(['.', '?', '!', '。', '？', '！']);
        start = end + mark.map_or(0, char::len_utf8);
        words.chars().any(char::is_alphanumeric).then_some(Clause { words, mark })
    })
    .collect()
}

/// Byte offsets of the marks that end a clause or a sentence: not the point of "3.50", "Mr." or "p.m. today".
fn marks(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    text.char_indices().filter(|&(at, c)| {
        is_wide(c) || (matches!(c, ',' | '.' | '?' | '!' | ';' | ':') && ends_something(text, at, c))
    })
}

/// Chinese marks end something wherever they stand; the mark between words of a list is none.
fn is_wide(c: char) -> bool {
    matches!(c, '，' | '。' | '？' | '！' | '；' | '：')
}

fn ends_something(text: &str, at: usize, mark: char) -> bool {
    let after = &text[at + mark.len_utf8()..];
    let rest = after.trim_start_matches(['"', '\'', ')', '”', '’', ']']);
    if !(rest.is_empty() || rest.starts_with(char::is_whitespace)) {
        return false;
    }
    if mark != '.' {
        return true;
    }
    let word = text[..at]
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '"' | '“'))
        .next()
        .unwrap_or("")
        .to_lowercase();
    let next = rest.trim_start().chars().next();
    let capital_follows = next.is_none_or(|c| !c.is_lowercase() && !c.is_ascii_digit());
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic) && word != "i";
    if TITLES.contains(&word.as_str()) || (initial && next.is_some()) {
        return next.is_none();
    }
    !ABBREVIATIONS.contains(&word.as_str()) || capital_follows
}

/// Past the mark at `at`, and past what closes the sentence with it: `?!`, `...`, `."`.
fn end_of_mark(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    if rest.starts_with(is_wide) {
        let closes = |c: char| is_wide(c) || matches!(c, '”' | '’' | '」' | '》' | '）' | ')');
        return at + rest.find(|c| !closes(c)).unwrap_or(rest.len());
    }
    at + rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len())
}

fn cut_long(sentence: &str, pieces: &mut Vec<String>) {
    if sentence.is_empty() {
        return;
    }
    let mut rest = sentence;
    while rest.len() > LONG {
        let fits = |&(at, _): &(usize, char)| at >= SHORT && rest.len() - at > SHORT;
        // The last clause mark before the limit, or the first after it: as few pieces as the limit allows.
        let cut = marks(rest).filter(fits).take_while(|&(at, _)| at <= LONG).last().or_else(|| marks(rest).find(fits));
        let Some((at, _)) = cut else { break };
        let end = end_of_mark(rest, at);
        pieces.push(rest[..end].trim().to_string());
        rest = rest[end..].trim();
    }
    while rest.len() > MOST {
        let Some(space) = rest.char_indices().take_while(|(at, _)| *at <= MOST).filter(|(_, c)| *c == ' ').last()
        else {
            break;
        };
        pieces.push(rest[..space.0].to_string());
        rest = rest[space.0..].trim();
    }
    pieces.push(rest.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_keep_their_marks() {
        assert_eq!(
            sentences("Hello, Ann.  What can I do for you?\nSay balance!"),
            ["Hello, Ann.", "What can I do for you?", "Say balance!"]
        );
        assert_eq!(sentences("no mark"), ["no mark"]);
        assert_eq!(sentences("Really?! Yes... \"Quite.\" Good."), ["Really?!", "Yes...", "\"Quite.\"", "Good."]);
        assert!(sentences("  \n ").is_empty());
    }

    #[test]
    fn points_inside_numbers_and_abbreviations_end_nothing() {
        for one in [
            "You have $3,400.50 left.",
            "Dr. Smith sees you at 10:30 a.m. on Monday.",
            "Ask for J. Doe.",
            "Call ext. 25 for approx. 5 minutes.",
            "We mail example.com today.",
        ] {
            assert_eq!(sentences(one), [one]);
        }
        assert_eq!(sentences("We close at 8 p.m. Goodbye."), ["We close at 8 p.m.", "Goodbye."]);
        assert_eq!(sentences("It was I. You knew."), ["It was I.", "You knew."]);
    }

    #[test]
    fn a_long_sentence_is_cut_at_clauses_and_loses_no_word() {
        let long = "Your order, which you placed on Monday, has left our warehouse in Leeds; it should be with you by Friday, \
                    between nine and twelve, unless the weather is against us, in which case we will send you a message.";
        let pieces = sentences(long);
        assert!(pieces.len() > 1 && pieces.iter().all(|p| p.len() <= LONG + 40), "{pieces:?}");
        assert_eq!(pieces.join(" "), long);
        let unmarked = "word ".repeat(60).trim().to_string();
        let pieces = sentences(&unmarked);
        assert!(pieces.len() == 2 && pieces.iter().all(|p| p.len() <= MOST), "{pieces:?}");
        assert_eq!(pieces.join(" "), unmarked);
        let without_a_space = "x".repeat(400);
        assert_eq!(sentences(&without_a_space), [without_a_space]);
    }

    #[test]
    fn the_first_piece_is_short_where_a_clause_allows_it() {
        assert_eq!(
            sentences("Thank you for calling, what can I do today? I can tell you your balance."),
            ["Thank you for calling, what can I do today?", "I can tell you your balance."]
        );
        assert_eq!(
            sentences("Thank you for calling the First National Bank, what is it that I can do for you today?"),
            ["Thank you for calling the First National Bank,", "what is it that I can do for you today?"]
        );
    }

    #[test]
    fn what_is_read_out_begins_a_piece_and_pauses_between_its_groups() {
        assert_eq!(sentences("You called from + 1 5 5 5 0 1 0 0."), ["You called from", "+ 1 5 5 5 0 1 0 0."]);
        assert_eq!(sentences("1 2 3 4 5 6 7 8, is that right?"), ["1 2 3", "4 5 6 7 8, is that right?"]);
        assert_eq!(sentences("It is 1 2 3 4 5 6 7 8."), ["It is 1 2 3", "4 5 6 7 8."]);
        for whole in ["Your code is 1 2 3 4.", "I have a plan B for you and a good friend of mine, I hope."] {
            assert_eq!(sentences(whole).len(), 1, "{:?}", sentences(whole));
        }
    }

    #[test]
    fn chinese_marks_need_no_space() {
        assert_eq!(
            sentences("您好！请问有什么可以帮您？我可以查余额。"),
            ["您好！", "请问有什么可以帮您？", "我可以查余额。"]
        );
        assert_eq!(sentences("他说：“好。”再见"), ["他说：“好。”", "再见"]);
        let long = "您的包裹昨天下午已经离开我们在上海的仓库，预计这个星期五上午九点到十二点之间送到您家，如果天气不好，我们会给您发短信。";
        let pieces = sentences(long);
        assert!(pieces.len() > 1 && pieces.concat() == long, "{pieces:?}");
    }

    #[test]
    fn clauses_carry_the_mark_that_ends_them() {
        let found = clauses("Well, Mr. Jones: is 3.50 enough? Yes");
        let shown: Vec<_> = found.iter().map(|c| (c.words, c.mark)).collect();
        assert_eq!(
            shown,
            [("Well", Some(',')), ("Mr. Jones", Some(':')), ("is 3.50 enough", Some('?')), ("Yes", None)]
        );
        assert!(clauses("...").is_empty());
    }
}
