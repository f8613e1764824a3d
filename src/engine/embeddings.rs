//! Embeddings kept on disk, by text and model, so that a plan's examples are embedded once: a second start reads them.
//!
//! ```text
//! "STEMB", version │ model: sha256 │ dimensions: u32 │ records: sha256 of the text (16 bytes), dimensions × f32 (LE) │ sha256 of all before
//! ```
//! Owns the file and its bound. Only texts of plans are kept, never what a caller said: whoever embeds that does not ask
//! here. The file is written whole beside the old one and renamed, so that a start that is killed leaves the old one.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::models::Registry;

/// First bytes of the file: format and version.
const MAGIC: &[u8; 8] = b"STEMB\x00\x01\n";
/// Bytes of a text's key.
const KEY: usize = 16;
/// Bytes of the file's own checksum.
const SUM: usize = 32;
/// Most bytes that are kept; what was read longest ago is not, once a file would pass it.
const MOST_BYTES: usize = 64 << 20;

/// Where embeddings are kept, and of which model.
#[derive(Debug, Clone, Default)]
pub struct EmbeddingStore {
    /// The folder; nothing is kept without one.
    pub folder: Option<PathBuf>,
    /// All that shapes a vector: the model's and its tokenizer's checksums.
    pub model: String,
}

impl EmbeddingStore {
    /// Beside the models, for a model of the registry.
    pub fn of(registry: &Registry, model: &str) -> Self {
        let files = registry.model(model).map(|model| model.files.as_slice()).unwrap_or_default();
        let sums: Vec<&str> = files.iter().map(|file| file.origin.sha256.as_str()).collect();
        Self { folder: Some(registry.store().dir().join(".embeddings")), model: sums.join(" ") }
    }
}

/// The embeddings of one model.
#[derive(Debug)]
pub struct Embeddings {
    path: Option<PathBuf>,
    model: [u8; 32],
    known: HashMap<[u8; KEY], Vec<f32>>,
    /// Those that this run asked for: they stay when the bound is reached.
    used: Vec<[u8; KEY]>,
    changed: bool,
}

impl Embeddings {
    /// What an earlier run left. A file that cannot be read, is damaged or of another model counts as empty.
    pub fn open(store: &EmbeddingStore) -> Self {
        let model: [u8; 32] = Sha256::digest(store.model.as_bytes()).into();
        let path = store.folder.as_ref().map(|folder| folder.join(format!("{}.emb", hex::encode(&model[..8]))));
        let known = match path.as_deref().map(|path| read(path, &model)) {
            Some(Ok(known)) => known,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(%error, "kept embeddings cannot be read; they are made anew");
                HashMap::new()
            }
            _ => HashMap::new(),
        };
        Self { path, model, known, used: Vec::new(), changed: false }
    }

    /// A text's vector.
    pub fn get(&mut self, text: &str) -> Option<Vec<f32>> {
        let key = key(text);
        let found = self.known.get(&key)?.clone();
        self.used.push(key);
        Some(found)
    }

    /// Keeps a text's vector.
    pub fn put(&mut self, text: &str, vector: &[f32]) {
        let key = key(text);
        if self.known.len().saturating_mul(KEY + 4 * vector.len()) > MOST_BYTES {
            self.known.clear();
            self.used.clear();
        }
        self.used.push(key);
        self.changed |= self.known.insert(key, vector.to_vec()).is_none();
    }

    /// Writes what is new. A disk that is full or may not be written costs a warning and the next start's time.
    pub fn save(&mut self) {
        let Some(path) = self.path.as_deref().filter(|_| self.changed) else { return };
        match self.write(path) {
            Ok(()) => self.changed = false,
            Err(error) => tracing::warn!(%error, path = %path.display(), "embeddings are not kept on disk"),
        }
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let dimensions = self.known.values().next().map_or(0, Vec::len);
        let size = KEY + 4 * dimensions;
        let fits = |vector: &&Vec<f32>| vector.len() == dimensions;
        // This run's first: the bound cuts off what no plan asks for any more.
        let mut seen = std::collections::HashSet::new();
        let keys = self.used.iter().chain(self.known.keys()).filter(|key| seen.insert(**key));
        let mut out =
            Vec::with_capacity(MAGIC.len() + 36 + self.known.len().saturating_mul(size).min(MOST_BYTES) + SUM);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&self.model);
        out.extend_from_slice(&u32::try_from(dimensions).unwrap_or(0).to_le_bytes());
        for key in keys.take(MOST_BYTES / size.max(1)) {
            let Some(vector) = self.known.get(key).filter(fits) else { continue };
            out.extend_from_slice(key);
            vector.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
        let sum = Sha256::digest(&out);
        out.extend_from_slice(&sum);
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        // Named by process: two servers that start at once write one file each, and the last rename stays.
        let staged = path.with_extension(format!("{}.part", std::process::id()));
        let written = fs::File::create(&staged).and_then(|mut file| {
            file.write_all(&out)?;
            file.sync_all()
        });
        written.and_then(|()| fs::rename(&staged, path)).inspect_err(|_| drop(fs::remove_file(&staged)))
    }
}

fn key(text: &str) -> [u8; KEY] {
    let mut key = [0; KEY];
    key.copy_from_slice(&Sha256::digest(text.as_bytes())[..KEY]);
    key
}

fn read(path: &Path, model: &[u8; 32]) -> io::Result<HashMap<[u8; KEY], Vec<f32>>> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let head = MAGIC.len() + model.len() + 4;
    let length = usize::try_from(fs::metadata(path)?.len()).unwrap_or(usize::MAX);
    if length > MOST_BYTES + head + SUM {
        return Err(damaged("larger than any that is written"));
    }
    let bytes = fs::read(path)?;
    let (body, sum) = bytes.split_at_checked(bytes.len().saturating_sub(SUM)).ok_or_else(|| damaged("cut short"))?;
    if body.len() < head || !body.starts_with(MAGIC) || Sha256::digest(body)[..] != *sum {
        return Err(damaged("not what was written"));
    }
    if body[MAGIC.len()..head - 4] != *model {
        return Err(damaged("of another model"));
    }
    let dimensions = u32::from_le_bytes([body[head - 4], body[head - 3], body[head - 2], body[head - 1]]) as usize;
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let record = |bytes: &[u8]| {
        let mut key = [0; KEY];
        key.copy_from_slice(&bytes[..KEY]);
        (key, bytes[KEY..].chunks_exact(4).map(value).collect())
    };
    Ok(body[head..].chunks_exact(KEY + 4 * dimensions).map(record).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(folder: &Path, model: &str) -> EmbeddingStore {
        EmbeddingStore { folder: Some(folder.to_owned()), model: model.to_string() }
    }

    #[test]
    fn what_one_run_embeds_the_next_one_knows() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Embeddings::open(&store(folder.path(), "a"));
        assert_eq!(first.get("block my card"), None);
        first.put("block my card", &[0.5, -1.0]);
        first.save();
        let mut second = Embeddings::open(&store(folder.path(), "a"));
        assert_eq!(second.get("block my card"), Some(vec![0.5, -1.0]));
        assert_eq!(second.get("block my cart"), None);
        assert_eq!(Embeddings::open(&store(folder.path(), "b")).get("block my card"), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_counts_as_empty_and_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = Embeddings::open(&store(folder.path(), "a"));
        first.put("x", &[1.0]);
        first.save();
        let path = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let whole = fs::read(&path).unwrap();
        for bad in [Vec::new(), whole[..whole.len() - 1].to_vec(), whole.iter().map(|b| b ^ 1).collect(), vec![7; 300]]
        {
            fs::write(&path, &bad).unwrap();
            let mut again = Embeddings::open(&store(folder.path(), "a"));
            assert_eq!(again.get("x"), None);
            again.put("x", &[1.0]);
            again.save();
            assert_eq!(Embeddings::open(&store(folder.path(), "a")).get("x"), Some(vec![1.0]));
        }
    }

    #[test]
    fn without_a_folder_or_where_none_may_be_made_nothing_is_kept_and_nothing_fails() {
        let mut nowhere = Embeddings::open(&EmbeddingStore::default());
        nowhere.put("x", &[1.0]);
        nowhere.save();
        assert_eq!(nowhere.get("x"), Some(vec![1.0]));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let mut barred = Embeddings::open(&store(&file.join("below"), "a"));
        barred.put("x", &[1.0]);
        barred.save();
    }
}
