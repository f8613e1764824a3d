//! A browser driven over the WebDriver protocol (W3C), by Debian's `chromium` and `chromium-driver`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use serde_json::{Value, json};

/// Longest that a command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A headless Chromium whose microphone is a WAV file.
pub(super) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    /// The profile, deleted at the end.
    _profile: tempfile::TempDir,
}

/// A program's path, if it is installed.
fn installed(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Browser {
    /// Starts Chromium with `microphone` as what it hears (played from its start when a page first asks, and again at
    /// its end). `None` when it is not installed, after a line that says so.
    pub(super) fn start(microphone: &Path) -> Option<Self> {
        let (Some(chromium), Some(chromedriver)) = (installed("chromium"), installed("chromedriver")) else {
            println!("skipped: no browser (apt-get install chromium chromium-driver)");
            return None;
        };
        let mut driver = Command::new(chromedriver).arg("--port=0").stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port: u16 = lines
            .map_while(Result::ok)
            .find_map(|line| line.rsplit_once("successfully on port ")?.1.trim_end_matches('.').parse().ok())
            .expect("chromedriver names its port");
        let profile = tempfile::tempdir().expect("a folder");
        let args = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--no-first-run".to_owned(),
            "--autoplay-policy=no-user-gesture-required".to_owned(),
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
            format!("--use-file-for-fake-audio-capture={}", microphone.display()),
            "--allow-loopback-in-peer-connection".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        let mut browser = Self {
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
            agent: config.into(),
            _profile: profile,
        };
        let options = json!({ "binary": chromium, "args": args });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "timeouts": { "script": PATIENCE.as_millis() as u64 }
        } } });
        let started = browser.post("", &wanted);
        browser.session = format!("{}/{}", browser.session, started["sessionId"].as_str().expect("a session"));
        Some(browser)
    }

    /// Opens a page.
    pub(super) fn open(&self, address: &str) {
        self.post("/url", &json!({ "url": address }));
    }

    /// Runs the body of an async function in the page and returns what it returns; what it throws fails the test.
    pub(super) fn run(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];\
             (async () => {{ {body} }})().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"
        );
        let result = self.post("/execute/async", &json!({ "script": script, "args": [] }));
        assert!(result["error"].is_null(), "the page threw {}: {body}", result["error"]);
        result["value"].clone()
    }

    /// Clicks on the element that a CSS selector names.
    pub(super) fn click(&self, selector: &str) {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let id =
            found.as_object().and_then(|element| element.values().next()?.as_str()).expect("an element").to_owned();
        self.post(&format!("/element/{id}/click"), &json!({}));
    }

    /// Waits until the expression is true in the page.
    pub(super) fn wait_for(&self, expression: &str) {
        let looked = self.run(&format!(
            "for (let tries = 0; tries < 300; tries++) {{ if ({expression}) return true; \
             await new Promise((next) => setTimeout(next, 100)); }} return document.body.innerText;"
        ));
        assert_eq!(looked, true, "waited for {expression}");
    }

    /// Mono PCM of what the page's `<audio>` plays for so long, and its rate in Hz.
    pub(super) fn hear(&self, seconds: f32) -> (u32, Vec<i16>) {
        let heard = self.run(&format!(
            "const context = new AudioContext();\
             const source = context.createMediaStreamSource(document.querySelector('audio').srcObject);\
             const tap = context.createScriptProcessor(4096, 1, 1);\
             const wanted = context.sampleRate * {seconds};\
             const samples = [];\
             await new Promise((enough) => {{\
               tap.onaudioprocess = (event) => {{\
                 for (const sample of event.inputBuffer.getChannelData(0)) samples.push(Math.round(sample * 32767));\
                 if (samples.length >= wanted) enough();\
               }};\
               source.connect(tap); tap.connect(context.destination);\
             }});\
             await context.close();\
             return {{ rate: context.sampleRate, samples }};"
        ));
        let samples = heard["samples"].as_array().expect("samples").iter();
        let samples = samples.map(|sample| sample.as_i64().expect("a number").clamp(-32_768, 32_767) as i16).collect();
        (heard["rate"].as_u64().expect("a rate") as u32, samples)
    }

    /// Keeps from now on what the page's `<audio>` plays.
    pub(super) fn listen(&self) {
        self.run(
            "const context = new AudioContext();\
             const source = context.createMediaStreamSource(document.querySelector('audio').srcObject);\
             const tap = context.createScriptProcessor(4096, 1, 1);\
             window.heard = { rate: context.sampleRate, pieces: [] };\
             tap.onaudioprocess = (event) => {\
               const piece = Int16Array.from(event.inputBuffer.getChannelData(0), (sample) => sample * 32767);\
               window.heard.pieces.push(piece);\
             };\
             source.connect(tap); tap.connect(context.destination);",
        );
    }

    /// Mono PCM of what was played since [`Browser::listen`], and its rate in Hz.
    pub(super) fn heard(&self) -> (u32, Vec<i16>) {
        let heard = self.run(
            "let text = '';\
             for (const piece of window.heard.pieces)\
               text += String.fromCharCode(...new Uint8Array(piece.buffer));\
             return { rate: window.heard.rate, samples: btoa(text) };",
        );
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(heard["samples"].as_str().expect("samples"))
            .expect("base64");
        let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        (heard["rate"].as_u64().expect("a rate") as u32, samples)
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let address = format!("{}{command}", self.session);
        let request = self.agent.post(&address).header("Content-Type", "application/json");
        let mut response = request.send(body.to_string()).expect("chromedriver answers");
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert!(answer["value"]["error"].is_null(), "{command}: {}", answer["value"]["message"]);
        answer["value"].clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; the driver would leave it behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
