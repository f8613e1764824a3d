//! `sidetone eval asr`.

mod partials;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

#[cfg(all(feature = "whisper", feature = "piper"))]
use anyhow::Context;
use clap::ValueEnum;

use super::sets::{self, Order, Said};
use super::shared_data;
use crate::call::ports::{AbortFlag, Hint, Recognizer, Role};
use crate::cli::Format;
use crate::nlu::digits::digits;
use crate::nlu::word_errors::{spoken_words, word_errors};
use partials::{Partials, partials};

/// Sentences, digit strings and orders without `--all`: under four minutes on one core.
const FEW: (usize, usize, usize) = (30, 40, 16);

/// What may be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Word errors on prompts and read sentences.
    Words,
    /// Strings of six digits, and digits said alone.
    Digits,
    /// Slots of spoken orders.
    Orders,
    /// Words while they are spoken.
    Partials,
}

/// The engines as the defaults join them.
const DEFAULT: &str = "default";

/// Arguments of `sidetone eval asr`: word errors on Debian's telephone prompts (`asterisk-core-sounds-en-wav`) and five
/// read sentences (`pocketsphinx-testdata`), at 16 kHz as recorded and after 8 kHz μ-law; strings of six digits and
/// spoken orders from `../shared/data` (or `SIDETONE_SHARED_DATA`), after 8 kHz μ-law.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Everything that there is, instead of a part that takes under four minutes.
    #[arg(long)]
    all: bool,
    /// Show each sound that was heard wrong.
    #[arg(long)]
    show: bool,
    /// Only these engines: `whisper`, `moonshine`, `default` (as calls are served).
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<String>,
    /// Only this.
    #[arg(long, value_enum)]
    set: Vec<Set>,
}

impl Args {
    fn wants(&self, set: Set) -> bool {
        self.set.is_empty() || self.set.contains(&set)
    }
}

/// Shares, 0..1.
#[derive(Debug, Default, serde::Serialize)]
struct Figures {
    /// Word errors over words said, by engine and rate.
    wer: BTreeMap<String, BTreeMap<&'static str, f32>>,
    /// Six-digit strings that are not exact, digits being expected.
    digit_error: BTreeMap<String, f32>,
    /// The same where nothing is known of what comes.
    digit_error_unexpected: BTreeMap<String, f32>,
    /// Digits said alone that are not heard, nothing being expected.
    word_alone_error: BTreeMap<String, f32>,
    /// Slots of the spoken orders whose words are not found.
    order_slot_error: BTreeMap<String, f32>,
    /// The same where one of the menu's words is awaited.
    order_slot_error_expected: BTreeMap<String, f32>,
    /// The same where the menu's words are likely.
    order_slot_error_likely: BTreeMap<String, f32>,
    /// Word errors over the telephone where other words (the menu's) are likely than those that are said.
    wer_misled: BTreeMap<String, f32>,
    /// Seconds of one core per second of sound, by engine; read sentences and prompts over the telephone.
    cost: BTreeMap<String, f32>,
    /// Words while they are spoken, as calls are served.
    partials: BTreeMap<String, Partials>,
    /// What it was measured on.
    counts: BTreeMap<&'static str, usize>,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (sentences, strings, orders) = if args.all { (usize::MAX, 200, usize::MAX) } else { FEW };
    let data = shared_data();
    let sentences = sets::sentences(sentences)?;
    let strings = sets::digit_strings(&data, strings)?;
    let alone = sets::digits_alone(&data, strings.len().div_ceil(2))?;
    let orders = sets::orders(&data, orders)?;
    let mut figures = Figures::default();
    figures.counts.insert("sentences", sentences.len());
    figures.counts.insert("digit_strings", strings.len());
    figures.counts.insert("orders", orders.len());
    let values: BTreeSet<&str> = orders.iter().flat_map(|order| &order.slots).map(String::as_str).collect();
    let words: Arc<str> = values.into_iter().collect::<Vec<_>>().join(", ").into();
    let (menu, likely) = (Hint::Words(Arc::clone(&words)), Hint::Topics(words));
    for (name, mut engine) in engines()? {
        if !args.engine.is_empty() && !args.engine.contains(&name) {
            continue;
        }
        eprintln!("{name} …");
        let mut ear = Ear { engine: engine.as_mut(), show: args.show, heard: Duration::ZERO, confidence: 0.0 };
        let six = Hint::Digits { least: 6, most: 6 };
        if args.wants(Set::Words) {
            let narrow = ear.word_error_rate(&sentences, Said::telephone, &Hint::Open)?;
            figures.cost.insert(name.clone(), ear.heard.as_secs_f32() / sets::seconds(&sentences));
            figures.wer_misled.insert(name.clone(), ear.word_error_rate(&sentences, Said::telephone, &likely)?);
            let wide = ear.word_error_rate(&sentences, Said::wide, &Hint::Open)?;
            figures.wer.insert(name.clone(), BTreeMap::from([("8k", narrow), ("16k", wide)]));
        }
        if args.wants(Set::Digits) {
            let some = &strings[..strings.len().div_ceil(2)];
            figures.digit_error.insert(name.clone(), ear.digit_error(&strings, &six)?);
            figures.digit_error_unexpected.insert(name.clone(), ear.digit_error(some, &Hint::Open)?);
            figures.word_alone_error.insert(name.clone(), ear.word_error_rate(&alone, Said::telephone, &Hint::Open)?);
        }
        if args.wants(Set::Orders) {
            figures.order_slot_error.insert(name.clone(), ear.slot_error(&orders, &Hint::Open)?);
            figures.order_slot_error_expected.insert(name.clone(), ear.slot_error(&orders, &menu)?);
            figures.order_slot_error_likely.insert(name.clone(), ear.slot_error(&orders, &likely)?);
        }
        if args.wants(Set::Partials) && name == DEFAULT {
            figures.partials.insert(name, partials(engine.as_mut(), &sentences, args.show)?);
        }
    }
    report(args.format, &figures)?;
    Ok(ExitCode::SUCCESS)
}

/// What this thread has computed so far, by the system's own count where it keeps one (Linux), else the clock: other
/// work on the machine does not count.
pub(super) fn processor_time() -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let by_system = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = by_system.and_then(|line| line.split_whitespace().next()?.parse().ok());
    nanoseconds.map(Duration::from_nanos).unwrap_or_else(|| {
        #[expect(clippy::disallowed_methods, reason = "the cost of recognition is measured")]
        let now = Instant::now();
        now.duration_since(*BEGIN.get_or_init(|| now))
    })
}

/// An engine that is being listened to.
struct Ear<'e> {
    engine: &'e mut dyn Recognizer,
    show: bool,
    heard: Duration,
    /// Of the latest result.
    confidence: f32,
}

impl Ear<'_> {
    fn hear(&mut self, pcm: &[f32], hint: &Hint) -> anyhow::Result<String> {
        let started = processor_time();
        let heard = self.engine.recognize(pcm, hint, Role::Final, &AbortFlag::default())?;
        self.heard += processor_time().saturating_sub(started);
        self.confidence = heard.confidence;
        Ok(heard.text)
    }

    fn wrong(&self, said: &Said, heard: &str) {
        if self.show {
            eprintln!("{:28} said  {}\n{:22} {:.2}  heard {heard}", said.name, said.text, "", self.confidence);
        }
    }

    fn word_error_rate(
        &mut self,
        all: &[Said],
        sound: impl Fn(&Said) -> anyhow::Result<Vec<f32>>,
        hint: &Hint,
    ) -> anyhow::Result<f32> {
        let (mut words, mut errors) = (0, 0);
        for said in all {
            let heard = self.hear(&sound(said)?, hint)?;
            let expected = spoken_words(&said.text);
            let wrong = word_errors(&expected, &spoken_words(&heard));
            if wrong > 0 {
                self.wrong(said, &heard);
            }
            words += expected.len();
            errors += wrong;
        }
        Ok(errors as f32 / words.max(1) as f32)
    }

    fn digit_error(&mut self, all: &[Said], hint: &Hint) -> anyhow::Result<f32> {
        let mut wrong = 0;
        for said in all {
            let heard = self.hear(&said.telephone()?, hint)?;
            // Read as a slot of six digits reads it.
            if digits(&heard, Some((6, 6))).is_none_or(|found| found.digits != said.text) {
                self.wrong(said, &heard);
                wrong += 1;
            }
        }
        Ok(wrong as f32 / all.len().max(1) as f32)
    }

    fn slot_error(&mut self, all: &[Order], hint: &Hint) -> anyhow::Result<f32> {
        let (mut slots, mut missing) = (0, 0);
        for order in all {
            let heard = self.hear(&order.said.telephone()?, hint)?;
            let words = spoken_words(&heard).join(" ");
            let lost = order.slots.iter().filter(|slot| !words.contains(&spoken_words(slot).join(" "))).count();
            if lost > 0 {
                self.wrong(&order.said, &heard);
            }
            slots += order.slots.len();
            missing += lost;
        }
        Ok(missing as f32 / slots.max(1) as f32)
    }
}

type Named = (String, Box<dyn Recognizer>);

/// Each recogniser alone, and as the defaults join them.
#[cfg(all(feature = "whisper", feature = "piper"))]
fn engines() -> anyhow::Result<Vec<Named>> {
    use crate::engine::models::Registry;
    use crate::engine::{RecognitionConfig, recognition};

    let registry = Registry::builtin();
    let alone = |model: &str| RecognitionConfig::only(model);
    let of = [
        ("whisper", alone("whisper-tiny.en")),
        ("moonshine", alone("moonshine-tiny-en")),
        (DEFAULT, RecognitionConfig::default()),
    ];
    of.into_iter()
        .map(|(name, config)| {
            let make = recognition(&registry, &config).context("the recognisers")?;
            Ok((name.to_string(), make()?))
        })
        .collect()
}

#[cfg(not(all(feature = "whisper", feature = "piper")))]
fn engines() -> anyhow::Result<Vec<Named>> {
    anyhow::bail!("this sidetone was built without its recognisers")
}

/// One figure a line, or JSON.
fn report(format: Format, figures: &Figures) -> anyhow::Result<()> {
    let value = serde_json::to_value(figures)?;
    match format {
        Format::Json => println!("{}", serde_json::to_string_pretty(&value)?),
        Format::Human => lines("", &value),
    }
    Ok(())
}

fn lines(path: &str, value: &serde_json::Value) {
    match value.as_object() {
        Some(parts) => parts.iter().for_each(|(name, part)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            lines(&path, part);
        }),
        None => match value.as_f64() {
            Some(share) if value.is_f64() => println!("{path:36} {share:.3}"),
            _ => println!("{path:36} {value}"),
        },
    }
}
