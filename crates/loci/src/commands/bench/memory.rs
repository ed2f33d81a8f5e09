//! `loci bench memory`: how fast a large memory remembers and finds.

use std::path::Path;
use std::time::Instant;

use loci_context::random::Random;
use loci_engine::EngineError;
use loci_memory::{Content, Filter, Key, Memory, Query, Scope, Surroundings, Target};
use loci_reading::{By, TextEncoder};
use serde::Serialize;

use crate::error::CliError;
use crate::ui::{Ui, print, print_json};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Texts are drawn from a vocabulary in which a word of rank r is as frequent as 1/r, as in natural text; vectors are \
drawn by what the texts say, so that ranking by meaning costs what it does with an encoder, without one: the time of a real \
encoder comes on top. Each single write is a transaction of its own that is safe on the disk when it is done."
)]
pub(crate) struct Args {
    /// Items that are there before anything is measured.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    items: u32,
    /// Single writes that are measured.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u16).range(1..))]
    writes: u16,
    /// Searches of each kind that are measured.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    searches: u16,
    /// Items forgotten, one after the other, that are measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    forgets: u16,
    /// Numbers of a vector.
    #[arg(long, default_value_t = 384, value_parser = clap::value_parser!(u16).range(1..))]
    dimension: u16,
    /// Words of a text.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    words: u16,
    /// Where the memory is made, which must be new: a path, or postgres://user@host/database?schema=NAME with the feature postgres;
    /// it is left there [default: a file, removed afterwards].
    #[arg(long, value_name = "PATH")]
    store: Option<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Milliseconds of something that was done many times.
#[derive(Clone, Debug, Serialize)]
struct Times {
    what: &'static str,
    n: usize,
    median_ms: f64,
    p95_ms: f64,
    largest_ms: f64,
}

#[derive(Serialize)]
struct Output {
    items: u32,
    dimension: u16,
    words: u16,
    filled_items_per_s: f64,
    /// Of a file; of what a server keeps nothing is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    store_bytes: Option<u64>,
    times: Vec<Times>,
}

/// Draws the vector of a text from what it says.
#[derive(Debug)]
struct Drawn(usize);

impl TextEncoder for Drawn {
    fn name(&self) -> &str {
        "drawn"
    }

    fn dimension(&self) -> usize {
        self.0
    }

    fn encode(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(texts.iter().map(|text| self.vector(text)).collect())
    }
}

impl Drawn {
    fn vector(&self, text: &str) -> Vec<f32> {
        let hash = blake3::hash(text.as_bytes());
        let mut seed = [0; 8];
        seed.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
        let mut random = Random::new(u64::from_le_bytes(seed));
        let mut vector: Vec<f32> = (0..self.0).map(|_| random.unit() as f32 - 0.5).collect();
        let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|number| *number /= length.max(f32::MIN_POSITIVE));
        vector
    }
}

/// A text of words as frequent as those of natural text.
fn text(random: &mut Random, words: usize) -> String {
    const VOCABULARY: f64 = 50_000.0;
    let word = |random: &mut Random| {
        // The rank r with a chance of about 1/r.
        let rank = VOCABULARY.powf(random.unit()) as usize;
        format!("w{rank}")
    };
    (0..words).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

pub(super) fn run(args: &Args, ui: &Ui) -> Result<(), CliError> {
    let folder = std::env::temp_dir().join(format!("loci-bench-memory-{}", std::process::id()));
    let path = folder.join("memory.db");
    let measured = measure(args, args.store.as_ref().map_or(path.as_path(), Path::new), ui);
    let _best_effort = std::fs::remove_dir_all(&folder);
    let output = measured?;
    if args.json {
        return print_json(&output);
    }
    let mut shown = format!(
        "{} items of {} words with vectors of {} numbers: {:.0} items/s in transactions of 1000{}\n\n",
        output.items,
        output.words,
        output.dimension,
        output.filled_items_per_s,
        output
            .store_bytes
            .map(|bytes| format!(", {:.0} MiB on disk", bytes as f64 / 1_048_576.0))
            .unwrap_or_default()
    );
    shown += &format!("{:<34}{:>6}{:>12}{:>12}{:>12}\n", "", "n", "median", "p95", "largest");
    for times in &output.times {
        shown += &format!(
            "{:<34}{:>6}{:>9.2} ms{:>9.2} ms{:>9.2} ms\n",
            times.what, times.n, times.median_ms, times.p95_ms, times.largest_ms
        );
    }
    print(&shown)
}

fn measure(args: &Args, store: &Path, ui: &Ui) -> Result<Output, CliError> {
    let encoder = Drawn(usize::from(args.dimension));
    let words = usize::from(args.words);
    let mut random = Random::new(42);
    let mut memory = Memory::open_at(store, Scope::default(), "bench", Surroundings::of_the_system())?;
    if memory.head()?.0 > 0 {
        return Err(CliError::usage(
            "the memory is not new, and what is in it would be measured, too; name another place",
        ));
    }
    let item = |random: &mut Random| {
        let content = Content::note(&text(random, words));
        let vectors = vec![encoder.vector(&content.text)];
        ((content, Vec::<Key>::new()), vectors)
    };
    let bar = ui.steps("remembering");
    let (mut left, started) = (args.items as usize, Instant::now());
    while left > 0 {
        let count = left.min(1000);
        let (items, vectors): (Vec<_>, Vec<_>) = (0..count).map(|_| item(&mut random)).unzip();
        memory.add_embedded(&items, encoder.name(), &vectors)?;
        left -= count;
        bar.update(args.items as usize - left, args.items as usize, "");
    }
    let filled_items_per_s = f64::from(args.items) / started.elapsed().as_secs_f64();
    drop(bar);
    let mut times = Vec::new();
    let mut writes = Vec::new();
    for _ in 0..args.writes {
        let (item, vectors) = item(&mut random);
        let (items, vectors) = ([item], [vectors]);
        writes.push(timed(|| memory.add_embedded(&items, encoder.name(), &vectors).map(drop))?);
    }
    times.push(of("writing one item", writes));
    let query = |random: &mut Random, by| Query { by, ..Query::new(&text(random, 8)) };
    let first = timed(|| memory.recall(&query(&mut random, By::Fused), Some(&encoder)).map(drop))?;
    times.push(of("first search", vec![first]));
    for (what, by) in [
        ("search by words", By::Words),
        ("search by meaning", By::Meaning),
        ("search by both, fused", By::Fused),
    ] {
        let mut searches = Vec::new();
        for _ in 0..args.searches {
            let query = query(&mut random, by);
            searches.push(timed(|| memory.recall(&query, Some(&encoder)).map(drop))?);
        }
        times.push(of(what, searches));
    }
    let store_bytes = std::fs::metadata(store).ok().map(|facts| facts.len());
    let mut forgets = Vec::new();
    for item in memory.list(&Filter::default())?.into_iter().take(usize::from(args.forgets)) {
        let target = Target::Ids(vec![item.id]);
        forgets.push(timed(|| memory.forget(&target, None, false).map(drop))?);
    }
    times.push(of("forgetting one item", forgets));
    let (items, dimension) = (args.items, args.dimension);
    Ok(Output { items, dimension, words: args.words, filled_items_per_s, store_bytes, times })
}

/// Milliseconds that `work` took.
fn timed(work: impl FnOnce() -> Result<(), loci_memory::MemoryError>) -> Result<f64, CliError> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}

fn of(what: &'static str, mut times: Vec<f64>) -> Times {
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = (share * times.len() as f64).ceil() as usize;
        times.get(place.max(1) - 1).copied().unwrap_or(0.0)
    };
    Times { what, n: times.len(), median_ms: at(0.5), p95_ms: at(0.95), largest_ms: at(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times() {
        let times = of("x", (1..=20).map(f64::from).rev().collect());
        assert_eq!((times.n, times.median_ms, times.p95_ms, times.largest_ms), (20, 10.0, 19.0, 20.0));
        assert_eq!(of("x", vec![3.0]).p95_ms, 3.0);
    }

    #[test]
    fn texts_have_frequent_and_rare_words() {
        let text = text(&mut Random::new(1), 5_000);
        let count = |word: &str| text.split(' ').filter(|own| *own == word).count();
        assert!(count("w1") > 100 && count("w1") > count("w9"), "{} {}", count("w1"), count("w9"));
    }
}
