//! Rows in tiles: what is stored comes back, whatever happens in between, and takes the memory it says.

use loci_kernels::Isa;
use loci_kernels::attend::{Part, Scratch, TilePair, attend};
use loci_kernels::tiles::{KeyTiles, RowType, TILE, ValueTiles};
use proptest::prelude::*;

const TYPES: [RowType; 4] = RowType::ALL;

fn random_row(length: usize, seed: &mut u64) -> Vec<f32> {
    (0..length)
        .map(|_| {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 40) as f32 / 4_194_304.0 - 2.0
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn rows_survive_storing_moving_and_truncating(
        head_dim in 1..70_usize, count in 0..70_usize, keep in 0..80_usize, kind in 0..4_usize, seed in any::<u64>(),
    ) {
        let kind = TYPES[kind];
        let mut seed = seed;
        let (mut keys, mut values) = (KeyTiles::new(kind, head_dim, 5), ValueTiles::new(kind, head_dim, 5));
        let rows: Vec<Vec<f32>> = (0..count).map(|_| random_row(head_dim, &mut seed)).collect();
        for row in &rows {
            keys.push(row);
            values.push(row);
        }
        let mut read = vec![0.0; head_dim];
        for (index, row) in rows.iter().enumerate() {
            let largest = row.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
            let step = match kind {
                RowType::F32 => 0.0,
                RowType::F16 => 0.001,
                RowType::I8 => largest / 253.0,
                // Half a step of 17 of 127 units, and what rounding start and product to whole units adds.
                RowType::I4 => 0.09 * largest,
            };
            for side in 0..2 {
                if side == 0 { keys.read(index, &mut read) } else { values.read(index, &mut read) }
                let error = |(a, b): (&f32, &f32)| (a - b).abs();
                prop_assert!(read.iter().zip(row).map(error).all(|error| error <= step));
            }
        }
        let bytes = |keys: &KeyTiles, values: &ValueTiles| {
            let mut bytes = (Vec::new(), Vec::new());
            keys.store(&mut bytes.0);
            values.store(&mut bytes.1);
            bytes
        };
        let stored = bytes(&keys, &values);
        prop_assert_eq!(stored.0.len(), count.next_multiple_of(TILE) * kind.key_bytes(head_dim));
        prop_assert_eq!(stored.1.len(), count.next_multiple_of(TILE) * kind.value_bytes(head_dim));
        prop_assert!(KeyTiles::load(kind, head_dim, count + TILE, &stored.0).is_none());
        let (Some(loaded_keys), Some(loaded_values)) =
            (KeyTiles::load(kind, head_dim, count, &stored.0), ValueTiles::load(kind, head_dim, count, &stored.1))
        else { return Err(TestCaseError::fail("what was stored is not loaded")) };
        prop_assert_eq!(&stored, &bytes(&loaded_keys, &loaded_values));
        prop_assert_eq!((loaded_keys.bytes(), loaded_values.bytes()), (stored.0.len(), stored.1.len()));
        // Row by row, two rows further down, and cut to size: as if pushed in that order.
        let mut moved = (KeyTiles::new(kind, head_dim, 0), ValueTiles::new(kind, head_dim, 0));
        let mut pushed = moved.clone();
        for index in (0..count).rev() {
            moved.0.push_from(&keys, index);
            moved.1.push_from(&values, index);
            pushed.0.push(&rows[index]);
            pushed.1.push(&rows[index]);
        }
        prop_assert_eq!(bytes(&moved.0, &moved.1), bytes(&pushed.0, &pushed.1));
        keys.truncate(keep);
        values.truncate(keep);
        let mut fresh = (KeyTiles::new(kind, head_dim, 0), ValueTiles::new(kind, head_dim, 0));
        for row in rows.iter().take(keep) {
            fresh.0.push(row);
            fresh.1.push(row);
        }
        prop_assert_eq!(bytes(&keys, &values), bytes(&fresh.0, &fresh.1));
    }
}

/// What 16 codes for evenly spread numbers lose is a 225th of their squares on average, and keys, of which fewer share a
/// step, lose less. One row may by chance lose more, so it is counted over many.
#[test]
fn rows_of_four_bits_lose_less_than_a_two_hundredth() {
    let mut seed = 3;
    for head_dim in [11, 64, 70] {
        let (mut keys, mut values) =
            (KeyTiles::new(RowType::I4, head_dim, 1000), ValueTiles::new(RowType::I4, head_dim, 1000));
        let rows: Vec<Vec<f32>> = (0..1000).map(|_| random_row(head_dim, &mut seed)).collect();
        for row in &rows {
            keys.push(row);
            values.push(row);
        }
        let (mut squares, mut lost, mut read) = (0.0, [0.0; 2], vec![0.0; head_dim]);
        for (index, row) in rows.iter().enumerate() {
            squares += row.iter().map(|number| number * number).sum::<f32>();
            let error = |read: &[f32]| row.iter().zip(read).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            keys.read(index, &mut read);
            lost[0] += error(&read);
            values.read(index, &mut read);
            lost[1] += error(&read);
        }
        let [keys, values] = lost.map(|lost| lost / squares);
        assert!(values <= 0.005 && keys <= 0.004, "{head_dim}: {keys} of keys, {values} of values");
    }
}

#[test]
fn memory_is_reserved_exactly_and_not_again() {
    let mut keys = KeyTiles::new(RowType::I8, 64, 100);
    assert_eq!(keys.bytes(), 112 * RowType::I8.key_bytes(64));
    let reserved = keys.bytes();
    for _ in 0..112 {
        keys.push(&[1.0; 64]);
    }
    assert_eq!(keys.bytes(), reserved);
    // Beyond the capacity: some more tiles, not twice as many.
    (0..16 * 16 * 8).for_each(|_| keys.push(&[1.0; 64]));
    assert!(keys.bytes() < keys.rows() * RowType::I8.key_bytes(64) * 5 / 4);
}

/// Keys that lack the dimensions in which they are zero give the same scores as those that have them.
#[test]
fn a_part_may_have_shorter_keys() {
    let (head_dim, short, rows) = (40, 24, 50);
    let mut seed = 5;
    let mut values = ValueTiles::new(RowType::F32, head_dim, rows);
    let (mut whole, mut cut) =
        (KeyTiles::new(RowType::F32, head_dim, rows), KeyTiles::new(RowType::F32, short, rows));
    let mut exact = (KeyTiles::new(RowType::F32, head_dim, 1), ValueTiles::new(RowType::F32, head_dim, 1));
    for _ in 0..rows {
        let key = random_row(short, &mut seed);
        whole.push(&[key.as_slice(), &vec![0.0; head_dim - short]].concat());
        cut.push(&key);
        values.push(&random_row(head_dim, &mut seed));
    }
    exact.0.push(&random_row(head_dim, &mut seed));
    exact.1.push(&random_row(head_dim, &mut seed));
    let queries: Vec<Vec<f32>> = (0..7).map(|_| random_row(head_dim, &mut seed)).collect();
    let long: Vec<f32> = queries.concat();
    let shortened: Vec<f32> = queries.iter().flat_map(|query| query[..short].to_vec()).collect();
    let run = |isa: Isa, keys: &KeyTiles, asked: &[f32]| {
        let old: Vec<TilePair<'_>> = (0..keys.tiles())
            .map(|tile| TilePair { keys: keys.tile(tile), values: values.tile(tile), present: u16::MAX })
            .collect();
        let new = [TilePair { keys: exact.0.tile(0), values: exact.1.tile(0), present: u16::MAX }];
        let parts = [
            Part { queries: asked, tiles: &old, bounds: None },
            Part { queries: &long, tiles: &new, bounds: None },
        ];
        let (mut out, mut lse) = (vec![f32::NAN; 7 * head_dim], vec![f32::NAN; 7]);
        attend(isa, 0.2, &parts, 7, head_dim, &mut Scratch::default(), &mut out, &mut lse, None);
        (out, lse)
    };
    for isa in Isa::available() {
        let (whole, cut) = (run(isa, &whole, &long), run(isa, &cut, &shortened));
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near(&whole.0, &cut.0) && near(&whole.1, &cut.1), "{}", isa.name());
    }
}

/// A channel far larger than the others, as rotary keys have it, drowns those of its own group only.
#[test]
fn large_channels_leave_the_others_their_precision() {
    let (head_dim, mut seed) = (64, 3);
    let mut keys = KeyTiles::new(RowType::I4, head_dim, 40);
    let rows: Vec<Vec<f32>> = (0..40)
        .map(|_| {
            let mut row = random_row(head_dim, &mut seed);
            row[5] = 10.0;
            row
        })
        .collect();
    rows.iter().for_each(|row| keys.push(row));
    let mut read = vec![0.0; head_dim];
    let mut lost = [0.0_f32; 2];
    for (index, row) in rows.iter().enumerate() {
        keys.read(index, &mut read);
        for dim in (0..head_dim).filter(|dim| *dim != 5) {
            lost[usize::from(dim >= 8)] += (read[dim] - row[dim]).powi(2);
        }
    }
    // 7 numbers beside the large one, 56 in other groups.
    assert!(lost[1] / 56.0 < 0.2 * lost[0] / 7.0, "{lost:?}");
}

#[test]
fn rows_take_the_bytes_they_say() {
    let dims = [64, 128, 80, 16];
    assert_eq!(dims.map(|dim| RowType::I4.key_bytes(dim)), [52, 100, 64, 16]);
    assert_eq!(dims.map(|dim| RowType::I4.value_bytes(dim)), [40, 76, 52, 16]);
    assert_eq!(dims.map(|dim| RowType::I8.key_bytes(dim)), [68, 132, 84, 20]);
}
