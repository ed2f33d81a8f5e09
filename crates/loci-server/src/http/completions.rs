//! `/v1/completions`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::sse::Event as Sent;
use axum::response::{IntoResponse, Response};

use super::body::Body;
use super::format::completion_likelihoods;
use super::guard::Client;
use super::options::options;
use super::stream::{Form, done, sent, stream};
use crate::ask::{Asked, News, Question, Told, collect, prepare, submit};
use crate::error::{ApiError, ErrorBody};
use crate::library::blocking;
use crate::openai::{
    CompletionChoice, CompletionPrompt, CompletionRequest, CompletionResponse, finish_reason, refuse_unknown,
};
use crate::state::{App, fresh_id, now};

/// Tokens unless a request says otherwise, as OpenAI has it.
const DEFAULT_TOKENS: usize = 16;

/// Goes on with a text.
#[utoipa::path(post, path = "/v1/completions", request_body = CompletionRequest, responses((status = 200, body = CompletionResponse), (status = "4XX", body = ErrorBody), (status = "5XX", body = ErrorBody)))]
pub(super) async fn completions(
    State(app): State<Arc<App>>,
    client: Client,
    Body(request): Body<CompletionRequest>,
) -> Result<Response, ApiError> {
    refuse_unknown(&request.extra)?;
    let fields = request.loci.clone().unwrap_or_default();
    if fields.memory.is_some() {
        let message = "a memory goes with a chat, not with text that is continued; use /v1/chat/completions";
        return Err(ApiError::invalid("invalid_value", message).at("loci.memory"));
    }
    let (streams, echo) = (request.stream.unwrap_or(false), request.echo.unwrap_or(false));
    let with_usage = request.stream_options.is_some_and(|options| options.include_usage);
    let held = Arc::clone(&app);
    let (prepared, count, before) = blocking(move || {
        let question = match request.prompt {
            CompletionPrompt::Text(text) => Question::Text(text),
            CompletionPrompt::Tokens(tokens) => Question::Tokens(tokens),
            CompletionPrompt::Texts(mut texts) => match (texts.pop(), texts.is_empty()) {
                (Some(text), true) => Question::Text(text),
                _ => {
                    let message =
                        "one prompt a request; send the others by themselves, they are computed together";
                    return Err(ApiError::invalid("several_prompts", message).at("prompt"));
                }
            },
        };
        let before = match &question {
            Question::Text(text) if echo => text.clone(),
            _ if echo => {
                return Err(ApiError::invalid("invalid_value", "echo wants a prompt in words").at("echo"));
            }
            _ => String::new(),
        };
        let max_tokens = request.max_tokens.map_or(DEFAULT_TOKENS, |tokens| tokens as usize);
        let answers = options(request.sampling, max_tokens, request.logprobs.map(usize::from))?;
        let (model, reading) = held.asked(request.model.as_deref(), fields.reading.as_deref())?;
        let count = answers.len();
        Ok((prepare(&model, question, &fields, reading, answers)?, count, before))
    })
    .await?;
    let (running, asked) = submit(&app, client.0, prepared)?;
    let head = CompletionResponse {
        id: fresh_id("cmpl-"),
        object: "text_completion",
        created: now(),
        model: asked.model.id.clone(),
        choices: Vec::new(),
        usage: None,
        loci: None,
    };
    if !streams {
        let collected = collect(running, &asked, count).await?;
        let choices = collected.answers.iter().enumerate().map(|(index, generation)| CompletionChoice {
            index,
            text: format!("{before}{}", generation.text),
            logprobs: completion_likelihoods(&generation.log_probs, before.len()),
            finish_reason: Some(finish_reason(generation.finish)),
        });
        let choices = choices.collect();
        let (usage, loci) = (Some(collected.usage), Some(collected.report));
        return Ok(Json(CompletionResponse { choices, usage, loci, ..head }).into_response());
    }
    Ok(stream(
        running,
        asked,
        count,
        Pieces { offsets: vec![before.len(); count], head, count, before, usage: with_usage },
    ))
}

/// Pieces of texts.
struct Pieces {
    head: CompletionResponse,
    count: usize,
    /// What each text begins with.
    before: String,
    usage: bool,
    /// Bytes of each text so far.
    offsets: Vec<usize>,
}

impl Pieces {
    fn piece(&self, index: usize, text: String, finish_reason: Option<&'static str>) -> CompletionResponse {
        let choice = CompletionChoice { index, text, logprobs: None, finish_reason };
        CompletionResponse { choices: vec![choice], ..self.head.clone() }
    }
}

impl Form for Pieces {
    fn opened(&mut self) -> Vec<Sent> {
        let count = if self.before.is_empty() { 0 } else { self.count };
        (0..count).map(|index| sent(&self.piece(index, self.before.clone(), None))).collect()
    }

    fn shown(&mut self, news: News, told: &Told, asked: &Asked) -> Vec<Sent> {
        match news {
            News::Text(index, text) => vec![sent(&self.piece(index, text, None))],
            News::Answer(index, generation) => {
                let ended = self.piece(index, String::new(), Some(finish_reason(generation.finish)));
                let loci = (told.finished() >= self.count).then(|| told.report(asked));
                vec![sent(&CompletionResponse { loci, ..ended })]
            }
            News::Likely(index, drawn) => {
                let mut piece = self.piece(index, String::new(), None);
                let at = self.offsets.get(index).copied().unwrap_or(0);
                if let Some(choice) = piece.choices.first_mut() {
                    choice.logprobs = completion_likelihoods(&drawn, at);
                }
                let written: usize = drawn.iter().map(|drawn| drawn.chosen.bytes.len()).sum();
                if let Some(offset) = self.offsets.get_mut(index) {
                    *offset += written;
                }
                vec![sent(&piece)]
            }
            News::Queued(_) | News::Progress(_) => Vec::new(),
        }
    }

    fn ended(&mut self, told: &Told, asked: &Asked) -> Vec<Sent> {
        let counted = || CompletionResponse { usage: Some(told.usage(asked)), ..self.head.clone() };
        self.usage.then(|| sent(&counted())).into_iter().chain([done()]).collect()
    }
}
