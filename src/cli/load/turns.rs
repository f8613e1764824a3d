//! `make bench-turns`: how soon one caller, and each of four at once, is answered, settled in words, and let in; from the
//! packets of the callers' own telephones.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::PhoneReport;
use super::bench::{Server, machine};
use super::table::Quantiles;
use crate::cli::eval::turns::rates;
use crate::cli::phone::{Clip, Turn};

/// Callers at once in the second part.
const FOUR: usize = 4;
/// What the clips say, for the time of each word: its share of the letters.
const OPEN: &str = "when are you open";
const BALANCE: &str = "what's my balance";
const ANGRY: &str = "this is ridiculous i have asked three times now";

#[derive(Debug, Serialize)]
struct Figures {
    machine: String,
    one: Part,
    four: Part,
    /// Share of turns of the turn-taking set that are ended while the caller goes on (`sidetone eval turns`).
    false_end_rate: f32,
    /// Share of its coughs, listeners' sounds, echo, noise and music that stop a prompt, or hold it too long.
    false_barge_in_rate: f32,
}

#[derive(Debug, Serialize)]
struct Part {
    /// End of speech to the first audio of an answer that was rendered before.
    answer_cached_ms: Quantiles,
    /// The same, of one that was never rendered.
    answer_synth_ms: Quantiles,
    /// Interruption to the last packet of the prompt louder than −40 dBov.
    barge_in_ms: Quantiles,
    /// A word's end, by its share of the clip's letters, to its place among the settled words.
    committed_word_ms: Quantiles,
    /// First end packet of a key to the first audio of its answer.
    key_ms: Quantiles,
}

/// Measures, prints, and writes `to`.
pub(super) async fn run(to: &Path) -> anyhow::Result<()> {
    let server = Server::start()?;
    let clips = Clips::read()?;
    // The first calls fill the caches, as the first callers of a day do.
    server.load(1, vec![Turn::Interrupt(clips.open.clone()), Turn::Speak(clips.open.clone())]).await?;
    server.load_to("200", 1, Duration::from_millis(20), keys()).await?;
    let (one, four) = (measure(&server, &clips, 1).await?, measure(&server, &clips, FOUR).await?);
    drop(server);
    for (name, part) in [("one caller", &one), ("four callers", &four)] {
        println!("{name}");
        for (what, q) in [
            ("answer, cached", part.answer_cached_ms),
            ("answer, synthesised", part.answer_synth_ms),
            ("interruption to silence", part.barge_in_ms),
            ("word to settled word", part.committed_word_ms),
            ("key to answer, cached", part.key_ms),
        ] {
            println!("  {what:<26}{:>7.0} ms median{:>7.0} ms p95  ({})", q.p50, q.p95, q.count);
        }
    }
    // Nothing else is under way on this runtime any more.
    let (false_end_rate, false_barge_in_rate) = rates()?;
    let figures = Figures { machine: machine(), one, four, false_end_rate, false_barge_in_rate };
    let shares = [figures.false_end_rate, figures.false_barge_in_rate].map(|share| share * 100.0);
    println!("false ends {:.1} %, false barge-ins {:.1} %", shares[0], shares[1]);
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(to, serde_json::to_vec_pretty(&figures)?).with_context(|| format!("cannot write {}", to.display()))
}

struct Clips {
    open: Clip,
    balance: Clip,
    angry: Clip,
}

impl Clips {
    fn read() -> anyhow::Result<Self> {
        let clip = |name: &str| Clip::read(Path::new(&format!("fixtures/callers/{name}.wav")));
        Ok(Self { open: clip("open")?, balance: clip("balance")?, angry: clip("angry-1")? })
    }
}

fn keys() -> Vec<Turn> {
    vec![Turn::Keys("1".into()), Turn::Keys("2".into()), Turn::Keys("1".into())]
}

async fn measure(server: &Server, clips: &Clips, callers: usize) -> anyhow::Result<Part> {
    let open = || Turn::Speak(clips.open.clone());
    let rounds = |n: usize| if callers == 1 { n } else { n.div_ceil(2) };
    server.log();
    let (mut cached, mut synth, mut barge, mut typed, mut words) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds(3) {
        let turns = vec![Turn::Interrupt(clips.open.clone()), open(), open(), open()];
        let reports = server.load(callers, turns).await?;
        words.extend(word_times(&server.log(), &reports, &[(&clips.open, OPEN); 4]));
        cached.extend(reports.iter().flat_map(|r| r.answer_ms.clone()));
        barge.extend(reports.iter().flat_map(|r| r.barge_in_ms.clone()));
    }
    // Each call has a number of its own, which is read out: nobody has heard that answer before.
    for round in 0..rounds(5) {
        let turns = vec![Turn::Interrupt(clips.balance.clone())];
        let reports = server.load_as(10_000 * callers + 100 * round, callers, turns).await?;
        words.extend(word_times(&server.log(), &reports, &[(&clips.balance, BALANCE)]));
        synth.extend(reports.iter().flat_map(|r| r.answer_ms.clone()));
        barge.extend(reports.iter().flat_map(|r| r.barge_in_ms.clone()));
    }
    for _ in 0..rounds(2) {
        let reports = server.load(callers, vec![Turn::Interrupt(clips.angry.clone())]).await?;
        words.extend(word_times(&server.log(), &reports, &[(&clips.angry, ANGRY)]));
        barge.extend(reports.iter().flat_map(|r| r.barge_in_ms.clone()));
    }
    for _ in 0..rounds(2) {
        let reports = server.load_to("200", callers, Duration::from_millis(150), keys()).await?;
        typed.extend(reports.iter().flat_map(|r| r.key_ms.clone()));
    }
    Ok(Part {
        answer_cached_ms: Quantiles::new(cached),
        answer_synth_ms: Quantiles::new(synth),
        barge_in_ms: Quantiles::new(barge),
        committed_word_ms: Quantiles::new(words),
        key_ms: Quantiles::new(typed),
    })
}

/// What the server's log tells of one call: when so many words were settled, and when a turn was.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Settled {
    Words(usize),
    All,
}

/// From the end of each word to its place among the settled ones. Calls begin in the order of their telephones.
fn word_times(log: &[String], reports: &[PhoneReport], said: &[(&Clip, &str)]) -> Vec<f32> {
    let mut calls: Vec<String> = Vec::new();
    let mut settled: BTreeMap<String, Vec<(f32, Settled)>> = BTreeMap::new();
    for (call, at_ms, what) in log.iter().filter_map(|line| read_line(line)) {
        if !calls.contains(&call) {
            calls.push(call.clone());
        }
        if let Some(what) = what {
            settled.entry(call).or_default().push((at_ms, what));
        }
    }
    let mut times = Vec::new();
    for (call, report) in calls.iter().zip(reports) {
        let events = settled.get(call).map_or(&[][..], Vec::as_slice);
        for (began, (clip, text)) in report.spoke_ms.iter().zip(said) {
            times.extend(clip_times(events, *began, clip, text));
        }
    }
    times
}

fn clip_times(events: &[(f32, Settled)], began: f32, clip: &Clip, text: &str) -> Vec<f32> {
    let letters: usize = text.split_whitespace().map(str::len).sum();
    let length = (clip.last - clip.first) as f32 / 8.0;
    let mut passed = 0;
    let mut times = Vec::new();
    for (n, word) in text.split_whitespace().enumerate() {
        passed += word.len();
        let ended = began + length * passed as f32 / letters as f32;
        let in_turn = events.iter().filter(|(at, _)| *at >= began);
        let known = |(_, what): &&(f32, Settled)| match what {
            Settled::Words(count) => *count > n,
            Settled::All => true,
        };
        if let Some((at, _)) = in_turn.clone().find(known) {
            times.push((at - ended).max(0.0));
        }
    }
    times
}

/// Call, time and news of a line of the log; `None` for lines that are of no call.
fn read_line(line: &str) -> Option<(String, f32, Option<Settled>)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields")?;
    let call = fields.get("call")?.as_str()?.to_owned();
    let at_ms = fields.get("at_ms")?.as_f64()? as f32;
    let report = fields.get("report")?.as_str()?;
    let what = if report.starts_with("heard ") {
        Some(Settled::All)
    } else {
        let words = report.strip_prefix("hears ").and_then(|rest| rest.split_once('|'));
        words.map(|(settled, _)| Settled::Words(settled.split_whitespace().count()))
    };
    Some((call, at_ms, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call: &str, at: u32, report: &str) -> String {
        serde_json::json!({ "fields": { "call": call, "at_ms": at, "report": report } }).to_string()
    }

    #[test]
    fn words_are_timed_from_their_end_to_the_line_that_settles_them() {
        let clip = Clip { pcm: vec![0; 16_000].into(), first: 0, last: 8_000 };
        let report = PhoneReport { spoke_ms: vec![1_000.0], ..PhoneReport::default() };
        let log = [
            line("a", 0, "state      hello"),
            line("a", 1_700, "hears      aa | bb …"),
            line("a", 2_400, "heard      aa bb (confidence 0.9)"),
            "not JSON".to_owned(),
        ];
        // Two words of two letters: the first ends at 1,500, the second at 2,000.
        assert_eq!(word_times(&log, &[report], &[(&clip, "aa bb")]), [200.0, 400.0]);
    }
}
