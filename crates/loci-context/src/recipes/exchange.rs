//! How a method cuts blocks, or which ones it reads, taken from another method: `inf-llm+segment=em-llm:gamma=2`.
//!
//! Two sides must fit each other. A selection among blocks needs blocks, and a description that its question fits; a
//! segmentation needs somebody who reads blocks. The methods of [`FAMILY`] agree in all of that: blocks of any size, cut
//! beyond a window, described by their top-scored keys and placed at one capped distance. `long-heads` reads blocks of any
//! size, too, but places them side by side, so it takes a segmentation and gives nothing. What else one can type is refused
//! with the reason.

use loci_models::method::{MethodInfo, ParameterError, Values};

use super::blocks::{self, Blocks};
use super::{ModelFacts, Recipe, act_qkv, em_llm, inf_llm, long_heads};
use crate::registry::METHODS;

/// The methods whose segmentations and selections can be exchanged.
const FAMILY: &[Blocks] = &[inf_llm::BLOCKS, em_llm::BLOCKS, act_qkv::BLOCKS];

/// A part of a recipe that another method can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Where one block of history ends.
    Segment,
    /// Which blocks a group of queries reads.
    Select,
}

impl Part {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Segment, Self::Select];

    /// As typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Select => "select",
        }
    }

    /// Names by what a part does, and the methods they stand for.
    const fn words(self) -> &'static [(&'static str, &'static MethodInfo)] {
        match self {
            Self::Segment => &[("fixed", &inf_llm::INFO), ("surprise", &em_llm::INFO)],
            Self::Select => &[
                ("top-blocks", &inf_llm::INFO),
                ("similar", &em_llm::INFO),
                ("activation", &act_qkv::INFO),
                ("per-head", &long_heads::INFO),
            ],
        }
    }

    /// The method whose part `name` is: its id, with or without `-attention`, or a word for what it does.
    fn giver(self, name: &str) -> Result<&'static MethodInfo, ParameterError> {
        let by_word = self.words().iter().find(|(word, _)| *word == name).map(|(_, info)| *info);
        let is_id = |id: &str| id == name || id.strip_suffix("-attention") == Some(name);
        by_word.or_else(|| METHODS.iter().find(|info| is_id(info.id)).copied()).ok_or_else(|| {
            let words = self.words().iter().map(|(word, _)| *word);
            let known: Vec<_> = words.chain(FAMILY.iter().map(|blocks| blocks.info.id)).collect();
            let part = self.name();
            ParameterError::Combination(format!(
                "there is no {part} {name:?}; there are: {}",
                known.join(", ")
            ))
        })
    }

    /// Parameters of this part of a method alone.
    const fn parameters(self, of: &Blocks) -> &'static [&'static str] {
        match self {
            Self::Segment => of.segment_parameters,
            Self::Select => of.select_parameters,
        }
    }
}

/// Of [`FAMILY`], the method with this declaration.
fn member(info: &MethodInfo) -> Option<&'static Blocks> {
    FAMILY.iter().find(|blocks| blocks.info.id == info.id)
}

/// Reads `em-llm:gamma=2` as a part that `base` takes: the parameters of that part, and those of `base` without the ones
/// that the part replaces. `cuts` is the method that cuts the blocks so far.
///
/// # Errors
/// [`ParameterError`] with the reason why there is no such part, why `base` cannot take it, or why a parameter is not the
/// part's or not `base`'s any more.
pub(crate) fn take(
    base: Values,
    cuts: &MethodInfo,
    part: Part,
    text: &str,
) -> Result<(Values, Values), ParameterError> {
    let (name, parameters) = text.split_once(':').unwrap_or((text, ""));
    let (info, giver) = (base.info(), part.giver(name.trim())?);
    let refused = |reason: String| {
        ParameterError::Combination(format!("{}+{}={}: {reason}", info.id, part.name(), giver.id))
    };
    let own = match (member(info), part) {
        (Some(taker), part) => part.parameters(taker),
        // `chunk_size` goes on saying how much is read.
        (None, Part::Segment) if info.id == long_heads::INFO.id => &[],
        _ => return Err(refused(mismatch(info, cuts, giver, part))),
    };
    let same = part == Part::Segment && info.parts.segment == giver.parts.segment;
    if same || info.id == giver.id {
        return Err(refused(format!(
            "{} has that part already; leave it out, and give its parameters to {0} itself",
            info.id
        )));
    }
    let Some(other) = member(giver) else { return Err(refused(mismatch(info, cuts, giver, part))) };
    let taken = part.parameters(other);
    if let Some(replaced) = own.iter().find(|name| base.is_given(name)) {
        return Err(refused(format!(
            "{replaced} belongs to the part that is replaced; leave it out, the new part has {}",
            taken.join(", ")
        )));
    }
    let mut values = Values::defaults(giver).filtered(|name| taken.contains(&name));
    values.set_all(parameters).map_err(|error| match error {
        ParameterError::UnknownParameter { name, known, .. } => refused(format!(
            "this part has no parameter {name:?}; it has: {known}, and others stand behind {}",
            info.id
        )),
        error => error,
    })?;
    Ok((base.filtered(|name| !own.contains(&name)), values))
}

/// Why `base`, whose blocks `cuts` cuts, cannot take a part of `giver`.
fn mismatch(base: &MethodInfo, cuts: &MethodInfo, giver: &MethodInfo, part: Part) -> String {
    let family: Vec<_> = FAMILY.iter().map(|blocks| blocks.info.id).collect();
    let family = family.join(", ");
    let (base_id, id) = (base.id, giver.id);
    let by_rows = |info: &MethodInfo| info.parts.segment.is_empty();
    match part {
        Part::Segment if by_rows(giver) => {
            format!("{id} works on rows and cuts no blocks; use segment=fixed or segment=surprise")
        }
        Part::Segment if by_rows(base) => format!(
            "{base_id} chooses rows by where they stand, so blocks would be cut and read by nobody; in front stands one \
             of {family}"
        ),
        Part::Segment => format!("{id} cuts fixed blocks as inf-llm does; use segment=fixed"),
        Part::Select if by_rows(giver) && by_rows(base) => format!(
            "neither has blocks, and what else {base_id} does with rows belongs to its own choice; use {id} or {base_id} \
             alone"
        ),
        Part::Select if by_rows(giver) => format!(
            "{id} works on the positions of rows, so that the blocks which {} cuts would be read by nobody; use {id} alone",
            cuts.id
        ),
        Part::Select if by_rows(base) => {
            format!("{base_id} cuts no blocks that {id} could choose from; in front stands one of {family}")
        }
        Part::Select if member(base).is_none() => format!(
            "chunks of {base_id} are described for the query of a single head as it stands, and {id} asks with one query \
             for all heads, at the distance of far blocks; in front stands one of {family}"
        ),
        Part::Select => format!(
            "{id} lays the chunks of each head side by side, and {base_id} puts all blocks at one distance: choice and \
             distances belong together; use {id} alone"
        ),
    }
}

/// The recipe of a method that has taken parts.
///
/// # Errors
/// As for the method itself; parameters of a part may not fit the method in front.
pub(crate) fn recipe(
    base: &Values,
    segment: Option<&Values>,
    select: Option<&Values>,
    facts: &ModelFacts,
) -> Result<Recipe, ParameterError> {
    if let (true, Some(segment)) = (base.info().id == long_heads::INFO.id, segment)
        && let Some(cutter) = member(segment.info())
    {
        return long_heads::over(base, (cutter, segment), facts);
    }
    let (segment, select) = (segment.unwrap_or(base), select.unwrap_or(base));
    let (Some(cutter), Some(chooser)) = (member(segment.info()), member(select.info())) else {
        return Err(ParameterError::Combination(format!("{} cannot take parts", base.info().id)));
    };
    blocks::recipe(base, (cutter, segment), (chooser, select), facts)
}
