//! A small pool of threads that start in a microsecond.
//!
//! One token of a small model is a hundred short products in a row; waking sleeping threads for each would
//! cost more than the products. The workers therefore spin for a short while before they sleep. Work is cut
//! into numbered tasks by the caller, never by the pool, and each task writes its own part of the output:
//! results do not depend on the number of threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often an idle worker looks for work before it goes to sleep (about 50 microseconds).
const SPINS: u32 = 4_000;

/// A task function as the workers see it: its lifetime is erased while [`Pool::run`] waits.
type Job = *const (dyn Fn(usize) + Sync);

/// A pool of worker threads; see the [module documentation](self).
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs: one job at a time.
    entry: Mutex<()>,
}

struct Shared {
    /// Number of the job being run; changes tell workers that there is one.
    generation: AtomicUsize,
    job: Mutex<Option<SendJob>>,
    tasks: AtomicUsize,
    next: AtomicUsize,
    /// Workers that have not yet finished the current job.
    busy: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
}

#[derive(Clone, Copy)]
struct SendJob(Job);
// SAFETY: the pointer is only used while `Pool::run`, which owns the borrow, waits for all workers.
unsafe impl Send for SendJob {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool that computes on `threads` threads, the calling one included; at least one.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            generation: AtomicUsize::new(0),
            job: Mutex::new(None),
            tasks: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        });
        let workers = (1..threads.max(1))
            .filter_map(|index| {
                let shared = Arc::clone(&shared);
                // A thread the system refuses is a thread fewer: results stay the same.
                std::thread::Builder::new()
                    .name(format!("loci-{index}"))
                    .spawn(move || work(&shared))
                    .ok()
            })
            .collect();
        Self { shared, workers, entry: Mutex::new(()) }
    }

    /// A pool with one thread per processor that this process may use.
    pub fn with_all_processors() -> Self {
        Self::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// The number of threads that compute, the calling one included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `task(0)`, …, `task(tasks - 1)`, each once, on all threads; returns when all are done.
    ///
    /// Must not be called from inside a task.
    ///
    /// # Panics
    /// When a task panics; the other tasks are finished or skipped first.
    pub fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        if tasks == 0 {
            return;
        }
        if self.workers.is_empty() || tasks == 1 {
            (0..tasks).for_each(task);
            return;
        }
        let _one_job = lock(&self.entry);
        let shared = &*self.shared;
        let raw: *const (dyn Fn(usize) + Sync + '_) = task;
        // SAFETY: only the lifetime of the trait object changes. The pointer is dropped from `job` and no
        // worker uses it after `busy` has reached zero, for which this function waits before it returns.
        let job: Job = unsafe { std::mem::transmute(raw) };
        *lock(&shared.job) = Some(SendJob(job));
        shared.tasks.store(tasks, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        shared.busy.store(self.workers.len(), Ordering::Relaxed);
        shared.generation.fetch_add(1, Ordering::SeqCst);
        if *lock(&shared.sleepers) > 0 {
            shared.wake.notify_all();
        }
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take_tasks(shared, task)));
        if own.is_err() {
            shared.next.store(tasks, Ordering::Relaxed);
        }
        while shared.busy.load(Ordering::Acquire) > 0 {
            std::hint::spin_loop();
        }
        *lock(&shared.job) = None;
        let worker_panicked = shared.panicked.swap(false, Ordering::Relaxed);
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(!worker_panicked, "a task of the thread pool panicked");
    }
}

fn take_tasks(shared: &Shared, task: &(dyn Fn(usize) + Sync)) {
    let tasks = shared.tasks.load(Ordering::Relaxed);
    loop {
        let index = shared.next.fetch_add(1, Ordering::Relaxed);
        if index >= tasks {
            return;
        }
        task(index);
    }
}

fn work(shared: &Shared) {
    let mut seen = 0;
    loop {
        let mut spins = 0;
        while shared.generation.load(Ordering::Acquire) == seen {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            let mut sleepers = lock(&shared.sleepers);
            *sleepers += 1;
            while shared.generation.load(Ordering::SeqCst) == seen {
                sleepers = shared.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
            }
            *sleepers -= 1;
        }
        seen = shared.generation.load(Ordering::Acquire);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let job = *lock(&shared.job);
        if let Some(SendJob(job)) = job {
            // SAFETY: `Pool::run` keeps the closure alive until `busy` is zero, which is after this call.
            let task = unsafe { &*job };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take_tasks(shared, task)));
            if done.is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
            }
        }
        shared.busy.fetch_sub(1, Ordering::Release);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        {
            let _sleepers = lock(&self.shared.sleepers);
            self.shared.generation.fetch_add(1, Ordering::SeqCst);
            self.shared.wake.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker only ends early by a panic outside a task, which has nothing left to report here.
            let _ended = worker.join();
        }
    }
}

/// Disjoint parts of one slice, handed to the tasks of [`Pool::run`] by index.
///
/// Rust cannot see that task `i` touches only part `i`; this type checks it with one flag a part.
pub struct Parts<'a, T> {
    start: *mut T,
    length: usize,
    part: usize,
    taken: Vec<AtomicBool>,
    _slice: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: parts are disjoint and each is handed out at most once, so sharing `Parts` shares no element.
unsafe impl<T: Send> Sync for Parts<'_, T> {}

impl<'a, T> Parts<'a, T> {
    /// Cuts `slice` into parts of `part` elements, the last one possibly shorter.
    pub fn new(slice: &'a mut [T], part: usize) -> Self {
        let part = part.max(1);
        let count = slice.len().div_ceil(part);
        Self {
            start: slice.as_mut_ptr(),
            length: slice.len(),
            part,
            taken: (0..count).map(|_| AtomicBool::new(false)).collect(),
            _slice: std::marker::PhantomData,
        }
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.taken.len()
    }

    /// Part `index`; `None` when there is no such part or it was taken before.
    #[allow(clippy::mut_from_ref)] // each part is handed out once, as the flag proves
    pub fn take(&self, index: usize) -> Option<&mut [T]> {
        if self.taken.get(index)?.swap(true, Ordering::Relaxed) {
            return None;
        }
        let start = index * self.part;
        let length = self.part.min(self.length - start);
        // SAFETY: `start + length` is within the slice, parts do not overlap, and the flag makes sure that
        // this part has not been handed out before; the slice is borrowed for 'a.
        Some(unsafe { std::slice::from_raw_parts_mut(self.start.add(start), length) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_runs_once_whatever_the_number_of_threads() {
        for threads in 1..5 {
            let pool = Pool::new(threads);
            for tasks in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|index| {
                    counts[index].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn work_starts_again_after_a_pause() {
        let pool = Pool::new(3);
        for _ in 0..3 {
            let sum = AtomicUsize::new(0);
            pool.run(10, &|index| {
                sum.fetch_add(index, Ordering::Relaxed);
            });
            assert_eq!(sum.into_inner(), 45);
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_the_pool_survives() {
        let pool = Pool::new(2);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(8, &|index| assert!(index != 3, "task three fails"));
        }));
        assert!(outcome.is_err());
        let sum = AtomicUsize::new(0);
        pool.run(4, &|index| {
            sum.fetch_add(index, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 6);
    }

    #[test]
    fn parts_are_disjoint_and_handed_out_once() {
        let mut numbers = vec![0_u32; 10];
        let parts = Parts::new(&mut numbers, 4);
        assert_eq!(parts.count(), 3);
        assert_eq!(parts.take(2).map(|part| part.len()), Some(2));
        assert!(parts.take(2).is_none());
        assert!(parts.take(3).is_none());
        if let Some(part) = parts.take(0) {
            part.fill(7);
        }
        drop(parts);
        assert_eq!(numbers, [7, 7, 7, 7, 0, 0, 0, 0, 0, 0]);
    }
}
