//! Plans that change while the server runs: read and checked again, and swapped in for calls that come from then on.
//! Running calls finish on the plan that they began with. A plan that does not check is refused, and the old one stays.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::lines::{LineError, Loader};
use super::metrics;
use crate::call::line::Line;

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Files of a plan that are looked at, and how deep.
const MOST_FILES: usize = 500;
const DEEPEST: usize = 3;

/// The lines that new calls are given. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<RwLock<BTreeMap<PathBuf, Arc<Line>>>>);

impl Lines {
    /// Puts all of them in.
    pub(super) fn fill(&self, lines: BTreeMap<PathBuf, Arc<Line>>) {
        lines.into_iter().for_each(|(folder, line)| self.put(folder, line));
    }

    /// The line of the plan in `folder`, as it is now.
    pub(super) fn get(&self, folder: &Path) -> Option<Arc<Line>> {
        // A map that another thread left half-way is still a map: an entry is replaced in one go.
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(folder).cloned()
    }

    fn put(&self, folder: PathBuf, line: Arc<Line>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(folder, line);
    }
}

/// What tells that a file is another: its path, size and time.
type Stamp = Vec<(PathBuf, u64, Option<SystemTime>)>;

/// Looks after the plans' files.
pub(super) struct Reloader {
    loader: Arc<Loader>,
    lines: Lines,
    /// As loaded or refused last, and as seen last.
    stamps: BTreeMap<PathBuf, (Stamp, Stamp)>,
}

impl Reloader {
    pub(super) fn new(loader: Arc<Loader>, lines: Lines) -> Self {
        let stamp = |folder: PathBuf| {
            let stamp = stamp(&folder);
            (folder, (stamp.clone(), stamp))
        };
        let stamps = loader.folders().into_iter().map(stamp).collect();
        Self { loader, lines, stamps }
    }

    /// Looks once; what became of each plan that has changed. A file is taken when it has stayed the same from one look
    /// to the next, so that one that is still being written is left alone.
    pub(super) fn look(&mut self) -> Vec<(PathBuf, Result<(), LineError>)> {
        let mut news = Vec::new();
        for (folder, (taken, seen)) in &mut self.stamps {
            let now = stamp(folder);
            let settled = now == *seen;
            seen.clone_from(&now);
            if !settled || now == *taken {
                continue;
            }
            *taken = now;
            let result = self.loader.again(folder).map(|line| self.lines.put(folder.clone(), line));
            news.push((folder.clone(), result));
        }
        news
    }

    /// Looks until stopped.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = every.tick() => {}
                () = stop.cancelled() => return,
            }
            #[expect(clippy::disallowed_methods, reason = "wiring: files are read and examples embedded")]
            let looked = tokio::task::spawn_blocking(move || {
                let news = self.look();
                (self, news)
            });
            let Ok((reloader, news)) = looked.await else {
                return tracing::error!("plans are not reloaded any more: loading one panicked");
            };
            self = reloader;
            for (folder, result) in news {
                let plan = folder.display();
                match result {
                    Ok(()) => tracing::info!(%plan, "the plan was loaded anew; new calls use it"),
                    Err(ref error) => tracing::error!(%plan, %error, "the changed plan is refused; the old one stays"),
                }
                metrics::reloaded(result.is_ok());
            }
        }
    }
}

/// The files of a plan, in order. Links are not followed.
fn stamp(folder: &Path) -> Stamp {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((path, depth)) = open.pop() {
        let Ok(meta) = fs::symlink_metadata(&path) else { continue };
        if meta.is_dir() && depth < DEEPEST {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.take(MOST_FILES).map(|entry| (entry.path(), depth + 1)));
        } else if meta.is_file() && found.len() < MOST_FILES {
            found.push((path, meta.len(), meta.modified().ok()));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, ConfigArgs};
    use crate::engine::Engines;

    const PLAN: &str = "dialplan: one\nstart: a\nstates:\n  a: {steps: [{say: Hello.}, {end: }]}\n";

    #[test]
    fn a_changed_plan_is_for_new_calls_and_a_bad_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dialplan.yaml");
        fs::write(&file, PLAN).unwrap();
        let args = ConfigArgs { set: vec!["engine.kind=scripted".into()], ..ConfigArgs::default() };
        let mut config = Config::load_with(&args, &[]).unwrap();
        config.routes = vec![crate::config::Route { number: "*".into(), plan: folder.path().to_owned() }];
        let loader = Arc::new(Loader::new(config, Engines::scripted().unwrap()).unwrap());
        let lines = Lines::default();
        lines.fill(loader.all().unwrap());
        let mut reloader = Reloader::new(loader, lines.clone());
        let name = || lines.get(folder.path()).unwrap().plan.name().to_owned();
        assert!(reloader.look().is_empty());

        // A running call keeps its line.
        let running = lines.get(folder.path()).unwrap();
        fs::write(&file, PLAN.replace("dialplan: one", "dialplan: another")).unwrap();
        assert!(reloader.look().is_empty(), "it may still be being written");
        let news = reloader.look();
        assert!(matches!(news.as_slice(), [(_, Ok(()))]));
        assert_eq!((name().as_str(), running.plan.name()), ("another", "one"));
        assert!(reloader.look().is_empty());

        // One that does not check is reported once, with its place.
        fs::write(&file, PLAN.replace("start: a", "start: nowhere")).unwrap();
        reloader.look();
        let news = reloader.look();
        let [(_, Err(error))] = news.as_slice() else { panic!("refused") };
        assert!(error.to_string().contains("dialplan.yaml:2:8: error[unknown-state]"), "{error}");
        assert!(reloader.look().is_empty());
        assert_eq!(name(), "another");

        // Gone is refused too; back and whole is taken.
        fs::remove_file(&file).unwrap();
        reloader.look();
        assert!(matches!(reloader.look().as_slice(), [(_, Err(LineError::Unreadable { .. }))]));
        fs::write(&file, PLAN.replace("dialplan: one", "dialplan: third-time")).unwrap();
        reloader.look();
        assert_eq!(reloader.look().len(), 1);
        assert_eq!(name(), "third-time");
    }
}
