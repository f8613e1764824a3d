//! `sidetone eval intents`.

mod corpus;
mod measure;
mod small;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::call::ports::Embedder;
use crate::cli::Format;

use super::shared_data;
use corpus::Corpus;
use measure::Space;

/// Arguments of `sidetone eval intents`. Without files: Banking77 from `../shared/data` (or `SIDETONE_SHARED_DATA`) and
/// this project's small plans.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How to report.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Sentences to train on: CSV with the headers `text,label` or `text,category`; the label `oos` is none.
    #[arg(long, requires = "test", value_name = "FILE.csv")]
    train: Option<PathBuf>,
    /// Sentences to test on, likewise.
    #[arg(long, requires = "train", value_name = "FILE.csv")]
    test: Option<PathBuf>,
}

/// The figures that the project is held to.
#[derive(serde::Serialize)]
struct Project {
    #[serde(flatten)]
    banking: measure::Banking,
    #[serde(flatten)]
    small: small::Small,
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut embedder = embedder()?;
    let mut embed = |text: &str| embedder.embed(text).with_context(|| format!("cannot embed {text:?}"));
    let mut space = Space::new(&mut embed);
    if let (Some(train), Some(test)) = (&args.train, &args.test) {
        let train = Corpus::read(train, &[])?;
        let test = Corpus::read(test, &train.labels)?;
        report(args.format, &measure::other(&mut space, &train, &test)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = shared_data().join("banking77/train.csv");
    let corpus = Corpus::read(&file, &[]).context("Banking77 is needed; or give --train and --test")?;
    eprintln!("{} sentences are embedded first: about a minute on a core", corpus.rows.len());
    let all = Project { banking: measure::banking(&mut space, &corpus)?, small: small::measure(&mut space)? };
    report(args.format, &all)?;
    Ok(ExitCode::SUCCESS)
}

/// The model that calls use.
#[cfg(feature = "onnx")]
fn embedder() -> anyhow::Result<Box<dyn Embedder>> {
    use crate::engine::{minilm::MiniLm, models::Registry, onnx};

    let registry = Registry::builtin();
    onnx::load(&registry.path("onnxruntime", "libonnxruntime.so")?)?;
    let (model, tokenizer) = (registry.path("minilm-l6", "model.onnx")?, registry.path("minilm-l6", "tokenizer.json")?);
    Ok(Box::new(MiniLm::load(&model, &tokenizer)?))
}

#[cfg(not(feature = "onnx"))]
fn embedder() -> anyhow::Result<Box<dyn Embedder>> {
    anyhow::bail!("this sidetone was built without sentence embeddings (the feature `onnx`)")
}

/// One figure a line, or JSON.
fn report(format: Format, figures: &impl serde::Serialize) -> anyhow::Result<()> {
    let value = serde_json::to_value(figures)?;
    match (format, value.as_object()) {
        (Format::Human, Some(figures)) => {
            for (name, value) in figures {
                match value.as_array() {
                    Some(lines) if lines.iter().all(serde_json::Value::is_string) => {
                        lines.iter().filter_map(|line| line.as_str()).for_each(|line| println!("  {line}"));
                    }
                    _ => println!("{name:24} {value}"),
                }
            }
        }
        _ => println!("{}", serde_json::to_string_pretty(&value)?),
    }
    Ok(())
}
