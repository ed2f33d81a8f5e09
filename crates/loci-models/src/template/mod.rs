//! Chat templates: how a conversation is written for a model that was trained on one notation.
//!
//! A template is a Jinja program that came with the model. It is run as `transformers` runs it (block tags swallow
//! the line they stand on, Python's string methods exist) but with limits on steps and output, so a hostile one ends
//! with an error.
//!
//! What messages say is data. [`ChatTemplate::render_parts`] returns the prompt cut into what the template wrote and
//! what the messages said, so that only the first can become control tokens.

mod error;
mod functions;
mod parts;
mod tools;

use std::io::Write;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, context};

pub use error::TemplateError;
pub use parts::Segment;
pub use tools::{ToolCall, ToolSupport};

use tools::Shield;

/// Longest template source; real ones have up to about 20 kB.
const MAX_SOURCE: usize = 1 << 20;
/// Steps that rendering may take besides what the messages' length allows; real templates take some thousand. The
/// engine also counts 64 bytes of any text it makes as a step, so this bounds memory too, to about 64 MB.
const BASE_FUEL: u64 = 1_000_000;
/// Steps per byte of message: a template may copy each text 64 times.
const FUEL_PER_BYTE: u64 = 1;
/// Bytes of output that the template itself may add.
const MAX_OWN_OUTPUT: usize = 4 << 20;
/// How often a template may repeat a message.
const MAX_REPEATS: usize = 4;
/// Longest name of a role.
const MAX_ROLE: usize = 64;

/// ChatML (OpenAI, 2023), which models without a template of their own get.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] \
                      + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}\
                      {% endif %}";

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user`, `assistant` or what else the template knows; letters, digits, `_` and `-`.
    pub role: String,
    /// What was said: data, never part of the notation.
    pub content: String,
    /// Of an assistant: the calls that it made.
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool: the call whose result this is.
    pub tool_call_id: Option<String>,
    /// Who speaks, where several have the role; of a tool its name.
    pub name: Option<String>,
}

impl Message {
    /// A message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        let (role, content) = (role.into(), content.into());
        Self { role, content, tool_calls: Vec::new(), tool_call_id: None, name: None }
    }

    /// Bytes that come from outside.
    fn said(&self) -> usize {
        let calls = self.tool_calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len());
        let named = [&self.tool_call_id, &self.name].into_iter().flatten().map(String::len);
        self.content.len() + calls.sum::<usize>() + named.sum::<usize>()
    }
}

/// A model's chat template, ready to run.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    bos: String,
    eos: String,
    default: bool,
}

impl ChatTemplate {
    /// Compiles `source`; `bos_text` and `eos_text` are the texts of the model's tokens that begin and end a
    /// sequence, empty when it has none.
    ///
    /// # Errors
    /// [`TemplateError`] with the line when the source is too long or not valid.
    pub fn new(source: &str, bos_text: &str, eos_text: &str) -> Result<Self, TemplateError> {
        if source.len() > MAX_SOURCE {
            return Err(TemplateError::SourceTooLong { bytes: source.len(), limit: MAX_SOURCE });
        }
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        functions::register(&mut environment);
        environment.add_template_owned("chat", functions::without_generation_marks(source))?;
        let (bos, eos) = (bos_text.to_owned(), eos_text.to_owned());
        Ok(Self { environment, source: source.to_owned(), bos, eos, default: false })
    }

    /// ChatML, for a model that has no template. [`is_default`](Self::is_default) tells, so that a user can be warned
    /// that the model may not know the notation.
    ///
    /// # Errors
    /// None in practice; the same type as [`new`](Self::new).
    pub fn chatml(bos_text: &str, eos_text: &str) -> Result<Self, TemplateError> {
        Ok(Self { default: true, ..Self::new(CHATML, bos_text, eos_text)? })
    }

    /// The template of a Hugging Face folder: `chat_template.jinja`, else `chat_template` of
    /// `tokenizer_config.json` (of several the one named "default"); `None` when there is none.
    ///
    /// # Errors
    /// [`TemplateError::File`] when a file is there but cannot be read.
    pub fn source_from_folder(folder: &Path) -> Result<Option<String>, TemplateError> {
        functions::source_from_folder(folder)
    }

    /// Lets the template's `strftime_now` tell this time (seconds since 1970, UTC). Without it a template that asks
    /// for the time is refused: nothing here reads a clock.
    #[must_use]
    pub fn with_time(mut self, unix_seconds: i64) -> Self {
        functions::set_time(&mut self.environment, unix_seconds);
        self
    }

    /// Whether this is ChatML in place of a template of the model's own.
    pub fn is_default(&self) -> bool {
        self.default
    }

    /// The template as it was given.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The prompt for `messages`; with `add_generation_prompt` it ends where the assistant's answer begins.
    ///
    /// The result mixes notation and data; encode [`render_parts`](Self::render_parts) instead.
    ///
    /// # Errors
    /// [`TemplateError`] when the template refuses the messages, fails, or runs or writes too long.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TemplateError> {
        let shield = self.shield(messages, &[]);
        Ok(shield.restore(&self.run(messages, &[], add_generation_prompt, shield)?))
    }

    /// The template's output, with stand-ins for the beginnings of marks in what tools say.
    fn run(
        &self,
        messages: &[Message],
        tools: &[serde_json::Value],
        add_generation_prompt: bool,
        shield: Shield,
    ) -> Result<String, TemplateError> {
        for message in messages {
            check_role(&message.role)?;
        }
        let listed: usize = tools.iter().map(|tool| tool.to_string().len()).sum();
        let said = listed + messages.iter().map(Message::said).sum::<usize>();
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(BASE_FUEL + FUEL_PER_BYTE * said as u64));
        let limit = MAX_OWN_OUTPUT.saturating_add(said.saturating_mul(MAX_REPEATS));
        let mut out = Limited { text: Vec::new(), limit, full: false };
        let said_by: Vec<Value> = messages.iter().map(|message| shield.message(message)).collect();
        // Templates ask whether there are tools at all; `transformers` says `None` then.
        let tools = if tools.is_empty() { Value::from(()) } else { shield.tools(tools) };
        let values = context! {
            messages => said_by,
            tools,
            add_generation_prompt,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let chat = environment.get_template("chat")?;
        let rendered = chat.render_captured_to(values, &mut out).map(drop);
        if out.full {
            return Err(TemplateError::OutputTooLong { limit });
        }
        rendered?;
        // Everything written is text of the template or of messages.
        Ok(String::from_utf8_lossy(&out.text).into_owned())
    }
}

/// A role is written by the template as notation, so it must not be able to carry any itself.
fn check_role(role: &str) -> Result<(), TemplateError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if role.is_empty() || role.len() > MAX_ROLE || !role.bytes().all(plain) {
        return Err(TemplateError::Role { role: role.chars().take(MAX_ROLE).collect() });
    }
    Ok(())
}

/// A writer that takes no more than `limit` bytes.
struct Limited {
    text: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            self.full = true;
            return Err(std::io::Error::other("the output limit is reached"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
