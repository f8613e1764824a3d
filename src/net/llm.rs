//! A language model over HTTP, as OpenAI's chat completions are: the answer comes in pieces and leaves in sentences.
//!
//! Bounded in time by the request, in size here; what cannot be read ends the answer. Never decides what may be done
//! with it: a tool that it asks for is a wish.

use std::io::{BufRead, BufReader, Read};

use serde_json::Value;
use tokio::sync::mpsc;

use super::http;
use crate::call::sentences;
use crate::call::services::Request;
use crate::dialplan::script::Thought;

/// The most that is read of an answer, bytes, whatever it holds.
const LARGEST: u64 = 512 << 10;
/// The longest line of it, bytes.
const LONGEST_LINE: u64 = 64 << 10;
/// The most text of an answer, bytes.
const MOST_TEXT: usize = 8 << 10;
/// The most that the arguments of a tool may be, bytes.
const MOST_ARGUMENTS: usize = 4 << 10;
/// Parts that may wait for the call; when it is full the model waits.
const PARTS: usize = 16;

/// Asks the model. Parts of the answer come out of the channel as they are there; the last is `Done`, `Tool` or `Failed`.
pub fn think(request: Request) -> mpsc::Receiver<Thought> {
    let (parts, answer) = mpsc::channel(PARTS);
    #[expect(clippy::disallowed_methods, reason = "a driver: the HTTP client blocks, and the call must not")]
    tokio::task::spawn_blocking(move || {
        let last = match stream(&request, &parts) {
            Ok(last) => last,
            Err(why) => Thought::Failed(why),
        };
        // A call that is over, or asks something else by now, does not listen any more.
        let _ = parts.blocking_send(last);
    });
    answer
}

fn stream(request: &Request, parts: &mpsc::Sender<Thought>) -> Result<Thought, String> {
    let mut response = http::open(request)?;
    let mut lines = BufReader::new(response.body_mut().as_reader().take(LARGEST));
    let mut answer = Answer::default();
    let mut line = Vec::new();
    let mut read = 0;
    loop {
        line.clear();
        let got = lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let got = got.map_err(|_| "the answer broke off, or took too long".to_owned())?;
        read += got as u64;
        if got == 0 || read >= LARGEST {
            break;
        }
        if line.last() != Some(&b'\n') && got as u64 == LONGEST_LINE {
            return Err(format!("a line of the answer is longer than {LONGEST_LINE} bytes"));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        // Server-sent events; an interface that does not stream sends one object.
        let data = text.strip_prefix("data:").map(str::trim).or(text.starts_with('{').then_some(text));
        let Some(data) = data else { continue };
        if data == "[DONE]" {
            answer.finished = true;
            break;
        }
        answer.take(data)?;
        for sentence in answer.sentences() {
            if parts.blocking_send(Thought::Sentence(sentence)).is_err() {
                return Err("nobody listens any more".into());
            }
        }
        if answer.is_full() {
            break;
        }
    }
    answer.end(parts)
}

/// An answer as far as it has come.
#[derive(Default)]
struct Answer {
    /// Text that is no whole sentence yet.
    text: String,
    /// All text so far, bytes.
    length: usize,
    tool: String,
    arguments: String,
    finished: bool,
}

impl Answer {
    fn take(&mut self, data: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(data).map_err(|_| "a part of the answer is not JSON".to_owned())?;
        if value.get("error").is_some_and(|error| !error.is_null()) {
            return Err("the model reports an error".into());
        }
        let Some(choice) = value.pointer("/choices/0") else { return Ok(()) };
        self.finished |= choice.get("finish_reason").is_some_and(|reason| !reason.is_null());
        let Some(delta) = choice.get("delta").or(choice.get("message")) else { return Ok(()) };
        if let Some(text) = delta.get("content").and_then(Value::as_str) {
            let room = MOST_TEXT.saturating_sub(self.length);
            let cut = (0..=room.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            self.text += &text[..cut];
            // What was cut off counts: the answer is full.
            self.length = self.length.saturating_add(text.len());
        }
        // One tool at a time: the first that is asked for.
        let call = delta.pointer("/tool_calls/0").filter(|c| c.get("index").and_then(Value::as_u64).unwrap_or(0) == 0);
        if let Some(function) = call.and_then(|call| call.get("function")) {
            self.tool += function.get("name").and_then(Value::as_str).unwrap_or_default();
            self.arguments += function.get("arguments").and_then(Value::as_str).unwrap_or_default();
            if self.tool.len() + self.arguments.len() > MOST_ARGUMENTS {
                return Err(format!("the arguments of a tool have more than {MOST_ARGUMENTS} bytes"));
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.length >= MOST_TEXT
    }

    /// The sentences that are whole.
    fn sentences(&mut self) -> Vec<String> {
        let mut found = sentences::sentences(&self.text);
        // The last one may go on.
        match found.pop() {
            Some(rest) if !found.is_empty() => {
                // A word that is cut off at a space must not run into the next piece.
                let space = if self.text.ends_with(char::is_whitespace) { " " } else { "" };
                self.text = rest + space;
                found
            }
            _ => Vec::new(),
        }
    }

    fn end(mut self, parts: &mpsc::Sender<Thought>) -> Result<Thought, String> {
        if !self.tool.is_empty() {
            let args = if self.arguments.trim().is_empty() { "{}" } else { &self.arguments };
            let args = serde_json::from_str(args).map_err(|_| "the arguments of a tool are not JSON".to_owned())?;
            return Ok(Thought::Tool { name: std::mem::take(&mut self.tool), args });
        }
        for sentence in sentences::sentences(&self.text) {
            if parts.blocking_send(Thought::Sentence(sentence)).is_err() {
                return Err("nobody listens any more".into());
            }
        }
        if self.finished || self.is_full() { Ok(Thought::Done) } else { Err("the answer broke off".into()) }
    }
}

#[cfg(test)]
mod tests;
