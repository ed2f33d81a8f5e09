//! `jrt`: the text and the question, and then both again.

use loci_engine::{Control, EngineError, LanguageModel};
use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Parameter, Parts, Phase, Value, Values,
};

use crate::assemble::{Piece, whole};
use crate::strategy::{Asked, Prepared, ReadingStrategy, between};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "jrt",
    title: "The text and the question, and then both again: what is read the second time is read for the question.",
    paper: "Arora et al., Just Read Twice: Closing the Recall Gap for Recurrent Language Models, 2024 (JRT-Prompt)",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[Parameter {
        name: "copies",
        meaning: "how often text and question are read",
        unit: "copies",
        default: Value::Integer(2),
        domain: Domain::Integers(1, 8),
    }],
    cost: "reading copies x (text + question)",
    composes_with: &[],
    invariants: &[
        "one copy is the plain prompt",
        "every copy holds the same text and the same question",
        "a text that is not told apart from its question is refused",
    ],
    description: "A model that keeps less than it reads has to choose what to keep before it knows the question. Here it \
                  reads text and question, a line break, and text and question again, and answers behind the last. Made \
                  for models with a fixed state; the paper finds that attention models gain too. Wording by task, as in \
                  the published code, is left to whoever asks.\n\nNothing is cut: where the copies do not fit the model's \
                  window, they are read by the method of the model as any long prompt is. Compare it with one copy of the \
                  same text, not with a longer text.\n\nQuestions that follow each other about one text are refused: \
                  text and question have to come apart.",
};

/// Repeats text and question (see [`INFO`]).
#[derive(Clone, Copy, Debug)]
pub struct Jrt {
    copies: usize,
}

impl Jrt {
    /// As the values of a method typed as `jrt:…` say.
    pub fn of(values: &Values) -> Self {
        Self { copies: values.size("copies") }
    }
}

impl ReadingStrategy for Jrt {
    fn info(&self) -> &'static MethodInfo {
        &INFO
    }

    fn prepare(
        &mut self,
        asked: &Asked<'_>,
        _model: &mut dyn LanguageModel,
        _control: &mut Control<'_>,
    ) -> Result<Prepared, EngineError> {
        let copy = whole(asked.documents);
        let apart = between(&copy.text, asked.question);
        let mut text = String::new();
        let mut pieces = Vec::with_capacity(self.copies * copy.pieces.len());
        for number in 1..=self.copies {
            let at = text.len();
            pieces.extend(copy.pieces.iter().map(|piece| Piece { at: at + piece.at, ..piece.clone() }));
            text.push_str(&copy.text);
            if number < self.copies {
                text.push_str(&format!("{apart}{}\n", asked.question));
            }
        }
        Ok(Prepared { text, pieces, ..Prepared::default() })
    }
}
