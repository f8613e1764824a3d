//! Amounts of money: "twelve fifty", "$1,200", "fifty cents", "a grand", "two hundred pounds".
//!
//! Owns the amount in minor units (cents, pence). Never converts between currencies.

use super::numbers::{Token, cardinal, decimal, is_correction, tokens};

/// An amount as said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// Cents or pence.
    pub minor: i64,
    /// What was named; `None` when only a number was said.
    pub currency: Option<Currency>,
}

/// Currencies that callers name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Currency {
    /// Dollars and cents.
    Dollar,
    /// Pounds and pence.
    Pound,
    /// Euros and cents.
    Euro,
    /// Yuan and fen.
    Yuan,
}

impl Money {
    /// Two decimals and a point, without the currency: "1234.50".
    pub fn canonical(&self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", self.minor.unsigned_abs() / 100, self.minor.unsigned_abs() % 100)
    }
}

/// The most that an amount may be, in major units; more is a misheard number.
const MOST: f64 = 1e12;

/// The amount that a text names: the first, or the first after a correction.
pub fn money(text: &str) -> Option<Money> {
    let tokens = tokens(text);
    let corrected = tokens.iter().rposition(is_correction).and_then(|at| first(&tokens[at + 1..]));
    corrected.or_else(|| first(&tokens))
}

/// A word after an amount.
enum Unit {
    Major(Currency),
    Minor(Option<Currency>),
}

fn unit(token: Option<&Token>) -> Option<Unit> {
    match token? {
        Token::Mark('$') => Some(Unit::Major(Currency::Dollar)),
        Token::Mark('£') => Some(Unit::Major(Currency::Pound)),
        Token::Mark('€') => Some(Unit::Major(Currency::Euro)),
        Token::Word(word) => match word.as_str() {
            "dollar" | "dollars" | "buck" | "bucks" | "usd" => Some(Unit::Major(Currency::Dollar)),
            "pound" | "pounds" | "quid" | "gbp" => Some(Unit::Major(Currency::Pound)),
            "euro" | "euros" | "eur" => Some(Unit::Major(Currency::Euro)),
            "yuan" | "rmb" | "renminbi" => Some(Unit::Major(Currency::Yuan)),
            "cent" | "cents" => Some(Unit::Minor(None)),
            "penny" | "pence" | "p" => Some(Unit::Minor(Some(Currency::Pound))),
            _ => None,
        },
        _ => None,
    }
}

/// The first amount with its currency, else the first number: "three tickets for twenty dollars" is twenty.
fn first(tokens: &[Token]) -> Option<Money> {
    let starts = |at: &usize| {
        let token = &tokens[*at];
        token.is_numeric()
            || matches!(token, Token::Minus | Token::Point)
            || ["half", "dozen", "couple", "grand"].iter().any(|word| token.is(word))
    };
    let mut bare = None;
    for read in (0..tokens.len()).filter(starts).filter_map(|at| amount(tokens, at)) {
        if read.currency.is_some() {
            return Some(read);
        }
        bare = bare.or(Some(read));
    }
    bare
}

fn amount(tokens: &[Token], at: usize) -> Option<Money> {
    let sign = match at.checked_sub(1).map(|before| &tokens[before]) {
        Some(Token::Mark('$')) => Some(Currency::Dollar),
        Some(Token::Mark('£')) => Some(Currency::Pound),
        Some(Token::Mark('€')) => Some(Currency::Euro),
        _ => None,
    };
    let rest = &tokens[at..];
    let (value, mut used) = if rest.first()?.is("grand") { (1_000.0, 1) } else { decimal(rest)? };
    if value.abs() > MOST {
        return None;
    }
    let mut minor = (value * 100.0).round() as i64;
    // "a couple of hundred", "half a million": the scale may come after a linking word.
    while rest.get(used).is_some_and(|t| (t.is("of") || t.is("a")) && used < 3) {
        used += 1;
    }
    match rest.get(used) {
        Some(Token::Hundred) => (minor, used) = (minor.saturating_mul(100), used + 1),
        Some(Token::Scale(scale)) if value < 1_000.0 => {
            (minor, used) = (minor.saturating_mul(i64::try_from(*scale).ok()?), used + 1);
        }
        _ => {}
    }
    match unit(rest.get(used)) {
        Some(Unit::Minor(currency)) => Some(Money { minor: minor / 100, currency }),
        Some(Unit::Major(currency)) => {
            let cents = trailing_minor(&rest[used + 1..], value);
            Some(Money { minor: minor + cents, currency: Some(currency) })
        }
        None => {
            let (cents, taken) = glued_minor(rest, used, value).unwrap_or((0, 0));
            let named = match unit(rest.get(used + taken)) {
                Some(Unit::Major(currency)) => Some(currency),
                _ => None,
            };
            Some(Money { minor: minor + cents, currency: sign.or(named) })
        }
    }
}

/// "and fifty cents", "fifty" after the major unit.
fn trailing_minor(tokens: &[Token], major: f64) -> i64 {
    let start = usize::from(tokens.first() == Some(&Token::And));
    let Some(read) = tokens.get(start..).and_then(cardinal).filter(|read| read.value < 100 && !read.scaled) else {
        return 0;
    };
    let named = matches!(unit(tokens.get(start + read.used)), Some(Unit::Minor(_)));
    let bare = start == 0 && read.value >= 10 && tokens.len() == read.used;
    let cents = i64::try_from(read.value).unwrap_or(0);
    if !(named || bare) {
        0
    } else if major < 0.0 {
        -cents
    } else {
        cents
    }
}

/// "twelve fifty", "nineteen ninety nine", "twelve oh five": cents straight after a whole amount; and the tokens taken.
fn glued_minor(rest: &[Token], used: usize, value: f64) -> Option<(i64, usize)> {
    if !(0.0..1_000.0).contains(&value) || value.fract() != 0.0 {
        return None;
    }
    match (rest.get(used)?, rest.get(used + 1)) {
        (Token::Sounds(0) | Token::Unit(0), Some(Token::Unit(n))) => Some((i64::from(*n), 2)),
        (Token::Tens(_) | Token::Teen(_), _) => {
            let read = cardinal(&rest[used..]).filter(|read| (10..100).contains(&read.value) && !read.scaled)?;
            Some((i64::try_from(read.value).ok()?, read.used))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        let dollar = Some(Currency::Dollar);
        let rows: &[(&str, i64, Option<Currency>)] = &[
            ("$12.50", 1250, dollar),
            ("twelve dollars and fifty cents", 1250, dollar),
            ("twelve dollars fifty", 1250, dollar),
            ("twelve fifty", 1250, None),
            ("twelve fifty dollars", 1250, dollar),
            ("nineteen ninety nine", 1999, None),
            ("twelve oh five", 1205, None),
            ("fifty cents", 50, None),
            ("two hundred pounds", 20_000, Some(Currency::Pound)),
            ("two hundred and fifty euros please", 25_000, Some(Currency::Euro)),
            ("five bucks", 500, dollar),
            ("a grand", 100_000, None),
            ("5k", 500_000, None),
            ("£1,200", 120_000, Some(Currency::Pound)),
            ("transfer two hundred to savings", 20_000, None),
            ("one thousand two hundred thirty four dollars", 123_400, dollar),
            ("half a million dollars", 50_000_000, dollar),
            ("a couple of hundred dollars", 20_000, dollar),
            ("two and a half thousand", 250_000, None),
            ("ten dollars, no, twenty dollars", 2_000, dollar),
            ("a hundred", 10_000, None),
            ("99p", 99, Some(Currency::Pound)),
            ("three tickets for twenty dollars", 2_000, dollar),
        ];
        for (text, minor, currency) in rows {
            assert_eq!(money(text), Some(Money { minor: *minor, currency: *currency }), "{text}");
        }
    }

    #[test]
    fn no_amount() {
        for text in ["", "I lost my money", "dollars", "99999999999999999999 dollars"] {
            assert_eq!(money(text), None, "{text}");
        }
    }

    #[test]
    fn canonical_has_two_decimals() {
        let canonical = |minor| Money { minor, currency: None }.canonical();
        assert_eq!([canonical(123_450), canonical(5), canonical(-150)], ["1234.50", "0.05", "-1.50"]);
    }
}
