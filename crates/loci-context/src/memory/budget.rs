//! What a memory needs in RAM, and how many far pages fit beside it.

use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, MemoryError};

use super::learn::QUERY_SLACK;
use crate::keep::KvHead;
use crate::recipes::Recipe;
use crate::store::{Layout, PAGE};

/// What a number of tokens takes under a method: rows, index, state, evidence and the scratch of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The smallest `--budget` that is not refused: bytes in RAM with as much as possible in the file for cold blocks.
    pub least_bytes: usize,
    /// Bytes in RAM with nothing in the file; a larger budget changes nothing.
    pub most_bytes: usize,
    /// Bytes in RAM under the budget asked about; never below `least_bytes`.
    pub ram_bytes: usize,
    /// Bytes in the file for cold blocks under that budget.
    pub cold_bytes: usize,
    /// The farthest distance at which a key stands to a query: below the trained window, or the model meets positions that
    /// it has never seen.
    pub farthest: usize,
    /// Whether something of what was read is dropped or thinned on the way.
    pub forgets: bool,
}

/// Blocks for which an index may have made room in advance, per layer, and what it holds for all of them: an f32 vector,
/// as large as four coded blocks.
const INDEX_SPARE: usize = 16 + 4;

/// The store that a recipe reads from, without a bound on far pages.
pub(super) fn layout(recipe: &Recipe, shape: AttentionShape, row_type: RowType) -> Layout {
    Layout {
        shape,
        row_type,
        raw: recipe.place.reads_raw_keys() || recipe.index.reads_raw_keys() || recipe.keep.reads_raw_keys(),
        rotated_reach: recipe.place.rotated_reach(),
        far_pages: None,
    }
}

/// Bytes that are needed whatever is cold: near pages, index, mass, evidence, scratch.
fn fixed_bytes(recipe: &Recipe, layout: &Layout, tokens: usize) -> usize {
    let shape = layout.shape;
    let near_rows = tokens.min(layout.rotated_reach.saturating_add(recipe.queries.min(tokens)));
    let near_pages = |head| {
        // What a head cannot reach is released page by page, at the end of each group.
        let held = tokens - recipe.keep.unreachable(head, tokens).len();
        let held = recipe.keep.most_rows().map_or(held, |rows| rows.min(held));
        near_rows.min(held.saturating_add(recipe.queries)).div_ceil(PAGE) + 2
    };
    let packs = recipe.keep.most_rows().is_some() || recipe.keep.prompt_queries() > 0;
    // While a head's rows are packed they are there twice, once as pages and once as what is left of them.
    let packing = if packs { near_pages(KvHead::FIRST) } else { 0 };
    let near = (KvHead::all(shape).map(near_pages).sum::<usize>() + packing) * layout.near_page_bytes();
    let blocks = recipe.segment.most(tokens);
    let index = match recipe.index.bytes_per_block() {
        0 => 0,
        bytes => (blocks + INDEX_SPARE) * bytes * shape.layers,
    };
    // The mark holds the mass a second time, and vectors may be half empty.
    let mass_rows = if recipe.index.wants_mass() { near_rows + recipe.block_rows } else { 0 };
    let mass = 4 * mass_rows * shape.heads * shape.layers * size_of::<f32>();
    let query_rows = match (recipe.index.wants_queries(), recipe.recent_queries(0)) {
        (false, 0) => 0,
        (true, recent) => recipe.block_rows + recent + QUERY_SLACK + recipe.queries.min(tokens),
        (false, recent) => recent + recipe.keep.look_ahead() + QUERY_SLACK,
    };
    // A layer's queries are there twice while they grow, all of them where a mark holds them.
    let layers = if recipe.is_stateful() { 2 * shape.layers } else { shape.layers + 1 };
    let queries = query_rows * shape.heads * shape.head_dim * layers * size_of::<f32>();
    // A number and a mark a token, a number for 16 of them, twice while they grow.
    let evidence = 2 * tokens * (size_of::<f32>() + 1) + tokens / 2;
    let state = recipe.select.most_bytes(shape, tokens)
        + recipe.segment.most_bytes(tokens)
        + recipe.keep.most_bytes(shape, tokens);
    let copied = match recipe.select.scattered_rows(tokens) {
        0 => 0,
        rows => {
            let rows = (rows + recipe.queries).min(tokens);
            let row = layout.row_type.key_bytes(shape.head_dim) + layout.row_type.value_bytes(shape.head_dim);
            shape.heads * rows * row
        }
    };
    near + index + mass + queries + evidence + state + copied + scratch_bytes(recipe, shape, near_rows)
}

/// Bytes of the buffers of one attention call: rotated queries, outputs of tasks and of the layer, and, where mass is
/// wanted, each task's sums and the weights a strip keeps until its sum is known.
fn scratch_bytes(recipe: &Recipe, shape: AttentionShape, near_rows: usize) -> usize {
    let queries = recipe.queries.min(512);
    let outputs = 6 * queries * shape.heads * shape.head_dim * size_of::<f32>();
    let mass = if recipe.index.wants_mass() {
        (queries.div_ceil(16) * shape.heads * 2 + 96) * near_rows * size_of::<f32>()
    } else {
        0
    };
    outputs + mass
}

/// What some tokens take under a recipe, before anything is read.
struct Need {
    /// Bytes whatever is cold.
    fixed: usize,
    /// Bytes of one far page of every kv head.
    page: usize,
    /// Far pages that one choice may touch.
    least: usize,
    /// Far pages there are.
    most: usize,
}

fn need(recipe: &Recipe, layout: &Layout, tokens: usize) -> Need {
    let heads = layout.shape.layers * layout.shape.kv_heads;
    let beyond = tokens.saturating_sub(layout.rotated_reach);
    // Rows that no query can reach are dropped page by page, so that of the first one some may be left.
    let far_pages = |head| match recipe.keep.unreachable(head, tokens).len() {
        0 => beyond.div_ceil(PAGE),
        dropped => (beyond.saturating_sub(dropped).div_ceil(PAGE) + 1).min(beyond.div_ceil(PAGE)),
    };
    let most = KvHead::all(layout.shape).map(far_pages).max().unwrap_or(0);
    Need {
        fixed: fixed_bytes(recipe, layout, tokens),
        page: heads * layout.far_page_bytes(),
        least: recipe.select.far_pages(tokens, PAGE).min(most),
        most,
    }
}

/// What `tokens` tokens take in RAM and in the file for cold blocks, inside `limit` bytes if there is a limit.
pub(super) fn footprint(recipe: &Recipe, layout: &Layout, tokens: usize, limit: Option<usize>) -> Footprint {
    let Need { fixed, page, least, most } = need(recipe, layout, tokens);
    let room = limit.map_or(most, |limit| limit.saturating_sub(fixed) / page.max(1)).clamp(least, most);
    Footprint {
        least_bytes: fixed + least * page,
        most_bytes: fixed + most * page,
        ram_bytes: fixed + room * page,
        cold_bytes: (most - room) * page,
        farthest: recipe.farthest(tokens),
        forgets: recipe.forgets(layout.shape, tokens),
    }
}

/// How many far pages a kv head may keep in RAM; `None`: as many as it likes.
///
/// # Errors
/// [`MemoryError::Budget`] when not even those that one choice touches fit.
pub(super) fn far_pages(
    recipe: &Recipe,
    layout: &Layout,
    tokens: usize,
    limit: usize,
) -> Result<Option<usize>, MemoryError> {
    let Need { fixed, page, least, most } = need(recipe, layout, tokens);
    let needed = fixed + least * page;
    if needed > limit {
        return Err(MemoryError::Budget {
            what: format!("{tokens} tokens with this method"),
            needed,
            limit,
            remedy: format!("{}MiB", needed.div_ceil(1 << 20)),
        });
    }
    let room = (limit - fixed) / page.max(1);
    Ok((room < most).then_some(room))
}
