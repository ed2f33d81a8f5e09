//! What methods have in common that read a few blocks again from beyond a window: `inf-llm`, `em-llm`, `act-qkv`.
//!
//! Window, sinks, groups of queries, descriptions of blocks and distances are those of the method itself. How blocks are
//! cut and which ones are read may come from another one: both sides know each other only through [`Cut`].

use std::sync::Arc;

use loci_models::method::{MethodInfo, ParameterError, Values};

use super::{ModelFacts, Recipe};
use crate::index::Representative;
use crate::keep::Everything;
use crate::place::Capped;
use crate::segment::Segment;
use crate::select::Select;

/// What surrounds the blocks.
pub(super) struct Surroundings {
    /// First tokens, which are in no block.
    pub(super) sinks: usize,
    /// Tokens at true distance, which are in no block yet.
    pub(super) window: usize,
    /// Queries that choose blocks together.
    pub(super) queries: usize,
    /// What bounds the tokens of a block: its name and how many.
    pub(super) largest: (&'static str, usize),
    /// Distance of chosen blocks, and of the query that looks for them.
    pub(super) cap: f64,
}

/// How blocks are cut.
pub(super) struct Cut {
    pub(super) segment: Box<dyn Segment>,
    /// Tokens of a block: at least and at most.
    pub(super) sizes: (usize, usize),
    /// Whether blocks are cut when the model has seen a group of queries, so that a chunk may have no more.
    pub(super) by_group: bool,
}

/// Which blocks are read.
pub(super) struct Chosen {
    pub(super) select: Box<dyn Select>,
    /// Whether layers look at each other's choices, so that a chunk may have one group of queries only.
    pub(super) by_group: bool,
}

/// A method over blocks beyond a window.
pub(super) struct Blocks {
    pub(super) info: &'static MethodInfo,
    /// Parameters of its segmentation alone.
    pub(super) segment_parameters: &'static [&'static str],
    pub(super) segment: fn(&Values, &Surroundings, &ModelFacts) -> Result<Cut, ParameterError>,
    /// Parameters of its selection alone.
    pub(super) select_parameters: &'static [&'static str],
    pub(super) select: fn(&Values, &Surroundings, &Cut, &ModelFacts) -> Result<Chosen, ParameterError>,
}

impl Blocks {
    /// The method as it was published.
    pub(super) fn build(&self, values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
        recipe(values, (self, values), (self, values), facts)
    }
}

/// The recipe with the window, groups and descriptions that `values` name, blocks cut by one method and chosen by another.
pub(super) fn recipe(
    values: &Values,
    (cutter, cut_by): (&Blocks, &Values),
    (chooser, chosen_by): (&Blocks, &Values),
    facts: &ModelFacts,
) -> Result<Recipe, ParameterError> {
    let [sinks, window, queries, repr] =
        ["sinks", "window", "queries", "repr_top_k"].map(|name| values.size(name));
    at_most(values, "queries", queries, ("window", window))?;
    #[allow(clippy::cast_precision_loss)] // distances are small
    let cap = (window - 1) as f64;
    let around = Surroundings { sinks, window, queries, largest: ("window", window), cap };
    let cut = (cutter.segment)(cut_by, &around, facts)?;
    let chosen = (chooser.select)(chosen_by, &around, &cut, facts)?;
    Ok(Recipe {
        segment: cut.segment,
        index: Box::new(Representative::new(facts, repr)),
        select: chosen.select,
        place: Arc::new(Capped { window, sinks_at: cap, recalled_at: cap, leaving_at: Some(cap) }),
        keep: Box::new(Everything),
        queries,
        chunk_multiple: queries,
        chunk_limit: if cut.by_group || chosen.by_group { queries } else { usize::MAX },
        block_rows: sinks + cut.sizes.1,
    })
}

/// Refuses a size above another one that bounds it.
pub(super) fn at_most(
    values: &Values,
    name: &str,
    size: usize,
    (limit_name, limit): (&str, usize),
) -> Result<(), ParameterError> {
    if size <= limit {
        return Ok(());
    }
    let id = values.info().id;
    Err(ParameterError::Combination(format!(
        "{id}: {name} {size} is above {limit_name} {limit}; use {name}={limit} or less"
    )))
}
