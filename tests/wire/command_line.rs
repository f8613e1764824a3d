//! The binary as a shell uses it.

use std::process::{Command, Stdio};

use super::house::root;
use super::served::Served;

fn sidetone(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetone"));
    command.args(arguments).current_dir(root());
    command
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().display().to_string();
    for arguments in [
        &["models", "list"][..],
        &["models", "list", "--format", "json"],
        &["serve", "--print-config"],
        &["check", "dialplans/bank"],
        &["calls", "list", "--data", &data],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = sidetone(arguments).stdout(writer).stderr(Stdio::piped()).output().expect("the binary");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}: a panic's status");
    }
}

#[test]
fn the_engines_are_counted() {
    let server = Served::start(&root().join("dialplans/menu"), "");
    let mut page = ureq::get(format!("http://{}/metrics", server.http)).call().expect("served");
    let text = page.body_mut().read_to_string().expect("text");
    assert!(text.contains("sidetone_engine_queued_total"), "{text}");
}
