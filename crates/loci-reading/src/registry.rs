//! All reading strategies.

use std::sync::Arc;

use loci_engine::EngineError;
use loci_models::method::{MethodInfo, ParameterError, Values};

use crate::alr2::{self, Alr2};
use crate::closed_book::{self, ClosedBook};
use crate::co_lor::{self, CoLor};
use crate::encode::TextEncoder;
use crate::full_ranking::{self, FullRanking};
use crate::infini_retri::{self, InfiniRetri};
use crate::jrt::{self, Jrt};
use crate::plain::{self, Plain};
use crate::retrieval::{self, Retrieval, RetrievalOptions};
use crate::sculptor::reading::{self as sculptor, Sculptor};
use crate::strategy::ReadingStrategy;
use crate::structured::reading::{self as structured, Structured};

/// The name of the family, in declarations and messages.
pub const FAMILY: &str = "reading";

/// The declarations of all reading strategies.
pub const STRATEGIES: &[&MethodInfo] = &[
    &plain::INFO,
    &retrieval::INFO,
    &jrt::INFO,
    &infini_retri::INFO,
    &alr2::INFO,
    &co_lor::INFO,
    &full_ranking::INFO,
    &structured::INFO,
    &sculptor::INFO,
    &closed_book::INFO,
];

/// Other names of strategies, with what they stand for.
pub const ALIASES: &[(&str, &str)] = &[("rag", "retrieval"), ("rag+reorder", "retrieval:order=two-sided")];

/// `typed` with the strategy's own name where another one was typed.
fn unalias(typed: &str) -> String {
    let (name, parameters) = typed.split_once(':').unwrap_or((typed, ""));
    let Some((_, own)) = ALIASES.iter().find(|(alias, _)| *alias == name.trim()) else {
        return typed.to_owned();
    };
    let joint = match (parameters.is_empty(), own.contains(':')) {
        (true, _) => "",
        (false, true) => ",",
        (false, false) => ":",
    };
    format!("{own}{joint}{parameters}")
}

/// Whether `typed`, a method as typed, names a reading strategy.
pub fn is_strategy(typed: &str) -> bool {
    let typed = unalias(typed);
    let id = typed.split([':', '+']).next().unwrap_or(&typed);
    STRATEGIES.iter().any(|info| info.id == id.trim())
}

/// The strategy of `id:name=value,…` with its values.
///
/// # Errors
/// [`ParameterError`] for an unknown strategy or parameter, a value outside its domain, and for parts joined with `+`.
pub fn parse(typed: &str) -> Result<Values, ParameterError> {
    let own = unalias(typed);
    if is_strategy(&own)
        && let Some((_, joined)) = own.split_once('+')
    {
        return Err(ParameterError::Combination(format!(
            "{typed}: a reading strategy chooses what the model is given and has no part that +{joined} could change; \
             leave it out"
        )));
    }
    Values::parse(&own, FAMILY, STRATEGIES)
}

/// What strategies may need besides a model.
#[derive(Clone, Debug, Default)]
pub struct Kit {
    /// Turns texts into vectors, for strategies that rank by meaning.
    pub encoder: Option<Arc<dyn TextEncoder>>,
}

/// Whether the strategy of `values` needs a [`TextEncoder`].
pub fn needs_encoder(values: &Values) -> bool {
    ["meaning", "fused"].contains(&values.word("by"))
}

/// The strategy of `values`, as [`parse`] gave them.
///
/// # Errors
/// [`EngineError::Unsupported`] for a value that needs something which is not there.
pub fn strategy(values: &Values, kit: &Kit) -> Result<Box<dyn ReadingStrategy>, EngineError> {
    Ok(match values.info().id {
        id if id == plain::INFO.id => Box::new(Plain),
        id if id == closed_book::INFO.id => Box::new(ClosedBook),
        id if id == jrt::INFO.id => Box::new(Jrt::of(values)),
        id if id == infini_retri::INFO.id => Box::new(InfiniRetri::of(values)),
        id if id == alr2::INFO.id => Box::new(Alr2::of(values)),
        id if id == co_lor::INFO.id => Box::new(CoLor::of(values)),
        id if id == structured::INFO.id => Box::new(Structured::of(values, kit)?),
        id if id == sculptor::INFO.id => Box::new(Sculptor::of(values)),
        id if id == full_ranking::INFO.id => Box::new(FullRanking::of(values, kit)),
        _ => Box::new(Retrieval::new(RetrievalOptions::of(values), kit.clone())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_told_from_other_methods() {
        assert!(is_strategy("retrieval") && is_strategy("retrieval:top=3") && is_strategy("retrieval+i4"));
        assert!(!is_strategy("full") && !is_strategy("retrievals") && !is_strategy("top=retrieval"));
        assert_eq!(parse("retrieval:top=3").unwrap().size("top"), 3);
        assert_eq!(parse("rag:top=3").unwrap().to_string(), parse("retrieval:top=3").unwrap().to_string());
        let reordered = parse("rag+reorder:top=3").unwrap();
        assert_eq!((reordered.word("order"), reordered.size("top")), ("two-sided", 3));
        assert!(is_strategy("rag+reorder") && is_strategy("rag") && !is_strategy("rags"));
        for (typed, said) in [
            ("rag+i4", "+i4"),
            ("retrieval+i4", "+i4"),
            ("full", "reading"),
            ("retrieval:tops=3", "top"),
            ("retrieval:top=0", "1"),
        ] {
            let error = parse(typed).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn every_strategy_is_made_from_its_declaration() {
        for info in STRATEGIES {
            assert_eq!(strategy(&parse(info.id).unwrap(), &Kit::default()).unwrap().info().id, info.id);
        }
    }

    #[test]
    fn every_strategy_is_declared_in_words() {
        for info in STRATEGIES {
            assert!(info.family == FAMILY && !info.invariants.is_empty(), "{}", info.id);
            for text in [info.title, info.paper, info.cost, info.description] {
                assert!(!text.is_empty() && !text.contains("  "), "{}: {text}", info.id);
            }
        }
    }
}
