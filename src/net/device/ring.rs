//! Samples from one thread to another without a lock: one writer, one reader, a fixed number of places.
//!
//! The places are atomics of their own, so that no place needs `unsafe`; on the machines that we run on a relaxed load or
//! store of one is a plain one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI16, AtomicUsize, Ordering};

/// Counts of samples ever written and ever read; their difference waits.
struct Ring {
    places: Box<[AtomicI16]>,
    written: AtomicUsize,
    read: AtomicUsize,
}

/// The writing end.
pub(super) struct Writer(Arc<Ring>);
/// The reading end.
pub(super) struct Reader(Arc<Ring>);

/// A ring for `capacity` samples.
pub(super) fn new(capacity: usize) -> (Writer, Reader) {
    // A power of two, so that the counts may wrap around.
    let places = (0..capacity.next_power_of_two()).map(|_| AtomicI16::new(0)).collect();
    let ring = Arc::new(Ring { places, written: AtomicUsize::new(0), read: AtomicUsize::new(0) });
    (Writer(Arc::clone(&ring)), Reader(ring))
}

impl Ring {
    fn place(&self, count: usize) -> &AtomicI16 {
        &self.places[count & (self.places.len() - 1)]
    }
}

impl Writer {
    /// Writes what there is room for, from the first on, and says how many that were.
    pub(super) fn push(&mut self, samples: &[i16]) -> usize {
        let ring = &*self.0;
        let written = ring.written.load(Ordering::Relaxed);
        let free = ring.places.len() - written.wrapping_sub(ring.read.load(Ordering::Acquire));
        let count = free.min(samples.len());
        for (n, sample) in samples[..count].iter().enumerate() {
            ring.place(written.wrapping_add(n)).store(*sample, Ordering::Relaxed);
        }
        ring.written.store(written.wrapping_add(count), Ordering::Release);
        count
    }
}

impl Reader {
    /// Samples that wait.
    pub(super) fn len(&self) -> usize {
        self.0.written.load(Ordering::Acquire).wrapping_sub(self.0.read.load(Ordering::Relaxed))
    }

    /// Reads what there is, and says how many that were.
    pub(super) fn pop(&mut self, samples: &mut [i16]) -> usize {
        let count = self.len().min(samples.len());
        let read = self.0.read.load(Ordering::Relaxed);
        for (n, sample) in samples[..count].iter_mut().enumerate() {
            *sample = self.0.place(read.wrapping_add(n)).load(Ordering::Relaxed);
        }
        self.0.read.store(read.wrapping_add(count), Ordering::Release);
        count
    }

    /// Leaves out up to `count` samples, and says how many that were.
    pub(super) fn skip(&mut self, count: usize) -> usize {
        let count = self.len().min(count);
        let read = self.0.read.load(Ordering::Relaxed);
        self.0.read.store(read.wrapping_add(count), Ordering::Release);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_order_and_the_rest_is_refused() {
        let (mut writer, mut reader) = new(8);
        let mut buffer = [0; 8];
        assert_eq!(reader.pop(&mut buffer), 0);
        for round in 0..100 {
            let samples: Vec<i16> = (0..5).map(|n| round * 5 + n).collect();
            assert_eq!(writer.push(&samples), 5);
            assert_eq!((reader.len(), reader.skip(1), reader.pop(&mut buffer)), (5, 1, 4));
            assert_eq!(buffer[..4], samples[1..]);
        }
        assert_eq!(writer.push(&[1; 11]), 8, "three find no room");
        assert_eq!((reader.skip(100), reader.len()), (8, 0));
    }

    #[test]
    fn two_threads_lose_and_invent_nothing() {
        const COUNT: usize = 200_000;
        let (mut writer, mut reader) = new(64);
        let writing = std::thread::Builder::new().spawn(move || {
            let mut at = 0;
            while at < COUNT {
                let samples: [i16; 7] = std::array::from_fn(|n| (at + n) as i16);
                at += writer.push(&samples[..7.min(COUNT - at)]);
                std::thread::yield_now();
            }
        });
        let (mut at, mut buffer) = (0, [0; 13]);
        while at < COUNT {
            let got = reader.pop(&mut buffer);
            assert!(buffer[..got].iter().enumerate().all(|(n, sample)| *sample == (at + n) as i16), "at {at}");
            at += got;
            std::thread::yield_now();
        }
        writing.expect("started").join().expect("no panic");
        assert_eq!(reader.len(), 0);
    }
}
