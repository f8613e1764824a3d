//! A plan's folder: the plan, its sub-plans and its clips, read within bounds.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::audio::{Rate, file};
use crate::dialplan::{self, Checked, Files};

/// The file that a plan's folder holds.
pub(crate) const PLAN: &str = "dialplan.yaml";
/// Longest clip, seconds.
const LONGEST_CLIP: u32 = 180;
/// Largest file of a clip, bytes: three minutes at 48 kHz in stereo, and a little.
const LARGEST_CLIP: u64 = 40 << 20;

/// The folder that a plan lies in.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Of the plan in this file.
    pub(crate) fn of(plan: &Path) -> Self {
        Self(plan.parent().map_or_else(PathBuf::new, Path::to_owned))
    }

    /// A clip at 8 and at 16 kHz.
    pub(crate) fn sound(&self, path: &str) -> Result<[Vec<i16>; 2], String> {
        let bytes = read(&self.0.join(path), LARGEST_CLIP).map_err(|error| error.to_string())?;
        let at = |rate: Rate| file::decode(&bytes, rate.hz(), LONGEST_CLIP).map_err(|error| error.to_string());
        Ok([at(Rate::Narrow)?, at(Rate::Wide)?])
    }
}

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        read(&self.0.join(path), dialplan::MAX_BYTES as u64).map_err(|error| error.to_string())
    }

    fn clip(&self, path: &str) -> Result<(), String> {
        self.sound(path).map(drop)
    }
}

/// Reads and checks the plan in this file, with all that lies beside it.
pub(crate) fn check(plan: &Path) -> std::io::Result<Checked> {
    let source = read(plan, dialplan::MAX_BYTES as u64)?;
    Ok(dialplan::load_with(&source, &plan.display().to_string(), &Folder::of(plan)))
}

/// At most one byte more than `most`, so that what is too big is seen to be.
fn read(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "this is no file"));
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MAIN: &str = "dialplan: main
plans: {identify: parts/identify.yaml}
start: a
states:
  a: {steps: [{play: clips/hello.wav, text: Hello.}, {call: identify}, {end: }]}
";
    const SUB: &str = "dialplan: identify
start: ask
slots: {pin: {type: digits, length: 4, prompt: PIN?}}
states:
  ask: {steps: [{ask: pin}, {return: }]}
";

    fn written(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn found(folder: &tempfile::TempDir) -> Vec<String> {
        let checked = check(&folder.path().join(PLAN)).unwrap();
        let name = |d: &crate::dialplan::Diagnostic| {
            let file = d.file.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{file}:{}:{} {}", d.line, d.column, d.code.name())
        };
        checked.diagnostics.iter().map(name).collect()
    }

    #[test]
    fn a_plan_with_a_sub_plan_and_a_clip_is_sound() {
        let wav = include_bytes!("../../fixtures/hold.wav");
        let files: [(&str, &[u8]); 3] =
            [(PLAN, MAIN.as_bytes()), ("parts/identify.yaml", SUB.as_bytes()), ("clips/hello.wav", wav)];
        let folder = written(&files);
        assert_eq!(found(&folder), Vec::<String>::new());
        let plan = check(&folder.path().join(PLAN)).unwrap().plan.unwrap();
        assert_eq!(plan.clips(), ["clips/hello.wav"]);
        assert_eq!(plan.states().collect::<Vec<_>>(), ["a", "identify/ask"]);
    }

    #[test]
    fn what_is_no_sound_no_file_or_too_big_is_refused_at_its_place() {
        let folder = written(&[(PLAN, MAIN.as_bytes()), ("clips/hello.wav", b"this is a text, and not a sound")]);
        assert_eq!(found(&folder)[..2], ["dialplan.yaml:2:19 unreadable", "dialplan.yaml:5:22 bad-clip"]);
        let big = vec![b'#'; 10 << 20];
        let files: [(&str, &[u8]); 2] = [(PLAN, MAIN.as_bytes()), ("parts/identify.yaml", &big)];
        let found = found(&written(&files));
        assert!(found.contains(&"identify.yaml:1:1 too-big".to_owned()), "{found:?}");
    }
}
