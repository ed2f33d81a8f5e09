//! Parts of several methods in one: `full+think`, `snap-kv+think`, `duo-attention+i8`.
//!
//! The first method gives the recipe. Another one behind a `+` gives its part `keep`, where that part works on what the
//! first one reads; a number format gives the rows.

use loci_kernels::tiles::RowType;
use loci_models::method::{MethodInfo, ParameterError, Values};

use super::exchange::Part;
use super::{ModelFacts, Recipe, random_rows, snap_kv, think};
use crate::keep::{Keep, ObservedRows};

/// More tokens than anybody reads: what a method drops at all, it drops within these.
const MANY: usize = 1 << 24;

/// Makes a method's part `keep` behind rows that were chosen before.
type BuildKeep = fn(&Values, &ModelFacts, Option<ObservedRows>) -> Result<Box<dyn Keep>, ParameterError>;

/// The methods whose part `keep` others may take.
const KEEPS: &[(&MethodInfo, BuildKeep)] =
    &[(&think::INFO, think::keep), (&snap_kv::INFO, snap_kv::keep), (&random_rows::INFO, random_rows::keep)];

/// Declarations of the methods that may stand behind a `+`.
pub(crate) fn addable() -> Vec<&'static MethodInfo> {
    KEEPS.iter().map(|(info, _)| *info).collect()
}

/// What may stand behind a `+`, as people are told.
pub(crate) fn known() -> String {
    let methods = KEEPS.iter().map(|(info, _)| info.id);
    let formats = RowType::ALL.into_iter().map(RowType::name);
    let parts = Part::ALL.into_iter().map(|part| format!("{}=NAME", part.name()));
    methods.chain(formats).map(str::to_owned).chain(parts).collect::<Vec<_>>().join(", ")
}

/// The number format that a word behind a `+` names.
pub(crate) fn row_type(word: &str) -> Option<RowType> {
    let name = match word {
        "int8" => "i8",
        "int4" => "i4",
        name => name,
    };
    RowType::ALL.into_iter().find(|row_type| row_type.name() == name)
}

/// The recipe of `base` with the part `keep` of the method that `added` are parameters of.
///
/// # Errors
/// [`ParameterError::Combination`] with the reason why the two do not go together.
pub(crate) fn with_keep(
    mut recipe: Recipe,
    base: &MethodInfo,
    added: &Values,
    facts: &ModelFacts,
) -> Result<Recipe, ParameterError> {
    let (base, other) = (base.id, added.info().id);
    let refused = |reason: String| Err(ParameterError::Combination(format!("{base}+{other}: {reason}")));
    if recipe.place.reads_raw_keys() {
        return refused(format!(
            "{base} reads far rows by their unrotated keys, and what {other} drops it drops from rotated ones: nothing would \
             be saved; {base}+i4 makes its rows smaller"
        ));
    }
    let before = recipe.keep.observed();
    if before.is_none() && recipe.forgets(facts.shape, MANY) {
        return refused(format!("{base} decides itself which rows stay; use {base} or {other} alone"));
    }
    if !recipe.select.reads_packed() {
        return refused(format!(
            "{base} looks for rows by where they stand, and {other} moves those it keeps together; {base}+i8 or \
             {base}+i4 makes rows smaller where they are"
        ));
    }
    let Some((_, keep)) = KEEPS.iter().find(|(info, _)| info.id == other) else {
        return refused(format!("{other} has no part that another method could take"));
    };
    recipe.keep = keep(added, facts, before)?;
    Ok(recipe)
}

/// Refuses to choose rows a second time.
pub(super) fn chosen_once(id: &str, before: Option<&ObservedRows>) -> Result<(), ParameterError> {
    match before {
        None => Ok(()),
        Some(_) => Err(ParameterError::Combination(format!(
            "{id} chooses rows, and some have been chosen already by the method before the +; use one of them"
        ))),
    }
}
