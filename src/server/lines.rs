//! Loads plans: reads, checks, embeds their examples, and has their fixed prompts rendered before the first call.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::files;
use crate::audio::{Rate, file};
use crate::call::line::{Agents, Line, voice_of};
use crate::call::ports::{JobError, Keep, SayId, SynthesizeJob, Tone};
use crate::call::sentences;
use crate::call::services::{Models, Secrets};
use crate::call::understand::Understanding;
use crate::config::Config;
use crate::dialplan::markup::PACE;
use crate::dialplan::{Diagnostic, Plan};
use crate::engine::Engines;
use crate::nlu::language;
use crate::speech::emotion::{ModelError, ProsodyModel};

/// Built-in hold music, made by this project (fixtures/README.md).
const MUSIC: &[u8] = include_bytes!("../../fixtures/hold.wav");
/// Longest clip that is read, seconds.
const LONGEST_CLIP: u32 = 600;
/// Prompts that are not rendered by then are rendered when they are needed.
const RENDER_AHEAD: Duration = Duration::from_secs(600);

/// Why a number cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The plan's file cannot be read.
    #[error("cannot read the plan {path}: {source}; a route's `plan` names a folder that holds dialplan.yaml")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The plan has mistakes.
    #[error("the plan {path} does not check:\n{}", list(.diagnostics))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them.
        diagnostics: Vec<Diagnostic>,
    },
    /// A clip cannot be played.
    #[error("cannot play {path}: {message}")]
    Clip {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The engines gave no embeddings.
    #[error("the plan's examples cannot be embedded: {0}")]
    Embedding(#[from] JobError),
    /// A secret that the plan names and the configuration does not have.
    #[error("the plan {path} sends the secret `{name}`, and the configuration has no [secret.{name}]")]
    Secret {
        /// The plan.
        path: PathBuf,
        /// The secret's name.
        name: String,
    },
    /// A language model that the plan names and the configuration does not have.
    #[error("the plan {path} asks the model `{name}`, and the configuration has no [model.{name}]")]
    Model {
        /// The plan.
        path: PathBuf,
        /// The model's name.
        name: String,
    },
    /// A number that the plan switches to and no route has.
    #[error("the plan {path} switches to the number `{number}`, which no [[route]] of the configuration has")]
    Switch {
        /// The plan.
        path: PathBuf,
        /// The number.
        number: String,
    },
    /// A number that is to answer callers of another language, and whose plan is not in it.
    #[error(
        "the plan {path} sends callers who speak `{language}` to the number `{number}`, whose plan {other}: name the \
         number of a plan with `language: {language}`"
    )]
    Languages {
        /// The plan.
        path: PathBuf,
        /// The language's tag.
        language: &'static str,
        /// The number.
        number: String,
        /// What is the matter with its plan.
        other: String,
    },
    /// A language whose models were not loaded with the engines.
    #[error(
        "the plan {path} is in the language `{language}`, whose models are not loaded: `en` and `zh` are known, and a \
         language that no route had at the start is loaded by starting again"
    )]
    Language {
        /// The plan.
        path: PathBuf,
        /// Its tag.
        language: String,
    },
    /// The prosody model that this program ships cannot be used.
    #[error("the prosody model: {0}")]
    Prosody(#[from] ModelError),
}

fn list(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(|d| format!("  {d}")).collect::<Vec<_>>().join("\n")
}

/// The plan's file in `folder`, or the file that it is.
fn plan_file(folder: &Path) -> PathBuf {
    if folder.is_dir() { folder.join(files::PLAN) } else { folder.to_owned() }
}

/// Reads and checks a plan.
fn read_plan(path: &Path) -> Result<Plan, LineError> {
    let path = path.to_owned();
    let checked = files::check(&path).map_err(|source| LineError::Unreadable { path: path.clone(), source })?;
    checked.plan.ok_or(LineError::Mistakes { path, diagnostics: checked.diagnostics })
}

/// The languages of the routes' plans, English apart, for the engines to load. A plan that cannot be read or does not
/// check has none here: it is told of when the server loads it.
pub fn languages(config: &Config) -> BTreeSet<&'static str> {
    let plans = config.routes.iter().filter_map(|route| read_plan(&plan_file(&route.plan)).ok());
    plans.map(|plan| language::of(plan.language()).tag()).filter(|tag| *tag != "en").collect()
}

/// The plan's clips, decoded.
fn clips(plan: &Plan, path: &Path) -> Result<BTreeMap<String, [Arc<[i16]>; 2]>, LineError> {
    let folder = files::Folder::of(path);
    let clip = |name: &str| {
        let sound = folder.sound(name).map_err(|message| LineError::Clip { path: name.into(), message })?;
        Ok((name.to_owned(), sound.map(Arc::from)))
    };
    plan.clips().into_iter().map(clip).collect()
}

/// Makes lines of plans: what all of them share is read once.
pub(super) struct Loader {
    config: Config,
    engines: Engines,
    music: [Arc<[i16]>; 2],
    prosody: Arc<ProsodyModel>,
}

impl Loader {
    /// Reads what is shared.
    pub(super) fn new(config: Config, engines: Engines) -> Result<Self, LineError> {
        let music = music(config.hold_music.as_deref())?;
        let prosody = Arc::new(ProsodyModel::shipped()?);
        Ok(Self { config, engines, music, prosody })
    }

    /// The folders of the routes' plans, each once.
    pub(super) fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.config.routes.iter().map(|route| route.plan.clone()).collect();
        folders.sort();
        folders.dedup();
        folders
    }

    /// Loads the plan of every route.
    pub(super) fn all(&self) -> Result<BTreeMap<PathBuf, Arc<Line>>, LineError> {
        let mut lines = BTreeMap::new();
        let mut prompts = Vec::new();
        for folder in self.folders() {
            let line = self.line(&folder)?;
            prompts.extend(prompts_of(&line.plan));
            lines.insert(folder, Arc::new(line));
        }
        render_ahead(prompts, self.engines.clone());
        Ok(lines)
    }

    /// Loads one plan again.
    pub(super) fn again(&self, folder: &Path) -> Result<Arc<Line>, LineError> {
        let line = self.line(folder)?;
        render_ahead(prompts_of(&line.plan), self.engines.clone());
        Ok(Arc::new(line))
    }

    /// Whether the numbers for callers of other languages have plans in them, and what tells the languages is loaded.
    fn languages_answered(&self, path: &Path, plan: &Plan) -> Result<(), LineError> {
        let routes = &self.config.routes;
        for (language, number) in plan.languages() {
            let route = routes.iter().find(|r| r.number == number).or_else(|| routes.iter().find(|r| r.number == "*"));
            let other = match route.map(|route| read_plan(&plan_file(&route.plan))) {
                // Told elsewhere: a number without a route, a plan with mistakes.
                None | Some(Err(_)) => continue,
                Some(Ok(other)) => Plan::heard_language(other.language()).unwrap_or("another language"),
            };
            let wrong = |other: String| {
                let (path, number) = (path.to_owned(), number.to_owned());
                Err(LineError::Languages { path, language, number, other })
            };
            if other != language {
                return wrong(format!("is in `{other}`"));
            }
            if self.engines.in_language(language).is_none() {
                return wrong("is in a language whose models were not loaded at the start: start again".to_owned());
            }
        }
        Ok(())
    }

    /// Blocks while the examples are embedded.
    fn line(&self, folder: &Path) -> Result<Line, LineError> {
        let Self { config, .. } = self;
        let path = plan_file(folder);
        let plan = Arc::new(read_plan(&path)?);
        if config.emotion && !plan.announces_emotion() {
            let plan = plan.name();
            tracing::warn!(plan, "callers' feelings are inferred and the plan has no `emotion_notice` that tells them");
        }
        if plan.calls_back() && config.callback.trunk.is_none() {
            let plan = plan.name();
            tracing::warn!(plan, "callers ask to be called back, and none is: set `allow` and `trunk` of [callback]");
        }
        let answered = |number: &&str| config.routes.iter().any(|r| r.number == **number || r.number == "*");
        if let Some(number) = plan.switches().into_iter().find(|number| !answered(number)) {
            return Err(LineError::Switch { path: path.clone(), number: number.to_owned() });
        }
        self.languages_answered(&path, &plan)?;
        let unknown = || LineError::Language { path: path.clone(), language: plan.language().to_owned() };
        let engines = self.engines.in_language(plan.language()).ok_or_else(unknown)?;
        let vectors = embed(&plan, &engines)?;
        // Kept from one plan to the next, and from one start to the next, with the plans' own sentences.
        let common = Understanding::texts_of(plan.language()).map(str::to_owned);
        let common = engines.embed_all(common.collect())?;
        let queue = |q: &crate::config::QueueConfig| Agents { agents: q.agents.clone(), ring: q.ring };
        Ok(Line {
            understanding: Understanding::train(Arc::clone(&plan), &vectors, &common),
            queues: config.queues.iter().map(|(name, q)| (name.clone(), queue(q))).collect(),
            music: self.music.clone(),
            dial_allow: config.sip.dial_allow.clone(),
            longest_call: config.longest_call,
            clips: clips(&plan, &path)?,
            secrets: secrets(&plan, config, folder)?,
            models: models(&plan, config, folder)?,
            prosody: Arc::clone(&self.prosody),
            emotion: self.config.emotion,
            plan,
        })
    }
}

/// A sentence that is the same in every call, the voice that says it, and how fast, percent.
struct Prompt {
    voice: String,
    text: String,
    tempo: u8,
}

/// The plan's fixed sentences. One whose callers choose how fast they are spoken to has them at the voice's own pace.
fn prompts_of(plan: &Plan) -> Vec<Prompt> {
    let (voice, tempo) = (voice_of(plan), plan.pace().unwrap_or(PACE));
    let lines = plan.literal_prompts();
    let said = lines.iter().flat_map(|line| sentences::sentences(line));
    said.map(|text| Prompt { voice: voice.to_owned(), text: plan.lexicon().apply(&text), tempo }).collect()
}

/// The secrets that the plan names, and no others.
fn secrets(plan: &Plan, config: &Config, path: &Path) -> Result<Secrets, LineError> {
    let named = plan.secrets().into_iter().map(|name| match config.secrets.get(name) {
        Some(secret) => Ok((name.to_owned(), secret.clone())),
        None => Err(LineError::Secret { path: path.to_owned(), name: name.to_owned() }),
    });
    named.collect()
}

/// The language models that the plan names, and no others.
fn models(plan: &Plan, config: &Config, path: &Path) -> Result<Models, LineError> {
    let named = plan.models().into_iter().map(|name| match config.models.get(name) {
        Some(model) => Ok((name.to_owned(), model.clone())),
        None => Err(LineError::Model { path: path.to_owned(), name: name.to_owned() }),
    });
    named.collect()
}

/// Embeds all examples in one go, and gives them back by class.
fn embed(plan: &Plan, engines: &Engines) -> Result<Vec<Vec<Vec<f32>>>, JobError> {
    let texts = Understanding::texts(plan);
    let mut vectors = engines.embed_all(texts.iter().flatten().cloned().collect())?.into_iter();
    Ok(texts.iter().map(|class| vectors.by_ref().take(class.len()).collect()).collect())
}

/// Has the plans' fixed lines rendered into the cache, so that the first caller does not wait for them: one at a time,
/// behind whatever a call wants rendered meanwhile.
fn render_ahead(prompts: Vec<Prompt>, engines: Engines) {
    let render = move || {
        for Prompt { voice, text, tempo } in prompts {
            let (done, wait) = std::sync::mpsc::sync_channel(1);
            let deadline = now() + RENDER_AHEAD;
            let (say, sentence, rate) = (SayId::default(), 0, Rate::Narrow);
            // Wanted last of all: callers go first.
            let job = SynthesizeJob {
                say,
                sentence,
                text,
                voice,
                tone: Tone::Even,
                rate,
                tempo,
                keep: Keep::Disk,
                needed: deadline,
                deadline,
            };
            let reply = Box::new(move |result| drop(done.send(result)));
            engines.synthesize(job, reply);
            // Gone with the engines: the server is being shut down.
            if wait.recv().is_err() {
                return;
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name("render-ahead".into()).spawn(render) {
        tracing::warn!(%error, "prompts are rendered when they are first needed");
    }
}

fn music(path: Option<&Path>) -> Result<[Arc<[i16]>; 2], LineError> {
    let named = path.unwrap_or(Path::new("the built-in hold music"));
    let clip = |message: String| LineError::Clip { path: named.to_owned(), message };
    let bytes = match path {
        Some(path) => std::fs::read(path).map_err(|error| clip(error.to_string()))?,
        None => MUSIC.to_vec(),
    };
    let at = |rate: Rate| file::decode(&bytes, rate.hz(), LONGEST_CLIP).map(Arc::from).map_err(|e| clip(e.to_string()));
    Ok([at(Rate::Narrow)?, at(Rate::Wide)?])
}

#[expect(clippy::disallowed_methods, reason = "the driver is where the clock is read")]
fn now() -> Instant {
    Instant::now()
}
