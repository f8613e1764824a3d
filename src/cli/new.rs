//! `sidetone new`: a plan with its scenarios, to begin from.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use super::plans::{PLAN, SCENARIOS};

const TEMPLATE: &str = include_str!("new/dialplan.yaml");
const EXAMPLES: &[(&str, &str)] = &[
    ("order.yaml", include_str!("new/order.yaml")),
    ("keys.yaml", include_str!("new/keys.yaml")),
    ("person.yaml", include_str!("new/person.yaml")),
    ("silence.yaml", include_str!("new/silence.yaml")),
    ("questions.yaml", include_str!("new/questions.yaml")),
    ("angry.yaml", include_str!("new/angry.yaml")),
];
/// Longest name of a plan, bytes.
const MAX_NAME: usize = 64;

/// Arguments of `sidetone new`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder to make; its last part names the plan: a letter, then letters, digits, `-` and `_`, 64 bytes at most.
    #[arg(value_name = "NAME")]
    folder: PathBuf,
}

/// Runs the command. A folder that is there already is left alone.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    make(&args.folder)?;
    let folder = args.folder.display();
    println!("{folder}/{PLAN}: the plan; {folder}/{SCENARIOS}/: what callers do, and what is expected then");
    println!("next:  sidetone test {folder}\n       sidetone talk {folder}");
    Ok(ExitCode::SUCCESS)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let name = folder.file_name().and_then(|name| name.to_str()).context("a plan needs a name")?;
    let letters = name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    anyhow::ensure!(
        letters && name.chars().next().is_some_and(char::is_alphabetic) && name.len() <= MAX_NAME,
        "`{name}` is no name for a plan: it begins with a letter and goes on with letters, digits, - and _, {MAX_NAME} bytes at most"
    );
    let plan = folder.join(PLAN);
    anyhow::ensure!(!folder.exists(), "{} is there already", folder.display());
    fs::create_dir_all(folder.join(SCENARIOS)).with_context(|| format!("cannot make {}", folder.display()))?;
    let text = TEMPLATE.replace("FOLDER", &folder.display().to_string()).replace("NAME", name);
    write(&plan, &text.replace("TITLE", &title(name)))?;
    for (file, text) in EXAMPLES {
        write(&folder.join(SCENARIOS).join(file), text)?;
    }
    Ok(())
}

/// A name as it is said: `my-shop` is "My Shop".
fn title(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    name.split(['-', '_']).map(word).collect::<Vec<String>>().join(" ").trim().to_owned()
}

/// Never over a file that is there.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::super::test::all_pass;
    use super::*;
    use crate::dialplan;

    #[test]
    fn a_new_plan_checks_without_a_warning_and_passes_its_tests_wholly_covered() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("my-shop");
        make(&plan).unwrap();
        let source = fs::read(plan.join(PLAN)).unwrap();
        let checked = dialplan::load(&source, "x");
        assert_eq!(checked.diagnostics, []);
        assert_eq!(checked.plan.unwrap().name(), "my-shop");
        assert!(String::from_utf8(source).unwrap().contains("welcome to My Shop."));
        assert!(check::passes(&plan));
        assert!(all_pass(&plan, Some(100.0)));
    }

    #[test]
    fn what_is_there_is_left_alone_and_names_are_names() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there");
        fs::create_dir(&there).unwrap();
        assert!(make(&there).unwrap_err().to_string().contains("already"));
        for wrong in ["1st", "a b", "x:", "é/.."] {
            assert!(make(&folder.path().join(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(title("my_little-shop"), "My Little Shop");
    }
}
