//! Indexes of `loci search` that hold what is to be forgotten.

use loci_memory::{Elsewhere, Said};
use loci_reading::search::kept;

/// Those in the user's folder for caches. They are removed whole, and made anew from the folders when these are searched again: a
/// file that says it there is its owner's.
pub(super) struct Indexes;

impl Elsewhere for Indexes {
    fn name(&self) -> &str {
        "indexes of loci search"
    }

    fn remove(&mut self, said: &Said, dry_run: bool) -> Result<usize, String> {
        let mut count = 0;
        for index in kept().into_iter().filter(|index| index.holds(&|text| said.stands_in(text))) {
            count += 1;
            if !dry_run {
                index.remove().map_err(|error| error.to_string())?;
            }
        }
        Ok(count)
    }
}
