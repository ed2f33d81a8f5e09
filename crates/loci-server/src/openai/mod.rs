//! Requests and responses in OpenAI's form, with Loci's own fields.

mod chat;
mod common;
mod completion;
mod loci;
mod messages;

pub use chat::{
    ChatChoice, ChatChunk, ChatChunkChoice, ChatDelta, ChatMessage, ChatRequest, ChatResponse, Content,
    ContentPart, ResponseMessage,
};
pub use common::{
    Extra, PromptDetails, SamplingFields, Stop, StreamOptions, Usage, finish_reason, refuse_unknown,
};
pub use completion::{CompletionChoice, CompletionPrompt, CompletionRequest, CompletionResponse};
pub(crate) use loci::seconds;
pub use loci::{
    Cell, Cited, ContextMap, InlineDocument, LociFields, LociReport, LociTiming, MemoryFields, MemoryReport,
    ProgressReport,
};
pub use messages::messages;
