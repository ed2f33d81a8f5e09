//! A small pool of threads that start in a microsecond.
//!
//! One token of a small model is a hundred short products in a row; waking sleeping threads for each would
//! cost more than the products. The workers therefore spin for a short while before they sleep, and a job is
//! over when its tasks are: a worker that sleeps or waits for a processor is not waited for. Work is cut
//! into numbered tasks by the caller, never by the pool, and each task writes its own part of the output:
//! results do not depend on the number of threads.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How often an idle worker looks for work before it goes to sleep (about 50 microseconds).
const SPINS: u32 = 4_000;

/// A task function as the workers see it: its lifetime is erased while [`Pool::run`] waits.
type Job = *const (dyn Fn(usize) + Sync);

/// [`Shared::state`]: workers inside the job, whether it may be joined, and above these its number.
const INSIDE: usize = OPEN - 1;
const OPEN: usize = 1 << 15;
const JOB_STEP: usize = 1 << 16;

/// A pool of worker threads; see the [module documentation](self).
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs: one job at a time.
    entry: Mutex<()>,
}

struct Shared {
    /// Number of the job, [`OPEN`] while it has tasks, and how many workers are [`INSIDE`]; all in one word so
    /// that joining a job and finding it closed exclude each other.
    state: AtomicUsize,
    /// Written by [`Pool::run`] while the job is closed and nobody is inside; read only by those inside.
    job: UnsafeCell<Option<Job>>,
    tasks: AtomicUsize,
    next: AtomicUsize,
    panicked: AtomicBool,
    stop: AtomicBool,
    /// Workers that sleep or are about to.
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    wake: Condvar,
}

// SAFETY: `job` is written and read under the rule of `state` that its documentation names; the function it
// leads to is `Sync`, and `Pool::run`, which owns the borrow, waits until nobody is inside.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool that computes on `threads` threads, the calling one included; at least one.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            tasks: AtomicUsize::new(0),
            next: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            sleepers: AtomicUsize::new(0),
            bed: Mutex::new(()),
            wake: Condvar::new(),
        });
        let workers = (1..threads.clamp(1, INSIDE))
            .filter_map(|index| {
                let shared = Arc::clone(&shared);
                // A thread the system refuses is a thread fewer: results stay the same.
                std::thread::Builder::new().name(format!("loci-{index}")).spawn(move || work(&shared)).ok()
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
        // SAFETY: only the lifetime of the trait object changes. Workers use the pointer only while they are
        // inside the job, and this function returns when it is closed and nobody is inside any more.
        let job: Job = unsafe { std::mem::transmute(raw) };
        // SAFETY: the job before this one is closed and nobody is inside, so that no worker reads this now.
        unsafe { *shared.job.get() = Some(job) };
        shared.tasks.store(tasks, Ordering::Relaxed);
        shared.next.store(0, Ordering::Relaxed);
        let number = shared.state.load(Ordering::Relaxed) & !(JOB_STEP - 1);
        shared.state.store(number.wrapping_add(JOB_STEP) | OPEN, Ordering::SeqCst);
        // Either this sees a worker on its way to bed, or the worker sees the new job before it lies down.
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            let _bed = lock(&shared.bed);
            shared.wake.notify_all();
        }
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take_tasks(shared, task)));
        if own.is_err() {
            shared.next.store(tasks, Ordering::Relaxed);
        }
        shared.state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0_u32;
        while shared.state.load(Ordering::Acquire) & INSIDE > 0 {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                // The worker may be waiting for this very processor.
                std::thread::yield_now();
            }
        }
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
    let mut spins = 0;
    loop {
        let state = shared.state.load(Ordering::Acquire);
        if shared.stop.load(Ordering::Relaxed) {
            return;
        }
        let number = state & !(JOB_STEP - 1);
        if number == seen {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                sleep(shared, seen);
                spins = 0;
            }
            continue;
        }
        if state & OPEN == 0 {
            seen = number; // over before this thread came to it
            continue;
        }
        if shared.state.compare_exchange_weak(state, state + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            continue;
        }
        seen = number;
        spins = 0;
        // SAFETY: this thread is inside the job, so that nobody writes the pointer and the closure lives.
        if let Some(job) = unsafe { *shared.job.get() } {
            // SAFETY: as above.
            let task = unsafe { &*job };
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| take_tasks(shared, task)));
            if done.is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
            }
        }
        shared.state.fetch_sub(1, Ordering::Release);
    }
}

/// Waits until there is another job than `seen`, or the pool ends.
fn sleep(shared: &Shared, seen: usize) {
    let mut bed = lock(&shared.bed);
    shared.sleepers.fetch_add(1, Ordering::SeqCst);
    while shared.state.load(Ordering::SeqCst) & !(JOB_STEP - 1) == seen && !shared.stop.load(Ordering::SeqCst)
    {
        bed = shared.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
    }
    shared.sleepers.fetch_sub(1, Ordering::SeqCst);
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let _bed = lock(&self.shared.bed);
            self.shared.stop.store(true, Ordering::SeqCst);
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
    fn a_job_does_not_wait_for_workers_that_never_came() {
        // Far more threads than processors: most workers miss most of these short jobs.
        let pool = Pool::new(40);
        let start = std::time::Instant::now();
        let sum = AtomicUsize::new(0);
        for _ in 0..2_000 {
            pool.run(2, &|index| {
                sum.fetch_add(index, Ordering::Relaxed);
            });
        }
        assert_eq!(sum.into_inner(), 2_000);
        assert!(start.elapsed().as_secs() < 20);
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
