//! How scenarios went: for people, for programs, for CI servers (JUnit).

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::suite::{Case, Suite};
use crate::dialplan::{Covered, Part};

/// What people are shown.
#[derive(Debug, Default)]
pub(super) struct Show {
    pub(super) verbose: bool,
    pub(super) coverage: bool,
    /// The least coverage, per cent.
    pub(super) least: Option<f64>,
}

/// Texts longer than this are cut in the list of what is not covered.
const MISSING_CHARS: usize = 90;

pub(super) fn human(suites: &[Suite], note: Option<&str>, show: &Show) -> String {
    let mut out = String::new();
    for suite in suites {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", suite.plan.display());
        for broken in &suite.broken {
            let _ = writeln!(out, "  {broken}");
        }
        if suite.cases.is_empty() && suite.broken.is_empty() {
            let _ = match &suite.sought {
                Some(sought) => writeln!(out, "  FAIL  no scenario's name or file holds `{sought}`"),
                None => writeln!(out, "  FAIL  no scenarios beside it (scenarios/*.yaml)"),
            };
        }
        suite.cases.iter().for_each(|case| one(&mut out, case, show));
        if let Some(covered) = suite.coverage.as_ref().filter(|_| !suite.partial && !suite.cases.is_empty()) {
            coverage(&mut out, covered, show);
        }
    }
    let cases: Vec<&Case> = suites.iter().flat_map(|suite| &suite.cases).collect();
    let failed = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let turns: usize = cases.iter().map(|case| case.turns).sum();
    let took: Duration = suites.iter().map(|suite| suite.took).sum();
    let _ = writeln!(
        out,
        "{} scenario{}, {failed} failed; {turns} turns in {:.0} ms",
        cases.len(),
        if cases.len() == 1 { "" } else { "s" },
        took.as_secs_f64() * 1e3
    );
    if let Some(note) = note {
        let _ = writeln!(out, "note: {note}");
    }
    out
}

fn one(out: &mut String, case: &Case, show: &Show) {
    let word = if case.failures.is_empty() { "ok  " } else { "FAIL" };
    let length = case.elapsed.as_secs_f32();
    let _ = writeln!(out, "  {word}  {} ({} turns, {length:.0} s)", case.name, case.turns);
    for failure in &case.failures {
        let _ =
            writeln!(out, "        {}:{}:{}: {}", case.file.display(), failure.line, failure.column, failure.message);
    }
    if show.verbose || !case.failures.is_empty() {
        for line in &case.transcript {
            let _ = writeln!(out, "          {line}");
        }
    }
}

fn coverage(out: &mut String, covered: &Covered, show: &Show) {
    let short = |part: &Part, name: &str| format!("{} of {} {name}", part.covered, part.total);
    let parts = [
        short(&covered.states, "states"),
        short(&covered.transitions, "transitions"),
        short(&covered.prompts, "prompts"),
    ];
    let _ = writeln!(out, "  covered: {} (least {:.0} %)", parts.join(", "), covered.least());
    let below = show.least.is_some_and(|least| covered.least() < least);
    if let Some(least) = show.least.filter(|_| below) {
        let _ = writeln!(out, "  FAIL  less than {least} % is covered");
    }
    if show.coverage || below {
        for (name, part) in
            [("state", &covered.states), ("transition", &covered.transitions), ("prompt", &covered.prompts)]
        {
            for missing in &part.missing {
                let cut: String = missing.chars().take(MISSING_CHARS).collect();
                let more = if cut.len() < missing.len() { "…" } else { "" };
                let _ = writeln!(out, "    {name} not covered: {cut}{more}");
            }
        }
    }
}

pub(super) fn json(suites: &[Suite], note: Option<&str>) -> Value {
    let case = |case: &Case| {
        json!({
            "name": case.name,
            "file": case.file,
            "passed": case.failures.is_empty(),
            "failures": case.failures,
            "turns": case.turns,
            "call_ms": case.elapsed.as_millis() as u64,
            "took_ms": case.took.as_secs_f64() * 1e3,
            "transcript": case.transcript,
        })
    };
    let suite = |suite: &Suite| {
        json!({
            "plan": suite.plan,
            "errors": suite.broken,
            "scenarios": suite.cases.iter().map(case).collect::<Vec<_>>(),
            "coverage": suite.coverage.as_ref().filter(|_| !suite.partial),
            "took_ms": suite.took.as_secs_f64() * 1e3,
        })
    };
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    json!({
        "plans": suites.iter().map(suite).collect::<Vec<_>>(),
        "scenarios": cases().count(),
        "failed": cases().filter(|case| !case.failures.is_empty()).count(),
        "turns": cases().map(|case| case.turns).sum::<usize>(),
        "note": note,
    })
}

/// JUnit's XML, as CI servers read it: a suite a plan, a case a scenario. Plans that do not check are failed cases.
pub(super) fn junit(suites: &[Suite]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        let plan = suite.plan.display().to_string();
        let failed = suite.cases.iter().filter(|case| !case.failures.is_empty()).count();
        let broken = usize::from(!suite.broken.is_empty());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\">",
            escaped(&plan),
            suite.cases.len() + broken,
            failed + broken,
            suite.took.as_secs_f64()
        );
        if broken > 0 {
            let text: Vec<String> = suite.broken.iter().map(ToString::to_string).collect();
            failed_case(&mut out, &plan, "the plan checks", 0.0, &text);
        }
        for case in &suite.cases {
            let at = |f: &crate::sim::trial::Failure| {
                format!("{}:{}:{}: {}", case.file.display(), f.line, f.column, f.message)
            };
            let mut text: Vec<String> = case.failures.iter().map(at).collect();
            if text.is_empty() {
                let _ = writeln!(
                    out,
                    "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.6}\"/>",
                    escaped(&plan),
                    escaped(&case.name),
                    case.took.as_secs_f64()
                );
            } else {
                text.extend(case.transcript.iter().cloned());
                failed_case(&mut out, &plan, &case.name, case.took.as_secs_f64(), &text);
            }
        }
        out += "  </testsuite>\n";
    }
    out += "</testsuites>\n";
    out
}

fn failed_case(out: &mut String, plan: &str, name: &str, seconds: f64, text: &[String]) {
    let first = text.first().map_or("", String::as_str);
    let _ = writeln!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{seconds:.6}\">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
        escaped(plan),
        escaped(name),
        escaped(first),
        escaped(&text.join("\n"))
    );
}

/// As XML 1.0 takes it: what it cannot hold at all is left out.
pub(in crate::cli) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
