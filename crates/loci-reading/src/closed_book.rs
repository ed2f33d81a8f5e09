//! `closed-book`: the question without the text.

use loci_engine::{Control, EngineError, LanguageModel};
use loci_models::method::{Exactness, MemoryKind, MethodInfo, Parts, Phase};

use crate::strategy::{Asked, Prepared, ReadingStrategy};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "closed-book",
    title: "The question without the text; a control.",
    paper: "Zhang et al., Memory in Large Language Models: Mechanisms, Evaluation and Evolution, 2025 (its setting without \
            retrieval, tools and session)",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Parametric,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Exact,
    parameters: &[],
    cost: "reading the question",
    composes_with: &[],
    invariants: &[
        "the model is given the question and nothing of the text",
        "a text that is not told apart from its question is refused",
    ],
    description: "Gives the model the question alone. What it answers then it knows from its training, guesses, or takes from \
                  the question; what a method gets right beyond that, it got from the text. Where this does as well as \
                  reading, the task does not need its text.\n\nQuestions that follow each other about one text are \
                  refused: text and question have to come apart.",
};

/// Gives nothing of the text (see [`INFO`]).
#[derive(Clone, Copy, Debug)]
pub struct ClosedBook;

impl ReadingStrategy for ClosedBook {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        _asked: &Asked<'_>,
        _model: &mut dyn LanguageModel,
        _control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        Ok(Prepared::default())
    }
}
