//! Surprise and entropy of the tokens a model reads.

use crate::memory::Signals;

/// What the softmax of one row of logits looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distribution {
    /// `ln(sum(exp(logits)))`.
    pub log_sum_exp: f32,
    /// Entropy in nats.
    pub entropy: f32,
}

impl Distribution {
    /// `-ln p` in nats of a token by the logits that this is of; `None` where they do not have it.
    fn unexpected(&self, logits: &[f32], token: usize) -> Option<f32> {
        logits.get(token).map(|logit| (self.log_sum_exp - logit).max(0.0))
    }
}

/// What a sequence carries from one forward step to the next so that the first token of a chunk, too, has a
/// surprise: the logits behind the newest token. A session keeps one beside each memory.
///
/// It is filled only by steps that compute signals, which are those whose memory wants them or whose state was
/// told to [`record`](SignalState::record). After the memory was truncated, [`clear`](SignalState::clear) it and
/// read again from one token earlier; otherwise the next token's surprise counts as 0, like the very first's.
#[derive(Clone, Debug, Default)]
pub struct SignalState {
    previous: Vec<f32>,
    distribution: Distribution,
    recording: bool,
    surprise: Vec<f32>,
    entropy: Vec<f32>,
    repetition: Vec<f32>,
}

impl SignalState {
    /// Computes signals from now on even if the memory does not want them; they cost logits of all tokens.
    pub fn record(&mut self, on: bool) {
        self.recording = on;
    }

    /// Whether signals are computed in any case.
    pub const fn is_recording(&self) -> bool {
        self.recording
    }

    /// Forgets the logits behind the newest token.
    pub fn clear(&mut self) {
        self.previous.clear();
    }

    /// The logits `[vocab]` behind the newest token and what their softmax looks like: what a saved sequence has to keep.
    /// Empty when nothing is known.
    pub fn newest(&self) -> (&[f32], Distribution) {
        (&self.previous, self.distribution)
    }

    /// A state that knows what [`newest`](Self::newest) returned, and nothing else.
    pub fn restored(logits: Vec<f32>, distribution: Distribution) -> Self {
        Self { previous: logits, distribution, ..Self::default() }
    }

    /// Surprise in nats of each token of the last step, `-ln p(token | all before it)`: its negative
    /// log-likelihood. 0 for a token before which nothing is known. Empty unless signals were computed.
    pub fn surprise(&self) -> &[f32] {
        &self.surprise
    }

    /// Entropy in nats of the distribution each token of the last step was drawn against.
    pub fn entropy(&self) -> &[f32] {
        &self.entropy
    }

    /// How unexpected each token of the last step would be once more right behind itself, in nats.
    pub fn repetition(&self) -> &[f32] {
        &self.repetition
    }

    /// All signals of the last step.
    pub(crate) fn signals(&self) -> Signals<'_> {
        Signals { surprise: &self.surprise, entropy: &self.entropy, repetition: &self.repetition }
    }

    /// A step without signals: what was known before it says nothing about the token after it.
    pub(crate) fn skip(&mut self) {
        self.begin(0);
        self.clear();
    }

    /// Starts a step with signals.
    pub(crate) fn begin(&mut self, tokens: usize) {
        for signal in [&mut self.surprise, &mut self.entropy, &mut self.repetition] {
            signal.clear();
            signal.reserve(tokens);
        }
    }

    /// Takes in the next token and the logits behind it.
    pub(crate) fn push(&mut self, token: u32, logits: &[f32], distribution: Distribution) {
        let index = usize::try_from(token).unwrap_or(usize::MAX);
        let before = self.distribution.unexpected(&self.previous, index);
        self.surprise.push(before.unwrap_or(0.0));
        self.entropy.push(before.map_or(0.0, |_| self.distribution.entropy));
        self.repetition.push(distribution.unexpected(logits, index).unwrap_or(0.0));
        self.previous.clear();
        self.previous.extend_from_slice(logits);
        self.distribution = distribution;
    }
}
