//! Rows in tiles: what is stored comes back, whatever happens in between, and takes the memory it says.

use loci_kernels::tiles::{KeyTiles, RowType, TILE, ValueTiles};
use proptest::prelude::*;

const TYPES: [RowType; 3] = [RowType::F32, RowType::F16, RowType::I8];

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
        head_dim in 1..70_usize, count in 0..70_usize, keep in 0..80_usize, kind in 0..3_usize, seed in any::<u64>(),
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
            let step = match kind { RowType::F32 => 0.0, RowType::F16 => 0.001, RowType::I8 => largest / 253.0 };
            keys.read(index, &mut read);
            prop_assert!(read.iter().zip(row).all(|(a, b)| (a - b).abs() <= step));
            values.read(index, &mut read);
            prop_assert!(read.iter().zip(row).all(|(a, b)| (a - b).abs() <= step));
        }
        let bytes = |keys: &KeyTiles, values: &ValueTiles| {
            let mut bytes = (Vec::new(), Vec::new());
            keys.store(&mut bytes.0);
            values.store(&mut bytes.1);
            bytes
        };
        let stored = bytes(&keys, &values);
        prop_assert_eq!(stored.0.len(), count.next_multiple_of(TILE) * kind.row_bytes(head_dim));
        prop_assert!(KeyTiles::load(kind, head_dim, count + TILE, &stored.0).is_none());
        let (Some(loaded_keys), Some(loaded_values)) =
            (KeyTiles::load(kind, head_dim, count, &stored.0), ValueTiles::load(kind, head_dim, count, &stored.1))
        else { return Err(TestCaseError::fail("what was stored is not loaded")) };
        prop_assert_eq!(&stored, &bytes(&loaded_keys, &loaded_values));
        prop_assert_eq!(loaded_keys.bytes(), stored.0.len());
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

#[test]
fn memory_is_reserved_exactly_and_not_again() {
    let mut keys = KeyTiles::new(RowType::I8, 64, 100);
    assert_eq!(keys.bytes(), 112 * RowType::I8.row_bytes(64));
    let reserved = keys.bytes();
    for _ in 0..112 {
        keys.push(&[1.0; 64]);
    }
    assert_eq!(keys.bytes(), reserved);
    // Beyond the capacity: some more tiles, not twice as many.
    (0..16 * 16 * 8).for_each(|_| keys.push(&[1.0; 64]));
    assert!(keys.bytes() < keys.rows() * RowType::I8.row_bytes(64) * 5 / 4);
}
