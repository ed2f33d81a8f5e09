//! Small GGUF files written from scratch, and random models in them.

use std::sync::Arc;

use loci_kernels::Pool;

use crate::error::ModelError;
use crate::gguf::{Gguf, MAGIC};
use crate::model::Model;

/// Alignment of tensor data in the files written here.
const ALIGNMENT: usize = 32;

/// A metadata value to be written.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Entry {
    U32(u32),
    F32(f32),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    Integers(Vec<i32>),
    Numbers(Vec<f32>),
}

impl Entry {
    fn write(&self, out: &mut Vec<u8>) {
        fn text(out: &mut Vec<u8>, text: &str) {
            out.extend((text.len() as u64).to_le_bytes());
            out.extend(text.as_bytes());
        }
        fn array(out: &mut Vec<u8>, element: u32, length: usize) {
            out.extend(9_u32.to_le_bytes());
            out.extend(element.to_le_bytes());
            out.extend((length as u64).to_le_bytes());
        }
        match self {
            Self::U32(number) => {
                out.extend(4_u32.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            Self::F32(number) => {
                out.extend(6_u32.to_le_bytes());
                out.extend(number.to_le_bytes());
            }
            Self::Flag(flag) => {
                out.extend(7_u32.to_le_bytes());
                out.push(u8::from(*flag));
            }
            Self::Text(content) => {
                out.extend(8_u32.to_le_bytes());
                text(out, content);
            }
            Self::Texts(list) => {
                array(out, 8, list.len());
                list.iter().for_each(|item| text(out, item));
            }
            Self::Integers(list) => {
                array(out, 5, list.len());
                list.iter().for_each(|item| out.extend(item.to_le_bytes()));
            }
            Self::Numbers(list) => {
                array(out, 6, list.len());
                list.iter().for_each(|item| out.extend(item.to_le_bytes()));
            }
        }
    }
}

/// A GGUF file, version 3, of metadata and F32 tensors given as (name, shape with rows first, numbers).
pub fn write_gguf(metadata: &[(String, Entry)], tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend(3_u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        out.extend((key.len() as u64).to_le_bytes());
        out.extend(key.as_bytes());
        value.write(&mut out);
    }
    let mut offset = 0;
    for (name, shape, numbers) in tensors {
        out.extend((name.len() as u64).to_le_bytes());
        out.extend(name.as_bytes());
        out.extend((shape.len() as u32).to_le_bytes());
        shape.iter().rev().for_each(|size| out.extend((*size as u64).to_le_bytes()));
        out.extend(0_u32.to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset = (offset + numbers.len() * size_of::<f32>()).next_multiple_of(ALIGNMENT);
    }
    for (_, _, numbers) in tensors {
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
    }
    out
}

/// A small model with random weights: the same numbers for the same sizes and seed, on every machine.
///
/// It is a Llama whose tokens are the 256 bytes and a few markers: `<s>` (256) begins a text, `</s>` (257) ends
/// it, `<|user|>` (258) and `<|assistant|>` (259) are used by its chat template. Weights are large enough that
/// its softmaxes are neither flat nor single peaks, so that methods which choose rows have something to choose.
#[derive(Clone, Copy, Debug)]
pub struct TinyModel {
    /// Transformer layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Numbers in a head; even.
    pub head_dim: usize,
    /// Window it claims to be trained with.
    pub n_ctx: usize,
    /// Seed of the weights.
    pub seed: u64,
}

impl Default for TinyModel {
    fn default() -> Self {
        Self { layers: 2, heads: 4, kv_heads: 2, head_dim: 8, n_ctx: 256, seed: 1 }
    }
}

/// The markers behind the 256 bytes.
const MARKERS: [&str; 4] = ["<s>", "</s>", "<|user|>", "<|assistant|>"];
/// The chat template of the small model.
const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}\
{{ eos_token }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

impl TinyModel {
    /// Tokens of the vocabulary.
    pub const VOCAB: usize = 256 + MARKERS.len();

    /// The model as a GGUF file.
    pub fn file(&self) -> Vec<u8> {
        write_gguf(&self.metadata(), &self.tensors())
    }

    /// The model, opened.
    ///
    /// # Errors
    /// [`ModelError`] for sizes that make no model.
    pub fn open(&self, pool: Arc<Pool>) -> Result<Model, ModelError> {
        Model::from_gguf(Gguf::from_bytes("a random model", self.file())?, pool)
    }

    const fn hidden(&self) -> usize {
        self.heads * self.head_dim
    }

    const fn ffn(&self) -> usize {
        2 * self.hidden()
    }

    /// The metadata of the file, to be changed before it is written.
    pub fn metadata(&self) -> Vec<(String, Entry)> {
        let size = |size: usize| Entry::U32(u32::try_from(size).unwrap_or(u32::MAX));
        // Bytes are stored as <0x..> tokens, which is how a SentencePiece vocabulary spells them.
        let mut tokens: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
        tokens.extend(MARKERS.map(str::to_owned));
        let types = (0..Self::VOCAB).map(|token| if token < 256 { 6 } else { 3 }).collect();
        let entries = [
            ("general.architecture", Entry::Text("llama".to_owned())),
            ("llama.block_count", size(self.layers)),
            ("llama.context_length", size(self.n_ctx)),
            ("llama.embedding_length", size(self.hidden())),
            ("llama.feed_forward_length", size(self.ffn())),
            ("llama.attention.head_count", size(self.heads)),
            ("llama.attention.head_count_kv", size(self.kv_heads)),
            ("llama.attention.layer_norm_rms_epsilon", Entry::F32(1e-5)),
            ("llama.rope.freq_base", Entry::F32(10_000.0)),
            ("llama.rope.dimension_count", size(self.head_dim)),
            ("tokenizer.ggml.model", Entry::Text("llama".to_owned())),
            ("tokenizer.ggml.tokens", Entry::Texts(tokens)),
            ("tokenizer.ggml.scores", Entry::Numbers(vec![0.0; Self::VOCAB])),
            ("tokenizer.ggml.token_type", Entry::Integers(types)),
            ("tokenizer.ggml.bos_token_id", Entry::U32(256)),
            ("tokenizer.ggml.eos_token_id", Entry::U32(257)),
            ("tokenizer.ggml.add_bos_token", Entry::Flag(true)),
            ("tokenizer.ggml.add_space_prefix", Entry::Flag(false)),
            ("tokenizer.chat_template", Entry::Text(TEMPLATE.to_owned())),
        ];
        entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The tensors of the file, as [`write_gguf`] takes them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let mut random = Random(self.seed);
        let (hidden, ffn) = (self.hidden(), self.ffn());
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let mut tensors = Vec::new();
        let mut matrix = |name: String, rows: usize, columns: usize, gain: f32| {
            let scale = gain / (columns as f32).sqrt();
            let numbers = (0..rows * columns).map(|_| random.next() * scale).collect();
            tensors.push((name, vec![rows, columns], numbers));
        };
        matrix("token_embd.weight".to_owned(), Self::VOCAB, hidden, 1.0);
        matrix("output.weight".to_owned(), Self::VOCAB, hidden, 4.0);
        for layer in 0..self.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            matrix(name("attn_q"), queries, hidden, 2.5);
            matrix(name("attn_k"), keys, hidden, 2.5);
            matrix(name("attn_v"), keys, hidden, 1.5);
            matrix(name("attn_output"), hidden, queries, 1.5);
            matrix(name("ffn_gate"), ffn, hidden, 1.5);
            matrix(name("ffn_up"), ffn, hidden, 1.5);
            matrix(name("ffn_down"), hidden, ffn, 1.5);
        }
        let mut norm = |name: String| {
            let numbers = (0..hidden).map(|_| 1.0 + 0.1 * random.next()).collect();
            tensors.push((name, vec![hidden], numbers));
        };
        norm("output_norm.weight".to_owned());
        for layer in 0..self.layers {
            norm(format!("blk.{layer}.attn_norm.weight"));
            norm(format!("blk.{layer}.ffn_norm.weight"));
        }
        tensors
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): random numbers that no library update will change.
struct Random(u64);

impl Random {
    /// The next number, even in -1.7..1.7: variance 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let unit = (bits >> 40) as f32 / (1_u64 << 24) as f32;
        (2.0 * unit - 1.0) * 3.0_f32.sqrt()
    }
}
