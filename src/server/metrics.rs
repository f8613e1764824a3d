//! What the server counts. Names are stable; units are in the names.

use std::sync::OnceLock;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::call::io::Report;
use crate::call::record::{CallRecord, Outcome};

/// The recorder of this process: one, however many servers a test starts.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting. What asked for its counters before, as engines do when they start, counts into nothing.
pub fn install() {
    RECORDER.get_or_init(|| {
        let installed = PrometheusBuilder::new().install_recorder();
        installed.inspect_err(|error| tracing::error!(%error, "there are no metrics")).ok()
    });
}

/// All counters, in Prometheus' text format.
pub(super) fn render() -> String {
    RECORDER.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Counts what a call reports.
pub(super) fn report(report: &Report) {
    match report {
        Report::Answered { latency, keys: true } => {
            histogram!("sidetone_key_answer_ms").record(f64::from(latency.total_ms));
        }
        Report::Answered { latency, keys: false } => {
            histogram!("sidetone_answer_ms").record(f64::from(latency.total_ms));
            for (part, ms) in latency.parts() {
                histogram!("sidetone_answer_part_ms", "part" => part).record(f64::from(ms));
            }
        }
        Report::Understood { intent, .. } => {
            counter!("sidetone_turns_total", "understood" => if intent.is_some() { "yes" } else { "no" }).increment(1);
        }
        Report::Interrupted { after_ms } => histogram!("sidetone_barge_in_ms").record(f64::from(*after_ms)),
        Report::WentOn => counter!("sidetone_false_barge_ins_total").increment(1),
        Report::ThrownAway => counter!("sidetone_work_thrown_away_total").increment(1),
        Report::Trouble { .. } => counter!("sidetone_trouble_total").increment(1),
        _ => {}
    }
}

/// Counts a call that ended.
pub(super) fn ended(record: &CallRecord) {
    let outcome = match record.outcome {
        Outcome::Completed => "completed",
        Outcome::CallerHungUp => "caller_hung_up",
        Outcome::HandedOver { .. } => "handed_over",
        Outcome::HandoverFailed { .. } => "handover_failed",
        Outcome::Ended { .. } => "ended",
    };
    counter!("sidetone_calls_total", "outcome" => outcome).increment(1);
    counter!("sidetone_rtp_lost_total").increment(record.media.lost);
}

/// Counts a call back: "asked", "answered" or "not_answered".
pub(super) fn callback(outcome: &'static str) {
    counter!("sidetone_callbacks_total", "outcome" => outcome).increment(1);
}

/// Counts a message: "kept", "empty" or "failed".
pub(super) fn message(outcome: &'static str) {
    counter!("sidetone_messages_total", "outcome" => outcome).increment(1);
}

/// Counts an INVITE that was turned away.
pub(super) fn refused(status: u16) {
    counter!("sidetone_calls_refused_total", "status" => status.to_string()).increment(1);
}

/// How many calls there are.
pub(super) fn active(calls: usize) {
    gauge!("sidetone_calls_active").set(calls as f64);
}

/// Counts an engine's result that found the call's inbox full.
pub(super) fn result_lost() {
    counter!("sidetone_results_lost_total").increment(1);
}

/// Counts a notice of a plan that found no room.
pub(super) fn notice_dropped() {
    counter!("sidetone_notices_dropped_total").increment(1);
}

/// Counts a changed plan: taken, or refused.
pub(super) fn reloaded(taken: bool) {
    let outcome = if taken { "taken" } else { "refused" };
    counter!("sidetone_plan_reloads_total", "outcome" => outcome).increment(1);
}
