//! The declaration of `infini-retri`.

use loci_models::method::{Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, Parts, Phase, Value};

/// Its declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "infini-retri",
    title: "Reads a text of any length piece by piece and keeps the sentences that the question attends to.",
    paper: "Ye et al., Infinite Retrieval: Attention Enhanced LLMs in Long-Context Processing, 2025",
    family: crate::registry::FAMILY,
    kind: MemoryKind::Contextual,
    parts: Parts::NONE,
    needs: &[Need::AttentionMass],
    phases: &[Phase::Prefill],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "window",
            meaning: "tokens of new text that are read at a time",
            unit: "tokens",
            default: Value::Integer(1024),
            domain: Domain::Integers(16, 1 << 20),
        },
        Parameter {
            name: "top_k",
            meaning: "tokens whose sentences are kept each time",
            unit: "tokens",
            default: Value::Integer(300),
            domain: Domain::Integers(1, 1 << 20),
        },
        Parameter {
            name: "phrase",
            meaning: "neighbouring tokens whose attention is summed: about the length of an answer",
            unit: "tokens",
            default: Value::Integer(8),
            domain: Domain::Integers(1, 256),
        },
        Parameter {
            name: "above",
            meaning: "layers above the one whose attention counts; 0: the last layer, as published",
            unit: "layers",
            default: Value::Integer(0),
            domain: Domain::Integers(0, 1000),
        },
        Parameter {
            name: "weigh",
            meaning: "the question's tokens count by how much they attend to the question itself",
            unit: "",
            default: Value::Flag(true),
            domain: Domain::Flag,
        },
        Parameter {
            name: "most",
            meaning: "tokens that are kept at most; the sentences of the lowest scores give way",
            unit: "tokens",
            default: Value::Integer(2048),
            domain: Domain::Integers(16, 1 << 20),
        },
    ],
    cost: "n / window readings of window + most tokens at most: time linear in n, memory of one reading, whatever n is; all of \
           it again for each question",
    composes_with: &[],
    invariants: &[
        "what is kept is a subsequence of the text's sentences, in order, none twice",
        "with top_k and most at the length of the text everything is kept, and the prompt is the plain one",
        "every token belongs to one sentence",
        "scores are the plain sum over rows, columns and phrase; a phrase of 1 smooths nothing",
        "rows of attention sum to the number of heads",
        "only text is carried from one reading to the next, no keys and values",
    ],
    description: "Reads `window` tokens of the text, behind what was kept of the text before, with the question at the end; sums the \
                  attention that the tokens from the question on give to each token of the text over the heads of one \
                  layer, over `phrase` neighbours, and over those tokens, each weighed by the square of what it gives to \
                  the question; keeps the sentences of the `top_k` tokens with most of it; and goes on. What was kept in \
                  the end is read with the question, and answered from. Neither embeddings nor an index nor training are \
                  needed, but the model's attention is: local models only.\n\nIt finds what the question attends to when \
                  it comes by. What only a later passage makes relevant is dropped (bridges of several hops), and counts, \
                  lists and summaries suffer. The published code keeps text and cuts it into tokens anew; here sentences \
                  keep their places in the text. A bound on what is kept (`most`) and a choice of the layer are ours; the \
                  paper uses the last layer.",
};
