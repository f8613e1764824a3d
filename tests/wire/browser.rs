//! A real browser rings: Chromium opens the page, its microphone plays a WAV, and it hears what the server sends.

use std::collections::BTreeSet;
use std::f32::consts::TAU;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sidetone::audio::Codec;
use sidetone::call::ports::{Archive, ArchiveFuture, Kind};
use sidetone::call::record::{CallRecord, CallSummary};
use sidetone::net::webrtc::{Config, Gateway, Session};
use sidetone::web::{self, AppState};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::webdriver::Browser;

/// What the browser says, Hz, in bursts, since its noise suppression takes a steady tone for noise.
const SAID: f32 = 440.0;
/// What the server says, Hz.
const ANSWERED: f32 = 1000.0;
const OPUS_RATE: u32 = 48_000;
/// Samples in 20 ms.
const FRAME: usize = 960;

struct NoCalls;

impl Archive for NoCalls {
    fn list(&self, _: u32) -> ArchiveFuture<'_, Vec<CallSummary>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn get<'a>(&'a self, _: &'a str) -> ArchiveFuture<'a, Option<CallRecord>> {
        Box::pin(async { Ok(None) })
    }
}

fn tone(hz: f32, at: usize) -> f32 {
    0.4 * (TAU * hz * at as f32 / OPUS_RATE as f32).sin()
}

/// Three seconds of bursts: 300 ms on, 200 ms off.
fn microphone(path: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: OPUS_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("writable");
    for at in 0..3 * OPUS_RATE as usize {
        let on = at % 24_000 < 14_400;
        wav.write_sample(if on { (tone(SAID, at) * 32_767.0) as i16 } else { 0 }).expect("written");
    }
    wav.finalize().expect("written");
}

/// Share of a sound's energy that lies at `hz` (Goertzel's filter), 0..1.
fn share(samples: &[i16], rate: u32, hz: f32) -> f32 {
    let energy: f32 = samples.iter().map(|s| f32::from(*s).powi(2)).sum();
    let step = TAU * hz / rate as f32;
    let (mut re, mut im) = (0.0f32, 0.0f32);
    for (at, sample) in samples.iter().enumerate() {
        let (sin, cos) = (step * at as f32).sin_cos();
        re += f32::from(*sample) * cos;
        im += f32::from(*sample) * sin;
    }
    if energy == 0.0 { 0.0 } else { 2.0 * (re * re + im * im) / (samples.len() as f32 * energy) }
}

fn loudness(samples: &[i16]) -> f32 {
    (samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

/// What the server's side of the call heard.
#[derive(Debug, Default)]
struct Heard {
    /// Decoded, at 48 kHz.
    samples: Vec<i16>,
    /// Digits by telephone-event.
    digits: BTreeSet<u8>,
    reports: usize,
}

/// Answers with a tone and listens until the browser hangs up.
async fn converse(mut session: Session) -> Heard {
    let mut heard = Heard::default();
    let mut decoder = opus::Decoder::new(OPUS_RATE, opus::Channels::Mono).expect("48 kHz is Opus's own");
    let mut encoder = opus::Encoder::new(OPUS_RATE, opus::Channels::Mono, opus::Application::Voip).expect("likewise");
    let (payload_type, ssrc) = (session.payload_type, session.ssrc);
    let (event, _) = session.event.expect("Chromium offers telephone-event");
    let (signals, media) = session.split();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut sent: usize = 0;
    let mut buffer = [0; 1500];
    loop {
        tokio::select! {
            () = signals.closed() => return heard,
            packet = poll_fn(|cx| media.poll_recv(cx, &mut buffer)) => {
                let Ok((kind, length)) = packet else { return heard };
                let packet = &buffer[..length];
                if kind == Kind::Rtcp {
                    heard.reports += 1;
                } else if packet[1] & 0x7f == event {
                    heard.digits.insert(packet[12]);
                } else if packet[1] & 0x7f == payload_type {
                    let mut pcm = [0; 6 * FRAME];
                    let got = decoder.decode(&packet[12..], &mut pcm, false).expect("Opus");
                    heard.samples.extend(&pcm[..got]);
                }
            }
            _ = tick.tick() => {
                let pcm: Vec<i16> = (0..FRAME).map(|n| (tone(ANSWERED, sent * FRAME + n) * 32_767.0) as i16).collect();
                let mut packet = vec![0x80, payload_type];
                packet.extend((sent as u16).to_be_bytes());
                packet.extend(((sent * FRAME) as u32).to_be_bytes());
                packet.extend(ssrc.to_be_bytes());
                packet.extend(encoder.encode_vec(&pcm, 400).expect("encoded"));
                media.send(Kind::Rtp, &packet).expect("the path is there");
                sent += 1;
            }
        }
    }
}

#[test]
fn a_browser_rings_is_heard_hears_presses_a_key_and_hangs_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let wav = folder.path().join("microphone.wav");
    microphone(&wav);
    let Some(browser) = Browser::start(&wav) else { return };

    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let (connected, mut sessions) = mpsc::channel(1);
    let places = Arc::new(Semaphore::new(1));
    let admit = Arc::clone(&places);
    let stop = CancellationToken::new();
    let (gateway, address) = runtime.block_on(async {
        let admit = Box::new(move |_: &str| Ok(Arc::clone(&admit).try_acquire_owned().expect("one caller only")));
        let gateway = Gateway::new(Config::default(), admit, connected);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = AppState {
            archive: Arc::new(NoCalls),
            answerer: Some(Arc::new(gateway.clone())),
            metrics: Arc::new(String::new),
            token: None,
        };
        runtime.spawn(web::serve(listener, state, stop.clone()));
        (gateway, address)
    });
    let server = runtime.spawn(async move {
        let session = sessions.recv().await.expect("the browser comes");
        let about = (session.codec, session.called.clone());
        (about, converse(session).await)
    });

    browser.open(&format!("http://{address}/call?number=700"));
    browser.click("#ring");
    browser.wait_for("document.getElementById('status').textContent === 'Connected.'");
    browser.wait_for("document.querySelector('audio').srcObject");
    let (rate, samples) = browser.hear(2.0);
    browser.wait_for("document.getElementById('theirs').value > 0.5");
    // An empty tone says that all keys have been played (WebRTC 1.0, 7.3).
    browser.run(
        "const keypad = call.peer.getSenders().find((each) => each.dtmf).dtmf;\
         keypad.addEventListener('tonechange', (change) => { window.played = change.tone === ''; });",
    );
    browser.click("[data-key='5']");
    browser.click("[data-key='#']");
    browser.wait_for("window.played");
    browser.click("#ring");
    let (about, heard) = runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(20), server).await })
        .expect("hanging up ends the session")
        .expect("no panic");
    browser.wait_for("document.getElementById('status').textContent === 'Call ended.'");
    runtime.block_on(gateway.close());
    stop.cancel();

    assert_eq!(about, (Codec::Opus, "700".to_owned()));
    // The browser heard our tone: its second half, past the jitter buffer's start.
    let late = &samples[samples.len() / 2..];
    assert!(loudness(late) > 1_000.0, "the browser heard loudness {}", loudness(late));
    assert!(share(late, rate, ANSWERED) > 0.8, "of it {} was the tone", share(late, rate, ANSWERED));
    // We heard its bursts: the best tenth of a second is that tone.
    let best = heard.samples.chunks_exact(4_800).filter(|c| loudness(c) > 500.0).map(|c| share(c, OPUS_RATE, SAID));
    let best = best.fold(0.0, f32::max);
    assert!(best > 0.8, "best share of {SAID} Hz: {best} in {} samples", heard.samples.len());
    assert_eq!(heard.digits, BTreeSet::from([5, 11]), "keys 5 and # (RFC 4733, 3.2)");
    assert!(heard.reports > 0, "the browser sends RTCP");
    assert_eq!((gateway.sessions(), places.available_permits()), (0, 1));
}
