//! A whole server in this process, on free loopback ports, with real models; and what its calls left behind.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(any(feature = "webrtc", feature = "device"))]
use sidetone::call::io::Report;
use sidetone::call::record::CallRecord;
use sidetone::config::{Config, ConfigArgs, Route};
use sidetone::engine::models::Registry;
use sidetone::engine::{EngineConfig, Engines};
use sidetone::server::{Server, What};
use tokio::sync::broadcast::Receiver;

use sidetone::server::CallEvent;

/// Longest that a test waits for a call to end.
const PATIENCE: Duration = Duration::from_secs(90);

/// One set of models for all tests of this binary; `None`, with one line that says so, where they are not fetched.
pub(crate) fn engines() -> Option<Engines> {
    static ENGINES: OnceLock<Option<Engines>> = OnceLock::new();
    let load = || {
        let registry = Registry::builtin();
        let engines = Engines::real(&registry, &EngineConfig::default());
        engines.inspect_err(|error| println!("skipped: {error}")).ok()
    };
    ENGINES.get_or_init(load).clone()
}

/// Calls with real models run one at a time: two at once on two cores measure the machine.
pub(crate) async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ALONE.lock().await
}

/// Whether a program is installed; one line says so where it is not.
pub(crate) fn installed(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

/// The project's own folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A fixture's path.
pub(crate) fn caller(name: &str) -> PathBuf {
    root().join(format!("fixtures/callers/{name}.wav"))
}

/// A running server and its folder.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) sip: SocketAddr,
    _folder: tempfile::TempDir,
    events: Receiver<CallEvent>,
}

impl House {
    /// Serves `plan` under every number; further keys as `section.key=value`.
    pub(crate) async fn open(plan: &Path, engines: Engines, set: &[String]) -> Self {
        Self::open_with(plan, engines, set, |_| {}).await
    }

    /// The same, with what no key can say: a password.
    pub(crate) async fn open_with(
        plan: &Path,
        engines: Engines,
        set: &[String],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut keys = vec![
            "sip.listen=[\"udp:127.0.0.1:0\", \"tcp:127.0.0.1:0\"]".to_owned(),
            "sip.rtp_ports=0-0".to_owned(),
            "web.listen=127.0.0.1:0".to_owned(),
            "server.drain=100ms".to_owned(),
            format!("server.data={}", folder.path().display()),
        ];
        keys.extend_from_slice(set);
        let args = ConfigArgs { config: None, set: keys };
        let mut config = Config::load_with(&args, &[]).expect("a valid configuration");
        config.routes = vec![Route { number: "*".into(), plan: plan.to_owned() }];
        change(&mut config);
        let server = Server::start(config, engines).await.expect("the server starts");
        let sip = server.sip[0].1;
        let events = server.events.watch();
        Self { server, sip, _folder: folder, events }
    }

    /// Waits until this happens in a call.
    #[cfg(any(feature = "webrtc", feature = "device"))]
    pub(crate) async fn until(&mut self, what: &str, happens: impl Fn(&Report) -> bool) {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the server lives");
                println!("{event}");
                match &event.what {
                    What::Report(report) if happens(report) => return,
                    What::Ended { .. } => panic!("the call ended before {what}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for {what}"));
    }

    /// Waits for the next call to end, and returns its record.
    pub(crate) async fn ended(&mut self) -> CallRecord {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("the server lives");
                println!("{event}");
                if matches!(event.what, What::Ended { .. }) {
                    return event.call;
                }
            }
        };
        let id = tokio::time::timeout(PATIENCE, wait).await.expect("the call ends in time");
        self.server.store.get(&id).await.expect("the store answers").expect("the call is stored")
    }
}

/// A program that a test started; ended with the test, by its id.
pub(crate) struct Peer(pub(crate) Child);

impl Peer {
    /// Starts it, its output to nowhere.
    pub(crate) fn start(program: &str, arguments: &[&str]) -> Self {
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Self(child)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the recogniser makes of a file's sound (its only channel, or the named one).
pub(crate) fn words_in(engines: &Engines, pcm: &[i16]) -> String {
    use sidetone::call::ports::{AbortFlag, Done, Hint, RecognizeJob, Role, TurnId};
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    let job = RecognizeJob {
        turn: TurnId(0),
        role: Role::Final,
        pcm: pcm.into(),
        rate: sidetone::audio::Rate::Narrow,
        hint: Hint::Open,
        deadline: tokio::time::Instant::now().into_std() + PATIENCE,
        abort: AbortFlag::default(),
    };
    let reply = Box::new(move |done| {
        let _ = send.send(done);
    });
    engines.for_call().recognize(job, reply);
    match receive.recv_timeout(PATIENCE) {
        Ok(Done::Heard { result: Ok(transcript), .. }) => transcript.text.to_lowercase(),
        other => panic!("{other:?}"),
    }
}

/// The loudest stretch of up to 20 s: what a recogniser can take in one go.
pub(crate) fn voiced(pcm: &[i16]) -> Vec<i16> {
    let first = pcm.iter().position(|s| s.unsigned_abs() > 600).unwrap_or(0);
    pcm[first..].iter().copied().take(8_000 * 20).collect()
}
