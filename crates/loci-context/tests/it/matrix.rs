//! The automatic matrix: what every registered context method must satisfy. A new method is tested by existing.

use crate::common::specs::{all_small, all_unbounded};
use crate::common::{Numbers, Stream, build, chunk_ends, context, largest_difference, prompt_then_singles};
use loci_context::registry::METHODS;
use loci_context::{BuildError, MethodSpec};
use loci_kernels::Isa;
use loci_kernels::tiles::RowType;
use loci_models::memory::{AttentionShape, ContextMemory, MemoryError};
use loci_models::method::{Domain, Value};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 4, kv_heads: 2, head_dim: 16 };
const N: usize = 421;
/// Long enough that most pages are cold under the smallest budget.
const LONG: usize = 1500;

fn stream(seed: u64) -> Stream {
    Stream::new(SHAPE, N, seed, 3.0)
}

fn multiple(spec: &str) -> usize {
    build(spec, context(SHAPE, 1)).chunk_multiple()
}

/// Random chunk ends at multiples of what the method asks for, the last tokens alone.
fn random_cuts(spec: &str, numbers: &mut Numbers, prompt: usize) -> Vec<usize> {
    let multiple = multiple(spec);
    let mut cuts = Vec::new();
    let mut at = 0;
    while at < prompt - 1 {
        at += multiple * (1 + numbers.below(128_usize.div_ceil(multiple)));
        cuts.push(at.min(prompt - 1));
    }
    cuts.extend(prompt..=N);
    cuts
}

#[test]
fn a_window_over_everything_equals_full_attention() {
    let stream = stream(1);
    let cuts = prompt_then_singles(400, N);
    let full = stream.run(&mut *build("full", context(SHAPE, 2)), &cuts);
    for spec in all_unbounded() {
        let out = stream.run(&mut *build(&spec, context(SHAPE, 2)), &cuts);
        assert!(largest_difference(&full, &out) < 1e-4, "{spec}");
    }
}

#[test]
fn chunks_do_not_matter() {
    let stream = stream(2);
    let mut numbers = Numbers::new(3);
    for spec in all_small() {
        let whole = stream.run(&mut *build(&spec, context(SHAPE, 2)), &prompt_then_singles(410, N));
        for _ in 0..4 {
            let cuts = random_cuts(&spec, &mut numbers, 410);
            let out = stream.run(&mut *build(&spec, context(SHAPE, 2)), &cuts);
            assert!(largest_difference(&whole, &out) < 1e-4, "{spec} in chunks {cuts:?}");
        }
    }
}

#[test]
fn a_last_group_of_one_token_is_no_token_that_comes_alone() {
    // Methods without groups of their own read prompts in groups of 256; those that treat a token that comes alone in
    // another way must not take the last one of this chunk for one.
    let stream = stream(16);
    for spec in all_small().into_iter().filter(|spec| multiple(spec) == 1) {
        let short = stream.run(&mut *build(&spec, context(SHAPE, 2)), &[257]);
        let long = stream.run(&mut *build(&spec, context(SHAPE, 2)), &[259]);
        assert!(stream.difference(&short, &long, 0..257) < 1e-4, "{spec}");
    }
}

#[test]
fn odd_lengths_and_empty_chunks_work() {
    for spec in all_small() {
        for n in [1, 2, 15, 16, 17, 49, 50, 51, 63, 64, 65, 129] {
            let stream = Stream::new(SHAPE, n, n as u64, 3.0);
            let mut memory = build(&spec, context(SHAPE, 2));
            assert!(memory.is_empty());
            let mut none = vec![Vec::new(); SHAPE.layers];
            stream.feed(&mut *memory, 0, 0, &mut none).unwrap();
            let out = stream.run(&mut *memory, &[n]);
            assert!(out.iter().flatten().all(|x| x.is_finite()), "{spec} with {n} tokens");
            assert_eq!(memory.len(), n);
        }
    }
}

#[test]
fn weights_of_a_query_sum_to_one() {
    // With all values 1, attention gives 1, unless a key is left out of the sum or counted twice in it.
    let mut stream = stream(4);
    stream.v.iter_mut().flatten().for_each(|x| *x = 1.0);
    for spec in all_small() {
        let out = stream.run(&mut *build(&spec, context(SHAPE, 2)), &prompt_then_singles(400, N));
        for x in out.iter().flatten() {
            assert!((x - 1.0).abs() < 1e-5, "{spec}: {x}");
        }
    }
}

#[test]
fn threads_do_not_matter_bit_by_bit() {
    let stream = stream(5);
    let cuts = prompt_then_singles(400, N);
    for spec in all_small() {
        for row_type in RowType::ALL {
            let run = |threads| {
                let mut context = context(SHAPE, threads);
                context.row_type = row_type;
                stream.run(&mut *build(&spec, context), &cuts)
            };
            let one = run(1);
            assert_eq!(one, run(3), "{spec} with rows {}", row_type.name());
            assert_eq!(one, run(1), "{spec} run twice");
        }
    }
}

#[test]
fn instruction_sets_agree() {
    let stream = stream(6);
    let cuts = prompt_then_singles(400, N);
    for spec in all_small() {
        let run = |isa| {
            let mut context = context(SHAPE, 2);
            context.isa = isa;
            stream.run(&mut *build(&spec, context), &cuts)
        };
        let portable = run(Isa::Portable);
        for isa in Isa::available() {
            assert!(largest_difference(&portable, &run(isa)) < 1e-4, "{spec} on {}", isa.name());
        }
    }
}

#[test]
fn rows_of_fewer_bits_stay_close() {
    let stream = stream(7);
    let cuts = prompt_then_singles(400, N);
    let run = |row_type| {
        let mut context = context(SHAPE, 2);
        context.row_type = row_type;
        stream.run(&mut *build("full", context), &cuts)
    };
    let exact = run(RowType::F32);
    assert!(largest_difference(&exact, &run(RowType::F16)) < 5e-3);
    assert!(largest_difference(&exact, &run(RowType::I8)) < 6e-2);
    let four = largest_difference(&exact, &run(RowType::I4));
    assert!(four < 0.7, "{four}");
}

#[test]
fn a_fork_and_its_origin_go_their_own_ways() {
    let stream = stream(8);
    let other = Stream::new(SHAPE, N, 99, 3.0);
    for spec in all_small() {
        let whole = stream.run(&mut *build(&spec, context(SHAPE, 2)), &[304, 305, N]);
        let mut memory = build(&spec, context(SHAPE, 2));
        stream.run(&mut *memory, &[304]);
        let mut fork = memory.fork().unwrap();
        other.run(&mut *memory, &[305, N]);
        let rest = stream.run(&mut *fork, &[305, N]);
        let width = SHAPE.heads * SHAPE.head_dim;
        let expected: Vec<Vec<f32>> = whole.iter().map(|layer| layer[304 * width..].to_vec()).collect();
        assert_eq!(expected, rest, "{spec}");
    }
}

#[test]
fn truncating_equals_never_having_read_further() {
    let stream = stream(9);
    let width = SHAPE.heads * SHAPE.head_dim;
    // Without lists that serve for several tokens, a search still depends on the whole group of queries.
    let searched_anew =
        "hip-attention:sinks=6,window=50,rows=24,queries=16,dense_layers=1,refresh=1".to_owned();
    for spec in all_small().into_iter().chain([searched_anew]) {
        let whole = stream.run(&mut *build(&spec, context(SHAPE, 2)), &[304, 320, N]);
        // Not 319: the last token would come alone, and some methods recall more for such a token.
        for to in [0, 1, 304, 310, 318, 320, 400] {
            let mut memory = build(&spec, context(SHAPE, 2));
            stream.run(&mut *memory, &[304, 320]);
            let restored = memory.truncate(to).unwrap();
            assert!(restored <= to.min(320), "{spec}");
            assert_eq!(memory.len(), restored);
            let cuts: Vec<usize> = [304, 320, N].into_iter().filter(|cut| *cut > restored).collect();
            let rest = stream.run(&mut *memory, &cuts);
            let expected: Vec<Vec<f32>> =
                whole.iter().map(|layer| layer[restored * width..].to_vec()).collect();
            assert!(largest_difference(&expected, &rest) < 1e-4, "{spec} back to {to}, restored {restored}");
        }
    }
}

#[test]
fn full_attention_truncates_without_reading_again() {
    let stream = stream(10);
    let mut memory = build("full", context(SHAPE, 2));
    stream.run(&mut *memory, &[300]);
    assert_eq!(memory.truncate(123).unwrap(), 123);
}

#[test]
fn saved_and_restored_equals_never_saved() {
    let stream = stream(11);
    for spec in all_small() {
        for row_type in [RowType::F32, RowType::I8, RowType::I4] {
            let context = || {
                let mut context = context(SHAPE, 2);
                context.row_type = row_type;
                context
            };
            let mut memory = build(&spec, context());
            stream.run(&mut *memory, &[304]);
            let mut bytes = Vec::new();
            memory.save(&mut bytes).unwrap();
            let mut restored = build(&spec, context());
            restored.load(bytes.clone().into()).unwrap();
            assert_eq!(restored.len(), 304);
            assert_eq!(stream.run(&mut *memory, &[305, N]), stream.run(&mut *restored, &[305, N]), "{spec}");
            for length in [0, 5, 40, bytes.len() / 2, bytes.len() - 1] {
                let mut damaged = build(&spec, context());
                let outcome = damaged.load(bytes[..length].to_vec().into());
                assert!(matches!(outcome, Err(MemoryError::Saved(_))), "{spec} cut to {length} bytes");
            }
        }
    }
    let mut bytes = Vec::new();
    build("full", context(SHAPE, 1)).save(&mut bytes).unwrap();
    let outcome = build("window", context(SHAPE, 1)).load(bytes.into());
    assert!(matches!(outcome, Err(MemoryError::Saved(text)) if text.contains("full")));
}

#[test]
fn the_report_adds_up() {
    let stream = stream(12);
    for spec in all_small() {
        let mut memory = build(&spec, context(SHAPE, 2));
        stream.run(&mut *memory, &[400]);
        memory.record_evidence(true);
        // Of so many queries the shares are those of all.
        stream.run(&mut *memory, &(401..=416).collect::<Vec<_>>());
        let mass = |memory: &dyn ContextMemory| memory.evidence().iter().map(|found| found.mass).sum::<f32>();
        let sum = mass(&*memory);
        assert!((sum - 1.0).abs() < 1e-3, "{spec}: the evidence sums to {sum}");
        stream.run(&mut *memory, &(417..=N).collect::<Vec<_>>());
        let report = memory.report();
        assert_eq!(report.read, N, "{spec}");
        assert_eq!(report.kept + report.compressed + report.dropped, report.read, "{spec}");
        assert!(report.recalled <= report.read);
        // Rows are held of no more tokens than are left, and cells of tokens add up.
        let held = memory.held(0..N);
        assert!(held * N as f32 <= (N - report.dropped) as f32 + 0.1, "{spec}: {held}");
        assert!(held > 0.0 && (report.dropped > 0 || !spec.starts_with("full") || held == 1.0), "{spec}");
        let cells = (0..N).step_by(50).map(|at| at..(at + 50).min(N));
        let sum: f32 = cells.map(|cell| cell.len() as f32 * memory.held(cell)).sum();
        assert!((sum / N as f32 - held).abs() < 1e-4, "{spec}: {sum} {held}");
        // Of more queries they are the largest that some in a row gave.
        assert!(mass(&*memory) > 1.0 - 1e-3, "{spec}: mass was lost");
        assert!(memory.evidence().iter().all(|found| found.mass < 1.0 + 1e-3), "{spec}: more than all");
        let mut ranges: Vec<_> = memory.evidence().into_iter().map(|evidence| evidence.tokens).collect();
        ranges.sort_by_key(|range| range.start);
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "evidence overlaps");
    }
}

#[test]
fn a_budget_holds_and_changes_nothing() {
    let stream = Stream::new(SHAPE, LONG, 13, 3.0);
    let cuts = prompt_then_singles(LONG - 20, LONG);
    for spec in all_small() {
        let mut free = build(&spec, context(SHAPE, 2));
        let expected = stream.run(&mut *free, &cuts);
        let least = match MethodSpec::parse(&spec).unwrap().build(with_budget(1, LONG)) {
            Err(BuildError::Memory(MemoryError::Budget { needed, limit: 1, .. })) => needed,
            other => panic!("{spec}: a budget of one byte was not refused: {:?}", other.err()),
        };
        let mut memory = MethodSpec::parse(&spec).unwrap().build(with_budget(least, LONG)).unwrap();
        let mut out = vec![Vec::new(); SHAPE.layers];
        let mut from = 0;
        for to in &cuts {
            for to in chunk_ends(&*memory, from, *to) {
                stream.feed(&mut *memory, from, to, &mut out).unwrap();
                assert!(
                    memory.bytes() <= least,
                    "{spec}: {} bytes after {to} tokens, budget {least}",
                    memory.bytes()
                );
                from = to;
            }
        }
        assert_eq!(expected, out, "{spec}: cold pages changed the result");
        if spec.starts_with("inf-llm:") {
            assert!(memory.bytes() < free.bytes(), "no page is cold: this budget tests nothing");
        }
    }
}

fn with_budget(budget: usize, planned_tokens: usize) -> loci_context::BuildContext {
    let mut context = context(SHAPE, 2);
    context.budget = Some(budget);
    context.planned_tokens = planned_tokens;
    context
}

#[test]
fn more_tokens_than_planned_are_refused_before_they_are_computed() {
    let stream = stream(14);
    let Err(BuildError::Memory(MemoryError::Budget { needed, .. })) =
        MethodSpec::parse("full").unwrap().build(with_budget(1, 200))
    else {
        panic!("a budget of one byte was not refused")
    };
    let mut memory = MethodSpec::parse("full").unwrap().build(with_budget(needed, 0)).unwrap();
    stream.run(&mut *memory, &[150]);
    assert!(matches!(memory.begin_chunk(N - 150), Err(MemoryError::Budget { .. })));
    assert_eq!(memory.len(), 150);
}

#[test]
fn a_cold_folder_that_cannot_be_written_is_a_clear_error() {
    let stream = Stream::new(SHAPE, LONG, 15, 3.0);
    let spec = MethodSpec::parse("inf-llm:window=50,sinks=5,block_size=12,top_k=3,queries=16").unwrap();
    let Err(BuildError::Memory(MemoryError::Budget { needed, .. })) = spec.build(with_budget(1, LONG)) else {
        panic!("a budget of one byte was not refused")
    };
    let mut context = with_budget(needed, LONG);
    context.cold_folder = Some("/no/such/folder".into());
    let mut memory = spec.build(context).unwrap();
    let mut out = vec![Vec::new(); SHAPE.layers];
    let outcome = stream.feed(&mut *memory, 0, LONG, &mut out);
    assert!(matches!(outcome, Err(MemoryError::Cold { .. })));
}

#[test]
fn declarations_are_complete_and_their_defaults_allowed() {
    let mut ids = std::collections::BTreeSet::new();
    for info in METHODS {
        assert!(ids.insert(info.id), "{} is declared twice", info.id);
        assert!(
            !info.title.is_empty()
                && !info.cost.is_empty()
                && !info.description.is_empty()
                && !info.invariants.is_empty(),
            "{}",
            info.id
        );
        for parameter in info.parameters {
            assert!(!parameter.meaning.is_empty());
            let allowed = match (parameter.default, parameter.domain) {
                (Value::Integer(value), Domain::Integers(low, high)) => (low..=high).contains(&value),
                (Value::Number(value), Domain::Numbers(low, high)) => (low..=high).contains(&value),
                (Value::Flag(_), Domain::Flag) => true,
                (Value::Word(word), Domain::Words(words)) => words.contains(&word),
                _ => false,
            };
            assert!(allowed, "{}: the default of {} is not in its domain", info.id, parameter.name);
        }
        let spec = MethodSpec::parse(info.id).unwrap();
        let again = MethodSpec::parse(&spec.to_string()).unwrap();
        assert_eq!(spec.to_string(), again.to_string());
    }
}

#[test]
fn parameters_that_cannot_work_are_refused_with_a_way_out() {
    for (spec, hint) in [
        ("inf-llm:window=100,queries=101", "queries=100"),
        ("inf-llm:window=10,queries=5,block_size=11", "block_size=10"),
        ("lm-infinite:window=100,limit=50", "limit=100"),
        ("em-llm:window=100,queries=101", "queries=100"),
        ("em-llm:window=100,queries=50,max_block_size=101", "max_block_size=100"),
        ("em-llm:min_block_size=20,max_block_size=10", "min_block_size=10"),
        ("em-llm:refine=modularity,refine_from_layer=2", "refine_from_layer=1"),
    ] {
        let outcome = MethodSpec::parse(spec).unwrap().build(context(SHAPE, 1));
        let message = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(message.contains(hint), "{spec}: {message}");
    }
    assert!(MethodSpec::parse("inf-lm").is_err());
    assert!(MethodSpec::parse("inf-llm:windw=3").is_err());
    assert!(MethodSpec::parse("inf-llm:window=-3").is_err());
    assert!(MethodSpec::parse("inf-llm:window").is_err());
}

#[test]
fn a_window_frees_what_it_drops_while_reading() {
    let stream = Stream::new(SHAPE, LONG, 2, 3.0);
    let mut memory = build("window:window=128", {
        let mut context = context(SHAPE, 1);
        context.row_type = RowType::I8;
        context
    });
    let mut largest = 0;
    let mut outputs = vec![Vec::new(); SHAPE.layers];
    for from in (0..LONG).step_by(100) {
        stream.feed(&mut *memory, from, from + 100, &mut outputs).unwrap();
        largest = largest.max(memory.bytes());
    }
    let row = 2 * RowType::I8.key_bytes(SHAPE.head_dim) * SHAPE.kv_heads * SHAPE.layers;
    assert!(largest <= (128 + 100 + 3 * 64) * row, "{largest} bytes for a window of 128 rows of {row}");
}
