//! Full attention, written down plainly: the definition that every other memory is compared with.

use std::io::Write;

use bytes::Bytes;

use crate::memory::{AttentionShape, ContextMemory, ContextReport, MemoryError, Signals, TokenEvidence};
use crate::rope::RopeSchedule;

/// A memory that keeps every key and value of every token in f32, unrotated, and attends to all of them.
#[derive(Clone, Debug)]
pub struct ReferenceMemory {
    shape: AttentionShape,
    rope: RopeSchedule,
    /// Per layer, `[tokens, kv_heads, head_dim]`.
    keys: Vec<Vec<f32>>,
    /// Per layer, `[tokens, kv_heads, head_dim]`.
    values: Vec<Vec<f32>>,
    tokens: usize,
    /// Tokens announced and not yet ended.
    chunk: usize,
    signals: bool,
    /// Signals of all tokens read while they were wanted.
    surprise: Vec<f32>,
    entropy: Vec<f32>,
    /// Attention received by each token while recording, and the number of softmaxes it was summed over.
    evidence: Option<(Vec<f64>, f64)>,
}

impl ReferenceMemory {
    /// An empty memory for a model of this shape whose keys stand at the angles of `rope`.
    pub fn new(shape: AttentionShape, rope: RopeSchedule) -> Self {
        Self {
            shape,
            rope,
            keys: vec![Vec::new(); shape.layers],
            values: vec![Vec::new(); shape.layers],
            tokens: 0,
            chunk: 0,
            signals: false,
            surprise: Vec::new(),
            entropy: Vec::new(),
            evidence: None,
        }
    }

    /// The same, but it asks for the signals of every token and keeps them.
    pub fn with_signals(shape: AttentionShape, rope: RopeSchedule) -> Self {
        Self { signals: true, ..Self::new(shape, rope) }
    }

    /// Surprise of all tokens read, if it was asked for.
    pub fn surprise(&self) -> &[f32] {
        &self.surprise
    }

    /// Entropy of all tokens read, if it was asked for.
    pub fn entropy(&self) -> &[f32] {
        &self.entropy
    }

    fn rotated(&self, row: &[f32], position: usize) -> Vec<f64> {
        let half = self.shape.head_dim / 2;
        let mut out: Vec<f64> = row.iter().map(|number| f64::from(*number)).collect();
        for pair in 0..half {
            let (sin, cos) = self.rope.angle(pair, position as f64).sin_cos();
            let scale = self.rope.attention_scale;
            let (first, second) = (out[pair], out[pair + half]);
            out[pair] = (first * cos - second * sin) * scale;
            out[pair + half] = (second * cos + first * sin) * scale;
        }
        out
    }
}

fn misuse(what: &str) -> MemoryError {
    MemoryError::Misuse(what.to_owned())
}

impl ContextMemory for ReferenceMemory {
    fn shape(&self) -> AttentionShape {
        self.shape
    }

    fn len(&self) -> usize {
        self.tokens
    }

    fn wants_signals(&self) -> bool {
        self.signals
    }

    fn begin_chunk(&mut self, tokens: usize) -> Result<(), MemoryError> {
        if self.chunk != 0 {
            return Err(misuse("begin_chunk within a chunk"));
        }
        self.chunk = tokens;
        Ok(())
    }

    fn attend(
        &mut self,
        layer: usize,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
    ) -> Result<(), MemoryError> {
        let AttentionShape { layers, heads, kv_heads, head_dim } = self.shape;
        let (m, row) = (self.chunk, kv_heads * head_dim);
        let query_row = heads * head_dim;
        let fits =
            q.len() == m * query_row && out.len() == q.len() && k.len() == m * row && v.len() == k.len();
        if layer >= layers || !fits || self.keys[layer].len() != self.tokens * row {
            return Err(misuse("attend out of order or with another number of rows than announced"));
        }
        self.keys[layer].extend_from_slice(k);
        self.values[layer].extend_from_slice(v);
        let (keys, values) = (&self.keys[layer], &self.values[layer]);
        let at = |rows: &[f32], token: usize, head: usize| -> Vec<f32> {
            rows[token * row + head * head_dim..][..head_dim].to_vec()
        };
        let rotated: Vec<Vec<Vec<f64>>> = (0..kv_heads)
            .map(|head| {
                (0..self.tokens + m).map(|token| self.rotated(&at(keys, token, head), token)).collect()
            })
            .collect();
        let mut mass = vec![0.0; self.tokens + m];
        for token in 0..m {
            let position = self.tokens + token;
            for head in 0..heads {
                let kv_head = head / (heads / kv_heads);
                let start = token * query_row + head * head_dim;
                let query = self.rotated(&q[start..start + head_dim], position);
                let scale = 1.0 / (head_dim as f64).sqrt();
                let scores: Vec<f64> = rotated[kv_head][..=position]
                    .iter()
                    .map(|key| key.iter().zip(&query).map(|(a, b)| a * b).sum::<f64>() * scale)
                    .collect();
                let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let shares: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
                let sum: f64 = shares.iter().sum();
                let mut result = vec![0.0; head_dim];
                for (other, share) in shares.iter().enumerate() {
                    mass[other] += share / sum;
                    for (to, value) in result.iter_mut().zip(at(values, other, kv_head)) {
                        *to += share / sum * f64::from(value);
                    }
                }
                for (to, number) in out[start..start + head_dim].iter_mut().zip(result) {
                    *to = number as f32;
                }
            }
        }
        if let Some((sums, softmaxes)) = &mut self.evidence {
            sums.resize(mass.len(), 0.0);
            sums.iter_mut().zip(mass).for_each(|(sum, mass)| *sum += mass);
            *softmaxes += (m * heads) as f64;
        }
        Ok(())
    }

    fn end_chunk(&mut self, signals: Signals<'_>) -> Result<(), MemoryError> {
        if self.signals && (signals.surprise.len() != self.chunk || signals.entropy.len() != self.chunk) {
            return Err(misuse("end_chunk without the signals of every token"));
        }
        self.surprise.extend_from_slice(signals.surprise);
        self.entropy.extend_from_slice(signals.entropy);
        self.tokens += self.chunk;
        self.chunk = 0;
        Ok(())
    }

    fn truncate(&mut self, to: usize) -> Result<usize, MemoryError> {
        // Also leaves a chunk that a failed step began.
        self.chunk = 0;
        self.tokens = self.tokens.min(to);
        let rows = self.tokens * self.shape.kv_heads * self.shape.head_dim;
        self.keys.iter_mut().chain(&mut self.values).for_each(|layer| layer.truncate(rows));
        self.surprise.truncate(self.tokens);
        self.entropy.truncate(self.tokens);
        if let Some((sums, _)) = &mut self.evidence {
            sums.truncate(self.tokens);
        }
        Ok(self.tokens)
    }

    fn fork(&self) -> Result<Box<dyn ContextMemory>, MemoryError> {
        Ok(Box::new(self.clone()))
    }

    fn save(&self, out: &mut dyn Write) -> Result<(), MemoryError> {
        let mut bytes = (self.tokens as u64).to_le_bytes().to_vec();
        for number in self.keys.iter().chain(&self.values).flatten() {
            bytes.extend(number.to_le_bytes());
        }
        out.write_all(&bytes).map_err(|error| MemoryError::Saved(error.to_string()))
    }

    fn load(&mut self, from: Bytes) -> Result<(), MemoryError> {
        let damaged = || MemoryError::Saved("the saved memory is damaged".to_owned());
        let (count, rest) = from.split_first_chunk::<8>().ok_or_else(damaged)?;
        let tokens = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| damaged())?;
        let numbers: Vec<f32> =
            rest.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let layer = tokens.checked_mul(self.shape.kv_heads * self.shape.head_dim).ok_or_else(damaged)?;
        if layer.checked_mul(2 * self.shape.layers) != Some(numbers.len()) {
            return Err(damaged());
        }
        for (index, rows) in self.keys.iter_mut().chain(&mut self.values).enumerate() {
            *rows = numbers[index * layer..(index + 1) * layer].to_vec();
        }
        self.tokens = tokens;
        self.chunk = 0;
        Ok(())
    }

    fn record_evidence(&mut self, on: bool) {
        self.evidence = on.then(|| (vec![0.0; self.tokens], 0.0));
    }

    fn evidence(&self) -> Vec<TokenEvidence> {
        let Some((sums, softmaxes)) = &self.evidence else { return Vec::new() };
        let mut evidence: Vec<TokenEvidence> = sums
            .iter()
            .enumerate()
            .map(|(token, sum)| TokenEvidence {
                tokens: token..token + 1,
                mass: (sum / softmaxes.max(1.0)) as f32,
            })
            .collect();
        evidence.sort_by(|a, b| b.mass.total_cmp(&a.mass));
        evidence
    }

    fn report(&self) -> ContextReport {
        let read = self.tokens;
        ContextReport { given: read, read, kept: read, window: read, ..ContextReport::default() }
    }

    fn bytes(&self) -> usize {
        self.keys.iter().chain(&self.values).map(|layer| layer.len() * size_of::<f32>()).sum()
    }
}
