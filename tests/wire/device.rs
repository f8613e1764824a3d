//! `sidetone call --device`: without a sound card, and with one that PulseAudio plays.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sidetone::audio::file;
use sidetone::call::io::Report;
use sidetone::call::record::Outcome;

use super::house::{House, Peer, alone, caller, engines, installed, root, voiced, words_in};

fn telephone(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
    command
        .args(arguments)
        .env("ALSA_CONFIG_PATH", folder.join("asound.conf"))
        .env("PULSE_SERVER", format!("unix:{}", folder.join("socket").display()))
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn without_a_sound_card_one_sentence_says_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("asound.conf"), "").expect("a writable folder");
    // Nobody is rung: the sound comes first.
    let call = telephone(folder.path(), &["call", "sip:100@127.0.0.1:9", "--device"]).output().expect("the binary");
    let errors = String::from_utf8_lossy(&call.stderr);
    assert!(!call.status.success() && errors.contains("sidetone: ") && errors.contains("microphone"), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    let named = ["call", "sip:100@127.0.0.1:9", "--microphone", "no such thing"];
    let call = telephone(folder.path(), &named).output().expect("the binary");
    let errors = String::from_utf8_lossy(&call.stderr);
    assert!(errors.contains("there is no microphone `no such thing`"), "{errors}");
    let list = telephone(folder.path(), &["call", "--devices"]).output().expect("the binary");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
}

/// A sound server with two cards that exist in memory only, and the configuration that shows them to ALSA.
struct SoundServer {
    _server: Peer,
    folder: tempfile::TempDir,
}

impl SoundServer {
    fn start() -> Option<Self> {
        let here = ["pulseaudio", "pacat", "parec"].iter().all(|program| installed(program));
        let plugin = Path::new("/usr/lib/x86_64-linux-gnu/alsa-lib/libasound_module_pcm_pulse.so").is_file();
        if !here || !plugin {
            println!("skipped: no sound server (apt-get install pulseaudio libasound2-plugins)");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let asound = "
            pcm.headset_microphone { type pulse device near.monitor hint { show on description \"A headset's microphone\" } }
            pcm.headset_phones { type pulse device far hint { show on description \"A headset's phones\" } }
        ";
        std::fs::write(folder.path().join("asound.conf"), asound).expect("a writable folder");
        let socket = folder.path().join("socket");
        let child = Command::new("pulseaudio")
            .args(["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm=yes"])
            .args(["-L", &format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display())])
            .args(["-L", "module-null-sink sink_name=near rate=48000"])
            .args(["-L", "module-null-sink sink_name=far rate=48000"])
            .env("HOME", folder.path())
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pulseaudio starts");
        let server = Self { _server: Peer(child), folder };
        let mut looks = std::iter::repeat_with(|| server.run("pactl", &["info"]).output().expect("pactl"));
        assert!(looks.by_ref().take(200).any(|look| look.status.success()), "pulseaudio does not answer");
        Some(server)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        let socket = self.folder.path().join("socket");
        command.args(arguments).env("PULSE_SERVER", format!("unix:{}", socket.display()));
        command.env("HOME", self.folder.path()).env("XDG_RUNTIME_DIR", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_talks_by_microphone_and_loudspeaker() {
    let Some(engines) = engines() else { return };
    let Some(sound) = SoundServer::start() else { return };
    let _alone = alone().await;
    let mut house = House::open(&root().join("dialplans/bank"), engines.clone(), &[]).await;
    let folder = sound.folder.path();
    let list = telephone(folder, &["call", "--devices"]).output().expect("the binary");
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.contains("headset_microphone") && list.contains("headset_phones"), "{list}");

    // What the loudspeaker plays is kept, and a person speaks into the microphone once the greeting is over.
    let played = folder.join("played.raw");
    let raw = ["--rate=8000", "--channels=1", "--format=s16le"];
    let kept = sound.run("parec", &["--device=far.monitor"]).args(raw).stdout(created(&played)).spawn();
    let kept = Peer(kept.expect("parec starts"));
    let address = format!("sip:100@{}", house.sip);
    let ends = ["--microphone", "headset_microphone", "--loudspeaker", "A headset's phones", "--format", "json"];
    let mut telephone = Peer(telephone(folder, &["call", &address]).args(ends).spawn().expect("the binary"));
    let helps = |report: &Report| matches!(report, Report::Said { text, .. } if text.contains("help"));
    house.until("the greeting", helps).await;
    let speech = folder.join("speech.raw");
    std::fs::write(&speech, bytes(&speech_of("balance"))).expect("a writable folder");
    let speech = speech.display().to_string();
    let spoken = sound.run("pacat", &["--playback", "--device=near"]).args(raw).arg(&speech).spawn();
    let _spoken = Peer(spoken.expect("pacat starts"));
    let asks = |report: &Report| matches!(report, Report::Said { text, .. } if text.contains("account number"));
    house.until("the question for the account number", asks).await;
    press(&mut telephone.0, "1234 5678#");
    house.until("the keys", |report| matches!(report, Report::Keys { .. })).await;
    press(&mut telephone.0, "q");
    let record = house.ended().await;
    drop(kept);

    assert_eq!(record.outcome, Outcome::CallerHungUp);
    let turn = record.turns.first().unwrap_or_else(|| panic!("no turn was heard: {record:?}"));
    assert!(turn.text.to_lowercase().contains("balance"), "{turn:?}");
    assert_eq!(turn.intent.as_deref(), Some("balance"));
    let played = std::fs::read(&played).expect("kept");
    let played: Vec<i16> = played.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let words = words_in(&engines, &voiced(&played));
    assert!(words.contains("northbank") || words.contains("help"), "{words}");
    house.server.shutdown().await;
}

fn created(path: &Path) -> std::fs::File {
    std::fs::File::create(path).expect("a writable folder")
}

fn speech_of(name: &str) -> Vec<i16> {
    file::decode(&std::fs::read(caller(name)).expect("the fixture"), 8_000, 60).expect("a sound")
}

fn bytes(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

fn press(telephone: &mut Child, keys: &str) {
    writeln!(telephone.stdin.as_mut().expect("piped"), "{keys}").expect("it reads its keyboard");
}
