//! The `sidetone` binary: parses the command line and hands over to the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    keep_few_heaps();
    end_quietly_when_nobody_reads();
    match sidetone::cli::Cli::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sidetone: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// glibc gives each thread a heap of its own, up to eight a core, and returns little of what each once held: with models
/// on as many threads, 75 MB. Two are as quick here.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe form")]
fn keep_few_heaps() {
    // SAFETY: mallopt takes two numbers, and no other thread runs yet that could use the heap meanwhile.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 2) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_few_heaps() {}

/// `sidetone calls list | head` ends with its reader, as other programs do, and not with a panic: the standard library
/// ignores SIGPIPE, so that a server outlives its clients, and `println!` then panics where nobody reads any more.
fn end_quietly_when_nobody_reads() {
    /// What a shell says of a program that SIGPIPE ended.
    const SIGPIPE_STATUS: i32 = 128 + 13;
    let panics = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let words = panic.payload_as_str().unwrap_or_default();
        if words.starts_with("failed printing to std") && words.contains("Broken pipe") {
            std::process::exit(SIGPIPE_STATUS);
        }
        panics(panic);
    }));
}
