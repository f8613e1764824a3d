//! The order in which jobs of one kind are run: class first, then when they are needed, then arrival.
//!
//! Owns the waiting jobs and who gives way when there is no room. Never waits, runs or answers anything: whoever is
//! turned out is handed back to be answered.

use std::time::Instant;

/// How soon a job's answer is missed; an earlier class is always run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A caller waits for it.
    Live,
    /// Helps a caller who is still speaking; gives way to anything live.
    Partial,
    /// Nobody waits on a line for it: examples of a plan that is being loaded.
    Bulk,
}

/// A waiting job.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) class: Class,
    /// Within a class, what is needed first is run first.
    pub(super) needed: Instant,
    /// Past this it is stale.
    pub(super) deadline: Instant,
    /// Call and turn: a partial gives its place to whatever comes later for the same turn.
    pub(super) key: Option<(u64, u32)>,
    pub(super) job: T,
}

impl<T> Entry<T> {
    fn rank(&self) -> (Class, Instant) {
        (self.class, self.needed)
    }
}

/// What became of a push. Jobs handed back are the caller's to answer.
#[derive(Debug)]
pub(super) enum Pushed<T> {
    /// It waits.
    Queued,
    /// It waits; the older partial of its turn is no longer needed.
    Replaced(T),
    /// It waits; this one of a lesser class had to go.
    Shed(T),
    /// No room: it is handed back itself.
    Refused(T),
}

/// Jobs in order, at most `capacity`. Small (tens), so a sorted vector beats a heap that cannot replace.
#[derive(Debug)]
pub(super) struct JobQueue<T> {
    capacity: usize,
    /// The next to run is last.
    entries: Vec<Entry<T>>,
}

impl<T> JobQueue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Vec::with_capacity(capacity) }
    }

    /// Adds a job; a full queue gives up its last entry if that is of a lesser class, else refuses.
    pub(super) fn push(&mut self, entry: Entry<T>) -> Pushed<T> {
        if let Some(older) = self.same_key(&entry) {
            let old = self.entries.remove(older);
            self.insert(entry);
            return Pushed::Replaced(old.job);
        }
        if self.entries.len() < self.capacity {
            self.insert(entry);
            return Pushed::Queued;
        }
        match self.entries.first() {
            Some(last) if last.class > entry.class => {
                let last = self.entries.remove(0);
                self.insert(entry);
                Pushed::Shed(last.job)
            }
            _ => Pushed::Refused(entry.job),
        }
    }

    /// The next job to run.
    pub(super) fn pop(&mut self) -> Option<Entry<T>> {
        self.entries.pop()
    }

    /// Takes out every job that is past its deadline or no longer wanted.
    pub(super) fn take_stale(&mut self, now: Instant, unwanted: impl Fn(&T) -> bool) -> Vec<T> {
        let stale = |entry: &mut Entry<T>| entry.deadline < now || unwanted(&entry.job);
        self.entries.extract_if(.., stale).map(|entry| entry.job).collect()
    }

    fn same_key(&self, entry: &Entry<T>) -> Option<usize> {
        let key = entry.key?;
        self.entries.iter().position(|waiting| waiting.key == Some(key) && waiting.class == Class::Partial)
    }

    /// Equal ranks run in the order of arrival: the newcomer goes before (is run after) its equals.
    fn insert(&mut self, entry: Entry<T>) {
        let at = self.entries.partition_point(|waiting| waiting.rank() > entry.rank());
        self.entries.insert(at, entry);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(base: Instant, class: Class, ms: u64, job: u32) -> Entry<u32> {
        let at = base + Duration::from_millis(ms);
        Entry { class, needed: at, deadline: at, key: None, job }
    }

    fn base() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary zero for deadlines")]
        Instant::now()
    }

    fn drain(queue: &mut JobQueue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop().map(|entry| entry.job)).collect()
    }

    #[test]
    fn order_is_class_then_deadline_then_arrival() {
        let t = base();
        let mut queue = JobQueue::new(8);
        for (class, ms, job) in [
            (Class::Bulk, 0, 1),
            (Class::Partial, 10, 2),
            (Class::Live, 900, 3),
            (Class::Live, 100, 4),
            (Class::Live, 100, 5),
            (Class::Partial, 5, 6),
        ] {
            assert!(matches!(queue.push(entry(t, class, ms, job)), Pushed::Queued));
        }
        assert_eq!(drain(&mut queue), [4, 5, 3, 6, 2, 1]);
    }

    #[test]
    fn a_full_queue_sheds_the_least_urgent_partial_for_a_final_and_refuses_the_rest() {
        let t = base();
        let mut queue = JobQueue::new(2);
        queue.push(entry(t, Class::Partial, 10, 1));
        queue.push(entry(t, Class::Partial, 20, 2));
        assert!(matches!(queue.push(entry(t, Class::Partial, 1, 3)), Pushed::Refused(3)));
        assert!(matches!(queue.push(entry(t, Class::Live, 500, 4)), Pushed::Shed(2)));
        assert!(matches!(queue.push(entry(t, Class::Live, 400, 5)), Pushed::Shed(1)));
        assert!(matches!(queue.push(entry(t, Class::Live, 300, 6)), Pushed::Refused(6)));
        assert_eq!(drain(&mut queue), [5, 4]);
    }

    #[test]
    fn a_newer_partial_of_the_same_turn_takes_the_place_of_the_older() {
        let t = base();
        let keyed = |ms, key, job| Entry { key: Some(key), ..entry(t, Class::Partial, ms, job) };
        let mut queue = JobQueue::new(2);
        queue.push(keyed(10, (7, 1), 1));
        queue.push(keyed(20, (8, 1), 2));
        assert!(matches!(queue.push(keyed(30, (7, 1), 3)), Pushed::Replaced(1)));
        let last = Entry { key: Some((8, 1)), ..entry(t, Class::Live, 500, 4) };
        assert!(matches!(queue.push(last), Pushed::Replaced(2)), "a final outdates its partial");
        assert_eq!(drain(&mut queue), [4, 3]);
    }

    #[test]
    fn stale_jobs_are_taken_out() {
        let t = base();
        let mut queue = JobQueue::new(4);
        for (ms, job) in [(10, 1), (20, 2), (30, 3)] {
            queue.push(entry(t, Class::Live, ms, job));
        }
        let mut stale = queue.take_stale(t + Duration::from_millis(15), |job| *job == 3);
        stale.sort_unstable();
        assert_eq!(stale, [1, 3]);
        assert_eq!(queue.entries.len(), 1);
    }
}
