//! SpecKV, SpecPC and both in one: what a draft says is kept, and nothing of the draft itself.

use crate::common::{Numbers, Stream, build, context, fixture, largest_difference, number};
use loci_context::MethodSpec;
use loci_context::shorten::Shortening;
use loci_models::memory::{AttentionShape, ContextMemory};
use serde_json::Value;

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };

/// Reads a prompt of `prompt` tokens, a draft behind it, decides, and reads on from the prompt's last token to the end of
/// the stream; outputs from that token on.
fn answer(
    memory: &mut dyn ContextMemory,
    stream: &Stream,
    prompt: usize,
    draft: Option<&Stream>,
) -> Vec<Vec<f32>> {
    let mut nowhere = vec![Vec::new(); stream.shape.layers];
    let end = prompt - 1;
    let from = memory.len();
    stream.feed(memory, from, end, &mut nowhere).unwrap();
    if memory.wants_prompt_end() {
        stream.feed(memory, end, prompt, &mut nowhere).unwrap();
        if let Some(draft) = draft {
            draft.feed_chunk(memory, 0, draft.n, &mut nowhere).unwrap();
        }
        memory.end_prompt(end).unwrap();
        assert_eq!(memory.truncate(end).unwrap(), end, "the draft goes, and nothing is read again");
    }
    stream.run(memory, &(prompt..=stream.n).collect::<Vec<_>>())
}

/// The positions that each head reads for the prompt's last token, `[layers][heads]`: rows have values of their own.
fn read_rows(spec: &str, stream: &Stream, prompt: usize, draft: Option<&Stream>) -> Vec<Vec<Vec<usize>>> {
    let AttentionShape { layers, heads, kv_heads, head_dim } = stream.shape;
    let mut found = vec![vec![Vec::new(); heads]; layers];
    for from in (0..prompt).step_by(head_dim) {
        let mut one_hot = stream.clone();
        for (row, values) in (0..).zip(one_hot.v[0].clone().chunks(kv_heads * head_dim)) {
            let values: Vec<f32> = (0..values.len())
                .map(|at| f32::from(u8::from(row >= from && at % head_dim == row - from)))
                .collect();
            for layer in &mut one_hot.v {
                layer[row * values.len()..(row + 1) * values.len()].copy_from_slice(&values);
            }
        }
        let out = answer(&mut *build(spec, context(stream.shape, 2)), &one_hot, prompt, draft);
        for (found, out) in found.iter_mut().zip(&out) {
            for (found, weights) in found.iter_mut().zip(out.chunks(head_dim)) {
                let rows = (from..prompt.min(from + head_dim)).filter(|row| weights[row - from] > 0.0);
                found.extend(rows);
            }
        }
    }
    found
}

fn positions(runs: &Value) -> Vec<usize> {
    let end = |run: &Value, at: usize| run[at].as_u64().unwrap() as usize;
    runs.as_array().unwrap().iter().flat_map(|run| end(run, 0)..end(run, 1)).collect()
}

fn shape_of(case: &Value, layers: usize) -> AttentionShape {
    AttentionShape {
        layers,
        heads: number(case, "heads"),
        kv_heads: number(case, "kv_heads"),
        head_dim: number(case, "head_dim"),
    }
}

fn stream_of(case: &Value, shape: AttentionShape, n: usize, offset: u64) -> Stream {
    let scale = case["query_scale"].as_f64().unwrap() as f32;
    Stream::new(shape, n, case["seed"].as_u64().unwrap() + offset, scale)
}

#[test]
fn spec_kv_equals_its_reference() {
    let fixture = fixture("draft_based.json");
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 5);
    for case in cases {
        let layers = case["layers"].as_array().unwrap();
        let shape = shape_of(case, layers.len());
        let (name, prompt, ahead) = (&case["name"], number(case, "prompt"), number(case, "lookahead"));
        let stream = stream_of(case, shape, number(case, "tokens"), 0);
        let draft = (ahead > 0).then(|| stream_of(case, shape, ahead, 1));
        let kept = format!("budget={},window={},kernel={}", case["budget"], case["window"], case["kernel"]);
        for (spec, draft, rows) in [
            (format!("spec-kv:{kept},lookahead={ahead}"), draft.as_ref(), "kept"),
            (format!("snap-kv:{kept}"), None, "snapped"),
        ] {
            for (layer, heads) in read_rows(&spec, &stream, prompt, draft).iter().enumerate() {
                for (head, found) in heads.iter().enumerate() {
                    let mut expected = positions(&layers[layer][rows][head / shape.group()]);
                    expected.push(prompt - 1);
                    assert_eq!(*found, expected, "{name}, {spec}, layer {layer}, head {head}");
                }
            }
        }
        let spec = format!("spec-kv:{kept},lookahead={ahead}");
        let out = answer(&mut *build(&spec, context(shape, 2)), &stream, prompt, draft.as_ref());
        compare_outputs(name, layers, &out);
    }
}

#[test]
fn think_equals_its_reference() {
    for case in fixture("think.json")["cases"].as_array().unwrap() {
        let layers = case["layers"].as_array().unwrap();
        let shape = shape_of(case, layers.len());
        let stream = stream_of(case, shape, number(case, "tokens"), 0);
        let spec = format!("think:ratio={},recent={}", case["ratio"], case["recent"]);
        let out = answer(&mut *build(&spec, context(shape, 2)), &stream, number(case, "prompt"), None);
        compare_outputs(&case["name"], layers, &out);
    }
}

fn compare_outputs(name: &Value, layers: &[Value], out: &[Vec<f32>]) {
    for (layer, found) in out.iter().enumerate() {
        let rows =
            layers[layer]["outputs"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
        assert_eq!(found.len(), rows.clone().count());
        for (found, expected) in found.iter().zip(rows) {
            let expected = expected.as_f64().unwrap();
            assert!(
                (f64::from(*found) - expected).abs() < 1e-4,
                "{name}, layer {layer}: {found} for {expected}"
            );
        }
    }
}

/// The stream of some of its tokens.
fn only(stream: &Stream, tokens: &[usize]) -> Stream {
    let pick = |layers: &[Vec<f32>]| -> Vec<Vec<f32>> {
        let width = layers[0].len() / stream.n;
        let row = |layer: &Vec<f32>| {
            tokens.iter().flat_map(|token| layer[token * width..(token + 1) * width].to_vec()).collect()
        };
        layers.iter().map(row).collect()
    };
    Stream { n: tokens.len(), q: pick(&stream.q), k: pick(&stream.k), v: pick(&stream.v), ..stream.clone() }
}

#[test]
fn the_cascade_equals_its_reference() {
    for case in fixture("draft_based.json")["cascades"].as_array().unwrap() {
        let layers = case["layers"].as_array().unwrap();
        let shape = shape_of(case, layers.len());
        let (name, prompt, ahead) = (&case["name"], number(case, "prompt"), number(case, "lookahead"));
        let stream = stream_of(case, shape, number(case, "tokens"), 0);
        let draft = stream_of(case, shape, ahead, 1);
        let spec = format!(
            "spec-kv-pc:budget={},window={},kernel={},lookahead={ahead},prompt={},prompt_window={},pool={},neighbours={},from_layer=0",
            case["budget"],
            case["window"],
            case["kernel"],
            case["prompt_budget"],
            case["prompt_window"],
            case["prompt_pool"],
            case["prompt_neighbours"],
        );
        let method = MethodSpec::parse(&spec).unwrap();
        // First the draft, which reads all that it writes but the last token.
        let mut memory = method.look_through().unwrap().unwrap().build(context(shape, 2)).unwrap();
        assert_eq!(memory.look_ahead(), ahead - 1);
        let mut nowhere = vec![Vec::new(); shape.layers];
        stream.feed(&mut *memory, 0, prompt, &mut nowhere).unwrap();
        if ahead > 1 {
            draft.feed_chunk(&mut *memory, 0, ahead - 1, &mut nowhere).unwrap();
        }
        memory.end_prompt(prompt - 1).unwrap();
        let shortening = method.shortening().unwrap();
        let read = shortening.choose(memory.importance(), &vec![false; prompt]).unwrap();
        assert_eq!(read, positions(&case["read"]), "{name}");
        // Then the model, with the whole draft behind what is left.
        let rest: Vec<usize> = read.iter().copied().chain(prompt..stream.n).collect();
        let rest = only(&stream, &rest);
        let spec = method.reading().to_string();
        assert!(spec.starts_with("spec-kv-pc:"), "{spec}");
        for (layer, heads) in read_rows(&spec, &rest, read.len(), Some(&draft)).iter().enumerate() {
            for (head, found) in heads.iter().enumerate() {
                let mut expected = positions(&layers[layer]["kept"][head / shape.group()]);
                expected.push(read.len() - 1);
                assert_eq!(*found, expected, "{name}, layer {layer}, head {head}");
            }
        }
        let out = answer(&mut *build(&spec, context(shape, 2)), &rest, read.len(), Some(&draft));
        compare_outputs(name, layers, &out);
    }
}

#[test]
fn what_a_method_leaves_to_do_keeps_its_number_format() {
    for (spec, reading) in [("spec-pc+i4", "full+i4"), ("spec-pc", "full"), ("spec-kv+i4", "spec-kv:")] {
        let found = MethodSpec::parse(spec).unwrap().reading().to_string();
        assert!(found.starts_with(reading), "{spec}: {found}");
    }
    let both = MethodSpec::parse("spec-kv-pc+i4").unwrap();
    let through = both.look_through().unwrap().unwrap().to_string();
    assert!(through.starts_with("spec-pc:budget=2048,window=64,lookahead=64") && through.ends_with("+i4"));
    assert!(MethodSpec::parse("spec-kv").unwrap().look_through().unwrap().is_none());
}

#[test]
fn spec_pc_equals_its_reference() {
    for case in fixture("draft_based.json")["shortened"].as_array().unwrap() {
        let n = number(case, "tokens");
        let shape = shape_of(case, number(case, "layers"));
        let stream = stream_of(case, shape, n, 0);
        let spec = format!(
            "spec-pc:budget={},window={},lookahead={},pool={},neighbours={},from_layer={}",
            number(case, "budget").max(number(case, "window")),
            case["window"],
            case["lookahead"],
            case["pool"],
            case["neighbours"],
            case["from_layer"]
        );
        let mut memory = build(&spec, context(shape, 2));
        assert!(memory.importance().is_empty());
        let ahead = number(case, "lookahead");
        let draft = (ahead > 1).then(|| Stream { n: ahead - 1, ..stream_of(case, shape, ahead, 1) });
        answer(&mut *memory, &stream, n, draft.as_ref());
        let expected: Vec<f32> = case["importance"]
            .as_array()
            .unwrap()
            .iter()
            .map(|score| score.as_f64().unwrap() as f32)
            .collect();
        let found = memory.importance();
        assert!(
            largest_difference(&[found.to_vec()], &[expected]) < 1e-5,
            "{}: importance differs",
            case["name"]
        );
        let mut fixed = vec![false; n];
        for token in case["fixed"].as_array().unwrap() {
            fixed[token.as_u64().unwrap() as usize] = true;
        }
        let shortening = MethodSpec::parse(&spec).unwrap().shortening().unwrap();
        assert_eq!(shortening.choose(found, &fixed).unwrap(), positions(&case["kept"]), "{}", case["name"]);
    }
}

#[test]
fn without_a_draft_it_is_snap_kv() {
    let stream = Stream::new(SHAPE, 220, 3, 3.0);
    let snapped = answer(&mut *build("snap-kv:budget=40,window=8", context(SHAPE, 2)), &stream, 200, None);
    for ahead in ["lookahead=0", "lookahead=64"] {
        let spec = format!("spec-kv:budget=40,window=8,{ahead}");
        assert_eq!(answer(&mut *build(&spec, context(SHAPE, 2)), &stream, 200, None), snapped, "{spec}");
    }
    let draft = Stream::new(SHAPE, 12, 4, 3.0);
    let drafted =
        answer(&mut *build("spec-kv:budget=40,window=8", context(SHAPE, 2)), &stream, 200, Some(&draft));
    assert!(largest_difference(&snapped, &drafted) > 1e-3, "a draft changes what is kept");
}

#[test]
fn with_room_for_all_rows_the_draft_leaves_no_trace() {
    let stream = Stream::new(SHAPE, 220, 5, 3.0);
    let draft = Stream::new(SHAPE, 90, 6, 3.0);
    let full = answer(&mut *build("full", context(SHAPE, 2)), &stream, 200, None);
    for budget in [199, 200, 4000] {
        let mut memory = build(&format!("spec-kv:budget={budget},lookahead=90"), context(SHAPE, 2));
        let out = answer(&mut *memory, &stream, 200, Some(&draft));
        assert!(largest_difference(&full, &out) < 1e-4, "budget {budget}");
        let report = memory.report();
        assert_eq!((report.read, report.kept, report.dropped), (220, 220, 0), "budget {budget}");
    }
}

#[test]
fn each_head_keeps_the_budget_and_the_window() {
    let (prompt, window) = (150, 10);
    let stream = Stream::new(SHAPE, prompt, 7, 3.0);
    // Longer than the slack that queries are held for.
    let draft = Stream::new(SHAPE, 100, 8, 3.0);
    let spec = format!("spec-kv:budget=30,window={window},lookahead=100");
    for rows in read_rows(&spec, &stream, prompt, Some(&draft)).iter().flatten() {
        // The prompt's last token reads itself beside them.
        assert_eq!(rows.len(), 31);
        assert_eq!(rows[rows.len() - 1 - window..], *(prompt - 1 - window..prompt).collect::<Vec<_>>());
    }
}

#[test]
fn a_second_prompt_of_the_same_sequence_is_decided_about_too() {
    let stream = Stream::new(SHAPE, 330, 9, 3.0);
    let draft = Stream::new(SHAPE, 20, 10, 3.0);
    let first = Stream { n: 220, ..stream.clone() };
    for (spec, draft) in
        [("spec-kv:budget=40,window=8,lookahead=20", Some(&draft)), ("snap-kv:budget=40,window=8", None)]
    {
        let mut memory = build(spec, context(SHAPE, 2));
        answer(&mut *memory, &first, 200, draft);
        answer(&mut *memory, &stream, 300, draft);
        let report = memory.report();
        assert_eq!(report.read, 330, "{spec}");
        assert_eq!(report.kept + report.compressed + report.dropped, 330, "{spec}");
        // All heads together hold at most 4 x 40 of the 299 rows that were decided about.
        assert!(report.dropped >= 299 - 160, "{spec}: {report:?}");
    }
}

#[test]
fn the_order_of_heads_does_not_change_importance() {
    let shape = AttentionShape { layers: 2, heads: 6, kv_heads: 3, head_dim: 16 };
    let stream = Stream::new(shape, 120, 11, 3.0);
    let order = [4, 5, 1, 0, 2, 3];
    let reorder = |rows: &[f32], order: &[usize]| -> Vec<f32> {
        let row = |row: &[f32]| -> Vec<f32> {
            order.iter().flat_map(|head| row[head * 16..(head + 1) * 16].to_vec()).collect()
        };
        rows.chunks(order.len() * 16).flat_map(row).collect()
    };
    let mut other = stream.clone();
    for layer in 0..2 {
        other.q[layer] = reorder(&stream.q[layer], &order);
        other.k[layer] = reorder(&stream.k[layer], &[2, 0, 1]);
    }
    let importance = |stream: &Stream| {
        let mut memory = build("spec-pc:budget=64,from_layer=0", context(shape, 2));
        answer(&mut *memory, stream, 120, None);
        memory.importance().to_vec()
    };
    assert!(largest_difference(&[importance(&stream)], &[importance(&other)]) < 1e-6);
}

/// Random importance, and what is chosen by it.
fn chosen(numbers: &mut Numbers, n: usize, shortening: &Shortening) -> (Vec<f32>, Vec<usize>) {
    let importance: Vec<f32> = (0..n).map(|_| numbers.value().abs()).collect();
    let chosen = shortening.choose(&importance, &vec![false; n]).unwrap();
    (importance, chosen)
}

#[test]
fn a_shortened_prompt_is_a_subsequence_of_the_right_length_with_its_end() {
    let mut numbers = Numbers::new(12);
    for _ in 0..200 {
        let n = 1 + numbers.below(200);
        let budget = 1 + numbers.below(150);
        let (window, pool, neighbours) =
            (1 + numbers.below(budget), 1 + numbers.below(40), 1 + numbers.below(40));
        let shortening = Shortening { budget, window, pool, neighbours, parameter: "budget" };
        let (_, chosen) = chosen(&mut numbers, n, &shortening);
        assert_eq!(chosen.len(), budget.min(n), "{shortening:?} of {n}");
        assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen.iter().all(|token| *token < n));
        let end: Vec<usize> = (n.saturating_sub(window)..n).collect();
        assert_eq!(chosen[chosen.len() - end.len()..], end);
    }
}

#[test]
fn single_tokens_without_pooling_are_the_window_and_the_best_of_the_rest() {
    let mut numbers = Numbers::new(13);
    for _ in 0..50 {
        let shortening = Shortening { budget: 30, window: 8, pool: 1, neighbours: 1, parameter: "budget" };
        let (importance, found) = chosen(&mut numbers, 100, &shortening);
        let mut rest: Vec<usize> = (0..92).collect();
        rest.sort_by(|a, b| importance[*b].total_cmp(&importance[*a]).then(a.cmp(b)));
        let mut expected: Vec<usize> = rest[..22].iter().copied().chain(92..100).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn parameters_that_cannot_work_are_refused_with_a_way_out() {
    for (spec, hint) in [
        ("spec-kv:budget=20,window=30", "budget=30"),
        ("spec-kv:kernel=4", "kernel=5"),
        ("spec-pc:budget=20,window=30,from_layer=0", "budget=30"),
        ("spec-pc", "from_layer=1"),
        ("spec-kv-pc:budget=20,window=30", "budget=30"),
        ("spec-kv-pc:kernel=4", "kernel=5"),
        ("spec-kv-pc:prompt=20,prompt_window=30", "prompt=30"),
    ] {
        let outcome = MethodSpec::parse(spec).unwrap().build(context(SHAPE, 1));
        let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(hint), "{spec}: {message}");
    }
}
