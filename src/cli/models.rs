//! `sidetone models`: fetch, list and verify what the server runs.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Format;
use crate::engine::models::{Fetched, Fetcher, Model, ModelError, Outcome, Progress, Registry};

/// Arguments of `sidetone models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
    /// How to report.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    /// A further registry file: its models are added, and replace those of the same name.
    #[arg(long, value_name = "FILE", env = "SIDETONE_MODELS_REGISTRY", global = true)]
    registry: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Download and convert what is missing; what is there and right is left alone.
    Fetch {
        /// Models to fetch; when none is named, all that English needs.
        names: Vec<String>,
        /// The models of one more language, as in `zh` for Mandarin Chinese; may be given more than once.
        #[arg(long, value_name = "TAG")]
        language: Vec<String>,
    },
    /// Say what there is, what it is for, and what is known of its licence.
    List,
    /// Hash every file anew.
    Verify {
        /// Models to verify; when none is named, all that English needs.
        names: Vec<String>,
    },
}

/// Runs the command.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut registry = Registry::builtin();
    if let Some(file) = &args.registry {
        registry = registry.with_file(file)?;
    }
    match &args.command {
        Command::Fetch { names, language } => {
            let mut models =
                if names.is_empty() && !language.is_empty() { Vec::new() } else { chosen(&registry, names)? };
            for language in language {
                models.extend(registry.models_for(language)?);
            }
            fetch(&registry, &models, args.format)
        }
        Command::List => list(&registry, args.format),
        Command::Verify { names } => verify(&registry, &chosen(&registry, names)?, args.format),
    }
}

fn chosen<'a>(registry: &'a Registry, names: &[String]) -> Result<Vec<&'a Model>, ModelError> {
    if names.is_empty() {
        return Ok(registry.default_models());
    }
    names.iter().map(|name| registry.model(name)).collect()
}

/// One line of a report.
#[derive(Debug, Serialize)]
struct Row {
    model: String,
    file: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Row {
    fn of_fetched(fetched: &Fetched) -> Self {
        let (status, path, error) = match &fetched.outcome {
            Outcome::Present(path) => ("present", Some(path.clone()), None),
            Outcome::Fetched(path) => ("fetched", Some(path.clone()), None),
            Outcome::Failed(error) => ("failed", None, Some(error.to_string())),
        };
        Self { model: fetched.model.clone(), file: fetched.file.clone(), status, path, error }
    }
    fn print(&self) {
        let Self { model, file, status, .. } = self;
        match (&self.error, &self.path) {
            (Some(error), _) => println!("{model} {file}: {error}"),
            (None, Some(path)) => println!("{model} {file}: {status}, {}", path.display()),
            (None, None) => println!("{model} {file}: {status}"),
        }
    }
}

fn fetch(registry: &Registry, models: &[&Model], format: Format) -> anyhow::Result<ExitCode> {
    let bar = Bar::new(format);
    let fates = Fetcher::new(registry).fetch(models, &bar)?;
    bar.end();
    let rows: Vec<Row> = fates.iter().map(Row::of_fetched).collect();
    if format == Format::Json {
        print_json(&rows)?;
    }
    Ok(exit(rows.iter().all(|row| row.error.is_none())))
}

fn verify(registry: &Registry, models: &[&Model], format: Format) -> anyhow::Result<ExitCode> {
    let mut rows = Vec::new();
    for model in models {
        for file in &model.files {
            let (status, path, error) = match registry.verify(model, file) {
                Ok(path) => ("right", Some(path), None),
                Err(error @ ModelError::Missing { .. }) => ("missing", None, Some(error.to_string())),
                Err(error) => ("wrong", None, Some(error.to_string())),
            };
            let row = Row { model: model.name.clone(), file: file.name.clone(), status, path, error };
            if format == Format::Human {
                row.print();
            }
            rows.push(row);
        }
    }
    if format == Format::Json {
        print_json(&rows)?;
    }
    Ok(exit(rows.iter().all(|row| row.error.is_none())))
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    model: &'a str,
    purpose: &'a str,
    license: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    files: Vec<ListedFile<'a>>,
}

#[derive(Debug, Serialize)]
struct ListedFile<'a> {
    file: &'a str,
    sha256: &'a str,
    size: u64,
    path: PathBuf,
    present: bool,
}

fn list(registry: &Registry, format: Format) -> anyhow::Result<ExitCode> {
    let listed: Vec<Listed<'_>> = registry.models().iter().map(|model| listed(registry, model)).collect();
    if format == Format::Json {
        print_json(&listed)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("models in {}", registry.store().dir().display());
    for model in &listed {
        println!("\n{}: {}\n  licence: {}", model.model, model.purpose, model.license);
        if let Some(language) = model.language {
            println!("  for the language `{language}` only");
        }
        for file in &model.files {
            let state = if file.present { "present" } else { "missing" };
            println!("  {:<18} {:>7.1} MB  {state}  sha256 {}", file.file, file.size as f64 / 1e6, file.sha256);
        }
    }
    if listed.iter().flat_map(|m| &m.files).any(|f| !f.present) {
        println!("\n`sidetone models fetch` brings what is missing; `--language TAG` what a further language needs.");
    }
    Ok(ExitCode::SUCCESS)
}

fn listed<'a>(registry: &Registry, model: &'a Model) -> Listed<'a> {
    let files = model.files.iter().map(|file| {
        let path = registry.location(file);
        let present = path.is_file();
        ListedFile { file: &file.name, sha256: &file.origin.sha256, size: file.origin.size, path, present }
    });
    let files = files.collect();
    let language = model.language.as_deref();
    Listed { model: &model.name, purpose: &model.purpose, license: &model.license, language, files }
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value).context("the report could not be written as JSON")?);
    Ok(())
}

fn exit(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A progress bar on a terminal; otherwise a line a file, or nothing before the JSON report.
struct Bar {
    format: Format,
    terminal: bool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Bar {
    fn new(format: Format) -> Self {
        Self { format, terminal: std::io::stderr().is_terminal(), bar: Mutex::new(None) }
    }
    fn with(&self, change: impl FnOnce(&mut Option<ProgressBar>)) {
        // A panic while the bar was held leaves a bar that can still be drawn.
        change(&mut self.bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
    fn end(&self) {
        self.with(|bar| bar.take().iter().for_each(ProgressBar::finish_and_clear));
    }
}

impl Progress for Bar {
    fn start(&self, what: &str, bytes: u64) {
        if !self.terminal {
            return;
        }
        self.end();
        let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let new = ProgressBar::new(bytes).with_style(style).with_message(what.to_string());
        self.with(|bar| *bar = Some(new));
    }
    fn position(&self, bytes: u64) {
        self.with(|bar| bar.iter().for_each(|bar| bar.set_position(bytes)));
    }
    fn note(&self, what: &str) {
        self.end();
        if self.terminal {
            eprintln!("{what} …");
        }
    }
    fn file(&self, fetched: &Fetched) {
        self.end();
        if self.format == Format::Human {
            Row::of_fetched(fetched).print();
        }
    }
}
