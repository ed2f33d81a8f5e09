//! Which methods hold a text of some length in some memory, before anything is read.
//!
//! The numbers are those by which a budget is accepted or refused ([`ContextOptions::footprint`]), with the weights and
//! the activations of one step beside them.

use loci_context::MethodSpec;
use loci_context::registry::METHODS;
use loci_kernels::tiles::RowType;
use loci_models::method::{Exactness, MethodInfo, Value};
use serde::Serialize;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::session::DEFAULT_CHUNK;

/// A text and the memory it is to be read in.
#[derive(Clone, Debug)]
pub struct FitRequest {
    /// Tokens to read.
    pub length: usize,
    /// Tokens to write behind them.
    pub answer: usize,
    /// Bytes of RAM for weights, activations and everything that grows with the text.
    pub memory: usize,
    /// Methods to look at; empty: all that are registered, and larger and smaller windows of those that live by one.
    pub methods: Vec<MethodSpec>,
    /// Number formats to look at, finest first.
    pub row_types: Vec<RowType>,
    /// Schedule and head scores. Method, row type and budget are what is looked for.
    pub context: ContextOptions,
}

/// Number formats of rows, finest first.
pub const ROW_TYPES: [RowType; 4] = [RowType::F32, RowType::F16, RowType::I8, RowType::I4];

/// Buffers of fixed size that lie beside the counted bytes: tables of angles, lists of tasks.
const SMALL: usize = 64 << 10;

/// Whether it fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fits {
    /// All of it in RAM.
    InRam,
    /// With blocks in the file for cold blocks.
    WithFile,
    /// Not at all.
    No,
}

/// One method with one number format.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// The method with all its parameters.
    pub method: String,
    /// Number format of keys and values.
    pub kv: &'static str,
    /// Whether it fits.
    pub fits: Fits,
    /// Bytes of RAM with nothing in a file: weights, activations, rows, index and scratch.
    pub needed_bytes: usize,
    /// The same with as much in the file as may be: less is refused.
    pub least_bytes: usize,
    /// Bytes of RAM in the memory asked about; `least_bytes` where that is more than there is.
    pub ram_bytes: usize,
    /// Bytes in the file for cold blocks in the memory asked about.
    pub cold_bytes: usize,
    /// What to give as `--budget` to stay inside the memory.
    pub budget_bytes: usize,
    /// The farthest distance between a query and a key.
    pub farthest: usize,
    /// Whether that distance is one the model was trained with. A `--rope` schedule may stretch what it copes with.
    pub inside_window: bool,
    /// Whether something of the text is dropped or thinned on the way.
    pub forgets: bool,
    /// How close to full attention the method is.
    pub exactness: Exactness,
    #[serde(skip)]
    is_default: bool,
}

/// A method that was not looked at, and why.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOut {
    /// The method.
    pub method: String,
    /// What it said.
    pub reason: String,
}

/// What to take.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// The method with all its parameters.
    pub method: String,
    /// Number format of keys and values.
    pub kv: &'static str,
    /// What to give as `--budget`.
    pub budget_bytes: usize,
    /// Why.
    pub reason: String,
}

/// What fits.
#[derive(Clone, Debug, Serialize)]
pub struct FitReport {
    /// The model.
    pub model: String,
    /// Tokens to read.
    pub length: usize,
    /// Tokens to write.
    pub answer: usize,
    /// The memory asked about.
    pub memory_bytes: usize,
    /// Bytes of the packed weights.
    pub weights_bytes: usize,
    /// Tokens that the model was trained to read at once.
    pub trained_window: usize,
    /// Every method with every number format.
    pub candidates: Vec<Candidate>,
    /// Methods that cannot run as they are.
    pub left_out: Vec<LeftOut>,
    /// What to take; `None` when nothing fits.
    pub recommendation: Option<Recommendation>,
    /// The least memory with which a method that stays inside the trained window would fit, where none does.
    pub would_do_bytes: Option<usize>,
}

/// Looks at all methods of `request`.
///
/// # Errors
/// [`EngineError::Parameter`] when the schedule does not fit the model; a method that does not fit is named in the report.
pub fn fit(engine: &Engine, request: &FitRequest) -> Result<FitReport, EngineError> {
    let methods = if request.methods.is_empty() { variants() } else { request.methods.clone() };
    let mut candidates = Vec::new();
    let mut left_out = Vec::new();
    for method in methods {
        for row_type in &request.row_types {
            match candidate(engine, request, &method, *row_type) {
                Ok(candidate) => candidates.push(candidate),
                Err(EngineError::Build(error)) => {
                    // The same for all number formats.
                    left_out.push(LeftOut { method: method.to_string(), reason: error.to_string() });
                    break;
                }
                Err(other) => return Err(other),
            }
        }
    }
    let recommendation = recommend(&candidates, request, engine.trained_window());
    let would_do = candidates.iter().filter(|candidate| candidate.inside_window);
    let would_do = would_do.map(|candidate| candidate.least_bytes).min();
    Ok(FitReport {
        model: engine.name().to_owned(),
        length: request.length,
        answer: request.answer,
        memory_bytes: request.memory,
        weights_bytes: engine.model().bytes(),
        trained_window: engine.trained_window(),
        would_do_bytes: if recommendation.is_none() { would_do } else { None },
        recommendation,
        candidates,
        left_out,
    })
}

/// All methods with their defaults, and half and twice the window of those whose default window is a long one.
fn variants() -> Vec<MethodSpec> {
    METHODS.iter().flat_map(|info| of_method(info)).collect()
}

fn of_method(info: &'static MethodInfo) -> Vec<MethodSpec> {
    let window = info.parameters.iter().find_map(|parameter| match (parameter.name, parameter.default) {
        ("window", Value::Integer(window)) if window >= 512 => Some(window),
        _ => None,
    });
    let sizes = window.map(|window| [window / 2, window * 2]);
    let texts = sizes.into_iter().flatten().map(|window| format!("{}:window={window}", info.id));
    // A size outside the parameter's domain is no variant.
    std::iter::once(info.id.to_owned())
        .chain(texts)
        .filter_map(|text| MethodSpec::parse(&text).ok())
        .collect()
}

fn candidate(
    engine: &Engine,
    request: &FitRequest,
    method: &MethodSpec,
    row_type: RowType,
) -> Result<Candidate, EngineError> {
    let signals = method.wants_signals();
    let tokens = request.length.saturating_add(request.answer);
    let beside = engine.model().bytes()
        + engine.model().step_bytes(DEFAULT_CHUNK.min(request.length), signals)
        // The session's list of tokens may be half empty.
        + 2 * tokens * size_of::<u32>()
        + SMALL;
    let budget = request.memory.saturating_sub(beside);
    let options = ContextOptions {
        method: Some(method.clone()),
        row_type,
        budget: Some(budget),
        ..request.context.clone()
    };
    let plan = options.plan(engine, request.length, request.answer)?;
    let footprint = options.footprint(engine, &plan)?;
    let fits = if footprint.most_bytes <= budget {
        Fits::InRam
    } else if footprint.least_bytes <= budget {
        Fits::WithFile
    } else {
        Fits::No
    };
    Ok(Candidate {
        method: method.to_string(),
        kv: row_type.name(),
        fits,
        needed_bytes: beside + footprint.most_bytes,
        least_bytes: beside + footprint.least_bytes,
        ram_bytes: beside + footprint.ram_bytes,
        cold_bytes: footprint.cold_bytes,
        budget_bytes: if fits == Fits::InRam { footprint.most_bytes } else { budget },
        farthest: footprint.farthest,
        inside_window: footprint.farthest <= engine.trained_window(),
        forgets: footprint.forgets,
        exactness: method.info().exactness,
        is_default: request.methods.is_empty() && method.to_string() == default_of(method),
    })
}

fn default_of(method: &MethodSpec) -> String {
    loci_models::method::Values::defaults(method.info()).to_string()
}

/// The best of what fits: exact before all else, then what keeps the whole text at distances the model knows, then what
/// forgets but stays at such distances. Among these RAM comes before a file, a method as its paper has it before its
/// variants, and finer rows before coarser ones.
fn recommend(
    candidates: &[Candidate],
    request: &FitRequest,
    trained_window: usize,
) -> Option<Recommendation> {
    let class = |candidate: &Candidate| match (candidate.exactness, candidate.forgets) {
        (Exactness::Exact, false) => 0,
        (_, false) => 1,
        (_, true) => 2,
    };
    let fitting = candidates.iter().filter(|candidate| candidate.fits != Fits::No && candidate.inside_window);
    // Of equal ones the first stays: methods are registered, and formats asked for, in the order they are preferred in.
    let best = fitting.min_by_key(|candidate| (class(candidate), candidate.fits, !candidate.is_default))?;
    let total = request.length.saturating_add(request.answer);
    let side = if total > trained_window { "more than" } else { "within" };
    let why = match class(best) {
        0 => "exact attention over everything fits".to_owned(),
        1 => {
            "keeps the whole text and reads the passages that matter at distances the model knows".to_owned()
        }
        _ => {
            "nothing that keeps the whole text fits; this one forgets, and stays at distances the model knows"
                .to_owned()
        }
    };
    let file = match best.fits {
        Fits::WithFile => ", with cold blocks in a file",
        _ => "",
    };
    Some(Recommendation {
        method: best.method.clone(),
        kv: best.kv,
        budget_bytes: best.budget_bytes,
        reason: format!("{total} tokens are {side} the trained window of {trained_window}: {why}{file}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(
        method: &str,
        exactness: Exactness,
        fits: Fits,
        inside_window: bool,
        forgets: bool,
    ) -> Candidate {
        Candidate {
            method: method.to_owned(),
            kv: "i8",
            fits,
            needed_bytes: 3,
            least_bytes: 2,
            ram_bytes: 2,
            cold_bytes: 0,
            budget_bytes: 1,
            farthest: 0,
            inside_window,
            forgets,
            exactness,
            is_default: true,
        }
    }

    #[test]
    fn exact_comes_first_then_what_keeps_everything_then_what_forgets() {
        let request = FitRequest {
            length: 100,
            answer: 10,
            memory: 5,
            methods: Vec::new(),
            row_types: ROW_TYPES.to_vec(),
            context: ContextOptions::default(),
        };
        let mut all = vec![
            candidate("forgets", Exactness::Heuristic, Fits::InRam, true, true),
            candidate("file", Exactness::Heuristic, Fits::WithFile, true, false),
            candidate("ram", Exactness::Heuristic, Fits::InRam, true, false),
            candidate("exact", Exactness::Exact, Fits::WithFile, true, false),
        ];
        for expected in ["exact", "ram", "file", "forgets"] {
            let found = recommend(&all, &request, 1000).expect("something fits");
            assert_eq!(found.method, expected);
            all.retain(|candidate| candidate.method != expected);
        }
        assert!(recommend(&all, &request, 1000).is_none());
        let beyond = [candidate("exact", Exactness::Exact, Fits::InRam, false, false)];
        assert!(recommend(&beyond, &request, 50).is_none(), "its distances are beyond the window");
    }

    #[test]
    fn windows_have_smaller_and_larger_variants() {
        let texts: Vec<String> = variants().iter().map(ToString::to_string).collect();
        for window in [1024, 2048, 4096] {
            let wanted = format!("window={window}");
            assert!(
                texts.iter().any(|text| text.starts_with("inf-llm:") && text.contains(&wanted)),
                "{wanted}"
            );
        }
        assert_eq!(texts.iter().filter(|text| text.starts_with("full")).count(), 1);
    }
}
