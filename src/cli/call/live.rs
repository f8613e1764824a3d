//! Talking by microphone and loudspeaker: which ones, and the keyboard as the telephone's keys.

use std::io::BufRead;

use anyhow::Context;
use tokio::sync::mpsc;

use super::super::Format;
use super::super::phone::{Phone, PhoneReport, Press};
use super::Args;
use crate::net::device::{self, Device};

/// Presses that may wait: nobody types faster.
const PRESSES: usize = 16;

/// Prints what can be chosen.
pub(super) fn list(format: Format) -> anyhow::Result<()> {
    let devices = device::list()?;
    if format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&devices)?);
        return Ok(());
    }
    if devices.is_empty() {
        println!("There is no sound device here.");
    }
    for device in devices {
        let ends = match (device.microphone, device.loudspeaker) {
            (true, true) => "both",
            (true, false) => "microphone",
            _ => "loudspeaker",
        };
        println!("{:<12} {:<32} {}", ends, device.name, device.description);
    }
    Ok(())
}

/// Opens what the arguments name; before ringing, since a call without sound is of no use to anybody.
pub(super) fn open(args: &Args) -> anyhow::Result<Device> {
    let both = args.device.as_deref().filter(|name| !name.is_empty());
    let microphone = args.microphone.as_deref().or(both);
    let loudspeaker = args.loudspeaker.as_deref().or(both);
    Ok(Device::open(microphone, loudspeaker)?)
}

/// Talks until one side hangs up.
pub(super) async fn talk(phone: Phone, mut device: Device, format: Format) -> anyhow::Result<PhoneReport> {
    if format == Format::Human {
        println!("Connected. Type keys and Enter to press them; q and Enter, or Ctrl-C, hangs up.");
    }
    let (send, presses) = mpsc::channel(PRESSES);
    read_keyboard(send.clone())?;
    let report = {
        let mut talk = std::pin::pin!(phone.converse(&mut device, presses));
        tokio::select! {
            report = &mut talk => report,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot listen for Ctrl-C")?;
                // Full or gone: the call is ending anyway.
                let _ = send.try_send(Press::HangUp);
                talk.await
            }
        }
    };
    let trouble = device.trouble();
    if trouble != device::Trouble::default() {
        tracing::info!(dropped_ms = trouble.dropped_ms, dry = trouble.dry, "the sound card's clock is not ours");
    }
    if device.is_gone() {
        anyhow::bail!("the sound card was taken away during the call");
    }
    Ok(report)
}

/// Lines of the keyboard become presses. The thread ends with the process: reading a terminal cannot be cancelled.
fn read_keyboard(presses: mpsc::Sender<Press>) -> anyhow::Result<()> {
    let read = move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(press) = press(&line) else { continue };
            if presses.blocking_send(press).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("keyboard".into()).spawn(read).context("cannot read the keyboard")?;
    Ok(())
}

/// What a line means; `None` for one without a key in it.
fn press(line: &str) -> Option<Press> {
    if line.trim().eq_ignore_ascii_case("q") {
        return Some(Press::HangUp);
    }
    let keys: String = line.to_uppercase().split_whitespace().collect();
    let typed = !keys.is_empty() && keys.chars().all(|c| matches!(c, '0'..='9' | '*' | '#' | 'A'..='D'));
    typed.then_some(Press::Keys(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_keys_or_the_end() {
        assert_eq!(press(" 12 34#"), Some(Press::Keys("1234#".into())));
        assert_eq!(press("Q"), Some(Press::HangUp));
        assert_eq!(press(""), None);
        assert_eq!(press("back 12"), None);
    }
}
