//! The language as a JSON Schema (draft 7, which YAML editors read): for completing and for a first check while typing.
//! What only the whole plan tells (names, templates, ways) is `check`'s.

use serde_json::{Map, Value, json};

use super::raw::VERBS;
use super::script::Patience;

/// The schema of `dialplan.yaml`.
pub fn plan_schema() -> Value {
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sidetone dialplan",
        "type": "object",
        "required": ["dialplan", "start", "states"],
        "properties": {
            "dialplan": described("name", "Its name."),
            "language": described("text", "Like `en-US`, which is also the default."),
            "languages": {
                "description": "Other languages (`zh`) that callers' first words may be in, and the numbers whose plans then take over.",
                "type": "object",
                "additionalProperties": any_text(),
            },
            "voice": described("text", "A voice of voices/models.toml."),
            "speed": described("text", "How fast everything is said: x-slow to x-fast, 50% to 200%, or {{ profile.speed }}."),
            "caller": lookup(),
            "profile": profile(),
            "consent": described("text", "Said first, and cannot be interrupted."),
            "emotion_notice": described("text", "Said next, where the server infers feelings; cannot be interrupted."),
            "intents": {
                "description": "What callers may mean: sentences that mean it; eight or more are good.",
                "type": "object",
                "additionalProperties": { "anyOf": [reference("texts"), intent()] },
            },
            "slots": {
                "description": "What callers are asked for.",
                "type": "object",
                "additionalProperties": reference("slot"),
            },
            "handover": reference("handover"),
            "on": reference("on"),
            "knowledge": reference("knowledge"),
            "start": described("name", "The first state."),
            "states": {
                "description": "Places in the conversation.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": reference("state"),
            },
        },
        "definitions": definitions(),
    })
}

/// An intent with more than its examples.
fn intent() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["examples"],
        "properties": {
            "examples": reference("texts"),
            "called": described("text", "What it is called where a caller is asked which of two they meant."),
        },
    })
}

fn lookup() -> Value {
    json!({
        "description": "Who is calling: looked up once, before the first word.",
        "type": "object",
        "required": ["lookup"],
        "properties": {
            "lookup": described("text", "The address, with `{{ caller.number }}` filled in."),
            "remember": described("texts", "Fields that are kept; nothing else is."),
            "timeout": described("time", "2s by default."),
        },
    })
}

fn profile() -> Value {
    json!({
        "description": "What is kept of each caller, by number, for their next call.",
        "type": "object",
        "required": ["keep"],
        "additionalProperties": false,
        "properties": {
            "keep": described("texts", "The names that `keep` steps may set; nothing else is kept."),
            "calm_voice": described("text", "When how they sound may be kept: a condition on what they agreed to."),
        },
    })
}

/// The schema of `scenarios/*.yaml`.
pub fn scenario_schema() -> Value {
    let fetch = json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": { "url": { "type": "string" }, "answer": {}, "fails": { "type": "string" } },
    });
    let thought = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": { "tool": { "type": "string" }, "args": { "type": "object" }, "fails": { "type": "string" } },
    });
    let turn = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "caller": { "anyOf": [any_text(), act()] },
            "expect": { "anyOf": [any_text(), expectation()] },
        },
    });
    let properties = json!({
        "scenario": { "type": "string", "description": "What it shows." },
        "caller": { "type": "object", "description": "Fields of `caller`: number, name, …" },
        "profile": { "type": "object", "description": "What the plan has kept of the caller from earlier calls." },
        "at": { "type": "string", "description": "The clock when the call begins: 2026-11-24 09:30." },
        "fetches": {
            "description": "What look-ups answer; `*` in an address stands for any run of characters.",
            "type": "array",
            "items": fetch,
        },
        "thinks": {
            "description": "What a language model answers, in order: a text, a tool that it asks for, or a failure.",
            "type": "array",
            "items": { "anyOf": [any_text(), thought] },
        },
        "agents": { "enum": ["answer", "busy", "no_answer", "declined", "unreachable"] },
        "messages": { "enum": ["kept", "full"] },
        "callbacks": { "enum": ["taken", "refused"] },
        "called_back": { "type": "string", "description": "The call is one that we make: the state in which it begins." },
        "snapshot": { "type": "boolean", "description": "Keep the conversation beside the scenario, and compare." },
        "turns": { "type": "array", "items": turn },
    });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sidetone scenario",
        "type": "object",
        "required": ["scenario", "turns"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn any_text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn any_texts() -> Value {
    json!({ "anyOf": [any_text(), { "type": "array", "items": any_text() }] })
}

/// What a caller does.
fn act() -> Value {
    let properties = json!({
        "say": any_text(),
        "interrupts": { "type": "boolean" },
        "frustration": { "type": "number", "minimum": 0, "maximum": 1 },
        "language": { "type": "string", "description": "The language that the words are surely in: `zh`." },
        "audio": { "type": "string" },
        "heard": any_text(),
        "keys": any_text(),
        "silence": { "type": "string" },
        "hangs_up": { "type": ["boolean", "null"] },
    });
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

/// What is expected then.
fn expectation() -> Value {
    let mut properties = Map::new();
    for key in ["state", "intent", "frustration", "misses", "handover", "within"] {
        properties.insert(key.into(), any_text());
    }
    for key in ["passes", "said", "not_said", "briefing", "fetched", "holds"] {
        properties.insert(key.into(), any_texts());
    }
    properties.insert("slots".into(), json!({ "type": "object" }));
    properties.insert("mood".into(), json!({ "enum": ["calm", "tense", "angry"] }));
    properties.insert(
        "outcome".into(),
        json!({ "enum": ["completed", "handed_over", "switched", "caller_hung_up", "open"] }),
    );
    json!({ "type": "object", "additionalProperties": false, "properties": properties })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/definitions/{name}") })
}

/// A reference with words of its own; draft 7 wants the two apart.
fn described(name: &str, description: &str) -> Value {
    json!({ "description": description, "allOf": [reference(name)] })
}

fn definitions() -> Value {
    json!({
        "name": { "type": ["string", "number"] },
        "text": { "type": ["string", "number", "boolean"] },
        "texts": { "anyOf": [reference("text"), { "type": "array", "items": reference("text") }] },
        "time": { "type": "string", "pattern": "^ *[0-9.]+ *(ms|s|m) *$", "description": "Like 800ms, 2s or 1m." },
        "way_out": { "anyOf": [reference("name"), {
            "type": "object", "required": ["goto"], "additionalProperties": false, "properties": { "goto": reference("name") },
        }] },
        "slot": slot(),
        "handover": handover(),
        "on": {
            "description": "Where an answer leads: an intent, yes, no or a key, and the state.",
            "type": "object",
            "additionalProperties": { "anyOf": [reference("name"), {
                "type": "object",
                "properties": { "to": reference("name"), "key": described("text", "The key that means the same.") },
            }] },
        },
        "knowledge": {
            "description": "Questions that are answered on the spot; asked again, the next answer.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["questions", "answers"],
                "properties": { "questions": reference("texts"), "answers": reference("texts") },
            },
        },
        "state": state(),
    })
}

fn slot() -> Value {
    json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": { "enum": [
                "digits", "number", "money", "date", "time", "yes_no", "choice", "name", "postcode", "email", "phone", "text",
            ] },
            "length": described("text", "Of digits: 8, or 4-8."),
            "choices": {
                "description": "Of a choice: [small, large], or with other words for each.",
                "anyOf": [reference("texts"), { "type": "object", "additionalProperties": reference("texts") }],
            },
            "mask": { "type": "boolean", "description": "Kept out of logs, records and recordings." },
            "keypad": { "type": "boolean", "description": "Whether it may be typed." },
            "prompt": reference("texts"),
            "confirm": reference("text"),
        },
    })
}

fn handover() -> Value {
    let rule = json!({
        "type": "object",
        "required": ["when", "to"],
        "properties": {
            "when": described("text", "A condition: misses >= 3, heard(\"agent\"), frustration >= 0.7."),
            "say": reference("text"),
            "to": described("text", "queue:NAME or sip:…"),
            "reason": reference("text"),
        },
    });
    json!({ "description": "When a human takes over; checked after every turn.", "type": "array", "items": rule })
}

fn state() -> Value {
    json!({
        "type": "object",
        "required": ["steps"],
        "properties": {
            "steps": { "type": "array", "items": step() },
            "on": reference("on"),
            "otherwise": described("name", "Where a miss goes, instead of the next wording."),
            "handover": reference("handover"),
            "knowledge": reference("knowledge"),
        },
    })
}

/// A step is one of the verbs with the keys that may stand beside it, as the reader has them.
fn step() -> Value {
    let verbs: Vec<Value> = VERBS
        .iter()
        .map(|(verb, beside)| {
            let mut properties = Map::new();
            properties.insert((*verb).to_owned(), of_verb(verb));
            properties.insert("when".into(), described("text", "The step is taken only if this holds."));
            for key in *beside {
                properties.insert((*key).to_owned(), of_key(key));
            }
            json!({ "type": "object", "required": [verb], "additionalProperties": false, "properties": properties })
        })
        .collect();
    json!({ "anyOf": verbs })
}

fn of_verb(verb: &str) -> Value {
    match verb {
        "say" => json!({ "description": "Says it and goes on.", "anyOf": [reference("text"), {
            "type": "object",
            "required": ["calm"],
            "additionalProperties": false,
            "properties": { "calm": reference("text"), "tense": reference("text"), "angry": reference("text") },
        }] }),
        "listen" => json!({ "description": "Says it and waits; a list is said one by one when nothing is understood.",
            "anyOf": [reference("texts"), { "type": "null" }] }),
        "ask" => described("texts", "Asks until the slot is filled; a list of slots is a form."),
        "set" => json!({ "description": "Sets variables.", "type": "object" }),
        "keep" => {
            json!({ "description": "Keeps these of the caller, for this call and the next ones.", "type": "object" })
        }
        "forget" => json!({ "description": "Forgets these of the caller; without a name, everything that was kept.",
            "anyOf": [reference("texts"), { "type": "null" }] }),
        "goto" => described("name", "Goes on there."),
        "fetch" => described("text", "Fetches JSON; what is filled in is percent-encoded."),
        "transfer" => described("text", "Puts the caller through: queue:NAME or sip:…"),
        "callback" => described("name", "Notes that we call; the state in which that call begins."),
        "voicemail" => json!({ "description": "Says it, and after a tone keeps what the caller says as a message.",
            "anyOf": [reference("text"), { "type": "null" }] }),
        "switch" => described("text", "Goes on with the plan that answers this number, as in another language."),
        "end" => json!({ "description": "Ends the call.", "type": "null" }),
        // A verb of its own kind: the reader knows it.
        _ => json!({}),
    }
}

fn of_key(key: &str) -> Value {
    match key {
        "timeout" | "longest" | "silence" => reference("time"),
        "patience" => json!({ "enum": Patience::NAMES }),
        "failed" | "empty" => reference("way_out"),
        "prompt" | "reveal" => reference("texts"),
        "interruptible" => json!({ "type": "boolean" }),
        "tries" | "retry" => json!({ "type": ["integer", "string"] }),
        "blind" => json!({ "type": "boolean", "description": "Sends the caller's own telephone there (SIP REFER)." }),
        "wait" | "reason" | "confirm" | "as" | "mailbox" | "number" | "at" | "within" => reference("text"),
        _ => json!({}),
    }
}

/// JSON as an editor's YAML reader makes it, for the tests of the schema.
#[cfg(test)]
pub(crate) fn as_json(source: &str) -> Value {
    use super::yaml::{self, Node};

    fn value(node: &Node) -> Value {
        match node {
            Node::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
                "" | "~" | "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                text => text.parse::<f64>().map_or_else(|_| text.into(), Value::from),
            },
            Node::Scalar(scalar) => scalar.text.clone().into(),
            Node::List(items, _) => items.iter().map(value).collect(),
            Node::Map(entries, _) => {
                Value::Object(entries.iter().map(|(key, node)| (key.text.clone(), value(node))).collect())
            }
        }
    }
    let mut report = super::diagnostic::Report::new("x", source.as_bytes());
    value(&yaml::read(source.as_bytes(), &mut report).expect("YAML"))
}
