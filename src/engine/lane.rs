//! Worker threads for one kind of job: a bounded queue, and models that survive their own panics.
//!
//! Owns the threads and the one lock around their queue. Never knows what a job does; answers each exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use metrics::{Counter, Histogram, counter, histogram};

use super::queue::{Class, Entry, JobQueue, Pushed};
use super::{EngineError, now};
use crate::call::ports::{AbortFlag, JobError};

/// One piece of work, with the way back for its result.
pub(super) trait Job: Send + 'static {
    /// What runs it; lives on a worker thread and need not be `Send`.
    type Model: 'static;
    type Output;
    /// Whether its submitter has given it up.
    fn unwanted(&self) -> bool;
    /// What stops it while it runs, if anything does.
    fn abort(&self) -> Option<AbortFlag> {
        None
    }
    fn run(&self, model: &mut Self::Model) -> Result<Self::Output, JobError>;
    fn answer(self, result: Result<Self::Output, JobError>);
}

/// Makes a worker's model: at the start, and again after a panic.
pub(super) type Build<M> = Arc<dyn Fn() -> Result<M, EngineError> + Send + Sync>;

/// How a lane is to be.
pub(super) struct LaneOptions {
    /// Its name in thread names and metrics.
    pub(super) name: &'static str,
    pub(super) threads: usize,
    /// Jobs that may wait. When full: a lesser class is shed, else the newcomer is refused ([`JobError::Full`]).
    pub(super) capacity: usize,
    /// Added to the threads' nice value (unix): media goes first.
    pub(super) nice: i32,
}

/// A queue and its workers.
pub(super) struct Lane<J: Job> {
    shared: Arc<Shared<J>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared<J: Job> {
    state: Mutex<State<J>>,
    ready: Condvar,
    counters: Counters,
}

struct State<J> {
    queue: JobQueue<J>,
    closed: bool,
    /// What each worker runs; a partial gives way to whatever is live.
    running: Vec<Option<(Class, Option<AbortFlag>)>>,
}

impl<J> State<J> {
    /// Stops one partial when a live job would have to wait for it.
    fn make_way(&self) -> bool {
        let mut running = self.running.iter();
        if !running.clone().all(Option::is_some) {
            return false;
        }
        let lesser = |job: &&(Class, Option<AbortFlag>)| job.0 > Class::Live;
        let Some((_, Some(abort))) = running.by_ref().flatten().find(lesser) else { return false };
        abort.abort();
        true
    }
}

struct Counters {
    queued: Counter,
    shed: Counter,
    skipped: Counter,
    preempted: Counter,
    panicked: Counter,
    run_seconds: Histogram,
}

/// A lane whose workers are still loading their models.
pub(super) struct Starting<J: Job> {
    lane: Lane<J>,
    name: &'static str,
    loaded: Receiver<Result<(), EngineError>>,
}

impl<J: Job> Starting<J> {
    /// Waits until every worker has its model.
    pub(super) fn wait(self) -> Result<Lane<J>, EngineError> {
        let workers = lock(&self.lane.threads).len();
        for _ in 0..workers {
            // A closed channel with an answer missing: a worker panicked inside `build`.
            self.loaded.recv().unwrap_or(Err(EngineError::Died(self.name)))?;
        }
        Ok(self.lane)
    }
}

impl<J: Job> Lane<J> {
    /// Starts the workers; they load their models side by side.
    pub(super) fn start(options: &LaneOptions, build: &Build<J::Model>) -> Result<Starting<J>, EngineError> {
        let name = options.name;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: JobQueue::new(options.capacity),
                closed: false,
                running: vec![None; options.threads],
            }),
            ready: Condvar::new(),
            counters: Counters {
                queued: counter!("sidetone_engine_queued_total", "engine" => name),
                shed: counter!("sidetone_engine_shed_total", "engine" => name),
                skipped: counter!("sidetone_engine_skipped_total", "engine" => name),
                preempted: counter!("sidetone_engine_preempted_total", "engine" => name),
                panicked: counter!("sidetone_engine_panicked_total", "engine" => name),
                run_seconds: histogram!("sidetone_engine_run_seconds", "engine" => name),
            },
        });
        let (tell, loaded) = sync_channel(options.threads);
        let lane = Self { shared, threads: Mutex::new(Vec::new()) };
        for n in 0..options.threads {
            let (shared, build, tell, nice) = (lane.shared.clone(), build.clone(), tell.clone(), options.nice);
            let thread = std::thread::Builder::new().name(format!("{name}-{n}")).spawn(move || {
                yield_to_media(nice);
                match build() {
                    Ok(model) => {
                        let _ = tell.send(Ok(()));
                        drop(tell);
                        shared.work(n, name, model, &build);
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
            lock(&lane.threads).push(thread.map_err(|error| EngineError::Thread(error.to_string()))?);
        }
        Ok(Starting { lane, name, loaded })
    }

    /// Puts a job in line. Whoever has no place is answered here and now, on the submitter's thread.
    pub(super) fn submit(&self, entry: Entry<J>) {
        self.shared.submit(entry);
    }

    /// Takes no more jobs, answers those that wait with [`JobError::Skipped`], and waits for those that run.
    pub(super) fn shutdown(&self) {
        self.close();
        for thread in lock(&self.threads).drain(..) {
            // A worker that panicked outside a job has nothing left to wait for.
            let _ = thread.join();
        }
    }

    fn close(&self) {
        lock(&self.shared.state).closed = true;
        self.shared.ready.notify_all();
    }
}

impl<J: Job> Drop for Lane<J> {
    fn drop(&mut self) {
        self.close();
    }
}

impl<J: Job> Shared<J> {
    fn submit(&self, entry: Entry<J>) {
        let live = entry.class == Class::Live;
        let (stale, pushed) = {
            let mut state = lock(&self.state);
            if state.closed {
                drop(state);
                return entry.job.answer(Err(JobError::Skipped));
            }
            let stale = state.queue.take_stale(now(), J::unwanted);
            let pushed = state.queue.push(entry);
            if live && !matches!(pushed, Pushed::Refused(_)) && state.make_way() {
                self.counters.preempted.increment(1);
            }
            (stale, pushed)
        };
        stale.into_iter().for_each(|job| self.skip(job));
        match pushed {
            Pushed::Queued => self.counters.queued.increment(1),
            Pushed::Replaced(older) => {
                self.counters.queued.increment(1);
                self.skip(older);
            }
            Pushed::Shed(lesser) => {
                self.counters.queued.increment(1);
                self.counters.shed.increment(1);
                lesser.answer(Err(JobError::Full));
            }
            Pushed::Refused(job) => {
                self.counters.shed.increment(1);
                return job.answer(Err(JobError::Full));
            }
        }
        self.ready.notify_one();
    }

    fn skip(&self, job: J) {
        self.counters.skipped.increment(1);
        job.answer(Err(JobError::Skipped));
    }

    /// The next job that is still wanted in time, for this worker; `None` once closed.
    fn take(&self, worker: usize) -> Option<J> {
        loop {
            let entry = {
                let mut state = lock(&self.state);
                state.running[worker] = None;
                loop {
                    match state.queue.pop() {
                        Some(entry) if state.closed => break Some((entry, true)),
                        Some(entry) => {
                            state.running[worker] = Some((entry.class, entry.job.abort()));
                            break Some((entry, false));
                        }
                        None if state.closed => break None,
                        None => state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                    }
                }
            };
            let (entry, closed) = entry?;
            if closed || entry.deadline < now() || entry.job.unwanted() {
                self.skip(entry.job);
            } else {
                return Some(entry.job);
            }
        }
    }

    fn work(&self, worker: usize, name: &'static str, model: J::Model, build: &Build<J::Model>) {
        let mut model = Some(model);
        while let Some(job) = self.take(worker) {
            if model.is_none() {
                model = rebuild(name, build);
            }
            let Some(running) = model.as_mut() else {
                job.answer(Err(JobError::Failed(format!("the {name} engine could not be rebuilt"))));
                continue;
            };
            let started = now();
            let outcome = catch_unwind(AssertUnwindSafe(|| job.run(running)));
            self.counters.run_seconds.record(started.elapsed().as_secs_f64());
            let result = outcome.unwrap_or_else(|panic| {
                self.counters.panicked.increment(1);
                let why = panic_text(panic.as_ref());
                tracing::error!(engine = name, why, "a model panicked; it is rebuilt");
                // What a panic left half-done is never run again.
                model = rebuild(name, build);
                Err(JobError::Failed(format!("panicked: {why}")))
            });
            job.answer(result);
        }
    }
}

fn rebuild<M>(name: &str, build: &Build<M>) -> Option<M> {
    let made = catch_unwind(AssertUnwindSafe(|| build()));
    match made {
        Ok(Ok(model)) => Some(model),
        Ok(Err(error)) => {
            tracing::error!(engine = name, %error, "a model cannot be rebuilt");
            None
        }
        Err(_) => None,
    }
}

/// What a panic said, when it said it in words.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(ToString::to_string);
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".to_string())
}

/// Locks, past the poison of a panic: every critical section here leaves its data whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lowers the calling thread's priority. On Linux a nice value belongs to a thread; elsewhere to the process, so that
/// it is left alone there.
pub(super) fn yield_to_media(nice: i32) {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(%error, "an engine's thread keeps its priority");
    }
    #[cfg(not(target_os = "linux"))]
    let _ = nice;
}
