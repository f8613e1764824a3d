//! Rendered prompts, so that a line is synthesised once: in memory, and if wanted on disk.
//!
//! Owns both stores and their bounds. Never sees a line that must not be kept: whoever submits a masked one does not
//! ask here. When a bound is reached the least recently used goes.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use metrics::counter;
use sha2::{Digest as _, Sha256};

use super::lane::lock;
use crate::audio::Rate;

/// First bytes of a kept prompt: format and version.
const MAGIC: &[u8; 8] = b"STPCM\x00\x02\n";
/// Bytes of a file's checksum: the first of the samples' sha256.
const SUM: usize = 8;

/// Bounds of a cache.
#[derive(Debug, Clone, Default)]
pub struct PromptLimits {
    /// Bytes of PCM in memory.
    pub memory_bytes: u64,
    /// Folder on disk and its bound in bytes.
    pub disk: Option<(PathBuf, u64)>,
}

/// What a prompt is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PromptKey([u8; 32]);

impl PromptKey {
    /// `voice` must name everything that shapes the sound: the voice and its settings.
    pub fn new(voice: &str, text: &str, rate: Rate) -> Self {
        let mut hash = Sha256::new();
        for part in [voice, text] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(rate.hz().to_le_bytes());
        Self(hash.finalize().into())
    }

    fn file_name(&self) -> String {
        format!("{}.pcm", hex::encode(self.0))
    }
}

/// The cache; shared by all calls and workers. Locks are held for a look-up only, never over the disk.
#[derive(Debug)]
pub struct Prompts {
    memory: Mutex<Lru<Arc<[i16]>>>,
    disk: Option<Disk>,
}

impl Prompts {
    /// An empty cache, or what an earlier run left in the folder. A folder that cannot be used is told of and left out.
    pub fn open(limits: &PromptLimits) -> Self {
        let disk = limits.disk.as_ref().and_then(|(folder, bytes)| match Disk::open(folder, *bytes) {
            Ok(disk) => Some(disk),
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "rendered prompts are not kept on disk");
                None
            }
        });
        Self { memory: Mutex::new(Lru::new(limits.memory_bytes)), disk }
    }

    /// A prompt in memory: quick enough for a call's own task.
    pub fn in_memory(&self, key: &PromptKey) -> Option<Arc<[i16]>> {
        let found = lock(&self.memory).get(key).cloned();
        if found.is_some() {
            counter!("sidetone_engine_prompt_hits_total", "from" => "memory").increment(1);
        }
        found
    }

    /// A prompt on disk, brought into memory: for worker threads.
    pub fn on_disk(&self, key: &PromptKey) -> Option<Arc<[i16]>> {
        let pcm: Arc<[i16]> = self.disk.as_ref()?.read(key)?.into();
        counter!("sidetone_engine_prompt_hits_total", "from" => "disk").increment(1);
        lock(&self.memory).put(*key, pcm.clone(), bytes_of(&pcm));
        Some(pcm)
    }

    /// Keeps a prompt in memory.
    pub fn keep(&self, key: PromptKey, pcm: &Arc<[i16]>) {
        lock(&self.memory).put(key, pcm.clone(), bytes_of(pcm));
    }

    /// Keeps a prompt on disk, unless it lies there: for worker threads. A full disk is told of and costs nothing else.
    pub fn keep_on_disk(&self, key: &PromptKey, pcm: &[i16]) {
        if let Some(disk) = self.disk.as_ref().filter(|disk| !disk.holds(key))
            && let Err(error) = disk.write(key, pcm)
        {
            counter!("sidetone_engine_prompt_write_errors_total").increment(1);
            tracing::warn!(%error, "a rendered prompt was not kept on disk");
        }
    }
}

fn bytes_of(pcm: &[i16]) -> u64 {
    (pcm.len() * 2) as u64
}

/// Values with sizes; the least recently used go when their sum passes the bound.
#[derive(Debug)]
struct Lru<V> {
    bound: u64,
    used: u64,
    clock: u64,
    values: HashMap<PromptKey, (V, u64, u64)>,
    by_use: BTreeMap<u64, PromptKey>,
}

impl<V> Lru<V> {
    fn new(bound: u64) -> Self {
        Self { bound, used: 0, clock: 0, values: HashMap::new(), by_use: BTreeMap::new() }
    }

    fn get(&mut self, key: &PromptKey) -> Option<&V> {
        self.clock += 1;
        let (value, _, used_at) = self.values.get_mut(key)?;
        self.by_use.remove(used_at);
        *used_at = self.clock;
        self.by_use.insert(self.clock, *key);
        Some(value)
    }

    /// Returns what had to go; the newcomer itself if it is larger than the bound.
    fn put(&mut self, key: PromptKey, value: V, size: u64) -> Vec<PromptKey> {
        self.take(&key);
        if size > self.bound {
            return vec![key];
        }
        self.clock += 1;
        self.used += size;
        self.values.insert(key, (value, size, self.clock));
        self.by_use.insert(self.clock, key);
        let mut gone = Vec::new();
        while self.used > self.bound
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            let oldest = *oldest;
            self.take(&oldest);
            gone.push(oldest);
        }
        gone
    }

    fn take(&mut self, key: &PromptKey) {
        if let Some((_, size, used_at)) = self.values.remove(key) {
            self.used -= size;
            self.by_use.remove(&used_at);
        }
    }
}

/// One file a prompt: magic, checksum, samples (little endian). A file is written aside and renamed, so
/// that a reader never meets half of one.
#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    files: Mutex<Lru<()>>,
}

impl Disk {
    fn open(folder: &Path, bound: u64) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (path, about) = (entry.path(), entry.metadata()?);
            match key_of(&path) {
                Some(key) => found.push((about.modified()?, key, about.len())),
                // What a crash left half-written.
                None if path.extension().is_some_and(|e| e == "part") => fs::remove_file(&path)?,
                None => {}
            }
        }
        found.sort_unstable();
        let disk = Self { folder: folder.to_path_buf(), files: Mutex::new(Lru::new(bound)) };
        for (_, key, size) in found {
            let gone = lock(&disk.files).put(key, (), size);
            disk.remove(&gone);
        }
        Ok(disk)
    }

    fn read(&self, key: &PromptKey) -> Option<Vec<i16>> {
        lock(&self.files).get(key)?;
        let bytes = fs::read(self.folder.join(key.file_name())).unwrap_or_default();
        let Some(samples) = whole(&bytes) else {
            // Damaged or gone: it makes room, and is rendered anew.
            lock(&self.files).take(key);
            self.remove(&[*key]);
            return None;
        };
        Some(samples.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
    }

    fn holds(&self, key: &PromptKey) -> bool {
        lock(&self.files).get(key).is_some()
    }

    fn write(&self, key: &PromptKey, pcm: &[i16]) -> std::io::Result<()> {
        let samples: Vec<u8> = pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let bytes = [MAGIC.as_slice(), &checksum(&samples), &samples].concat();
        let aside = self.folder.join(format!("{}.part", key.file_name()));
        let written = fs::File::create(&aside).and_then(|mut file| file.write_all(&bytes));
        if let Err(error) = written.and_then(|()| fs::rename(&aside, self.folder.join(key.file_name()))) {
            let _ = fs::remove_file(&aside);
            return Err(error);
        }
        let gone = lock(&self.files).put(*key, (), bytes.len() as u64);
        self.remove(&gone);
        Ok(())
    }

    fn remove(&self, keys: &[PromptKey]) {
        for key in keys {
            // One that is gone already needs no removal.
            let _ = fs::remove_file(self.folder.join(key.file_name()));
        }
    }
}

/// The samples of a file, if all of it is as it was written.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let (sum, samples) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<SUM>()?;
    (checksum(samples) == *sum).then_some(samples)
}

fn checksum(samples: &[u8]) -> [u8; SUM] {
    let whole: [u8; 32] = Sha256::digest(samples).into();
    std::array::from_fn(|n| whole[n])
}

fn key_of(path: &Path) -> Option<PromptKey> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pcm")?;
    Some(PromptKey(hex::decode(name).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> PromptKey {
        PromptKey::new("joe", text, Rate::Narrow)
    }

    fn pcm(n: usize) -> Arc<[i16]> {
        (0..n).map(|i| i as i16).collect()
    }

    #[test]
    fn voice_text_and_rate_each_make_another_prompt() {
        let one = key("hello");
        assert_eq!(one, key("hello"));
        assert_ne!(one, key("hello."));
        assert_ne!(one, PromptKey::new("joeh", "ello", Rate::Narrow));
        assert_ne!(one, PromptKey::new("joe", "hello", Rate::Wide));
    }

    #[test]
    fn memory_is_bounded_and_the_least_recently_used_goes() {
        let prompts = Prompts::open(&PromptLimits { memory_bytes: 400, disk: None });
        prompts.keep(key("a"), &pcm(100));
        prompts.keep(key("b"), &pcm(100));
        assert!(prompts.in_memory(&key("a")).is_some());
        prompts.keep(key("c"), &pcm(100));
        assert!(prompts.in_memory(&key("b")).is_none(), "b was used longest ago");
        assert!(prompts.in_memory(&key("a")).is_some() && prompts.in_memory(&key("c")).is_some());
        prompts.keep(key("huge"), &pcm(1000));
        assert!(prompts.in_memory(&key("huge")).is_none() && prompts.in_memory(&key("a")).is_some());
    }

    #[test]
    fn disk_outlives_the_process_within_its_bound() {
        let folder = tempfile::tempdir().unwrap();
        let limits = PromptLimits { memory_bytes: 10_000, disk: Some((folder.path().to_path_buf(), 500)) };
        let prompts = Prompts::open(&limits);
        ["a", "b", "c"].iter().for_each(|name| prompts.keep_on_disk(&key(name), &pcm(100)));
        fs::write(folder.path().join("crash.pcm.part"), b"half").unwrap();

        let again = Prompts::open(&limits);
        assert!(again.in_memory(&key("c")).is_none(), "memory starts empty");
        assert_eq!(again.on_disk(&key("c")).as_deref(), Some(&*pcm(100)));
        assert!(again.in_memory(&key("c")).is_some(), "a disk hit is a memory hit from then on");
        assert!(again.on_disk(&key("a")).is_none(), "two files of 216 bytes fit in 500");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "bounded, and swept of half-written files");
    }

    #[test]
    fn a_damaged_file_is_a_miss() {
        let folder = tempfile::tempdir().unwrap();
        let limits = PromptLimits { memory_bytes: 0, disk: Some((folder.path().to_path_buf(), 10_000)) };
        let prompts = Prompts::open(&limits);
        let path = folder.path().join(key("a").file_name());
        prompts.keep_on_disk(&key("a"), &pcm(100));
        let bytes = fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[60] ^= 1;
        for damaged in [&bytes[..bytes.len() - 2], &bytes[..5], &flipped, &[]] {
            fs::write(&path, damaged).unwrap();
            let again = Prompts::open(&limits);
            assert!(again.on_disk(&key("a")).is_none());
            assert!(!path.exists(), "it is cleared away");
            again.keep_on_disk(&key("a"), &pcm(100));
            assert_eq!(fs::read(&path).unwrap(), bytes, "and written anew");
        }
        assert!(Prompts::open(&limits).on_disk(&key("a")).is_some());
    }
}
