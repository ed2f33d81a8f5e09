//! Work that may fail, on all threads.

use loci_kernels::Pool;
use loci_kernels::pool::Parts;
use loci_models::memory::MemoryError;

/// `work` for every index below `count`; the results in order, or the first error.
pub(crate) fn for_each<T: Send + Default>(
    pool: &Pool,
    count: usize,
    work: impl Fn(usize) -> Result<T, MemoryError> + Sync,
) -> Result<Vec<T>, MemoryError> {
    let mut results: Vec<Result<T, MemoryError>> = (0..count).map(|_| Ok(T::default())).collect();
    let parts = Parts::new(&mut results, 1);
    pool.run(count, &|index| {
        if let Some([result]) = parts.take(index) {
            *result = work(index);
        }
    });
    drop(parts);
    results.into_iter().collect()
}
