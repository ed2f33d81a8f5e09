//! `attend` against a naive softmax in f64 over the rows as they are stored.

use loci_kernels::Isa;
use loci_kernels::attend::{Mass, Part, Scratch, TilePair, attend, merge};
use loci_kernels::tiles::{KeyTiles, RowType, TILE, ValueTiles};
use proptest::prelude::*;

const TYPES: [RowType; 4] = RowType::ALL;

/// Numbers from about -1 to 1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 8_388_608.0 - 1.0
    }

    fn below(&mut self, limit: usize) -> usize {
        ((f64::from(self.next()) + 1.0) / 2.0 * limit as f64) as usize
    }

    fn row(&mut self, length: usize, size: f32) -> Vec<f32> {
        (0..length).map(|_| self.next() * size).collect()
    }
}

/// One part that owns its rows; several stores, as when tiles come from pages.
struct Owned {
    pages: Vec<(KeyTiles, ValueTiles)>,
    queries: Vec<f32>,
    present: Vec<u16>,
    bounds: Option<Vec<(u32, u32)>>,
}

impl Owned {
    fn tiles(&self) -> Vec<TilePair<'_>> {
        let pairs = self.pages.iter().flat_map(|(keys, values)| {
            (0..keys.tiles()).map(move |index| (keys.tile(index), values.tile(index)))
        });
        pairs
            .zip(&self.present)
            .map(|((keys, values), &present)| TilePair { keys, values, present })
            .collect()
    }

    /// Rows of the part as f64 with their index `16 * tile + row`, present ones only.
    fn rows(&self, head_dim: usize) -> Vec<(usize, Vec<f64>, Vec<f64>)> {
        let (mut rows, mut tile) = (Vec::new(), 0);
        for (keys, values) in &self.pages {
            for row in 0..keys.rows() {
                let at = tile + row / TILE;
                if self.present[at] >> (row % TILE) & 1 == 1 {
                    let (mut key, mut value) = (vec![0.0; head_dim], vec![0.0; head_dim]);
                    keys.read(row, &mut key);
                    values.read(row, &mut value);
                    let wide = |row: Vec<f32>| row.into_iter().map(f64::from).collect();
                    rows.push((TILE * at + row % TILE, wide(key), wide(value)));
                }
            }
            tile += keys.tiles();
        }
        rows
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    head_dim: usize,
    keys: RowType,
    values: RowType,
    seed: u64,
}

/// Parts with ragged pages, holes and every kind of bounds. `size` is that of queries and keys.
fn random_parts(shape: Shape, parts: usize, size: f32) -> Vec<Owned> {
    let Shape { rows, head_dim, .. } = shape;
    let mut random = Random(shape.seed);
    (0..parts)
        .map(|_| {
            let mut pages = Vec::new();
            for _ in 0..random.below(4) {
                let count = random.below(120);
                let mut page =
                    (KeyTiles::new(shape.keys, head_dim, 7), ValueTiles::new(shape.values, head_dim, 500));
                for _ in 0..count {
                    page.0.push(&random.row(head_dim, size));
                    page.1.push(&random.row(head_dim, 1.0));
                }
                pages.push(page);
            }
            let tiles: usize = pages.iter().map(|(keys, _)| keys.tiles()).sum();
            let holes = random.below(3);
            let present = (0..tiles)
                .map(|_| match (holes, random.below(4)) {
                    (0, _) | (_, 0) => u16::MAX,
                    (1, 1) => 0,
                    _ => random.below(65_536) as u16,
                })
                .collect();
            let total = TILE * tiles;
            let kind = random.below(5);
            let window = 1 + random.below(100);
            let bounds = (kind > 0).then(|| {
                (0..rows)
                    .map(|row| match kind {
                        1 => (0, total.saturating_sub(rows) + row),               // causal
                        2 => ((total + row).saturating_sub(window), total + row), // window, reaching out
                        3 => (0, (total / 2).saturating_sub(row)),                // far
                        _ => (random.below(total + 1), random.below(total + 1)),  // anything, often empty
                    })
                    .map(|(from, to)| (from as u32, to as u32))
                    .collect()
            });
            Owned { pages, queries: random.row(rows * head_dim, size), present, bounds }
        })
        .collect()
}

#[derive(Clone, Debug, PartialEq)]
struct Answer {
    out: Vec<f32>,
    lse: Vec<f32>,
    mass: Vec<f32>,
}

fn scale(head_dim: usize) -> f32 {
    1.0 / (head_dim as f32).sqrt()
}

/// Runs `attend` with `heads` heads of mass (0: without).
fn run(isa: Isa, shape: Shape, parts: &[&Owned], heads: usize, scratch: &mut Scratch) -> Answer {
    let Shape { rows, head_dim, .. } = shape;
    let tiles: Vec<_> = parts.iter().map(|part| part.tiles()).collect();
    let borrowed: Vec<Part<'_>> = parts
        .iter()
        .zip(&tiles)
        .map(|(part, tiles)| Part { queries: &part.queries, tiles, bounds: part.bounds.as_deref() })
        .collect();
    let keys = TILE * tiles.iter().map(Vec::len).sum::<usize>();
    let mut answer =
        Answer { out: vec![7.0; rows * head_dim], lse: vec![7.0; rows], mass: vec![0.0; heads * keys] };
    let mass = (heads > 0).then_some(Mass { heads, sums: &mut answer.mass });
    let (out, lse) = (&mut answer.out, &mut answer.lse);
    attend(isa, scale(head_dim), &borrowed, rows, head_dim, scratch, out, lse, mass);
    answer
}

struct Expected {
    out: Vec<f64>,
    lse: Vec<f64>,
    mass: Vec<f64>,
}

fn reference(shape: Shape, parts: &[&Owned], heads: usize) -> Expected {
    let Shape { rows, head_dim, .. } = shape;
    let stored: Vec<_> = parts.iter().map(|part| part.rows(head_dim)).collect();
    let tiles: Vec<usize> = parts.iter().map(|part| part.present.len()).collect();
    let total = TILE * tiles.iter().sum::<usize>();
    let mut expected = Expected { out: Vec::new(), lse: Vec::new(), mass: vec![0.0; heads * total] };
    for row in 0..rows {
        let mut seen = Vec::new();
        let mut first = 0;
        for ((part, stored), tiles) in parts.iter().zip(&stored).zip(&tiles) {
            let (from, to) = part.bounds.as_ref().map_or((0, u32::MAX), |bounds| bounds[row]);
            let query = &part.queries[row * head_dim..][..head_dim];
            for (at, key, value) in stored {
                if (from as usize..to as usize).contains(at) {
                    let score: f64 = query.iter().zip(key).map(|(q, k)| f64::from(*q) * k).sum();
                    seen.push((first + at, score * f64::from(scale(head_dim)), value));
                }
            }
            first += TILE * tiles;
        }
        let top = seen.iter().fold(f64::NEG_INFINITY, |top, (_, score, _)| top.max(*score));
        let sum: f64 = seen.iter().map(|(_, score, _)| (score - top).exp()).sum();
        expected.lse.push(if seen.is_empty() { f64::NEG_INFINITY } else { top + sum.ln() });
        let mut out = vec![0.0; head_dim];
        for (at, score, value) in seen {
            let weight = (score - top).exp() / sum;
            out.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
            if heads > 0 {
                expected.mass[row % heads * total + at] += weight;
            }
        }
        expected.out.extend(out);
    }
    expected
}

fn close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = f64::from(*found) == *expected;
        let error = (f64::from(*found) - expected).abs();
        assert!(same || error <= tolerance, "{what} {index}: {found} instead of {expected}");
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let dims = prop::sample::select(vec![8, 16, 24, 64, 80, 96, 112, 128]);
    let types = prop::sample::select(TYPES.to_vec());
    (1..50_usize, dims, types.clone(), types, any::<u64>())
        .prop_map(|(rows, head_dim, keys, values, seed)| Shape { rows, head_dim, keys, values, seed })
}

/// Largest error of outputs, log-sum-exps and masses (values are at most 1). Floats are compared with the
/// rows as stored, so f16 is no worse; 8 and 4 bits, which the kernels read alike, also round queries and weights.
fn tolerance(shape: Shape) -> f64 {
    match (shape.keys, shape.values) {
        (RowType::I8 | RowType::I4, _) => 0.012,
        (_, RowType::I8 | RowType::I4) => 0.004,
        _ => 1e-5,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_reference(shape in shapes(), parts in 0..4_usize, heads in 1..4_usize) {
        let owned = random_parts(shape, parts, 1.0);
        let parts: Vec<&Owned> = owned.iter().collect();
        let expected = reference(shape, &parts, heads);
        let tolerance = tolerance(shape);
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let answer = run(isa, shape, &parts, heads, &mut scratch);
            let name = isa.name();
            close(&format!("{name} out"), &answer.out, &expected.out, tolerance);
            close(&format!("{name} lse"), &answer.lse, &expected.lse, tolerance);
            let queries = shape.rows.div_ceil(heads) as f64;
            close(&format!("{name} mass"), &answer.mass, &expected.mass, tolerance * queries);
            let total = answer.mass.len() / heads;
            for head in 0..heads {
                let mass: f64 = answer.mass[head * total..][..total].iter().map(|mass| f64::from(*mass)).sum();
                let rows = (head..shape.rows).step_by(heads);
                let seen = rows.filter(|row| expected.lse[*row] > f64::NEG_INFINITY).count() as f64;
                prop_assert!((mass - seen).abs() < 1e-3, "{name} mass {mass} of {seen} rows");
            }
            // A second call with used buffers, and one without mass: the same bits.
            prop_assert_eq!(&run(isa, shape, &parts, heads, &mut scratch), &answer);
            let plain = run(isa, shape, &parts, 0, &mut scratch);
            prop_assert_eq!((&plain.out, &plain.lse), (&answer.out, &answer.lse));
        }
    }

    #[test]
    fn a_row_is_the_same_in_any_strip(shape in shapes(), from in 0..50_usize, count in 1..8_usize) {
        let owned = random_parts(shape, 3, 3.0);
        let from = from % shape.rows;
        let count = count.min(shape.rows - from);
        let head_dim = shape.head_dim;
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let parts: Vec<&Owned> = owned.iter().collect();
            let whole = run(isa, shape, &parts, 0, &mut scratch);
            let short: Vec<Owned> = owned
                .iter()
                .map(|part| Owned {
                    pages: part.pages.clone(),
                    queries: part.queries[from * head_dim..][..count * head_dim].to_vec(),
                    present: part.present.clone(),
                    bounds: part.bounds.as_ref().map(|bounds| bounds[from..][..count].to_vec()),
                })
                .collect();
            let parts: Vec<&Owned> = short.iter().collect();
            let few = run(isa, Shape { rows: count, ..shape }, &parts, 0, &mut scratch);
            let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&few.out), bits(&whole.out[from * head_dim..][..count * head_dim]));
            prop_assert_eq!(bits(&few.lse), bits(&whole.lse[from..][..count]));
        }
    }

    #[test]
    fn bounds_and_present_bits_hide_rows_equally(shape in shapes(), from in 0..300_u32, length in 0..200_u32) {
        let mut shown = random_parts(shape, 1, 3.0);
        let to = from + length;
        shown[0].bounds = Some(vec![(from, to); shape.rows]);
        let hidden = Owned {
            pages: shown[0].pages.clone(),
            queries: shown[0].queries.clone(),
            present: shown[0].present.iter().zip(0..).map(|(present, tile)| {
                (0..16).filter(|row| (from..to).contains(&(16 * tile + row))).fold(0, |bits, row| bits | 1 << row)
                    & present
            }).collect(),
            bounds: None,
        };
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let by_bounds = run(isa, shape, &[&shown[0]], 1, &mut scratch);
            prop_assert_eq!(by_bounds, run(isa, shape, &[&hidden], 1, &mut scratch));
        }
    }

    #[test]
    fn parts_in_another_order_or_merged_are_the_same(shape in shapes()) {
        let owned = random_parts(shape, 3, 1.0);
        let tolerance = if shape.values.is_integer() { tolerance(shape) } else { 1e-5 };
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let [a, b, c] = [&owned[0], &owned[1], &owned[2]];
            let whole = run(isa, shape, &[a, b, c], 0, &mut scratch);
            let wide = |numbers: &[f32]| numbers.iter().map(|number| f64::from(*number)).collect::<Vec<_>>();
            let turned = run(isa, shape, &[c, a, b], 0, &mut scratch);
            close("turned out", &turned.out, &wide(&whole.out), tolerance);
            close("turned lse", &turned.lse, &wide(&whole.lse), 1e-5);
            let mut merged = run(isa, shape, &[b], 0, &mut scratch);
            for part in [c, a] {
                let other = run(isa, shape, &[part], 0, &mut scratch);
                merge(&mut merged.out, &mut merged.lse, &other.out, &other.lse, shape.head_dim);
            }
            close("merged out", &merged.out, &wide(&whole.out), tolerance);
            close("merged lse", &merged.lse, &wide(&whole.lse), 1e-5);
        }
    }
}

/// One key takes half the weight of every row, 4,000 others share the rest: their part must survive the
/// rounding of weights to 8 bits.
#[test]
fn a_dominating_sink_does_not_wipe_out_the_others() {
    let head_dim = 64;
    let shape = Shape { rows: 6, head_dim, keys: RowType::I8, values: RowType::I8, seed: 5 };
    let mut random = Random(5);
    let mut page = (KeyTiles::new(RowType::I8, head_dim, 0), ValueTiles::new(RowType::I8, head_dim, 0));
    let direction = random.row(head_dim, 1.0);
    let length: f32 = direction.iter().map(|number| number * number).sum();
    let toward = |size: f32| direction.iter().map(|number| number * size).collect::<Vec<f32>>();
    // exp(8.3) = 4,024 times the weight of the others.
    page.0.push(&toward(8.3 / length / scale(head_dim)));
    page.1.push(&random.row(head_dim, 0.01));
    for _ in 0..4_000 {
        page.0.push(&random.row(head_dim, 0.02));
        // Values with a common part, so that there is something to wipe out.
        page.1.push(&random.row(head_dim, 0.5).iter().map(|number| number + 0.5).collect::<Vec<f32>>());
    }
    let tiles = page.0.tiles();
    let queries = (0..6).flat_map(|_| toward(1.0)).collect();
    let part = Owned { pages: vec![page], queries, present: vec![u16::MAX; tiles], bounds: None };
    let expected = reference(shape, &[&part], 1);
    assert!(expected.mass[0] > 2.5 && expected.mass[0] < 3.5, "{}", expected.mass[0]);
    for isa in Isa::available() {
        let answer = run(isa, shape, &[&part], 1, &mut Scratch::default());
        close("out", &answer.out, &expected.out, 0.003);
        close("mass", &answer.mass, &expected.mass, 0.05);
    }
}

#[test]
fn nothing_to_see_gives_zeros_and_minus_infinity() {
    for keys in TYPES {
        let shape = Shape { rows: 5, head_dim: 16, keys, values: keys, seed: 1 };
        for isa in Isa::available() {
            let mut scratch = Scratch::default();
            let none = run(isa, shape, &[], 2, &mut scratch);
            assert_eq!(none.out, vec![0.0; 80]);
            assert_eq!(none.lse, vec![f32::NEG_INFINITY; 5]);
            let parts = random_parts(shape, 20, 1e4).into_iter();
            let mut part = parts.max_by_key(|part| part.present.len()).expect("there are parts");
            part.present.fill(u16::MAX);
            part.bounds = Some(vec![(4, 9), (7, 7), (9, 2), (100_000, 200_000), (0, 0)]);
            part.queries[..16].fill(0.0);
            let answer = run(isa, shape, &[&part], 1, &mut scratch);
            assert!(answer.out.iter().chain(&answer.mass).all(|number| number.is_finite()));
            assert!(answer.lse[0].is_finite());
            assert_eq!(answer.lse[1..], [f32::NEG_INFINITY; 4]);
            // Merging with nothing, either way, changes nothing.
            let mut merged = answer.clone();
            merge(&mut merged.out, &mut merged.lse, &none.out, &none.lse, 16);
            assert_eq!(merged, answer);
            let mut merged = none.clone();
            merge(&mut merged.out, &mut merged.lse, &answer.out, &answer.lse, 16);
            assert_eq!((merged.out, merged.lse), (answer.out, answer.lse));
        }
    }
}

#[test]
fn large_scores_neither_overflow_nor_turn_into_nan() {
    for keys in TYPES {
        let shape = Shape { rows: 9, head_dim: 64, keys, values: keys, seed: 11 };
        let owned = random_parts(shape, 3, 1e3);
        let parts: Vec<&Owned> = owned.iter().collect();
        for isa in Isa::available() {
            let answer = run(isa, shape, &parts, 3, &mut Scratch::default());
            assert!(answer.out.iter().chain(&answer.mass).all(|number| number.abs() < 9.1));
            assert!(answer.lse.iter().all(|number| !number.is_nan()));
        }
    }
}

#[test]
fn scratch_grows_once() {
    for kind in [RowType::I8, RowType::I4] {
        scratch_grows_once_with(kind);
    }
}

fn scratch_grows_once_with(kind: RowType) {
    let shape = Shape { rows: 12, head_dim: 64, keys: kind, values: kind, seed: 2 };
    let owned = random_parts(shape, 3, 1.0);
    let parts: Vec<&Owned> = owned.iter().collect();
    let mut scratch = Scratch::default();
    run(Isa::active(), shape, &parts, 3, &mut scratch);
    let used = scratch.bytes();
    assert!(used > 0);
    run(Isa::active(), Shape { rows: 12, ..shape }, &parts, 3, &mut scratch);
    assert_eq!(scratch.bytes(), used);
}
