//! Squeezed attention: many questions about one text, each reading only the keys that may matter to it.
//!
//! Hooper et al., "Squeezed Attention: Accelerating Long Context Length LLM Inference", 2024.
//!
//! 1. The documents are read with full attention. When they end, the keys of each kv head, rotated to their positions, are
//!    clustered by direction (k-means on keys of length 1); a cluster's centroid is the mean of its keys as they are. The
//!    last `observed` keys are not clustered.
//! 2. A cluster's score for a query is the softmax weight that one of its keys would have if all keys were their centroids.
//!    One threshold for all heads and layers is the `sparsity`-quantile of the scores of all keys, averaged over the last
//!    `observed` queries. So heads that look at little read little, and others more.
//! 3. From then on, each group of `queries` queries, and each token written, averages the scores of its own queries for
//!    each query head and reads the keys of the clusters above the threshold, the last `observed` keys of the documents, and
//!    everything behind them: in one softmax, at true distances. Nothing is dropped.
//! 4. With `levels=2` clusters are clustered again, and only clusters inside a kept one are scored.
//!
//! Heads that share keys share clusters; each query head chooses for itself. The published code scores the last keys like
//! the others and may lose them; here they stay. The paper looks up once for the whole question.
//!
//! Parts: index centroids, select by a threshold on their scores, true distance, keep everything.

use loci_models::method::{
    Domain, Exactness, MemoryKind, MethodInfo, Need, Parameter, ParameterError, Parts, Phase, Value, Values,
};

use super::{Entry, ModelFacts, Recipe};
use crate::index::Clustering;
use crate::keep::Everything;
use crate::place::TrueDistance;
use crate::select::{Squeezed, SqueezedSettings};

/// Registry entry.
pub const ENTRY: Entry = Entry { info: &INFO, build };

/// Declaration.
pub const INFO: MethodInfo = MethodInfo {
    id: "squeezed-attention",
    title: "many questions about one text, each reading only the keys that may matter to it",
    paper: "Hooper et al., Squeezed Attention: Accelerating Long Context Length LLM Inference, 2024",
    family: "context",
    kind: MemoryKind::Contextual,
    parts: Parts {
        segment: "",
        index: "centroids of keys clustered by direction, when the documents end",
        select: "per head: clusters above one threshold for all heads and layers",
        place: "true distance",
        keep: "everything",
    },
    needs: &[Need::Queries],
    phases: &[Phase::Prefill, Phase::Decode],
    exactness: Exactness::Heuristic,
    parameters: &[
        Parameter {
            name: "sparsity",
            meaning: "share of the documents' keys that the threshold is set to leave out; 0 reads everything",
            unit: "",
            default: Value::Number(0.9),
            domain: Domain::Numbers(0.0, 0.999),
        },
        Parameter {
            name: "clusters",
            meaning: "clusters of a kv head, as a share of its keys",
            unit: "%",
            default: Value::Number(5.0),
            domain: Domain::Numbers(0.1, 100.0),
        },
        Parameter {
            name: "observed",
            meaning: "tokens at the end of the documents that are always read and whose queries set the threshold",
            unit: "tokens",
            default: Value::Integer(100),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "queries",
            meaning: "queries that choose together while the question is read",
            unit: "tokens",
            default: Value::Integer(64),
            domain: Domain::Integers(1, 4096),
        },
        Parameter {
            name: "levels",
            meaning: "2: clusters are clustered again, which makes looking up cheaper",
            unit: "",
            default: Value::Integer(1),
            domain: Domain::Integers(1, 2),
        },
        Parameter {
            name: "coarse_clusters",
            meaning: "with levels=2, clusters of clusters, as a share of the keys",
            unit: "%",
            default: Value::Number(1.0),
            domain: Domain::Numbers(0.1, 100.0),
        },
        Parameter {
            name: "coarse_sparsity",
            meaning: "with levels=2, share of the keys that the upper level is set to leave out",
            unit: "",
            default: Value::Number(0.5),
            domain: Domain::Numbers(0.0, 0.999),
        },
        Parameter {
            name: "iterations",
            meaning: "rounds of k-means, at most; the published code allows 300",
            unit: "",
            default: Value::Integer(20),
            domain: Domain::Integers(1, 1000),
        },
        Parameter {
            name: "seed",
            meaning: "of the first centres",
            unit: "",
            default: Value::Integer(0),
            domain: Domain::Integers(0, i64::MAX),
        },
    ],
    cost: "time n^2 to read, iterations*clusters*n^2 once when the documents end; then for each token clusters*n + (1 - sparsity)*n; all rows and about clusters*n more in RAM",
    composes_with: &["rope", "rows"],
    invariants: &[
        "without sparsity it equals full attention",
        "with a cluster for each key, scores are softmax weights; scores of all keys sum to one",
        "every key is in one cluster, and the same seed gives the same clusters",
        "the threshold keeps the share it was set for",
        "the end of the documents is always read",
        "clusters, centroids and outputs equal an independent reference",
    ],
    description: "Saves time while a question is read and answered, no memory, and pays when many questions are asked \
                  about one text. It needs to know where the documents end: `loci ask` says so; where nobody does, as in a \
                  conversation, it is full attention. So it is for a text too short to cluster (`observed` tokens or less, \
                  or fewer than two clusters). The threshold is set by the last tokens of the documents: if those \
                  are boilerplate it is off. Distances are true ones: beyond the trained window combine it with a RoPE \
                  schedule. Defaults of `levels`, `iterations` and `coarse_sparsity` are ours.",
};

fn build(values: &Values, facts: &ModelFacts) -> Result<Recipe, ParameterError> {
    let [observed, queries] = ["observed", "queries"].map(|name| values.size(name));
    let [clusters, coarse] = ["clusters", "coarse_clusters"].map(|name| values.number(name));
    let [sparsity, coarse_sparsity] = ["sparsity", "coarse_sparsity"].map(|name| values.number(name));
    let two = values.size("levels") == 2;
    if two && coarse >= clusters {
        return Err(ParameterError::Combination(format!(
            "squeezed-attention: coarse_clusters {coarse} is not below clusters {clusters}; use coarse_clusters={} or \
             levels=1",
            clusters / 5.0
        )));
    }
    if two && coarse_sparsity > sparsity {
        return Err(ParameterError::Combination(format!(
            "squeezed-attention: coarse_sparsity {coarse_sparsity} is above sparsity {sparsity}, so the upper level would \
             leave out what the lower one is to find; use coarse_sparsity={sparsity} or less"
        )));
    }
    let select = Squeezed::new(SqueezedSettings {
        shape: facts.shape,
        clustering: Clustering {
            share: clusters / 100.0,
            coarse_share: two.then_some(coarse / 100.0),
            iterations: values.size("iterations"),
            seed: values.size("seed") as u64,
        },
        observed,
        sparsity,
        coarse_sparsity,
        queries,
        open_queries: super::GROUP,
    });
    Ok(Recipe {
        queries: queries.max(super::GROUP),
        chunk_multiple: queries,
        ..Recipe::over_rows(select, TrueDistance { reach: None }, Everything)
    })
}
