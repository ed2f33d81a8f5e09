//! From what a user typed to a memory.

use std::path::PathBuf;
use std::sync::Arc;

use loci_kernels::tiles::RowType;
use loci_kernels::{Isa, Pool};
use loci_models::memory::{AttentionShape, ContextMemory, MemoryError};
use loci_models::method::{MethodInfo, Need, ParameterError, Values};
use loci_models::rope::RopeSchedule;

use crate::heads::HeadScores;
use crate::keep::Looks;
use crate::memory::{Footprint, RecipeMemory, Setting, footprint};
use crate::place::TrueDistance;
use crate::recipes::exchange::{self, Part};
use crate::recipes::{ModelFacts, Recipe, compose, full, spec_kv_pc, spec_pc};
use crate::registry::{ENTRIES, METHODS};
use crate::select::All;
use crate::shorten::Shortening;

/// A context method with its parameters.
#[derive(Clone, Debug)]
pub struct MethodSpec {
    values: Values,
    /// Another method, which cuts the blocks.
    segment: Option<Values>,
    /// Another method, which chooses among them.
    select: Option<Values>,
    /// Another method, whose part `keep` takes the place of its own.
    keep: Option<Values>,
    rows: Option<RowType>,
}

/// What a memory is built for.
#[derive(Clone)]
pub struct BuildContext {
    /// Shape of the model.
    pub shape: AttentionShape,
    /// Tokens of the window it was trained for.
    pub trained_window: usize,
    /// Position schedule.
    pub schedule: RopeSchedule,
    /// Number format of stored rows.
    pub row_type: RowType,
    /// Bytes in RAM for everything that grows with the input; `None`: no bound.
    pub budget: Option<usize>,
    /// Threads.
    pub pool: Arc<Pool>,
    /// Instruction set.
    pub isa: Isa,
    /// Folder of the file for cold pages; `None`: the system's folder for temporary files.
    pub cold_folder: Option<PathBuf>,
    /// How much each kv head reads from afar, for methods that treat heads differently.
    pub heads: Option<Arc<HeadScores>>,
    /// Tokens that will be read and written, as far as known: a budget that cannot hold them is refused at once.
    pub planned_tokens: usize,
}

/// Why a memory could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The parameters do not fit each other or the model.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The budget is too small.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

/// A memory in which everything stays and is seen, and which tells at the end of a prompt where its last `queries` queries
/// look in `layer`: see [`Looks`].
///
/// # Errors
/// [`BuildError`] when the budget is too small.
pub fn looks(
    queries: usize,
    layer: usize,
    context: BuildContext,
) -> Result<Box<dyn ContextMemory>, BuildError> {
    let recipe = Recipe::over_rows(All, TrueDistance { reach: None }, Looks::new(queries, layer));
    memory_of(recipe, format!("looks of {queries} queries in layer {layer}"), context)
}

/// The memory that runs `recipe`, which `spec` names.
fn memory_of(
    recipe: Recipe,
    spec: String,
    context: BuildContext,
) -> Result<Box<dyn ContextMemory>, BuildError> {
    let mut memory = RecipeMemory::new(
        recipe,
        Setting {
            spec,
            shape: context.shape,
            schedule: context.schedule,
            row_type: context.row_type,
            limit: context.budget,
            pool: context.pool,
            isa: context.isa,
            cold_folder: context.cold_folder.unwrap_or_else(std::env::temp_dir),
        },
    );
    memory.plan(context.planned_tokens)?;
    Ok(Box::new(memory))
}

impl MethodSpec {
    /// Reads `inf-llm:window=2048,top_k=16`, or several joined by `+`: `full+think:ratio=0.5+i4` is the method `full`
    /// with the part `keep` of `think` and 4-bit rows, `inf-llm+segment=em-llm:gamma=2+select=act-qkv` cuts its blocks as one
    /// method and chooses among them as another.
    ///
    /// # Errors
    /// [`ParameterError`] for an unknown method or parameter, a value outside its domain, or a part that is given twice.
    /// Whether the part `keep` goes with the others is known when the method is built.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        let mut parts = text.split('+');
        let base = parts.next().unwrap_or_default();
        let mut spec = Self::from_values(Values::parse(base, "context", METHODS)?);
        for part in parts.map(str::trim) {
            let exchanged = Part::ALL.into_iter().find_map(|kind| {
                Some((kind, part.strip_prefix(kind.name())?.trim_start().strip_prefix('=')?))
            });
            if let Some((kind, name)) = exchanged {
                spec = spec.with_part(kind, name)?;
                continue;
            }
            let twice = |what: &str| twice(text, what);
            if let Some(rows) = compose::row_type(part) {
                if spec.rows.replace(rows).is_some() {
                    return Err(twice("the number format of rows"));
                }
                continue;
            }
            let id = part.split(':').next().unwrap_or(part);
            if METHODS.iter().any(|info| info.id == id) && compose::addable().iter().all(|info| info.id != id)
            {
                return Err(ParameterError::Combination(format!(
                    "{text}: {id} can only stand in front; behind a + stands one of {}",
                    compose::known()
                )));
            }
            let keep = Values::parse(part, "context", &compose::addable()).map_err(|error| match error {
                ParameterError::UnknownMethod { name, .. } => ParameterError::Combination(format!(
                    "{text}: nothing is named {name:?} that could stand behind a +; there stands one of {}",
                    compose::known()
                )),
                error => error,
            })?;
            if spec.keep.replace(keep).is_some() {
                return Err(twice("the part `keep`"));
            }
        }
        Ok(spec)
    }

    /// A method whose values were put together elsewhere (a configuration file).
    pub const fn from_values(values: Values) -> Self {
        Self { values, segment: None, select: None, keep: None, rows: None }
    }

    /// The same with a part of another method: `text` is its id, or a word for what it does, and the part's parameters.
    ///
    /// # Errors
    /// [`ParameterError`] with the reason why this method cannot take it.
    pub fn with_part(mut self, part: Part, text: &str) -> Result<Self, ParameterError> {
        let cuts = self.segment.as_ref().unwrap_or(&self.values).info();
        let taken = match part {
            Part::Segment => &mut self.segment,
            Part::Select => &mut self.select,
        };
        if taken.is_some() {
            return Err(twice(self.info().id, part.name()));
        }
        let (base, values) = exchange::take(self.values, cuts, part, text.trim())?;
        *taken = Some(values);
        Ok(Self { values: base, ..self })
    }

    /// Sets a parameter of whichever of its methods has one of that name.
    ///
    /// # Errors
    /// [`ParameterError`] when none has it, when several do, or for a value outside its domain.
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), ParameterError> {
        let parts = [&mut self.segment, &mut self.select, &mut self.keep].into_iter().flatten();
        let mut all: Vec<&mut Values> = std::iter::once(&mut self.values).chain(parts).collect();
        let ids: Vec<&str> = all.iter().map(|part| part.info().id).collect();
        let ids = ids.join(" and ");
        let having: Vec<usize> = (0..all.len()).filter(|part| all[*part].has(name)).collect();
        match (having.as_slice(), all.as_mut_slice()) {
            ([part], all) => all[*part].set(name, text),
            // Its error says what there is.
            ([], [only]) => only.set(name, text),
            ([], all) => {
                let known: Vec<_> = all.iter().flat_map(|part| part.names()).collect();
                Err(ParameterError::Combination(format!(
                    "of {ids} none has a parameter {name:?}; they have: {}",
                    known.join(", ")
                )))
            }
            (several, all) => {
                let id = all[several[0]].info().id;
                Err(ParameterError::Combination(format!(
                    "of {ids} several have a parameter {name}; write it behind the one that is meant, as {id}:{name}={text}"
                )))
            }
        }
    }

    /// Its declaration.
    pub const fn info(&self) -> &'static MethodInfo {
        self.values.info()
    }

    /// The number format of rows that is part of it, if one is.
    pub const fn row_type(&self) -> Option<RowType> {
        self.rows
    }

    /// Its parameters.
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// Whether somebody must tell it what the model thought of each token.
    pub fn wants_signals(&self) -> bool {
        self.segment.as_ref().unwrap_or(&self.values).info().needs.contains(&Need::Signals)
    }

    /// Tokens of look-ahead that it wants to have read at a prompt's end; 0: none.
    pub fn look_ahead(&self) -> usize {
        match self.info().needs.contains(&Need::LookAhead) {
            true => self.values.size("lookahead"),
            false => 0,
        }
    }

    /// How it shortens a prompt by what a draft looks at, if it does. The draft's memory is then that of
    /// [`look_through`](Self::look_through), and the model's that of [`reading`](Self::reading).
    pub fn shortening(&self) -> Option<Shortening> {
        self.info().needs.contains(&Need::Draft).then(|| Shortening::new(&self.values))
    }

    /// The method by which a draft looks through a prompt before any of it is read, if one does.
    ///
    /// # Errors
    /// [`ParameterError`] when its parameters cannot be made from those of this method.
    pub fn look_through(&self) -> Result<Option<Self>, ParameterError> {
        if self.shortening().is_none() || self.info().id == spec_pc::INFO.id {
            return Ok(self.shortening().map(|_| self.clone()));
        }
        let values = spec_kv_pc::look_through(&self.values)?;
        Ok(Some(Self { rows: self.rows, ..Self::from_values(values) }))
    }

    /// The method by which the model reads a prompt, or what was left of it: this one, unless its work is done before.
    #[must_use]
    pub fn reading(&self) -> Self {
        if self.shortening().is_some() && !self.info().needs.contains(&Need::Queries) {
            return Self { rows: self.rows, ..Self::from_values(Values::defaults(&full::INFO)) };
        }
        self.clone()
    }

    /// Whether somebody must draft for it.
    pub fn drafts(&self) -> bool {
        self.look_ahead() > 0 || self.shortening().is_some()
    }

    /// An empty memory that works by this method.
    ///
    /// # Errors
    /// [`BuildError`] when the parameters do not fit the model or the budget does not hold the planned tokens.
    pub fn build(&self, context: BuildContext) -> Result<Box<dyn ContextMemory>, BuildError> {
        let context = self.with_rows(context);
        memory_of(self.recipe(&context)?, self.to_string(), context)
    }

    /// What the planned tokens of `context` take by this method, inside its budget if it has one: the computation by which
    /// [`build`](Self::build) accepts or refuses a budget.
    ///
    /// # Errors
    /// [`BuildError::Parameter`] when the parameters do not fit the model.
    pub fn footprint(&self, context: &BuildContext) -> Result<Footprint, BuildError> {
        let context = &self.with_rows(context.clone());
        let recipe = self.recipe(context)?;
        Ok(footprint(&recipe, context.shape, context.row_type, context.planned_tokens, context.budget))
    }

    /// The same with the method's own number format.
    fn with_rows(&self, context: BuildContext) -> BuildContext {
        BuildContext { row_type: self.rows.unwrap_or(context.row_type), ..context }
    }

    fn recipe(&self, context: &BuildContext) -> Result<Recipe, ParameterError> {
        let facts = ModelFacts {
            shape: context.shape,
            trained_window: context.trained_window,
            isa: context.isa,
            row_type: context.row_type,
            heads: context.heads.clone(),
        };
        let AttentionShape { layers, heads, kv_heads, head_dim } = facts.shape;
        let divides = kv_heads > 0 && heads.is_multiple_of(kv_heads) && head_dim.is_multiple_of(2);
        if layers == 0 || heads == 0 || head_dim == 0 || !divides {
            return Err(ParameterError::Combination(format!(
                "a model with {layers} layers, {heads} heads, {kv_heads} kv heads of {head_dim} cannot be read: \
                 kv heads must divide heads and head_dim must be even"
            )));
        }
        let entry = ENTRIES.iter().find(|entry| entry.info.id == self.info().id).ok_or_else(|| {
            ParameterError::UnknownMethod {
                name: self.info().id.to_owned(),
                family: "context",
                known: METHODS.iter().map(|info| info.id).collect::<Vec<_>>().join(", "),
            }
        })?;
        let recipe = match (&self.segment, &self.select) {
            (None, None) => (entry.build)(&self.values, &facts)?,
            (segment, select) => exchange::recipe(&self.values, segment.as_ref(), select.as_ref(), &facts)?,
        };
        match &self.keep {
            Some(keep) => compose::with_keep(recipe, self.info(), keep, &facts),
            None => Ok(recipe),
        }
    }
}

impl std::fmt::Display for MethodSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.values.fmt(f)?;
        for (part, taken) in [(Part::Segment, &self.segment), (Part::Select, &self.select)] {
            if let Some(taken) = taken {
                write!(f, "+{}={taken}", part.name())?;
            }
        }
        if let Some(keep) = &self.keep {
            write!(f, "+{keep}")?;
        }
        match self.rows {
            Some(rows) => write!(f, "+{}", rows.name()),
            None => Ok(()),
        }
    }
}

fn twice(text: &str, what: &str) -> ParameterError {
    ParameterError::Combination(format!("{text}: {what} is given twice; give it once"))
}
