//! Recall over made-up events and scores.

#![allow(clippy::unwrap_used)]

use std::ops::Range;

use loci_kernels::tiles::RowType;
use loci_kernels::{Isa, Pool};
use loci_models::rope::RopeSchedule;
use loci_testing::Numbers;

use super::*;
use crate::index::{BlockView, Index};
use crate::segment::Segment;
use crate::select::{Role, Selection};
use crate::store::{KvStore, Layout};

const SHAPE: AttentionShape = AttentionShape { layers: 2, heads: 2, kv_heads: 1, head_dim: 4 };

/// Scores that are what they are, whatever is asked.
#[derive(Clone)]
struct Scores(Vec<f32>);

impl Index for Scores {
    fn score_cosine(&self, layer: usize, probe: &[f32], blocks: usize, pool: &Pool, scores: &mut Vec<f32>) {
        self.score(layer, probe, blocks, blocks, pool, scores);
    }

    fn add(&mut self, _block: &BlockView<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn score(&self, _: usize, _: &[f32], blocks: usize, _: usize, _: &Pool, scores: &mut Vec<f32>) {
        scores.clear();
        scores.extend(&self.0[..blocks]);
    }

    fn score_head(&self, _layer: usize, _head: usize, _probe: &[f32], blocks: usize, scores: &mut Vec<f32>) {
        scores.clear();
        scores.extend(&self.0[..blocks]);
    }

    fn truncate(&mut self, _layer: usize, _blocks: usize) {}

    fn bytes(&self) -> usize {
        0
    }

    fn bytes_per_block(&self) -> usize {
        0
    }

    fn save(&self, _out: &mut Writer<'_>) -> Result<(), MemoryError> {
        Ok(())
    }

    fn load(&mut self, _from: &mut Reader) -> Result<(), MemoryError> {
        Ok(())
    }

    fn clone_box(&self) -> Box<dyn Index> {
        Box::new(self.clone())
    }
}

/// Events of these ends, behind the sinks.
#[derive(Clone)]
struct Ends(Vec<usize>);

impl Segment for Ends {
    fn count(&self, _read: usize) -> usize {
        self.0.len()
    }

    fn block(&self, index: usize) -> Range<usize> {
        (if index == 0 { SINKS } else { self.0[index - 1] })..self.0[index]
    }

    fn clone_box(&self) -> Box<dyn Segment> {
        Box::new(self.clone())
    }
}

const SINKS: usize = 4;
const WINDOW: usize = 64;
const QUERIES: usize = 16;

fn select(recall: usize, contiguity: f64) -> SimilarEvents {
    SimilarEvents::new(SHAPE.layers, [SINKS, WINDOW, recall, QUERIES], contiguity, (8, 32), 63.0)
}

/// One choice: `end` tokens are written, the last is the query.
fn choose(select: &mut SimilarEvents, layer: usize, events: &Ends, scores: &Scores, end: usize) -> Selection {
    let layout =
        Layout { shape: SHAPE, row_type: RowType::F32, raw: true, rotated_reach: 1, far_pages: None };
    let store = KvStore::new(layout, Isa::Portable, &std::env::temp_dir());
    let view = SelectView {
        alone: false,
        layer,
        shape: SHAPE,
        queries: &[0.0; 8],
        first: end - 1,
        count: 1,
        blocks: events.0.len(),
        segment: events,
        index: scores,
        rows: &store.layer(layer),
        schedule: &RopeSchedule::stock(10_000.0, SHAPE.head_dim).unwrap(),
        pool: &Pool::new(1),
    };
    match select.select(&view).unwrap() {
        Choice::AllHeads(selection) => selection,
        other => panic!("{other:?} is not one choice for all heads"),
    }
}

fn recalled(selection: &Selection) -> usize {
    selection.spans.iter().filter(|span| span.role == Role::Recalled).map(|span| span.rows.len()).sum()
}

#[test]
fn the_last_event_is_taken_if_that_comes_closer() {
    let fit = |capacity| fitting(0..3, |_| 10, capacity).len();
    assert_eq!([0, 5, 6, 10, 15, 16, 24, 30, 99].map(fit), [0, 0, 1, 1, 1, 2, 2, 3, 3]);
}

#[test]
fn the_budget_is_shared_as_the_published_code_does() {
    assert_eq!(select(100, 0.0).shares(20), Shares { similar: 96, neighbours: 0 });
    assert_eq!(select(100, 0.25).shares(16), Shares { similar: 74, neighbours: 26 });
    assert_eq!(select(100, 30.0).shares(16), Shares { similar: 70, neighbours: 30 });
    assert_eq!(select(10, 30.0).shares(99), Shares { similar: 0, neighbours: 0 });
}

#[test]
fn recall_keeps_to_its_budget_and_no_event_is_read_twice() {
    let mut numbers = Numbers::new(1);
    for round in 0..200 {
        let mut at = SINKS;
        let mut ends = Vec::new();
        for _ in 0..1 + numbers.below(40) {
            at += 8 + numbers.below(25);
            ends.push(at);
        }
        let events = Ends(ends);
        let contiguity = [0.0, 0.3, 0.7, 40.0][round % 4];
        let mut select = select(20 + numbers.below(200), contiguity);
        for step in 0..12 {
            let scores = Scores(events.0.iter().map(|_| numbers.value()).collect());
            let end = at + WINDOW + numbers.below(20);
            let shares = select.shares(end - WINDOW - at);
            let layer = step % 2;
            let untouched = select.neighbours(1 - layer).to_vec();
            let selection = choose(&mut select, layer, &events, &scores, end);
            assert!(selection.is_sorted(), "an event is there twice: {selection:?}");
            assert_eq!(select.neighbours(1 - layer), untouched, "layers share no list");
            let neighbours = select.neighbours(layer);
            let tokens =
                |events_: &[usize]| events_.iter().map(|event| events.block(*event).len()).sum::<usize>();
            let beside = tokens(neighbours);
            // A neighbour that is also similar would be in the selection once but counted here twice.
            let similar = recalled(&selection) - beside;
            assert!(2 * similar <= 2 * shares.similar + 32, "{similar} tokens for {shares:?}");
            assert!(2 * beside <= 2 * shares.neighbours + 32, "{beside} tokens for {shares:?}");
            let mut order: Vec<usize> = (0..events.0.len()).collect();
            order.sort_by(|a, b| scores.0[*b].total_cmp(&scores.0[*a]));
            let mut taken = 0;
            for event in order {
                let rows = events.block(event);
                let read = selection
                    .spans
                    .iter()
                    .any(|span| span.rows.start <= rows.start && rows.end <= span.rows.end);
                if taken < similar {
                    assert!(
                        read && !neighbours.contains(&event),
                        "similar event {event} is a neighbour or missing"
                    );
                    taken += rows.len();
                } else {
                    assert_eq!(read, neighbours.contains(&event));
                }
            }
            assert_eq!(taken, similar);
        }
    }
}

#[test]
fn neighbours_stay_for_some_steps_and_leave_oldest_first() {
    let events = Ends((1..=20).map(|event| SINKS + 10 * event).collect());
    // Room for two similar events and four neighbours; nothing waits.
    let mut select = select(60 - QUERIES, 40.0);
    let mut step = |best: [usize; 2]| {
        let mut scores = vec![0.0; 20];
        scores[best[0]] = 2.0;
        scores[best[1]] = 1.0;
        choose(&mut select, 0, &events, &Scores(scores), SINKS + 200 + WINDOW);
        select.neighbours(0).to_vec()
    };
    // The next, then the previous of the best; the best one's youngest.
    assert_eq!(step([5, 15]), [14, 16, 4, 6]);
    // Event 4 is shared: named again, it is young again.
    assert_eq!(step([3, 19]), [6, 18, 2, 4]);
    // The first and the last have one neighbour each, and old ones fill up.
    assert_eq!(step([19, 0]), [2, 4, 1, 18]);
    // What has become similar leaves the list.
    assert_eq!(step([4, 18]), [17, 19, 3, 5]);
    assert_eq!(step([3, 5]), [19, 6, 2, 4]);
    // A neighbour of both is there once.
    assert_eq!(step([10, 12]), [4, 13, 9, 11]);
}
