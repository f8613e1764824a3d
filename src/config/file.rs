//! The file as written, and its resolution.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use super::callback::{self, CallbackEntry};
use super::services::{self, ModelEntry, SecretEntry};
use super::units::{bytes, duration};
use super::{Config, ConfigError, EngineSettings, KeepConfig, QueueConfig, Route, SipConfig, WebConfig};
use crate::engine::RecognitionConfig;
use crate::net::sip::{Credentials, Transport};
use crate::pii::Pii;

/// Every key with its default and its meaning: the documentation, kept true by a test.
pub const REFERENCE: &str = include_str!("../../sidetone.example.toml");

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    server: Server,
    sip: Sip,
    web: Web,
    engine: Engine,
    recognition: BTreeMap<String, Recognition>,
    keep: Keep,
    emotion: Emotion,
    route: Vec<RouteEntry>,
    queue: BTreeMap<String, QueueEntry>,
    secret: BTreeMap<String, SecretEntry>,
    model: BTreeMap<String, ModelEntry>,
    callback: CallbackEntry,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Server {
    data: PathBuf,
    max_calls: usize,
    longest_call: String,
    drain: String,
    hold_music: Option<PathBuf>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            data: "sidetone-data".into(),
            max_calls: 200,
            longest_call: "1h".into(),
            drain: "30s".into(),
            hold_music: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Emotion {
    enabled: bool,
}

impl Default for Emotion {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sip {
    listen: Vec<String>,
    advertise: Option<IpAddr>,
    rtp_ports: String,
    nat: bool,
    trust_identity: bool,
    dial_allow: Vec<String>,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            listen: vec!["udp:127.0.0.1:5060".into(), "tcp:127.0.0.1:5060".into()],
            advertise: None,
            rtp_ports: "20000-29999".into(),
            nat: false,
            trust_identity: false,
            dial_allow: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Web {
    listen: String,
    token: Option<String>,
    media: IpAddr,
}

impl Default for Web {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), token: None, media: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Engine {
    kind: String,
    recognition_threads: usize,
    synthesis_threads: usize,
    prompt_cache: String,
    prompt_disk: String,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            kind: "neural".into(),
            recognition_threads: 1,
            synthesis_threads: 1,
            prompt_cache: "64MB".into(),
            prompt_disk: "256MB".into(),
        }
    }
}

/// What is left out is the language's default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Recognition {
    partials: Option<String>,
    finals: Option<String>,
    expected: Option<String>,
    unsure: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Keep {
    record: bool,
    recordings: String,
    transcripts: String,
    frustration: String,
    messages: String,
    profiles: String,
    calm_voices: String,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            record: true,
            recordings: "30d".into(),
            transcripts: "30d".into(),
            frustration: "3d".into(),
            messages: "30d".into(),
            profiles: "365d".into(),
            calm_voices: "90d".into(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    number: String,
    plan: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct QueueEntry {
    agents: Vec<String>,
    #[serde(default = "default_ring")]
    ring: String,
    username: Option<String>,
    /// The name of the environment variable that holds the password: a secret does not lie in the file.
    password_env: Option<String>,
}

fn default_ring() -> String {
    "20s".into()
}

/// Parses `text`, so that a mistake is reported with line and column, and hands it on as a table for the overrides.
pub(super) fn parse(text: &str, origin: &str) -> Result<Table, ConfigError> {
    let invalid =
        |error: toml::de::Error| ConfigError::Invalid { origin: origin.to_owned(), message: error.to_string() };
    toml::from_str::<File>(text).map_err(invalid)?;
    toml::from_str::<Table>(text).map_err(invalid)
}

/// Turns the table into a [`Config`]; paths are relative to `base`.
pub(super) fn resolve(table: Table, base: &Path) -> Result<Config, ConfigError> {
    let file: File = table.try_into().map_err(|error: toml::de::Error| ConfigError::Invalid {
        origin: "environment or --set".into(),
        message: error.to_string(),
    })?;
    let at = |key: &str, message: String| ConfigError::Value { key: key.to_owned(), message };
    let time = |key: &str, text: &str| duration(text).map_err(|m| at(key, m));
    if file.server.max_calls == 0 {
        return Err(at("server.max_calls", "at least 1 call must be allowed".into()));
    }
    let neural = match file.engine.kind.as_str() {
        "neural" => true,
        "scripted" => false,
        other => return Err(at("engine.kind", format!("`{other}` is neither `neural` nor `scripted`"))),
    };
    let listen = file.sip.listen.iter().map(|text| listen_on(text)).collect::<Result<Vec<_>, _>>();
    let mut languages = recognition(file.recognition)?;
    let mut queues = BTreeMap::new();
    for (name, entry) in file.queue {
        queues.insert(name.clone(), queue(&name, entry)?);
    }
    Ok(Config {
        data: base.join(file.server.data),
        max_calls: file.server.max_calls,
        longest_call: time("server.longest_call", &file.server.longest_call)?,
        drain: time("server.drain", &file.server.drain)?,
        hold_music: file.server.hold_music.map(|path| base.join(path)),
        emotion: file.emotion.enabled,
        routes: file.route.into_iter().map(|r| Route { number: r.number, plan: base.join(r.plan) }).collect(),
        queues,
        secrets: services::secrets(file.secret)?,
        models: services::models(file.model)?,
        callback: callback::resolve(file.callback)?,
        sip: SipConfig {
            listen: listen.map_err(|m| at("sip.listen", m))?,
            advertise: file.sip.advertise,
            rtp_ports: port_range(&file.sip.rtp_ports).map_err(|m| at("sip.rtp_ports", m))?,
            nat: file.sip.nat,
            trust_identity: file.sip.trust_identity,
            dial_allow: file.sip.dial_allow,
        },
        web: WebConfig {
            listen: web_listen(&file.web.listen).map_err(|m| at("web.listen", m))?,
            token: file.web.token.filter(|t| !t.is_empty()),
            media: file.web.media,
        },
        engine: EngineSettings {
            neural,
            recognition_threads: file.engine.recognition_threads.max(1),
            synthesis_threads: file.engine.synthesis_threads.max(1),
            prompt_cache_bytes: bytes(&file.engine.prompt_cache).map_err(|m| at("engine.prompt_cache", m))?,
            prompt_disk_bytes: bytes(&file.engine.prompt_disk).map_err(|m| at("engine.prompt_disk", m))?,
        },
        recognition: languages.remove("en").unwrap_or_default(),
        languages,
        keep: KeepConfig {
            record: file.keep.record,
            recordings: time("keep.recordings", &file.keep.recordings)?,
            transcripts: time("keep.transcripts", &file.keep.transcripts)?,
            frustration: time("keep.frustration", &file.keep.frustration)?,
            messages: time("keep.messages", &file.keep.messages)?,
            profiles: time("keep.profiles", &file.keep.profiles)?,
            calm_voices: time("keep.calm_voices", &file.keep.calm_voices)?,
        },
    })
}

/// The models of each language that is named, over the language's defaults.
fn recognition(languages: BTreeMap<String, Recognition>) -> Result<BTreeMap<String, RecognitionConfig>, ConfigError> {
    let resolved = languages.into_iter().map(|(tag, written)| {
        let default = RecognitionConfig::of_language(&tag).ok_or_else(|| ConfigError::Value {
            key: format!("recognition.{tag}"),
            message: "no dialplan speaks this language; there are `en` and `zh`".to_owned(),
        })?;
        let config = RecognitionConfig {
            partials: written.partials.unwrap_or(default.partials),
            finals: written.finals.unwrap_or(default.finals),
            expected: written.expected.unwrap_or(default.expected),
            unsure: written.unsure.unwrap_or(default.unsure),
        };
        Ok((tag, config))
    });
    resolved.collect()
}

fn queue(name: &str, entry: QueueEntry) -> Result<QueueConfig, ConfigError> {
    let at = |key: &str, message: String| ConfigError::Value { key: format!("queue.{name}.{key}"), message };
    let credentials = match (entry.username, entry.password_env) {
        (None, None) => None,
        (Some(username), Some(variable)) => {
            let password = std::env::var(&variable)
                .map_err(|_| at("password_env", format!("the environment variable `{variable}` is not set")))?;
            Some(Credentials { username, password: Pii::new(password), realm: None })
        }
        _ => return Err(at("username", "username and password_env go together".into())),
    };
    Ok(QueueConfig { agents: entry.agents, ring: duration(&entry.ring).map_err(|m| at("ring", m))?, credentials })
}

fn listen_on(text: &str) -> Result<(Transport, SocketAddr), String> {
    let help = || format!("`{text}` is not of the form udp:ADDRESS:PORT or tcp:ADDRESS:PORT");
    let (transport, address) = text.split_once(':').ok_or_else(help)?;
    let transport = match transport {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        _ => return Err(help()),
    };
    Ok((transport, address.parse().map_err(|_| help())?))
}

fn web_listen(text: &str) -> Result<Option<SocketAddr>, String> {
    match text {
        "" | "off" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| format!("`{text}` is neither ADDRESS:PORT nor `off`")),
    }
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let help = || format!("`{text}` is not of the form LOW-HIGH with LOW below HIGH, as in 20000-29999");
    let (low, high) = text.split_once('-').ok_or_else(help)?;
    let (low, high) = (low.trim().parse().map_err(|_| help())?, high.trim().parse().map_err(|_| help())?);
    // 0-0 asks the system for free ports, as tests do.
    if low < high || (low == 0 && high == 0) { Ok((low, high)) } else { Err(help()) }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Config, ConfigError> {
        let environment: Vec<_> = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let set: Vec<_> = set.iter().map(|s| (*s).to_owned()).collect();
        let table = parse(text, "sidetone.toml")?;
        resolve(super::super::overrides::apply(table, &environment, &set)?, Path::new("/etc/sidetone"))
    }

    #[test]
    fn the_reference_parses_and_states_the_defaults() {
        let reference = load(REFERENCE, &[], &[]).expect("the reference is valid");
        let empty = load("", &[], &[]).expect("no file is a valid configuration");
        assert_eq!(format!("{:?}", reference.sip), format!("{:?}", empty.sip));
        assert_eq!(format!("{:?}", reference.web), format!("{:?}", empty.web));
        assert_eq!(format!("{:?}", reference.engine), format!("{:?}", empty.engine));
        assert_eq!(reference.recognition, empty.recognition);
        assert_eq!(format!("{:?}", reference.keep), format!("{:?}", empty.keep));
        assert_eq!(reference.max_calls, empty.max_calls);
    }

    #[test]
    fn flag_wins_over_environment_wins_over_file() {
        let text = "[server]\nmax_calls = 5\n";
        assert_eq!(load(text, &[], &[]).unwrap().max_calls, 5);
        let environment = [("SIDETONE_SERVER_MAX_CALLS", "6")];
        assert_eq!(load(text, &environment, &[]).unwrap().max_calls, 6);
        assert_eq!(load(text, &environment, &["server.max_calls=7"]).unwrap().max_calls, 7);
    }

    #[test]
    fn a_recogniser_is_chosen_by_language_and_role() {
        let text = "[recognition.en]\nfinals = \"whisper-tiny.en\"\n";
        let environment = [("SIDETONE_RECOGNITION_EN_PARTIALS", "whisper-tiny.en")];
        let config = load(text, &environment, &["recognition.en.expected=moonshine-tiny-en"]).unwrap().recognition;
        let names = [config.finals, config.partials, config.expected, config.unsure];
        assert_eq!(names, ["whisper-tiny.en", "whisper-tiny.en", "moonshine-tiny-en", "whisper-tiny.en"]);
    }

    #[test]
    fn a_further_language_has_defaults_of_its_own() {
        let config = load("[recognition.zh]\npartials = \"x\"\n", &[], &[]).unwrap();
        let chinese = &config.languages["zh"];
        assert_eq!([chinese.partials.as_str(), chinese.finals.as_str()], ["x", "whisper-base"]);
        assert_eq!(config.recognition, RecognitionConfig::default());
    }

    #[test]
    fn unknown_keys_are_refused_with_their_place() {
        let error = load("[sip]\nlissten = []\n", &[], &[]).unwrap_err().to_string();
        assert!(error.contains("lissten") && error.contains("line 2"), "{error}");
        let error = load("", &[("SIDETONE_SIP_LISSTEN", "x")], &[]).unwrap_err().to_string();
        assert!(error.contains("lissten"), "{error}");
        assert!(load("", &[], &["nonsense"]).unwrap_err().to_string().contains("KEY=VALUE"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = load("[[route]]\nnumber = \"100\"\nplan = \"bank\"\n", &[], &[]).unwrap();
        assert_eq!(config.route("100").unwrap().plan, Path::new("/etc/sidetone/bank"));
        assert!(config.route("101").is_none());
    }

    #[test]
    fn nonsense_values_name_their_key() {
        for (text, key) in [
            ("[sip]\nlisten = [\"5060\"]", "sip.listen"),
            ("[sip]\nrtp_ports = \"9-3\"", "sip.rtp_ports"),
            ("[keep]\nrecordings = \"soon\"", "keep.recordings"),
            ("[server]\nmax_calls = 0", "server.max_calls"),
            ("[engine]\nkind = \"magic\"", "engine.kind"),
            ("[recognition.de]\nfinals = \"whisper-base\"", "recognition.de"),
            ("[model.x]\nurl = \"ftp://h\"\nmodel = \"m\"", "model.x.url"),
            ("[secret.x]\nvalue_env = \"NOT_SET_ANYWHERE\"\nhosts = [\"h\"]", "secret.x.value_env"),
            ("[secret.x]\nvalue_env = \"PATH\"\nhosts = []", "secret.x.hosts"),
            ("[secret.x]\nvalue_env = \"PATH\"\nhosts = [\"h\"]\nheader = \"a b\"", "secret.x.header"),
            ("[callback]\nallow = [\"+44\"]", "callback.trunk"),
            ("[callback]\nallow = [\"*\"]\ntrunk = \"sip:{number}@h\"", "callback.allow"),
            ("[callback]\nallow = [\"\"]\ntrunk = \"sip:{number}@h\"", "callback.allow"),
            ("[callback]\ntrunk = \"sip:trunk@h\"", "callback.trunk"),
            ("[callback]\ntries = 0", "callback.tries"),
            ("[queue.x]\nagents = []\nusername = \"u\"", "queue.x.username"),
        ] {
            let error = load(text, &[], &[]).unwrap_err().to_string();
            assert!(error.starts_with(key), "{error}");
        }
    }
}
