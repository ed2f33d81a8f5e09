//! Which query heads copy facts from the context into the answer.
//!
//! Source: Wu et al., "Retrieval Head Mechanistically Explains Long-Context Factuality", 2024. Every probe hides one
//! sentence in plain text and asks for it; while the model answers, each head scores the share of the answer's tokens that
//! it looked at most when they were written. Only probes that are answered count. The answer's place is known from the
//! bytes of the text, where the paper looks for it among the tokens.

use std::sync::Arc;
use std::time::Instant;

use loci_kernels::tiles::RowType;
use loci_models::sampling::{Sampler, SamplerConfig};
use loci_models::tokenizer::DecodeOptions;
use loci_models::watch::{Ablation, Watch};
use serde::Serialize;

use super::copies::{Copies, Mode, Tally, recall};
use super::masking::{self, Masking};
use super::needles::{Haystack, Probe};
use super::table::{HeadTable, THRESHOLD};
use crate::context::ContextOptions;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::figures::Heat;
use crate::session::{Control, Session};

/// Tokens of an answer, at most, as in the published code.
const ANSWER: usize = 50;

/// Recall of the answer's words above which a probe counts as answered.
const ACCEPTED: f64 = 0.5;

/// What is measured.
#[derive(Clone, Debug)]
pub struct HeadsRequest {
    /// Tokens of a prompt, at most.
    pub lengths: Vec<usize>,
    /// Where needles stand, in percent of the text.
    pub depths: Vec<f64>,
    /// Needles for each length and depth.
    pub probes: usize,
    /// Decides the needles, the text, and the random heads of the control.
    pub seed: u64,
    /// How copies are counted.
    pub mode: Mode,
    /// What needles are hidden in.
    pub haystack: Haystack,
    /// Heads switched off in the experiment, and how; `None`: no experiment.
    pub mask: Option<(usize, Ablation)>,
    /// Score from which a head is called a retrieval head.
    pub threshold: f64,
}

impl Default for HeadsRequest {
    fn default() -> Self {
        Self {
            lengths: vec![256, 512, 1024, 2048],
            depths: vec![10.0, 30.0, 50.0, 70.0, 90.0],
            probes: 4,
            seed: 0,
            mode: Mode::default(),
            haystack: Haystack::default(),
            mask: None,
            threshold: THRESHOLD,
        }
    }
}

/// A head and what was found of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HeadScore {
    /// Layer.
    pub layer: usize,
    /// Query head of the layer.
    pub head: usize,
    /// Mean share of an answer's tokens that it copied.
    pub score: f64,
    /// Share of the answers of which it copied anything.
    pub frequency: f64,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct HeadsReport {
    /// The model.
    pub model: String,
    /// How copies were counted.
    pub mode: Mode,
    /// Probes answered rightly: only they count.
    pub accepted: usize,
    /// Probes asked.
    pub total: usize,
    /// Of each length, probes answered and asked.
    pub by_length: Vec<(usize, usize, usize)>,
    /// The seed.
    pub seed: u64,
    /// Score from which a head is called a retrieval head.
    pub threshold: f64,
    /// Retrieval heads, highest score first.
    pub retrieval_heads: Vec<HeadScore>,
    /// `[layers][heads]`.
    pub scores: Vec<Vec<f64>>,
    /// `[layers][heads]`: share of the accepted probes in which a head copied anything.
    pub frequencies: Vec<Vec<f64>>,
    /// What switching heads off does, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub masking: Option<Masking>,
}

impl HeadsReport {
    /// All heads, highest score first; of equal ones the lower layer and head.
    pub fn ranked(&self) -> Vec<HeadScore> {
        let rows = self.scores.iter().zip(&self.frequencies).enumerate();
        let mut ranked: Vec<HeadScore> = rows
            .flat_map(|(layer, (scores, frequencies))| {
                let pairs = scores.iter().zip(frequencies).enumerate();
                pairs.map(move |(head, (score, frequency))| HeadScore {
                    layer,
                    head,
                    score: *score,
                    frequency: *frequency,
                })
            })
            .collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then((a.layer, a.head).cmp(&(b.layer, b.head))));
        ranked
    }

    /// Scores by layer and head.
    pub fn figure(&self) -> String {
        // One column a head, layers upwards.
        let heads = self.scores.first().map_or(0, Vec::len);
        Heat {
            title: &format!("Retrieval heads of {}", self.model),
            below: &format!(
                "{} of {} probes answered; {} of {} heads copy {:.0} % or more of an answer",
                self.accepted,
                self.total,
                self.retrieval_heads.len(),
                heads * self.scores.len(),
                100.0 * self.threshold
            ),
            rows: &self.scores,
            range: -0.5..heads as f64 - 0.5,
            x: "query head",
            y: "layer",
            colours: "share of the answer's tokens copied",
            most: None,
            spread: false,
            marks: &[],
        }
        .svg()
    }

    /// The scores in the form that is kept for later answers.
    pub fn table(&self, made_by: &str) -> HeadTable {
        HeadTable {
            made_by: made_by.to_owned(),
            model: self.model.clone(),
            fingerprint: String::new(),
            mode: self.mode,
            accepted: self.accepted,
            total: self.total,
            scores: self.scores.clone(),
        }
    }
}

/// Scores all heads of the model.
///
/// # Errors
/// [`EngineError::Unsupported`] when no probe was answered, or the requested probes or heads do not fit the model;
/// [`EngineError::Interrupted`] when `control` says so; what reading and writing fail with.
pub fn measure(
    engine: &Arc<Engine>,
    request: &HeadsRequest,
    control: &mut Control<'_>,
) -> Result<HeadsReport, EngineError> {
    let shape = engine.model().shape();
    check(engine, request)?;
    let (mut tally, mut accepted, mut by_length) = (Tally::default(), Vec::new(), Vec::new());
    let each = request.depths.len() * request.probes;
    let passes = if request.mask.is_some() { 2 } else { 1 };
    let mut progress = Watched::new(control, request.lengths.iter().sum::<usize>() * each * passes);
    for length in &request.lengths {
        let before = accepted.len();
        for depth in &request.depths {
            for number in 0..request.probes {
                let probe = request.haystack.probe(engine, *length, *depth, number, request.seed)?;
                if let Some(scores) = score(engine, &probe, request.mode, progress.control)? {
                    tally.add(&scores);
                    accepted.push(probe);
                }
                progress.advance(*length);
            }
        }
        by_length.push((*length, accepted.len() - before, each));
    }
    let (Some(means), Some(frequencies)) = (tally.means(), tally.frequencies()) else {
        return Err(EngineError::Unsupported(format!(
            "{} answered none of {} probes, so nothing can be said about its heads; use shorter --lengths, more --probes, or a model tuned to answer questions",
            engine.name(),
            request.lengths.len() * each
        )));
    };
    let by_layer = |all: &[f64]| all.chunks(shape.heads).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let mut report = HeadsReport {
        model: engine.name().to_owned(),
        mode: request.mode,
        accepted: tally.answers(),
        total: request.lengths.len() * each,
        by_length,
        seed: request.seed,
        threshold: request.threshold,
        retrieval_heads: Vec::new(),
        scores: by_layer(&means),
        frequencies: by_layer(&frequencies),
        masking: None,
    };
    let ranked = report.ranked();
    report.retrieval_heads = ranked.iter().copied().filter(|head| head.score >= request.threshold).collect();
    if let Some((count, ablation)) = request.mask {
        let seed = request.seed;
        let groups = masking::groups(&ranked, count, request.threshold, seed)?;
        report.masking = Some(masking::run(engine, &accepted, groups, ablation, &mut progress)?);
    }
    progress.finish();
    Ok(report)
}

fn check(engine: &Engine, request: &HeadsRequest) -> Result<(), EngineError> {
    let window = engine.trained_window();
    let refused = |message: String| Err(EngineError::Unsupported(message));
    if request.lengths.is_empty() || request.depths.is_empty() || request.probes == 0 {
        return refused(
            "there are no probes to ask; give at least one length, one depth and one probe".to_owned(),
        );
    }
    if let Some(length) = request.lengths.iter().find(|length| **length + ANSWER > window) {
        return refused(format!(
            "a probe of {length} tokens and its answer do not fit the window of {window} tokens that {} was trained with; use --lengths up to {}",
            engine.name(),
            window.saturating_sub(ANSWER)
        ));
    }
    match request.depths.iter().find(|depth| !(0.0..=100.0).contains(*depth)) {
        Some(depth) => refused(format!("a depth of {depth} percent does not lie in the text; use 0 to 100")),
        None => Ok(()),
    }
}

/// The control of a measurement that consists of many reads: they report as one.
pub(super) struct Watched<'a, 'b> {
    pub(super) control: &'a mut Control<'b>,
    done: usize,
    total: usize,
    started: Instant,
}

impl<'a, 'b> Watched<'a, 'b> {
    fn new(control: &'a mut Control<'b>, total: usize) -> Self {
        Self { control, done: 0, total, started: Instant::now() }
    }

    pub(super) fn advance(&mut self, tokens: usize) {
        self.done = (self.done + tokens).min(self.total);
        self.control.report(self.done, self.total, self.started);
    }

    fn finish(&mut self) {
        self.advance(self.total);
    }
}

/// A session that has read all of a probe's prompt but its last token.
pub(super) fn read(
    engine: &Arc<Engine>,
    tokens: &[u32],
    stop: &mut Control<'_>,
) -> Result<Session, EngineError> {
    let method = Some(loci_context::MethodSpec::parse("full")?);
    // Exact rows: equal weights would be more frequent among rounded ones.
    let options = ContextOptions { method, row_type: RowType::F16, ..ContextOptions::default() };
    let plan = options.plan(engine, tokens.len(), ANSWER)?;
    let mut session = options.session(engine, &plan)?;
    let body = tokens.split_last().map_or(&[][..], |(_, body)| body);
    session.read_on(body, &mut Control { stop: stop.stop, progress: None })?;
    Ok(session)
}

/// Writes the answer behind `last`, greedily, up to the end of its first line; `heard` gets each token with where each
/// head looked when it was chosen.
pub(super) fn answer(
    session: &mut Session,
    last: u32,
    control: &Control<'_>,
    heard: &mut dyn FnMut(u32, &[Option<usize>]),
) -> Result<String, EngineError> {
    let engine = Arc::clone(session.engine());
    let tokenizer = engine.tokenizer()?;
    let mut sampler = Sampler::new(SamplerConfig { temperature: 0.0, ..SamplerConfig::default() })?;
    let mut decoder = tokenizer.decoder(DecodeOptions { continues: true, ..DecodeOptions::default() });
    let mut text = String::new();
    let mut next = last;
    for done in 0..ANSWER {
        if control.stopped() {
            return Err(EngineError::Interrupted { done, total: ANSWER });
        }
        session.step(next)?;
        next = session.draw(&mut sampler)?;
        if tokenizer.is_end(next) {
            break;
        }
        heard(next, session.memory().looks());
        text.push_str(&decoder.push(tokenizer, next));
        if text.trim_start().contains('\n') {
            break;
        }
    }
    text.push_str(&decoder.finish());
    Ok(text)
}

/// Whether `text` answers the probe.
fn is_answered(text: &str, probe: &Probe) -> bool {
    recall(text, &probe.answer) > ACCEPTED || text.contains(&probe.answer)
}

/// The score of each head `[layers * heads]`; `None` when the probe was not answered.
fn score(
    engine: &Arc<Engine>,
    probe: &Probe,
    mode: Mode,
    control: &mut Control<'_>,
) -> Result<Option<Vec<f64>>, EngineError> {
    let shape = engine.model().shape();
    let (prompt, span) = probe.prompt(engine)?;
    let Some(last) = prompt.tokens.last() else { return Ok(None) };
    let mut session = read(engine, &prompt.tokens, control)?;
    session.watch(Watch { looks: true, ..Watch::default() })?;
    let mut copies = Copies::new(&prompt.tokens, span, mode, shape.layers * shape.heads);
    let text = answer(&mut session, *last, control, &mut |token, looks| copies.record(token, looks))?;
    tracing::debug!(length = probe.length, depth = probe.depth, expected = probe.answer, text, "a probe");
    Ok(is_answered(&text, probe).then(|| copies.scores()))
}
