//! Blocks of keys found by halving ranges and keeping the best (HiP).

use std::collections::BTreeMap;

use loci_kernels::vector;
use loci_models::memory::{AttentionShape, MemoryError};

use super::{Choice, Role, Select, SelectView, Selection, largest};
use crate::queries::{of_head, rotated};
use crate::saved::{Reader, Writer};

/// Which block of a range speaks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// Its first.
    First,
    /// The one in its middle.
    Centre,
}

/// Each query head of a group reads the sinks, `rows / key_block` blocks of `key_block` rows that a tree search finds
/// for it, and a window; all at true distances. The first layers read everything. While tokens are written, the blocks
/// found are used again for `refresh` steps.
///
/// The search covers the rows between the sinks and the window of the group's first query: it cuts them into as many
/// equal ranges as blocks are wanted, halves every range, keeps the better half of all halves by the largest product
/// of the group's queries with the keys of one block of each, and so on until ranges are single blocks.
#[derive(Clone, Debug)]
pub struct RangeSearch {
    ranges: Ranges,
    /// Per layer, what was found at the last search for a single query.
    found: BTreeMap<usize, Found>,
}

/// The parameters of a [`RangeSearch`].
#[derive(Clone, Copy, Debug)]
pub struct Ranges {
    /// Rows found.
    pub rows: usize,
    /// Rows in a block of keys.
    pub key_block: usize,
    /// Every so many queries of the group take part in the search.
    pub stride: usize,
    /// Rows of the window, the query included.
    pub window: usize,
    /// Rows in front.
    pub sinks: usize,
    /// First layers that read everything.
    pub dense_layers: usize,
    /// Steps for which blocks found are used.
    pub refresh: usize,
    /// Which block of a range speaks for it.
    pub sample: Sample,
}

#[derive(Clone, Debug, Default)]
struct Found {
    /// Steps since.
    age: usize,
    /// Rows searched in.
    searched: usize,
    /// Per head, numbers of the blocks.
    heads: Vec<Vec<usize>>,
}

/// A range of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Node {
    start: usize,
    size: usize,
}

impl Node {
    fn halves(self) -> [Self; 2] {
        let middle = self.start + self.size / 2;
        [
            Self { start: self.start, size: middle - self.start },
            Self { start: middle, size: self.start + self.size - middle },
        ]
    }
}

impl RangeSearch {
    /// Nothing was searched for yet.
    pub const fn new(ranges: Ranges) -> Self {
        Self { ranges, found: BTreeMap::new() }
    }

    /// Numbers of the blocks, counted from the sinks on, that are found among `rows` rows; ascending. `score` gives the
    /// value of a block.
    fn search(
        &self,
        rows: usize,
        mut score: impl FnMut(usize) -> Result<f32, MemoryError>,
    ) -> Result<Vec<usize>, MemoryError> {
        let blocks = rows.div_ceil(self.ranges.key_block);
        let wanted = self.ranges.rows.div_ceil(self.ranges.key_block);
        if blocks <= wanted {
            return Ok((0..blocks).collect());
        }
        let at = |node: usize| blocks * node / wanted;
        let mut nodes: Vec<Node> =
            (0..wanted).map(|node| Node { start: at(node), size: at(node + 1) - at(node) }).collect();
        while nodes.iter().any(|node| node.size > 1) {
            let halves: Vec<Node> = nodes.iter().flat_map(|node| node.halves()).collect();
            let mut scores = Vec::with_capacity(halves.len());
            for half in &halves {
                scores.push(match (half.size, self.ranges.sample) {
                    (0, _) => f32::NEG_INFINITY,
                    (_, Sample::First) => score(half.start)?,
                    (size, Sample::Centre) => score(half.start + size / 2)?,
                });
            }
            nodes = largest(&scores, wanted).into_iter().map(|half| halves[half]).collect();
        }
        let mut found: Vec<usize> = nodes.iter().map(|node| node.start).collect();
        found.sort_unstable();
        Ok(found)
    }

    /// The blocks of every head.
    fn search_all(&self, view: &SelectView<'_>, rows: usize) -> Result<Vec<Vec<usize>>, MemoryError> {
        let head_dim = view.shape.head_dim;
        let width = view.shape.heads * head_dim;
        let stride = if view.count > 1 { self.ranges.stride.max(1) } else { 1 };
        // The newest query takes part, then every `stride`-th before it.
        let chosen = || (0..view.count).rev().step_by(stride);
        let queries: Vec<f32> =
            chosen().flat_map(|query| &view.queries[query * width..(query + 1) * width]).copied().collect();
        let positions = chosen().map(|query| view.first + query);
        let queries = rotated(&queries, positions, view.shape, view.schedule, view.rows.isa());
        view.for_heads(|head| {
            let kv_head = head / view.shape.group();
            let columns = columns(of_head(&queries, head, view.shape), head_dim);
            let mut products = vec![0.0; columns.len() / head_dim];
            let mut key = vec![0.0; head_dim];
            // Ranges that are not halved are scored again.
            let mut known = vec![f32::NAN; rows.div_ceil(self.ranges.key_block)];
            self.search(rows, |block| {
                let Some(best) = known.get_mut(block).filter(|best| best.is_nan()) else {
                    return Ok(known[block]);
                };
                let start = self.ranges.sinks + block * self.ranges.key_block;
                *best = f32::NEG_INFINITY;
                for position in start..(start + self.ranges.key_block).min(self.ranges.sinks + rows) {
                    view.rows.read_rotated_key(kv_head, position, &mut key)?;
                    vector::products(view.rows.isa(), &columns, &key, &mut products);
                    *best = products.iter().fold(*best, |best, product| best.max(*product));
                }
                Ok(*best)
            })
        })
    }
}

/// `queries` (each `[dim]`) as the columns that [`vector::products`] wants; the last one fills the last group of them.
fn columns<'a>(queries: impl Iterator<Item = &'a [f32]>, dim: usize) -> Vec<f32> {
    let queries: Vec<&[f32]> = queries.collect();
    let mut columns = Vec::with_capacity(queries.len().next_multiple_of(vector::COLUMNS) * dim);
    for group in queries.chunks(vector::COLUMNS) {
        for number in 0..dim {
            columns.extend((0..vector::COLUMNS).map(|column| group[column.min(group.len() - 1)][number]));
        }
    }
    columns
}

impl Select for RangeSearch {
    fn select(&mut self, view: &SelectView<'_>) -> Result<Choice, MemoryError> {
        let mut all = Selection::default();
        all.push(0..view.end(), Role::Recent);
        // Rows that lie before the window of every query of the group.
        let searched = (view.first + 1).saturating_sub(self.ranges.window).saturating_sub(self.ranges.sinks);
        if view.layer < self.ranges.dense_layers || searched <= self.ranges.rows {
            return Ok(Choice::AllHeads(all));
        }
        let reused = match self.found.get_mut(&view.layer) {
            Some(found) if view.count == 1 && found.age + 1 < self.ranges.refresh => {
                found.age += 1;
                Some(found.clone())
            }
            _ => None,
        };
        let found = match reused {
            Some(found) => found,
            None => {
                let heads = self.search_all(view, searched)?;
                let found = Found { age: 0, searched, heads };
                if view.count == 1 {
                    self.found.insert(view.layer, found.clone());
                } else {
                    self.found.remove(&view.layer);
                }
                found
            }
        };
        let selection = |blocks: &Vec<usize>| {
            let mut selection = Selection::default();
            selection.push(0..self.ranges.sinks, Role::Recent);
            for block in blocks {
                let start = self.ranges.sinks + block * self.ranges.key_block;
                let end = (start + self.ranges.key_block).min(self.ranges.sinks + found.searched);
                selection.push(start..end, Role::Recent);
            }
            // Rows that have left the window since the search are not in it, so they count to the window until the
            // next one.
            selection.push(self.ranges.sinks + found.searched..view.end(), Role::Recent);
            selection
        };
        Ok(Choice::PerHead(found.heads.iter().map(selection).collect()))
    }

    fn window(&self, _read: usize) -> usize {
        self.ranges.window
    }

    fn fits(&self, shape: AttentionShape, read: usize) -> bool {
        let most = self.ranges.rows.div_ceil(self.ranges.key_block);
        self.found.iter().all(|(layer, found)| {
            let blocks = found.searched.div_ceil(self.ranges.key_block);
            let ascend = |list: &Vec<usize>| {
                list.len() <= most
                    && list.windows(2).all(|pair| pair[0] < pair[1])
                    && list.last().is_none_or(|last| *last < blocks)
            };
            *layer < shape.layers
                && found.heads.len() == shape.heads
                && self.ranges.sinks + found.searched <= read
                && found.heads.iter().all(ascend)
        })
    }

    fn far_pages(&self, read: usize, page: usize) -> usize {
        read.div_ceil(page)
    }

    fn is_stateful(&self) -> bool {
        // Also when lists serve for one token only: inside a group, rows depend on queries behind them.
        true
    }

    fn scattered_rows(&self, _read: usize) -> usize {
        // Sinks and window stand as the rows found do, so they are copied with them.
        let Ranges { rows, key_block, sinks, window, .. } = self.ranges;
        rows.next_multiple_of(key_block) + sinks + window
    }

    fn bytes(&self) -> usize {
        let list = |list: &Vec<usize>| list.capacity() * size_of::<usize>();
        self.found.values().flat_map(|found| &found.heads).map(list).sum()
    }

    fn most_bytes(&self, shape: AttentionShape, _read: usize) -> usize {
        // A mark may hold the lists a second time.
        let blocks = self.ranges.rows.div_ceil(self.ranges.key_block);
        2 * shape.layers * shape.heads * blocks * size_of::<usize>()
    }

    fn save(&self, out: &mut Writer<'_>) -> Result<(), MemoryError> {
        out.number(self.found.len())?;
        for (layer, found) in &self.found {
            [*layer, found.age, found.searched, found.heads.len()]
                .into_iter()
                .try_for_each(|n| out.number(n))?;
            found.heads.iter().try_for_each(|blocks| out.numbers(blocks))?;
        }
        Ok(())
    }

    fn load(&mut self, from: &mut Reader) -> Result<(), MemoryError> {
        self.found.clear();
        for _ in 0..from.number()? {
            let layer = from.number()?;
            let (age, searched, heads) = (from.number()?, from.number()?, from.number()?);
            let mut lists = Vec::new();
            for _ in 0..heads {
                lists.push(from.numbers()?);
            }
            self.found.insert(layer, Found { age, searched, heads: lists });
        }
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Select> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(rows: usize, blocks: usize, score: impl Fn(usize) -> f32) -> (Vec<usize>, usize) {
        search_by(Sample::Centre, rows, blocks, score)
    }

    /// What is found, and how many blocks were scored for it.
    fn search_by(
        sample: Sample,
        rows: usize,
        blocks: usize,
        score: impl Fn(usize) -> f32,
    ) -> (Vec<usize>, usize) {
        let select = RangeSearch::new(Ranges {
            rows: blocks * 2,
            key_block: 2,
            stride: 2,
            window: 8,
            sinks: 4,
            dense_layers: 0,
            refresh: 1,
            sample,
        });
        let mut asked = 0;
        let found = select.search(rows, |block| {
            asked += 1;
            Ok(score(block))
        });
        (found.unwrap(), asked)
    }

    #[test]
    #[allow(clippy::cast_precision_loss)]
    fn a_slope_and_a_bump_are_found() {
        // Along a slope the best blocks are the last ones.
        let (found, asked) = search(512, 8, |block| block as f32);
        assert_eq!(found, (248..256).collect::<Vec<_>>());
        assert!(asked <= 2 * 8 * 5, "{asked}");
        let (found, _) = search(1000, 16, |block| -(block as f32 - 333.0).abs());
        assert!(found.contains(&333), "{found:?}");
    }

    #[test]
    fn searches_equal_those_of_the_reference() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/hip_attention.json");
        let fixture: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for case in fixture["tables"].as_array().unwrap() {
            let number = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
            let mut numbers = loci_testing::Numbers::new(number("seed") as u64);
            let scores: Vec<f32> = (0..number("blocks")).map(|_| numbers.value()).collect();
            let sample = if case["sample"] == "first" { Sample::First } else { Sample::Centre };
            let wanted = number("wanted");
            let (found, asked) = search_by(sample, 2 * scores.len(), wanted, |block| scores[block]);
            assert_eq!(serde_json::json!(found), case["found"], "{case}");
            // Both halves of every range at each halving, less those that are empty.
            assert!(asked <= 2 * wanted * number("halvings"), "{case}: {asked} blocks scored");
        }
    }

    #[test]
    fn ranges_of_a_power_of_two_are_halved_exactly() {
        for (wanted, halvings) in [(1, 3), (4, 5), (16, 1), (8, 6)] {
            let blocks = wanted << halvings;
            let (_, asked) = search(2 * blocks, wanted, |block| (block * 7 % 13) as f32);
            assert_eq!(asked, 2 * wanted * halvings, "{blocks} blocks, {wanted} wanted");
        }
        // No range is halved that is a block already: with as many blocks as wanted, nothing is scored.
        assert_eq!(search(32, 16, |_| 0.0).1, 0);
        let halves = Node { start: 5, size: 7 }.halves();
        assert_eq!(halves, [Node { start: 5, size: 3 }, Node { start: 8, size: 4 }]);
    }

    #[test]
    fn a_lone_spike_between_unlike_neighbours_is_missed() {
        // The documented weakness: no range that holds it is represented by it until too late.
        let (found, _) = search(4096, 8, |block| if block == 1001 { 1.0 } else { 0.0 });
        assert!(!found.contains(&1001));
    }

    #[test]
    fn as_many_as_wanted_are_found_once_each() {
        for rows in [1, 15, 16, 17, 31, 100, 257] {
            for blocks in [1, 3, 8] {
                let (found, _) = search(rows, blocks, |block| (block * 7 % 13) as f32);
                assert_eq!(found.len(), blocks.min(rows.div_ceil(2)), "{rows} rows, {blocks} blocks");
                assert!(
                    found.windows(2).all(|pair| pair[0] < pair[1])
                        && found.iter().all(|b| *b < rows.div_ceil(2))
                );
            }
        }
    }
}
