//! `plain`: all of the text, and then the question.

use loci_engine::{Control, EngineError, LanguageModel};
use loci_models::method::{Exactness, MemoryKind, MethodInfo, Parts, Phase};

use crate::assemble::{Assembly, whole};
use crate::strategy::{Asked, Prepared, ReadingStrategy, between};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "plain",
    title: "All of the text, and then the question: what every other strategy is compared with.",
    paper: "none: the plain prompt",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Exact,
    parameters: &[],
    cost: "reading the text and the question",
    composes_with: &[],
    invariants: &["the model is given the text as it is, and the question behind it"],
    description: "Nothing is chosen and nothing is left out. A local model reads by its context method what does not fit its \
                  window; an endpoint refuses it, or not: that is up to the endpoint.",
};

/// Gives all of the text (see [`INFO`]).
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl ReadingStrategy for Plain {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        _model: &mut dyn LanguageModel,
        _control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let Assembly { mut text, pieces } = whole(asked.documents);
        text.push_str(between(&text, asked.question));
        Ok(Prepared { text, pieces, ..Prepared::default() })
    }
}
