//! Templates and conditions: minijinja with a small, closed set of filters and functions, and a limit on what one of
//! them may do. Knows what a template uses; what may be used is `compile`'s.

use std::collections::{BTreeSet, HashSet};

use minijinja::value::{Rest, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, filters, tests};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::calendar::Calendar;
use super::{chinese, speak};

mod functions;

pub(super) use functions::NOW;

/// What one template may do: an instruction costs one, 64 bytes cost one.
const FUEL: u64 = 20_000;
/// Longest text that a template may make, bytes; about three minutes of speech.
pub(super) const MAX_TEXT: usize = 4_000;
/// Everything but RFC 3986's unreserved characters (section 2.3) is encoded.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The scope's name for the hour of the day.
pub(super) const HOUR: &str = "__hour";
/// The scope's name for the intent that the last turn meant.
pub(super) const INTENT: &str = "__intent";

/// The functions that a template may call.
pub(super) const FUNCTIONS: &[&str] = &["greeting", "heard", "open", "opens", "closes", "holiday", "birthday"];
const FILTERS: &[&str] = &[
    "money",
    "date",
    "time",
    "email",
    "number",
    "ordinal",
    "plural",
    "digits",
    "spell",
    "upper",
    "lower",
    "title",
    "capitalize",
    "trim",
    "replace",
    "length",
    "default",
    "round",
    "int",
    "float",
    "abs",
    "first",
    "last",
    "join",
    "min",
    "max",
];
const TESTS: &[&str] = &["defined", "undefined", "none", "number", "string", "odd", "even", "in", "true", "false"];

/// The filters of the language.
#[cfg(test)]
pub(super) fn filters() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().copied()
}

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Speech, and values.
    Text,
    /// An address: what is filled in is percent-encoded.
    Url,
    /// A header of a request: what is filled in loses its control characters.
    Header,
}

/// What a template or condition uses.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses {
    /// Names, with their fields as far as they are plain: `caller.order.eta`.
    pub(super) names: BTreeSet<String>,
    /// The arguments of `heard(…)`.
    pub(super) heard: Vec<String>,
    /// The arguments of `open(…)`, `opens(…)` and `closes(…)`.
    pub(super) hours: Vec<String>,
}

/// Why a template cannot be read.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    /// The word that is wrong, if it is one.
    pub(super) word: Option<String>,
    /// Where a nearer word may be found.
    pub(super) known: &'static [&'static str],
    /// What mends it, where there is no such word.
    pub(super) help: Option<&'static str>,
}

/// The templates of a plan, compiled.
#[derive(Debug)]
pub(super) struct Templates {
    env: Environment<'static>,
    count: usize,
}

/// Names a template of [`Templates`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TemplateId(String);

/// Whether a text is a template at all.
pub(super) fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

impl Templates {
    pub(super) fn new(language: &str, calendar: Calendar) -> Self {
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::Chainable);
        env.set_fuel(Some(FUEL));
        env.set_debug(false);
        env.set_formatter(|out, state, value| {
            if value.is_undefined() || value.is_none() {
                return Ok(());
            }
            let text = shown(value);
            let encoded = state.name().starts_with(prefix(Kind::Url));
            if state.name().starts_with(prefix(Kind::Header)) {
                let graphic: String = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
                return out
                    .write_str(&graphic)
                    .map_err(|_| Error::new(ErrorKind::WriteFailure, "the text is too long"));
            }
            // A segment of dots alone would climb out of its folder (RFC 3986, 5.2.4), encoded or not.
            let text = match encoded {
                true if text.chars().all(|c| c == '.') => String::new(),
                true => utf8_percent_encode(&text, RESERVED).to_string(),
                false => text,
            };
            out.write_str(&text).map_err(|_| Error::new(ErrorKind::WriteFailure, "the text is too long"))
        });
        let in_chinese = chinese::is(language);
        env.add_function("greeting", move |state: &State<'_, '_>| greeting(state, in_chinese));
        env.add_function("heard", heard);
        functions::add(&mut env, calendar, in_chinese);
        add_filters(&mut env, speak::currency_of(language));
        if in_chinese {
            add_chinese_filters(&mut env, speak::currency_of(language));
        }
        add_tests(&mut env);
        Self { env, count: 0 }
    }

    /// Compiles a template.
    pub(super) fn add(&mut self, source: &str, kind: Kind) -> Result<(TemplateId, Uses), Problem> {
        bounded(source)?;
        let name = format!("{}{}", prefix(kind), self.count);
        self.env.add_template_owned(name.clone(), source.to_string()).map_err(|error| problem(source, &error))?;
        self.count += 1;
        let template = self.env.get_template(&name).map_err(|error| problem(source, &error))?;
        let uses = uses(source, template.undeclared_variables(true))?;
        Ok((TemplateId(name), uses))
    }

    /// Reads a condition, or the expression within a `{{ … }}`.
    pub(super) fn expression(&self, source: &str) -> Result<Uses, Problem> {
        bounded(source)?;
        let expression =
            self.env.compile_expression_owned(source.to_string()).map_err(|error| problem(source, &error))?;
        uses(&format!("{{{{ {source} }}}}"), expression.undeclared_variables(true))
    }

    /// Fills a template in. The error names no value: a masked one must not get out by it.
    pub(super) fn render(&self, id: &TemplateId, scope: Value) -> Result<String, ErrorKind> {
        let template = self.env.get_template(&id.0).map_err(|e| e.kind())?;
        let text = template.render(scope).map_err(|e| e.kind())?;
        if text.len() > MAX_TEXT { Err(ErrorKind::OutOfFuel) } else { Ok(text) }
    }

    /// A template as it was written.
    pub(super) fn source(&self, id: &TemplateId) -> String {
        self.env.get_template(&id.0).map(|template| template.source().to_owned()).unwrap_or_default()
    }

    /// Evaluates an expression. The error names no value.
    pub(super) fn eval(&self, source: &str, scope: Value) -> Result<Value, ErrorKind> {
        let expression = self.env.compile_expression_owned(source.to_string()).map_err(|e| e.kind())?;
        expression.eval(scope).map_err(|e| e.kind())
    }
}

fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text ",
        Kind::Url => "url ",
        Kind::Header => "header ",
    }
}

fn greeting(state: &State<'_, '_>, in_chinese: bool) -> &'static str {
    let hour = state.lookup(HOUR).and_then(|hour| u8::try_from(hour).ok());
    let hour = hour.unwrap_or(12);
    if in_chinese { chinese::greeting(hour) } else { speak::greeting(hour) }
}

/// Whether the last turn meant one of these intents.
fn heard(state: &State<'_, '_>, names: Rest<String>) -> bool {
    let meant = state.lookup(INTENT);
    let meant = meant.as_ref().and_then(Value::as_str);
    names.iter().any(|name| Some(name.as_str()) == meant)
}

fn add_filters(env: &mut Environment<'static>, currency: &'static str) {
    env.add_filter("money", move |value: &Value, code: Option<String>| {
        speak::money(value, code.as_deref().unwrap_or(currency))
    });
    env.add_filter("date", |value: &Value| speak::date(value));
    env.add_filter("time", |value: &Value| speak::time(value));
    env.add_filter("email", |value: &Value| speak::email(&printed(value)));
    env.add_filter("number", |value: &Value| speak::number_words(value));
    env.add_filter("ordinal", |value: &Value| speak::ordinal(value));
    env.add_filter("plural", |value: &Value, one: String, many: String| speak::plural(value, &one, &many));
    env.add_filter("digits", |value: &Value| speak::digits(&printed(value)));
    env.add_filter("spell", |value: &Value| speak::spell(&printed(value)));
    env.add_filter("upper", filters::upper);
    env.add_filter("lower", filters::lower);
    env.add_filter("title", filters::title);
    env.add_filter("capitalize", filters::capitalize);
    env.add_filter("trim", filters::trim);
    env.add_filter("replace", filters::replace);
    env.add_filter("length", filters::length);
    env.add_filter("default", filters::default);
    env.add_filter("round", filters::round);
    env.add_filter("int", filters::int);
    env.add_filter("float", filters::float);
    env.add_filter("abs", filters::abs);
    env.add_filter("first", filters::first);
    env.add_filter("last", filters::last);
    env.add_filter("join", filters::join);
    env.add_filter("min", filters::min);
    env.add_filter("max", filters::max);
}

/// Values that are said otherwise in Chinese, in place of the English filters.
fn add_chinese_filters(env: &mut Environment<'static>, currency: &'static str) {
    env.add_filter("money", move |value: &Value, code: Option<String>| {
        chinese::money(value, code.as_deref().unwrap_or(currency))
    });
    env.add_filter("date", |value: &Value| chinese::date(value));
    env.add_filter("time", |value: &Value| chinese::time(value));
}

fn add_tests(env: &mut Environment<'static>) {
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("none", tests::is_none);
    env.add_test("number", tests::is_number);
    env.add_test("string", tests::is_string);
    env.add_test("odd", tests::is_odd);
    env.add_test("even", tests::is_even);
    env.add_test("in", tests::is_in);
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
}

fn printed(value: &Value) -> String {
    if value.is_undefined() || value.is_none() { String::new() } else { shown(value) }
}

/// A whole number is written without a point, however it came about.
fn shown(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(number) if value.is_number() && number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        _ => value.to_string(),
    }
}

fn bounded(source: &str) -> Result<(), Problem> {
    if source.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(Problem { message: format!("this has more than {MAX_TEXT} bytes"), word: None, known: &[], help: None })
}

fn problem(source: &str, error: &Error) -> Problem {
    let curly = |c: &char| matches!(c, '“' | '”' | '„' | '‘' | '’' | '«' | '»');
    if let Some(quote) = source.chars().find(curly).filter(|_| error.to_string().contains("unexpected character")) {
        let help = Some("use straight quotes, as in open('shop')");
        return Problem { message: format!("`{quote}` is no quotation mark here"), word: None, known: &[], help };
    }
    let message = match error.detail() {
        Some(detail) => detail.to_string(),
        None => error.kind().to_string(),
    };
    let help = assigns(source).then_some("`==` compares");
    Problem { message, word: None, known: &[], help }
}

/// Whether an expression has an `=` that stands alone.
fn assigns(source: &str) -> bool {
    let bytes = source.as_bytes();
    let part = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_some_and(|byte| matches!(byte, b'=' | b'!' | b'<' | b'>'))
    };
    source.match_indices('=').any(|(at, _)| !part(at.checked_sub(1)) && !part(Some(at + 1)))
}

/// minijinja looks filters and tests up when it runs; this finds them beforehand.
fn uses(source: &str, names: HashSet<String>) -> Result<Uses, Problem> {
    let names = names.into_iter().filter(|name| !FUNCTIONS.contains(&name.as_str()));
    let mut found = Uses { names: names.collect(), ..Uses::default() };
    let tokens = tokens(source);
    for (at, token) in tokens.iter().enumerate() {
        let word = |ahead: usize| match tokens.get(at + ahead) {
            Some(Token::Word(word)) => Some(word.as_str()),
            _ => None,
        };
        match token {
            Token::Sign('|') => known("filter", word(1), FILTERS)?,
            Token::Word(is) if is == "is" => {
                let name = if word(1) == Some("not") { word(2) } else { word(1) };
                known("test", name, TESTS)?;
            }
            Token::Word(name) if name == "heard" && (at == 0 || tokens[at - 1] != Token::Sign('.')) => {
                found.heard.extend(arguments("heard", &tokens[at + 1..])?);
            }
            Token::Word(name)
                if matches!(name.as_str(), "open" | "opens" | "closes")
                    && tokens.get(at + 1) == Some(&Token::Sign('('))
                    && (at == 0 || tokens[at - 1] != Token::Sign('.')) =>
            {
                found.hours.extend(arguments(name, &tokens[at + 1..])?);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn known(what: &str, name: Option<&str>, known: &'static [&'static str]) -> Result<(), Problem> {
    match name {
        Some(name) if !known.contains(&name) => Err(Problem {
            message: format!("there is no {what} `{name}`"),
            word: Some(name.to_string()),
            known,
            help: None,
        }),
        _ => Ok(()),
    }
}

/// The texts between the brackets after `heard` and its like.
fn arguments(function: &str, tokens: &[Token]) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match (at, token) {
            (0, Token::Sign('(')) | (_, Token::Sign(',')) => {}
            (_, Token::Text(name)) if at > 0 => names.push(name.clone()),
            (_, Token::Sign(')')) if !names.is_empty() => return Ok(names),
            _ => break,
        }
    }
    let message = format!("`{function}` takes names, in quotes: {function}(\"name\")");
    Err(Problem { message, word: Some(function.to_string()), known: &[], help: None })
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

/// The words, quoted texts and signs within the template's brackets.
fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(open) = ["{{", "{%"].iter().filter_map(|mark| rest.find(mark)).min() {
        if rest[..open].contains("{#") {
            // Within a comment nothing is used.
            let comment = rest.find("{#").unwrap_or(0);
            let Some(end) = rest[comment..].find("#}") else { break };
            rest = &rest[comment + end + 2..];
            continue;
        }
        let close = if rest[open..].starts_with("{{") { "}}" } else { "%}" };
        rest = inside(&rest[open + 2..], close, &mut found);
    }
    found
}

/// Reads up to `close`; returns what follows it.
fn inside<'t>(text: &'t str, close: &str, found: &mut Vec<Token>) -> &'t str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix(close) {
            return after;
        }
        let end = match first {
            '"' | '\'' => {
                let body = &rest[1..];
                let mut escaped = false;
                let end = body.find(|c: char| {
                    let closes = c == first && !escaped;
                    escaped = c == '\\' && !escaped;
                    closes
                });
                let end = end.unwrap_or(body.len());
                found.push(Token::Text(body[..end].to_string()));
                (end + 2).min(rest.len())
            }
            c if is_word(c) => {
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                found.push(Token::Word(rest[..end].to_string()));
                end
            }
            c => {
                if !c.is_whitespace() {
                    found.push(Token::Sign(c));
                }
                c.len_utf8()
            }
        };
        rest = &rest[end..];
    }
    rest
}

#[cfg(test)]
mod unit {
    use minijinja::context;

    use super::*;

    fn rendered(source: &str, kind: Kind, scope: Value) -> Result<String, ErrorKind> {
        let mut templates = Templates::new("en-US", Calendar::default());
        let (id, _) = templates.add(source, kind).unwrap();
        templates.render(&id, scope)
    }

    #[test]
    fn a_missing_field_is_falsy_and_silent() {
        let text = "{{ caller.order.eta or 'soon' }}{{ caller.x.y.z }}";
        assert_eq!(rendered(text, Kind::Text, context! { caller => () }).as_deref(), Ok("soon"));
    }

    #[test]
    fn what_is_filled_into_an_address_is_encoded() {
        let scope = || context! { x => "+1 2/../ü&a=b", dots => ".." };
        let url = rendered("http://h/a/{{ x }}/{{ dots }}?q=1&p={{ x }}", Kind::Url, scope()).unwrap();
        assert_eq!(url, "http://h/a/%2B1%202%2F..%2F%C3%BC%26a%3Db/?q=1&p=%2B1%202%2F..%2F%C3%BC%26a%3Db");
    }

    #[test]
    fn a_template_that_loops_runs_out_of_fuel() {
        let list: Vec<u32> = (0..1000).collect();
        let nested = "{% for a in x %}{% for b in x %}{% for c in x %}.{% endfor %}{% endfor %}{% endfor %}";
        assert_eq!(rendered(nested, Kind::Text, context! { x => list }), Err(ErrorKind::OutOfFuel));
        assert!(rendered("{{ 'x' * 1000000000 }}", Kind::Text, context! {}).is_err());
        assert!(rendered("{{ 'x' * 100000 }}", Kind::Text, context! {}).is_err());
        assert!(Templates::new("en", Calendar::default()).eval("'x' * 9000000 == ''", context! {}).is_err());
    }

    #[test]
    fn what_a_template_uses_is_known_beforehand() {
        let mut templates = Templates::new("en", Calendar::default());
        let (_, uses) = templates
            .add("{{ greeting() }} {{ caller.name | upper }} {{ slots.a }} {# {{ b | c }} #}", Kind::Text)
            .unwrap();
        assert_eq!(uses.names.into_iter().collect::<Vec<_>>(), ["caller.name", "slots.a"]);
        let uses = templates.expression("heard('a', \"b\") or misses >= 3 and x | length > 2").unwrap();
        assert_eq!(uses.heard, ["a", "b"]);
        assert_eq!(uses.names.into_iter().collect::<Vec<_>>(), ["misses", "x"]);
        assert!(templates.expression("slots").unwrap().names.contains("slots"));
        assert!(templates.expression("slots['a']").unwrap().names.contains("slots"));
    }

    #[test]
    fn unknown_filters_tests_and_functions_are_found_beforehand() {
        let templates = Templates::new("en", Calendar::default());
        assert_eq!(templates.expression("a | mony").unwrap_err().word.as_deref(), Some("mony"));
        assert_eq!(templates.expression("a is not definde").unwrap_err().word.as_deref(), Some("definde"));
        assert!(templates.expression("heard(a)").is_err());
        assert!(templates.expression("heard()").is_err());
        assert!(templates.expression("a == 'x | y'").is_ok());
        assert!(templates.expression("a >").is_err());
        assert!(templates.expression("range(3)").unwrap().names.contains("range"));
    }

    #[test]
    fn heard_and_greeting_look_into_the_scope() {
        let templates = Templates::new("en", Calendar::default());
        let scope = || Value::from_pairs([(INTENT, Value::from("agent")), (HOUR, Value::from(20))]);
        assert!(templates.eval("heard('x', 'agent')", scope()).unwrap().is_true());
        assert!(!templates.eval("heard('x')", scope()).unwrap().is_true());
        assert_eq!(templates.eval("greeting()", scope()).unwrap().as_str(), Some("Good evening"));
    }
}
