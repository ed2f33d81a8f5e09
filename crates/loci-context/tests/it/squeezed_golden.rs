//! Squeezed attention against an independent NumPy reference (`scripts/golden/squeezed_attention.py`).

use std::collections::BTreeSet;

use crate::common::{Stream, build, context};
use loci_context::index::{Clustering, Clusters};
use loci_kernels::{Isa, Pool};
use loci_models::memory::AttentionShape;
use loci_models::rope::RopeSchedule;
use serde_json::Value;

const DIM: usize = 16;

fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap_or_else(|| panic!("{key} is missing")) as usize
}

fn floats(list: &Value) -> Vec<f32> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn whole(list: &Value) -> Vec<u32> {
    list.as_array().unwrap().iter().map(|x| u32::try_from(x.as_u64().unwrap()).unwrap()).collect()
}

/// A case of the fixture with the stream whose keys are those of the reference.
struct Case {
    case: Value,
    stream: Stream,
    /// Rotated keys of the last layer and kv head that are clustered.
    last_keys: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let path = format!("{}/tests/fixtures/squeezed_attention.json", env!("CARGO_MANIFEST_DIR"));
    let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = fixture["cases"].as_array().unwrap().clone();
    assert!(cases.len() >= 3);
    cases.into_iter().map(read_case).collect()
}

fn read_case(case: Value) -> Case {
    let [layers, heads, kv_heads, head_dim] =
        ["layers", "heads", "kv_heads", "head_dim"].map(|key| number(&case, key));
    assert_eq!(head_dim, DIM);
    let shape = AttentionShape { layers, heads, kv_heads, head_dim };
    let scale = case["query_scale"].as_f64().unwrap() as f32;
    let mut stream = Stream::new(shape, number(&case, "tokens"), number(&case, "seed") as u64, scale);
    let (labels, lengths) = (whole(&case["labels"]), floats(&case["lengths"]));
    let wobble = case["wobble"].as_f64().unwrap() as f32;
    let schedule = RopeSchedule::stock(10_000.0, DIM).unwrap();
    let (mut cos, mut sin) = ([0.0; DIM / 2], [0.0; DIM / 2]);
    let mut last_keys = Vec::new();
    for layer in 0..layers {
        for (token, label) in labels.iter().enumerate() {
            schedule.rotation(token as f64, &mut cos, &mut sin);
            for head in 0..kv_heads {
                let direction = floats(&case["directions"][layer][head][*label as usize]);
                let key = &mut stream.k[layer][(token * kv_heads + head) * DIM..][..DIM];
                for pair in 0..DIM / 2 {
                    // Turned back, so that writing turns it to where it should point.
                    let (x, y) = (direction[pair], direction[pair + DIM / 2]);
                    let back = [x * cos[pair] + y * sin[pair], y * cos[pair] - x * sin[pair]];
                    key[pair] = lengths[token] * back[0] + wobble * key[pair];
                    key[pair + DIM / 2] = lengths[token] * back[1] + wobble * key[pair + DIM / 2];
                }
                if (layer, head) == (layers - 1, kv_heads - 1) {
                    let mut rotated = key.to_vec();
                    loci_kernels::vector::rotate(Isa::active(), &mut rotated, &cos, &sin);
                    last_keys.extend(rotated);
                }
            }
        }
    }
    Case { case, stream, last_keys }
}

impl Case {
    fn clustered(&self) -> usize {
        number(&self.case, "context") - number(&self.case, "observed")
    }

    fn share(&self, what: &str) -> f64 {
        (number(&self.case, what) as f64 + 0.5) / self.clustered() as f64
    }

    fn spec(&self) -> String {
        let case = &self.case;
        format!(
            "squeezed-attention:observed={},clusters={},coarse_clusters={},sparsity={},coarse_sparsity={},levels={},\
             queries={},iterations=50",
            case["observed"],
            100.0 * self.share("groups"),
            100.0 * self.share("bundles"),
            case["sparsity"],
            case["coarse_sparsity"],
            case["levels"],
            case["queries"]
        )
    }
}

/// `labels` and `others` cut the same things into the same groups.
fn same_groups(labels: &[u32], others: &[u32]) -> bool {
    let pairs: BTreeSet<_> = labels.iter().zip(others).collect();
    let count = |labels: &[u32]| labels.iter().collect::<BTreeSet<_>>().len();
    labels.len() == others.len() && pairs.len() == count(labels) && pairs.len() == count(others)
}

#[test]
fn outputs_equal_the_reference() {
    for case in cases() {
        let (end, prompt) = (number(&case.case, "context"), number(&case.case, "prompt"));
        let mut memory = build(&case.spec(), context(case.stream.shape, 2));
        let mut out = vec![Vec::new(); case.stream.shape.layers];
        case.stream.feed_chunk(&mut *memory, 0, end, &mut out).unwrap();
        memory.end_context().unwrap();
        case.stream.feed_chunk(&mut *memory, end, prompt, &mut out).unwrap();
        for token in prompt..case.stream.n {
            case.stream.feed_chunk(&mut *memory, token, token + 1, &mut out).unwrap();
        }
        let name = case.case["name"].as_str().unwrap();
        for layer in 0..case.stream.shape.layers {
            for token in 0..case.stream.n {
                for (head, row) in case.stream.token(&out, layer, token).chunks(DIM).enumerate() {
                    let sum =
                        row.iter().enumerate().map(|(i, x)| f64::from(*x) * (i + 1) as f64 / DIM as f64);
                    let (found, expected) = (sum.sum::<f64>(), &case.case["checks_of"][layer][token][head]);
                    assert!(
                        (found - expected.as_f64().unwrap()).abs() < 2e-4,
                        "{name}, layer {layer}, token {token}, head {head}: {found} for {expected}"
                    );
                }
            }
            for (token, expected) in case.case["outputs_of"][layer].as_object().unwrap() {
                let found = case.stream.token(&out, layer, token.parse().unwrap());
                for (x, y) in found.iter().zip(floats(expected)) {
                    assert!((x - y).abs() < 1e-4, "{name}, layer {layer}, token {token}: {x} for {y}");
                }
            }
        }
    }
}

#[test]
fn clusters_and_centroids_equal_the_reference() {
    for case in cases() {
        let (labels, parents) = (whole(&case.case["labels"]), whole(&case.case["parents"]));
        let how = Clustering {
            share: case.share("groups"),
            coarse_share: Some(case.share("bundles")),
            iterations: 50,
            seed: 0,
        };
        let found =
            Clusters::build(&case.last_keys, DIM, &how, &mut Vec::new(), Isa::active(), &Pool::new(2))
                .unwrap();
        assert!(same_groups(found.labels(), &labels));
        // With the given labels, numbers and order are those of the reference.
        let mut given = Clusters::from_labels(&case.last_keys, DIM, labels);
        given.add_coarse(parents);
        let levels = [(given.fine(), "last_centroids"), (given.coarse().unwrap(), "last_coarse_centroids")];
        for (level, key) in levels {
            let expected = case.case[key].as_array().unwrap();
            assert_eq!(level.counts.len(), expected.len());
            for (x, y) in level.centroids.iter().zip(expected.iter().flat_map(floats)) {
                assert!((x - y).abs() < 1e-5, "{key}: {x} for {y}");
            }
        }
    }
}
