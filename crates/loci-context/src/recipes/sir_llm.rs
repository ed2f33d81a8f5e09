//! SirLLM: a conversation without end in a memory of fixed size, which keeps the most surprising tokens.
//!
//! Yao et al., "SirLLM: Streaming Infinite Retentive LLM", 2024.
//!
//! 1. The memory holds `sinks + recent + surprising` tokens, the same ones in all layers and heads.
//! 2. A token's score is its surprise when it was read. At every turn all scores are multiplied by `decay`.
//! 3. When a turn does not fit, the first `sinks` tokens stay, the highest scores, and then the newest tokens, until there
//!    is room for a whole turn. What stays closes up: distances count what is held.
//!
//! A turn is what is read at once, `turn` tokens at the most: a longer text is a row of turns, and so is a long answer.
//! The published code scores each token by how unlikely a repetition of the one before it is (a shift of one); here it is
//! -ln p of the token itself, as the paper says, and the other with `score=released`.
//!
//! Parts: select all that is left, distances within the memory, keep sinks + surprising + recent.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::keep::{Score, Surprising};
use crate::place::TrueDistance;
use crate::select::All;

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "sir-llm",
    title: "a conversation without end in a fixed memory that keeps the most surprising tokens",
    paper: "Yao et al., SirLLM: Streaming Infinite Retentive LLM, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "",
        select: "all that is left",
        place: "distances within the memory",
        keep: "sinks + most surprising tokens with decay + recent, decided at turns",
    },
    needs: &[Need::Signals],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "sinks",
            meaning: "first tokens that stay (start_size in the paper)",
            unit: "tokens",
            default: Value::Integer(4),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "surprising",
            meaning: "tokens that stay for their surprise (token_entropy_size)",
            unit: "tokens",
            default: Value::Integer(1020),
            domain: Domain::Integers(0, 1 << 20),
        },
        Parameter {
            name: "recent",
            meaning: "tokens that stay for being new (recent_size)",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 20),
        },
        Parameter {
            name: "turn",
            meaning: "tokens of a turn at the most",
            unit: "tokens",
            default: Value::Integer(128),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "decay",
            meaning: "by what scores are multiplied at every turn; 1: nothing fades",
            unit: "",
            default: Value::Number(1.0),
            domain: Domain::Numbers(0.01, 1.0),
        },
        Parameter {
            name: "score",
            meaning: "by what tokens stay; released: as the published code computes it, by a shift of one; random: the control",
            unit: "",
            default: Value::Word("surprise"),
            domain: Domain::Words(&["surprise", "released", "random"]),
        },
        Parameter {
            name: "seed",
            meaning: "of the drawing, with score=random",
            unit: "",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1 << 31),
        },
        Parameter {
            name: "neighbours",
            meaning: "tokens on each side that stay with one that surprises",
            unit: "tokens",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 64),
        },
    ],
    cost: "time n*(sinks + recent + surprising) and the logits of every token; sinks + recent + surprising rows",
    composes_with: &["rope", "rows"],
    invariants: &[
        "what is read equals plain attention over sinks, surprising and newest tokens, closed up",
        "with `surprising=0` the sinks and the newest tokens stay",
        "multiplying all scores changes no choice; of equal scores the older token stays",
        "with `neighbours` the words around a surprise stay with it; with `score=released` others do",
    ],
    description: "Names, numbers and turns of events surprise a model; filler does not. Keeping what surprised lets a \
                  fixed memory remember a fact that a window of the same size has long lost. Words are kept one by one, \
                  so the grammar around them is lost (`neighbours` keeps some of it), and rare but useless tokens take \
                  room. With `decay` below 1 newer facts win over older ones; a turn's length sets its speed.",
};

fn build(values: &Values, _facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [sinks, surprising, recent, turn] =
        ["sinks", "surprising", "recent", "turn"].map(|name| values.size(name));
    if sinks + turn >= sinks + surprising + recent {
        let fits = (surprising + recent).saturating_sub(1).max(1);
        return Err(ParameterError::Combination(format!(
            "sir-llm: a turn of {turn} tokens does not fit into surprising {surprising} + recent {recent}; use turn={fits} \
             or less, or more of the others"
        )));
    }
    #[allow(clippy::cast_possible_truncation)] // a share
    let decay = values.number("decay") as f32;
    let mut keep = Surprising::new(sinks, surprising, recent, turn, decay);
    keep.score = match values.word("score") {
        "random" => Score::Chance(values.size("seed") as u64),
        "released" => Score::Released,
        _ => Score::Surprise,
    };
    keep.neighbours = values.size("neighbours");
    Ok(Recipe {
        queries: turn,
        chunk_multiple: turn,
        chunk_limit: turn,
        ..Recipe::over_rows(All, TrueDistance { reach: None }, keep)
    })
}
