//! Where the end of a prompt looks.

use std::ops::Range;
use std::sync::Arc;

use loci_context::{MethodSpec, looks};
use loci_kernels::tiles::RowType;

use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::language_model::Input;
use crate::layout::located;
use crate::session::{Control, Session};

/// How much each of the last tokens of a prompt looks at every token, in one layer.
#[derive(Clone, Debug, Default)]
pub struct Attended {
    /// Of each token of the prompt, its bytes in the text or in the last message; `None` for those of the template, of other
    /// messages, and of what the answer begins with.
    pub tokens: Vec<Option<Range<usize>>>,
    /// Tokens that look: the last ones of the prompt.
    pub rows: usize,
    /// `[rows, tokens]`: softmax weights, summed over all heads; a row's sum is the number of heads.
    pub sums: Vec<f32>,
}

impl Attended {
    /// The weights that the looking tokens give, one after the other.
    pub fn looks(&self) -> impl Iterator<Item = &[f32]> {
        self.sums.chunks_exact(self.tokens.len().max(1))
    }

    /// Number of the first token that looks.
    pub fn first(&self) -> usize {
        self.tokens.len() - self.rows
    }
}

/// Reads `input` with full attention, and returns where its tokens from byte `from` of the text, or of the last message, on
/// look in the layer that has `above` layers above it. Those are not computed.
///
/// # Errors
/// [`EngineError::Unsupported`] for a layer that is not there, [`EngineError::Nothing`] for an empty prompt, and what memory
/// and model refuse.
pub(crate) fn attended(
    engine: &Arc<Engine>,
    context: &ContextOptions,
    input: &Input<'_>,
    from: usize,
    above: usize,
    control: &mut Control<'_>,
) -> Result<Attended, EngineError> {
    let layers = engine.model().shape().layers;
    let Some(layer) = layers.checked_sub(above + 1) else {
        return Err(EngineError::Unsupported(format!(
            "{} has {layers} layers, so none has {above} above it; use {} or less",
            engine.name(),
            layers.saturating_sub(1)
        )));
    };
    let prompt = located(engine, &input.body, input.tools, input.answer_start, usize::MAX)?;
    let tokens: Vec<Option<Range<usize>>> =
        prompt.sources.into_iter().map(|source| source.map(|source| source.bytes)).collect();
    let looks_first = |bytes: &Option<Range<usize>>| bytes.as_ref().is_some_and(|bytes| bytes.end > from);
    // Where nothing of the text follows, what stands behind it looks.
    let behind = || tokens.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
    let first = tokens.iter().position(looks_first).unwrap_or_else(behind);
    let rows = tokens.len() - first.min(tokens.len().saturating_sub(1));
    let options =
        ContextOptions { row_type: RowType::F32, heads: None, head_scores: None, ..context.clone() };
    let method = MethodSpec::parse("full")?;
    let build = options.build_context(engine, &method, layer + 1, tokens.len())?;
    let memory = looks(rows, layer, build)?;
    let mut session = Session::new(Arc::clone(engine), memory).with_layers(layer + 1);
    if prompt.tokens.is_empty() {
        return Err(EngineError::Nothing { what: "the prompt".to_owned(), purpose: "look through" });
    }
    session.look_through(&prompt.tokens, 0, control)?;
    Ok(Attended { rows, sums: session.importance().to_vec(), tokens })
}
