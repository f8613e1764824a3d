//! Configuration: `sidetone.toml`, then environment, then flags; in two stages, as written ([`file`]) and as resolved
//! ([`Config`]). Unknown keys are refused. Never opens a socket; reads no plan.

mod callback;
mod file;
mod overrides;
mod services;
mod units;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::call::services::{Models, Secrets};
use crate::engine::RecognitionConfig;
use crate::net::sip::{Credentials, Transport};

pub use file::REFERENCE;

/// What is wrong with the configuration, and where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration {path}: {source}; name another with --config, or leave it out for the defaults"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or a key that does not exist, or a value of the wrong kind; the message holds line and column.
    #[error("{origin}: {message}")]
    Invalid {
        /// The file, the variable or the flag.
        origin: String,
        /// What and where.
        message: String,
    },
    /// A value that parses but makes no sense.
    #[error("{key}: {message}")]
    Value {
        /// The key, dotted.
        key: String,
        /// What and how to mend it.
        message: String,
    },
}

/// A number that callers dial and the plan that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The dialled number or user part; `*` answers every other.
    pub number: String,
    /// Folder of the plan.
    pub plan: PathBuf,
}

/// The people behind `queue:NAME`.
#[derive(Debug, Clone)]
pub struct QueueConfig {
    /// SIP addresses, rung in this order.
    pub agents: Vec<String>,
    /// How long each is rung.
    pub ring: Duration,
    /// For agents behind a registrar that asks for them.
    pub credentials: Option<Credentials>,
}

/// Signalling and media addresses.
#[derive(Debug, Clone)]
pub struct SipConfig {
    /// Where to listen.
    pub listen: Vec<(Transport, SocketAddr)>,
    /// The address that peers are told, where it differs from the one listened on.
    pub advertise: Option<IpAddr>,
    /// Lowest and highest RTP port.
    pub rtp_ports: (u16, u16),
    /// Whether media may come from another address than the one signalled (callers behind NAT).
    pub nat: bool,
    /// Whether P-Asserted-Identity is believed.
    pub trust_identity: bool,
    /// SIP addresses that a plan's `transfer: sip:…` may name, each with `*` for any run of characters.
    pub dial_allow: Vec<String>,
}

/// HTTP.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// Where to listen; `None` for not at all.
    pub listen: Option<SocketAddr>,
    /// Bearer token for `/api`.
    pub token: Option<String>,
    /// Address at which browsers' media is received.
    pub media: IpAddr,
}

/// Worker threads and caches.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// "neural", or "scripted" for tests without models.
    pub neural: bool,
    /// Threads that recognise.
    pub recognition_threads: usize,
    /// Threads that synthesise.
    pub synthesis_threads: usize,
    /// Rendered prompts kept in memory, bytes.
    pub prompt_cache_bytes: usize,
    /// A plan's own prompts kept on disk over a restart, bytes; 0 for none.
    pub prompt_disk_bytes: usize,
}

/// How long things are kept.
#[derive(Debug, Clone)]
pub struct KeepConfig {
    /// Whether calls are recorded.
    pub record: bool,
    /// Age at which recordings are deleted.
    pub recordings: Duration,
    /// Age at which transcripts are deleted.
    pub transcripts: Duration,
    /// Age at which what was inferred of callers' feelings is deleted; the calls stay.
    pub frustration: Duration,
    /// Age at which messages that callers left are deleted.
    pub messages: Duration,
    /// Age at which what plans keep of a caller is deleted, from the last call on.
    pub profiles: Duration,
    /// Age at which it is deleted how a caller sounds, from the last call in which that was measured.
    pub calm_voices: Duration,
}

/// Which callers are called back, and how.
#[derive(Debug, Clone)]
pub struct CallbackConfig {
    /// What their numbers begin with; of no number, nobody is called.
    pub allow: Vec<String>,
    /// SIP address with `{number}` in it.
    pub trunk: Option<String>,
    /// The user part that we call as: most trunks want a number of theirs.
    pub from: String,
    /// Where the trunk asks for them.
    pub credentials: Option<Credentials>,
    /// Calls at a time.
    pub most: usize,
    /// Tries, the first one included.
    pub tries: u32,
    /// From the first try to the second.
    pub again: Duration,
    /// How long it rings.
    pub ring: Duration,
}

/// Everything that the server needs, resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Folder for records and recordings.
    pub data: PathBuf,
    /// Calls at a time; the next is answered 503.
    pub max_calls: usize,
    /// A call is ended politely at this length.
    pub longest_call: Duration,
    /// After SIGTERM, how long running calls may go on.
    pub drain: Duration,
    /// Music for callers who wait; the built-in tune without.
    pub hold_music: Option<PathBuf>,
    /// Whether callers' frustration is inferred at all.
    pub emotion: bool,
    /// Numbers and plans.
    pub routes: Vec<Route>,
    /// Queues by name.
    pub queues: BTreeMap<String, QueueConfig>,
    /// What authenticates us to the services that plans name.
    pub secrets: Secrets,
    /// Language models that plans may ask.
    pub models: Models,
    /// Calls back.
    pub callback: CallbackConfig,
    /// Signalling.
    pub sip: SipConfig,
    /// HTTP.
    pub web: WebConfig,
    /// Engines.
    pub engine: EngineSettings,
    /// Which model recognises what.
    pub recognition: RecognitionConfig,
    /// The same for other languages that the file names, by their tags.
    pub languages: BTreeMap<String, RecognitionConfig>,
    /// Retention.
    pub keep: KeepConfig,
}

/// Flags that every command which reads the configuration has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ConfigArgs {
    /// Configuration file [default: sidetone.toml, if it is there]
    #[arg(long, env = "SIDETONE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key, as in `--set sip.advertise=192.0.2.7`; wins over file and environment
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

impl Config {
    /// Reads file, environment and flags.
    pub fn load(args: &ConfigArgs) -> Result<Self, ConfigError> {
        let environment = std::env::vars().collect::<Vec<_>>();
        Self::load_with(args, &environment)
    }

    /// As [`Config::load`], with the environment given.
    pub fn load_with(args: &ConfigArgs, environment: &[(String, String)]) -> Result<Self, ConfigError> {
        let default = Path::new("sidetone.toml");
        let path = args.config.as_deref().or_else(|| default.exists().then_some(default));
        let (text, base) = match path {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
                (text, path.parent().unwrap_or(Path::new("")).to_owned())
            }
            None => (String::new(), PathBuf::new()),
        };
        let origin = path.map_or_else(|| "defaults".to_owned(), |p| p.display().to_string());
        let value = file::parse(&text, &origin)?;
        let value = overrides::apply(value, environment, &args.set)?;
        file::resolve(value, &base)
    }

    /// The plan that answers `number`, if any.
    pub fn route(&self, number: &str) -> Option<&Route> {
        let exact = self.routes.iter().find(|r| r.number == number);
        exact.or_else(|| self.routes.iter().find(|r| r.number == "*"))
    }
}
