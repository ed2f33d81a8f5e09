//! A model behind an endpoint that speaks OpenAI's chat completions.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use loci_models::template::{Message, ToolCall};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::error::EngineError;
use crate::generate::{Finish, GenerateOptions, Generation, OnText};
use crate::language_model::{Account, Body, Input, LanguageModel, Rating};
use crate::score::Score;
use crate::session::Control;
use crate::tools::written;

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Bytes of an error reply that are shown.
const SHOWN: usize = 300;

/// Where a model is, and how patient one is with it.
#[derive(Clone)]
pub struct RemoteOptions {
    /// Such as `http://127.0.0.1:8080/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token.
    pub api_key: Option<String>,
    /// Longest time of one attempt.
    pub timeout: Duration,
    /// Further attempts after one that failed and may succeed later: no connection, no reply in time, status 408, 429, 5xx.
    pub retries: u32,
    /// Pause before the second attempt; doubles with each, up to a minute.
    pub pause: Duration,
}

impl RemoteOptions {
    /// A model of an endpoint, with ten minutes for an answer and four further attempts.
    pub fn new(base_url: &str, model: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            model: model.to_owned(),
            api_key: None,
            timeout: Duration::from_secs(600),
            retries: 4,
            pause: Duration::from_secs(1),
        }
    }
}

impl std::fmt::Debug for RemoteOptions {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.model, self.base_url)
    }
}

/// A model behind an endpoint. Knows nothing of its tokens and likelihoods: those calls are refused.
#[derive(Debug)]
pub struct RemoteModel {
    options: RemoteOptions,
    agent: ureq::Agent,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<Wire<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    max_tokens: usize,
    temperature: f32,
    top_p: f32,
    seed: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "is_zero")]
    frequency_penalty: f32,
    #[serde(skip_serializing_if = "is_zero")]
    presence_penalty: f32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    logit_bias: &'a BTreeMap<u32, f32>,
    #[serde(skip_serializing_if = "<[serde_json::Value]>::is_empty")]
    tools: &'a [serde_json::Value],
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde wants it
fn is_zero(value: &f32) -> bool {
    *value == 0.0
}

#[derive(Serialize)]
struct Wire<'a> {
    role: &'a str,
    content: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> From<&'a Message> for Wire<'a> {
    fn from(message: &'a Message) -> Self {
        let call = |call: &ToolCall| {
            let function = json!({"name": call.name, "arguments": call.arguments});
            json!({"id": call.id, "type": "function", "function": function})
        };
        Self {
            role: &message.role,
            content: message.content.as_str().into(),
            tool_calls: message.tool_calls.iter().map(call).collect(),
            tool_call_id: message.tool_call_id.as_deref(),
        }
    }
}

#[derive(Deserialize)]
struct Reply {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Said>,
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Called>>,
}

#[derive(Deserialize)]
struct Called {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    /// JSON, as text.
    arguments: String,
}

impl Said {
    /// What was said, with calls behind it in the notation that local models use; see [`tools`](crate::tools).
    fn text(self) -> Option<String> {
        let calls = self.tool_calls.unwrap_or_default();
        if calls.is_empty() {
            return self.content;
        }
        let written = calls.iter().map(|Called { function }| written(&function.name, &function.arguments));
        Some(self.content.unwrap_or_default() + &written.collect::<String>())
    }
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
}

/// Why one attempt failed, and whether another may succeed.
struct Failure {
    message: String,
    passing: bool,
    /// What the server asked for.
    wait: Option<Duration>,
}

impl RemoteModel {
    /// A client for `options`; nothing is sent yet.
    pub fn new(options: RemoteOptions) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(options.timeout))
            // The body of an error says what is wrong.
            .http_status_as_error(false)
            .build();
        Self { agent: config.into(), options }
    }

    fn attempt(&self, url: &str, request: &Request<'_>) -> Result<Reply, Failure> {
        let passing = |message: String| Failure { message, passing: true, wait: None };
        let lasting = |message: String| Failure { message, passing: false, wait: None };
        let mut call = self.agent.post(url);
        if let Some(key) = &self.options.api_key {
            call = call.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = match call.send_json(request) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Json(_))) => {
                return Err(lasting(error.to_string()));
            }
            Err(error) => return Err(passing(error.to_string())),
        };
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.body_mut().read_to_string().map_err(|error| passing(error.to_string()))?;
        if status != 200 {
            let shown: String = text.chars().take(SHOWN).collect();
            return Err(Failure {
                message: format!("status {status}: {}", shown.trim()),
                passing: matches!(status, 408 | 429 | 500..=599),
                wait: wait.map(Duration::from_secs),
            });
        }
        serde_json::from_str(&text).map_err(|error| {
            let shown: String = text.chars().take(SHOWN).collect();
            lasting(format!("the reply is no chat completion ({error}): {shown}"))
        })
    }

    /// The reply, after as many attempts as it takes or are allowed.
    fn call(&self, url: &str, request: &Request<'_>, control: &Control<'_>) -> Result<Reply, EngineError> {
        let mut pause = self.options.pause;
        let mut attempts = 0;
        loop {
            if control.stopped() {
                return Err(EngineError::Interrupted { done: 0, total: 0 });
            }
            attempts += 1;
            let failure = match self.attempt(url, request) {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if !failure.passing || attempts > self.options.retries {
                return Err(EngineError::Remote { url: url.to_owned(), message: failure.message, attempts });
            }
            tracing::warn!(url, attempts, "{}", failure.message);
            let until = Instant::now() + failure.wait.unwrap_or(pause).min(LONGEST_PAUSE);
            pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
            while Instant::now() < until && !control.stopped() {
                thread::sleep(Duration::from_millis(20).min(until.saturating_duration_since(Instant::now())));
            }
        }
    }

    /// What an endpoint might leave out without a word is not asked of it.
    fn refuse_what_is_local(&self, input: &Input<'_>, options: &GenerateOptions) -> Result<(), EngineError> {
        let plain = matches!(input.body, Body::Text(_));
        let wanted = [
            (options.grammar.is_some(), "hold an answer to a grammar"),
            (options.log_probs.is_some(), "tell how likely tokens are"),
            (plain && !input.tools.is_empty(), "call tools in plain text"),
        ];
        match wanted.iter().find(|(asked, _)| *asked) {
            None => Ok(()),
            Some((_, what)) => Err(EngineError::Unsupported(format!(
                "{} at {} is not asked to {what}; use a local model (-m)",
                self.options.model, self.options.base_url
            ))),
        }
    }

    fn cannot(&self, what: &str) -> EngineError {
        EngineError::Unsupported(format!(
            "{} at {} does not tell {what}; use a local model (-m)",
            self.options.model, self.options.base_url
        ))
    }
}

impl LanguageModel for RemoteModel {
    fn name(&self) -> &str {
        &self.options.model
    }

    /// The answer arrives whole. What it begins with is put behind the last message or the text: endpoints do not agree
    /// on how a message is gone on with.
    fn answer(
        &mut self,
        input: &Input<'_>,
        options: &GenerateOptions,
        control: &mut Control<'_>,
        on_text: &mut OnText<'_>,
    ) -> Result<Generation, EngineError> {
        self.refuse_what_is_local(input, options)?;
        let mut request = Request {
            model: &self.options.model,
            messages: None,
            prompt: None,
            max_tokens: options.max_tokens,
            temperature: options.sampler.temperature,
            top_p: options.sampler.top_p,
            seed: options.sampler.seed,
            stop: &options.stop,
            frequency_penalty: options.sampler.frequency_penalty,
            presence_penalty: options.sampler.presence_penalty,
            logit_bias: &options.sampler.logit_bias,
            tools: input.tools,
        };
        let path = match input.body {
            Body::Text(text) => {
                request.prompt = Some(format!("{text}{}", input.answer_start));
                "completions"
            }
            Body::Messages(messages) => {
                let mut wires: Vec<Wire<'_>> = messages.iter().map(Wire::from).collect();
                if let Some(last) = wires.last_mut().filter(|_| !input.answer_start.is_empty()) {
                    last.content = format!("{}\n{}", last.content, input.answer_start).into();
                }
                request.messages = Some(wires);
                "chat/completions"
            }
        };
        let url = format!("{}/{path}", self.options.base_url);
        let started = Instant::now();
        let reply = self.call(&url, &request, control)?;
        let elapsed = started.elapsed();
        let wrong = |message: &str| EngineError::Remote {
            url: url.clone(),
            message: message.to_owned(),
            attempts: 1,
        };
        let choice = reply.choices.into_iter().next().ok_or_else(|| wrong("the reply has no choices"))?;
        let text = choice
            .message
            .and_then(Said::text)
            .or(choice.text)
            .ok_or_else(|| wrong("the reply holds no text"))?;
        let _over = on_text(&text);
        let usage = reply.usage.unwrap_or(Usage { prompt_tokens: 0, completion_tokens: 0 });
        Ok(Generation {
            // Their number is known, not which they are.
            tokens: Vec::new(),
            log_probs: Vec::new(),
            text,
            finish: if choice.finish_reason.as_deref() == Some("length") {
                Finish::Length
            } else {
                Finish::End
            },
            elapsed,
            account: Account {
                prompt_tokens: usage.prompt_tokens,
                read_tokens: usage.prompt_tokens,
                answer_tokens: usage.completion_tokens,
                ..Account::default()
            },
            looked_at: Vec::new(),
        })
    }

    fn rate(
        &mut self,
        _input: &Input<'_>,
        _answers: &[&str],
        _distributions: bool,
        _control: &mut Control<'_>,
    ) -> Result<(Vec<Rating>, Account), EngineError> {
        Err(self.cannot("how likely an answer is"))
    }

    fn score(&mut self, _text: &str, _control: &mut Control<'_>) -> Result<Score, EngineError> {
        Err(self.cannot("how likely a text is"))
    }

    fn embed(&mut self, _text: &str) -> Result<Vec<f32>, EngineError> {
        Err(self.cannot("vectors of texts"))
    }
}
