//! All reading strategies.

use loci_models::method::{MethodInfo, ParameterError, Values};

use crate::closed_book::{self, ClosedBook};
use crate::given::Chooser;
use crate::jrt::{self, Jrt};
use crate::retrieval::{self, Retrieval, RetrievalOptions};

/// The name of the family, in declarations and messages.
pub const FAMILY: &str = "reading";

/// The declarations of all reading strategies.
pub const STRATEGIES: &[&MethodInfo] = &[&retrieval::INFO, &jrt::INFO, &closed_book::INFO];

/// Whether `typed`, a method as typed, names a reading strategy.
pub fn is_strategy(typed: &str) -> bool {
    let id = typed.split([':', '+']).next().unwrap_or(typed);
    STRATEGIES.iter().any(|info| info.id == id.trim())
}

/// The strategy of `id:name=value,…` with its values.
///
/// # Errors
/// [`ParameterError`] for an unknown strategy or parameter, a value outside its domain, and for parts joined with `+`.
pub fn parse(typed: &str) -> Result<Values, ParameterError> {
    if is_strategy(typed)
        && let Some((_, joined)) = typed.split_once('+')
    {
        return Err(ParameterError::Combination(format!(
            "{typed}: a reading strategy chooses what the model is given and has no part that +{joined} could change; \
             leave it out"
        )));
    }
    Values::parse(typed, FAMILY, STRATEGIES)
}

/// What the strategy of `values`, as [`parse`] gave them, chooses with.
pub fn chooser(values: &Values) -> Box<dyn Chooser> {
    match values.info().id {
        id if id == closed_book::INFO.id => Box::new(ClosedBook),
        id if id == jrt::INFO.id => Box::new(Jrt::of(values)),
        _ => Box::new(Retrieval::new(RetrievalOptions::of(values))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_told_from_other_methods() {
        assert!(is_strategy("retrieval") && is_strategy("retrieval:top=3") && is_strategy("retrieval+i4"));
        assert!(!is_strategy("full") && !is_strategy("retrievals") && !is_strategy("top=retrieval"));
        assert_eq!(parse("retrieval:top=3").unwrap().size("top"), 3);
        for (typed, said) in [
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
    fn every_strategy_has_its_chooser() {
        for info in STRATEGIES {
            assert_eq!(chooser(&parse(info.id).unwrap()).id(), info.id);
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
