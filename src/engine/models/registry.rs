//! `voices/models.toml` as types: what each model is made of. Parsed and checked once; what is here is well-formed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ModelError;
use super::store::{Store, found, models_dir};

const BUILTIN: &str = include_str!("../../../voices/models.toml");
/// No file of a model is larger: a size beyond it is a slip of the pen.
const MAX_SIZE: u64 = 16 << 30;

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// sha256, 64 lower-case hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

/// One place to get a file from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Inside a package of the Python index.
    Pypi {
        /// `NAME==VERSION`; the registry has its [`Package`].
        requirement: String,
        /// The member of the archive, as written there.
        path: String,
    },
    /// Inside a package of npm's index.
    Npm {
        /// `NAME@VERSION`; the registry has its [`Package`].
        requirement: String,
        /// The member of the archive, as written there.
        path: String,
    },
    /// A file of its own, by HTTP.
    Url(String),
    /// Parts of one file, joined end to end; none of them is joined itself.
    Joined(Vec<Source>),
}

/// The CPython ABI to ask of pip, for a wheel with compiled code.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// As in `3.11`.
    pub python: String,
    /// As in `cp311`.
    pub tag: String,
    /// As in `manylinux_2_28_x86_64`.
    pub platform: String,
}

/// A package that files are taken out of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Bytes of its archive.
    pub size: u64,
    /// Set for a wheel with compiled code.
    pub abi: Option<Abi>,
}

/// How a file is made out of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Conversion {
    /// A CTranslate2 float Whisper to whisper.cpp's ggml, matrices quantised to q8_0.
    #[serde(rename = "ct2-to-ggml-q8_0")]
    Ct2ToGgml,
}

/// A file that a conversion reads and that is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// What it must be.
    pub origin: Origin,
    /// Where from, in order.
    pub sources: Vec<Source>,
}

/// What [`Conversion::Ct2ToGgml`] reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    /// CTranslate2's `model.bin`.
    pub model: Input,
    /// NumPy's `mel_filters.npz`.
    pub mel: Input,
    /// The tiktoken vocabulary.
    pub vocabulary: Input,
}

/// How a file comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Making {
    /// Fetched, from the first source that gives it.
    Fetched(Vec<Source>),
    /// Converted.
    Converted(Conversion, Box<Inputs>),
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// What the code asks for.
    pub name: String,
    /// Its name on disk.
    pub stored_as: String,
    /// What it must be.
    pub origin: Origin,
    /// Where it comes from.
    pub making: Making,
}

/// One thing the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name, as dialplans and configuration say it.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// What is known of the licence of its weights.
    pub license: String,
    /// The only language that it serves, if it is not part of the default set: fetched when that language is asked for.
    pub language: Option<String>,
    /// At least one.
    pub files: Vec<File>,
}

/// All models that are known, and the directory they lie in.
#[derive(Debug, Clone)]
pub struct Registry {
    models: Vec<Model>,
    packages: BTreeMap<String, Package>,
    store: Store,
}

impl Registry {
    /// The models that Sidetone comes with, in [`models_dir`].
    pub fn builtin() -> Self {
        let mut registry = Self::empty(models_dir());
        registry.add(BUILTIN, "voices/models.toml").expect("the registry in the binary is checked by a test");
        registry
    }
    /// No models, lying in `dir`.
    pub fn empty(dir: impl Into<PathBuf>) -> Self {
        Self { models: Vec::new(), packages: BTreeMap::new(), store: Store::at(dir) }
    }
    /// The same models in another directory.
    pub fn in_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.store = Store::at(dir);
        self
    }
    /// With the models of a further file; one of a name already known takes its place.
    pub fn with_file(mut self, path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(|e| ModelError::io("cannot be read", path, e))?;
        self.add(&text, &path.display().to_string())?;
        Ok(self)
    }
    /// The models, in the order of the file.
    pub fn models(&self) -> &[Model] {
        &self.models
    }
    /// The models that every installation needs: those of no language of their own.
    pub fn default_models(&self) -> Vec<&Model> {
        self.models.iter().filter(|model| model.language.is_none()).collect()
    }
    /// The models that one more language needs.
    pub fn models_for(&self, language: &str) -> Result<Vec<&Model>, ModelError> {
        let found: Vec<_> = self.models.iter().filter(|m| m.language.as_deref() == Some(language)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut known: Vec<&str> = self.models.iter().filter_map(|model| model.language.as_deref()).collect();
        known.dedup();
        Err(ModelError::UnknownLanguage { language: language.to_string(), known: list(known.into_iter()) })
    }
    /// The directory they lie in.
    pub fn store(&self) -> &Store {
        &self.store
    }
    /// A model by name.
    pub fn model(&self, name: &str) -> Result<&Model, ModelError> {
        self.models.iter().find(|m| m.name == name).ok_or_else(|| ModelError::UnknownModel {
            name: name.to_string(),
            known: list(self.models.iter().map(|m| m.name.as_str())),
        })
    }
    /// Where a file of a model lies, hashed anew: what it returns may be loaded.
    ///
    /// Reads the whole file (about a second per gigabyte), so a model is looked up once a process.
    /// [`ModelError::Missing`] when it was not fetched, [`ModelError::Damaged`] when it is not what the registry says.
    pub fn path(&self, model: &str, file: &str) -> Result<PathBuf, ModelError> {
        let model = self.model(model)?;
        let file = model.files.iter().find(|f| f.name == file).ok_or_else(|| ModelError::UnknownFile {
            model: model.name.clone(),
            file: file.to_string(),
            known: list(model.files.iter().map(|f| f.name.as_str())),
        })?;
        self.verify(model, file)
    }
    /// The same for a file out of [`Registry::models`].
    pub fn verify(&self, model: &Model, file: &File) -> Result<PathBuf, ModelError> {
        let path = self.location(file);
        match found(&path, &file.origin)? {
            None => Err(ModelError::Missing { model: model.name.clone(), file: file.name.clone(), path }),
            Some(got) if got == file.origin.sha256 => Ok(path),
            Some(got) => Err(ModelError::Damaged { path, expected: file.origin.sha256.clone(), got }),
        }
    }
    /// Where a file lies or would lie, without looking.
    pub fn location(&self, file: &File) -> PathBuf {
        self.store.path(&file.origin, &file.stored_as)
    }
    /// A package by `NAME==VERSION`; every one that a source names is there.
    pub(super) fn package(&self, requirement: &str) -> Option<&Package> {
        self.packages.get(requirement)
    }

    fn add(&mut self, text: &str, origin: &str) -> Result<(), ModelError> {
        let bad = |reason: String| ModelError::Registry { origin: origin.to_string(), reason };
        let raw: raw::Registry = toml::from_str(text).map_err(|e| bad(e.to_string().trim_end().replace('\n', " ")))?;
        for (requirement, package) in raw.pypi {
            raw::check_requirement(&requirement).map_err(bad)?;
            self.packages.insert(requirement, package);
        }
        for (requirement, package) in raw.npm {
            raw::check_npm(&requirement).map_err(bad)?;
            self.packages.insert(requirement, package);
        }
        for model in raw.model {
            let name = model.name.clone();
            let model = model.check(&self.packages).map_err(|reason| bad(format!("model `{name}`: {reason}")))?;
            match self.models.iter_mut().find(|m| m.name == name) {
                Some(known) => *known = model,
                None => self.models.push(model),
            }
        }
        Ok(())
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The file as written, and the checks that make it [`Registry`].
mod raw {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::{Conversion, MAX_SIZE, Making, Origin, Package};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Registry {
        #[serde(default)]
        pub(super) pypi: BTreeMap<String, Package>,
        #[serde(default)]
        pub(super) npm: BTreeMap<String, Package>,
        #[serde(default)]
        pub(super) model: Vec<Model>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Model {
        pub(super) name: String,
        purpose: String,
        license: String,
        language: Option<String>,
        file: Vec<File>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        name: String,
        stored_as: Option<String>,
        sha256: String,
        size: u64,
        #[serde(default)]
        from: Vec<Source>,
        convert: Option<Conversion>,
        inputs: Option<Inputs>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        model: Input,
        mel: Input,
        vocabulary: Input,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Input {
        sha256: String,
        size: u64,
        from: Vec<Source>,
    }

    #[derive(Deserialize)]
    #[serde(untagged, deny_unknown_fields)]
    enum Source {
        Pypi { pypi: String, path: String },
        Npm { npm: String, path: String },
        Url { url: String },
        Parts { parts: Vec<Source> },
    }

    type Packages = BTreeMap<String, Package>;

    impl Model {
        pub(super) fn check(mut self, packages: &Packages) -> Result<super::Model, String> {
            check_name(&self.name)?;
            if self.file.is_empty() {
                return Err("it has no file".to_string());
            }
            let files = std::mem::take(&mut self.file).into_iter().map(|file| {
                let name = file.name.clone();
                file.check(packages).map_err(|reason| format!("file `{name}`: {reason}"))
            });
            let files = files.collect::<Result<_, _>>()?;
            let Self { name, purpose, license, language, .. } = self;
            Ok(super::Model { name, purpose, license, language, files })
        }
    }

    impl File {
        fn check(self, packages: &Packages) -> Result<super::File, String> {
            let stored_as = self.stored_as.unwrap_or_else(|| self.name.clone());
            check_name(&self.name)?;
            check_name(&stored_as)?;
            let making = match (self.convert, self.inputs) {
                (None, None) => Making::Fetched(sources(self.from, packages)?),
                (Some(conversion), Some(inputs)) if self.from.is_empty() => {
                    Making::Converted(conversion, Box::new(inputs.check(packages)?))
                }
                _ => return Err("it has either `from`, or `convert` with `inputs`".to_string()),
            };
            Ok(super::File { name: self.name, stored_as, origin: origin(self.sha256, self.size)?, making })
        }
    }

    impl Inputs {
        fn check(self, packages: &Packages) -> Result<super::Inputs, String> {
            let input = |input: Input| {
                let origin = origin(input.sha256, input.size)?;
                Ok::<_, String>(super::Input { origin, sources: sources(input.from, packages)? })
            };
            Ok(super::Inputs { model: input(self.model)?, mel: input(self.mel)?, vocabulary: input(self.vocabulary)? })
        }
    }

    fn origin(sha256: String, size: u64) -> Result<Origin, String> {
        let hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if sha256.len() != 64 || !sha256.bytes().all(hex) {
            return Err(format!("`{sha256}` is no sha256 (64 lower-case hex digits)"));
        }
        if size == 0 || size > MAX_SIZE {
            return Err(format!("{size} bytes cannot be its size"));
        }
        Ok(Origin { sha256, size })
    }

    fn sources(from: Vec<Source>, packages: &Packages) -> Result<Vec<super::Source>, String> {
        if from.is_empty() {
            return Err("it has no source".to_string());
        }
        from.into_iter().map(|source| one_source(source, packages)).collect()
    }

    fn one_source(source: Source, packages: &Packages) -> Result<super::Source, String> {
        match source {
            Source::Pypi { pypi, .. } if !packages.contains_key(&pypi) => {
                Err(format!("`{pypi}` has no [pypi.\"{pypi}\"] entry"))
            }
            Source::Npm { npm, .. } if !packages.contains_key(&npm) => {
                Err(format!("`{npm}` has no [npm.\"{npm}\"] entry"))
            }
            Source::Pypi { pypi, path } => Ok(super::Source::Pypi { requirement: pypi, path }),
            Source::Npm { npm, path } => Ok(super::Source::Npm { requirement: npm, path }),
            Source::Url { url } if url.starts_with("https://") || url.starts_with("http://") => {
                Ok(super::Source::Url(url))
            }
            Source::Url { url } => Err(format!("`{url}` is no http address")),
            Source::Parts { parts } if parts.iter().any(|part| matches!(part, Source::Parts { .. })) => {
                Err("a part cannot be made of parts".to_string())
            }
            Source::Parts { parts } => Ok(super::Source::Joined(sources(parts, packages)?)),
        }
    }

    /// A name becomes a path: it may neither climb nor hide.
    fn check_name(name: &str) -> Result<(), String> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"._+-".contains(&c);
        if name.is_empty() || name.len() > 120 || name.starts_with('.') || !name.bytes().all(plain) {
            return Err(format!("`{name}` is no name (letters, digits, `.`, `_`, `+`, `-`; no leading dot)"));
        }
        Ok(())
    }

    /// The same for npm's `NAME@VERSION`.
    pub(super) fn check_npm(requirement: &str) -> Result<(), String> {
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._+-".contains(&c))
        };
        match requirement.split_once('@') {
            Some((name, version)) if plain(name) && plain(version) => Ok(()),
            _ => Err(format!("`{requirement}` is not of the form NAME@VERSION")),
        }
    }

    /// A requirement becomes an argument: it may not look like an option, nor name an address or a path.
    pub(super) fn check_requirement(requirement: &str) -> Result<(), String> {
        let plain = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._+!-".contains(&c))
        };
        match requirement.split_once("==") {
            Some((name, version)) if plain(name) && plain(version) => Ok(()),
            _ => Err(format!("`{requirement}` is not of the form NAME==VERSION")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn parse(text: &str) -> Result<Registry, ModelError> {
        let mut registry = Registry::empty("/nowhere");
        registry.add(text, "x.toml")?;
        Ok(registry)
    }

    fn voice(name: &str, file: &str) -> String {
        format!("[[model]]\nname = \"{name}\"\npurpose = \"p\"\nlicense = \"l\"\n[[model.file]]\n{file}")
    }

    #[test]
    fn the_built_in_registry_names_what_the_engines_ask_for() {
        let registry = Registry::builtin();
        for (model, files) in [
            ("whisper-tiny.en", &["model.bin"][..]),
            ("en_US-joe-medium", &["model.onnx", "model.onnx.json"]),
            ("moonshine-tiny-en", &["encoder.ort", "decoder.ort", "tokenizer.bin"]),
            ("smart-turn", &["model.onnx"]),
            ("silero-vad", &["model.onnx"]),
            ("minilm-l6", &["model.onnx", "tokenizer.json"]),
            ("onnxruntime", &["libonnxruntime.so"]),
        ] {
            let found = registry.model(model).unwrap();
            assert_eq!(found.files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), files, "{model}");
            assert!(!found.license.is_empty() && !found.purpose.is_empty());
        }
    }

    #[test]
    fn a_missing_model_says_what_to_run() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::builtin().in_dir(dir.path());
        let error = registry.path("silero-vad", "model.onnx").unwrap_err();
        assert!(matches!(error, ModelError::Missing { .. }));
        assert!(error.to_string().ends_with("run `sidetone models fetch silero-vad`"), "{error}");
        let error = registry.path("silero", "model.onnx").unwrap_err().to_string();
        assert!(error.contains("`silero-vad`"), "{error}");
        assert!(matches!(registry.path("silero-vad", "x"), Err(ModelError::UnknownFile { .. })));
    }

    #[test]
    fn a_further_file_adds_a_voice_and_replaces_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("more.toml");
        let file =
            format!("name = \"model.onnx\"\nsha256 = \"{SHA}\"\nsize = 5\nfrom = [{{ url = \"https://a/b\" }}]\n");
        std::fs::write(&path, voice("mine", &file) + &voice("silero-vad", &file)).unwrap();
        let registry = Registry::builtin().with_file(&path).unwrap();
        assert_eq!(registry.models().len(), Registry::builtin().models().len() + 1);
        assert_eq!(registry.model("silero-vad").unwrap().files[0].origin.size, 5);
        assert!(registry.location(&registry.model("mine").unwrap().files[0]).ends_with(format!("{SHA}/model.onnx")));
    }

    #[test]
    fn each_slip_is_named() {
        let from = "from = [{ url = \"https://a/b\" }]";
        for (text, says) in [
            (voice("v", &format!("name = \"../up\"\nsha256 = \"{SHA}\"\nsize = 1\n{from}")), "`../up` is no name"),
            (voice("v", &format!("name = \"f\"\nsha256 = \"abc\"\nsize = 1\n{from}")), "`abc` is no sha256"),
            (voice("v", &format!("name = \"f\"\nsha256 = \"{SHA}\"\nsize = 0\n{from}")), "0 bytes"),
            (voice("v", &format!("name = \"f\"\nsha256 = \"{SHA}\"\nsize = 1")), "no source"),
            (
                voice("v", &format!("name = \"f\"\nsha256 = \"{SHA}\"\nsize = 1\nform = []\n{from}")),
                "unknown field `form`",
            ),
            (
                voice(
                    "v",
                    &format!(
                        "name = \"f\"\nsha256 = \"{SHA}\"\nsize = 1\nfrom = [{{ pypi = \"a==1\", path = \"b\" }}]"
                    ),
                ),
                "no [pypi.\"a==1\"] entry",
            ),
            (
                voice(
                    "v",
                    &format!("name = \"f\"\nsha256 = \"{SHA}\"\nsize = 1\nfrom = [{{ url = \"file:///etc\" }}]"),
                ),
                "no http address",
            ),
            (
                voice("v", &format!("name = \"f\"\nsha256 = \"{SHA}\"\nsize = 1\nconvert = \"ct2-to-ggml-q8_0\"")),
                "either",
            ),
            ("[pypi.\"--index-url==x\"]\nsize = 1".to_string(), "NAME==VERSION"),
            ("[pypi.\"a @ http://b\"]\nsize = 1".to_string(), "NAME==VERSION"),
        ] {
            let error = parse(&text).expect_err(says).to_string();
            assert!(error.starts_with("the model registry x.toml") && error.contains(says), "{says}: {error}");
        }
    }
}
