//! OpenAI-compatible endpoints over Loci: any model with any contextual memory, saved readings, and a page.
//!
//! Requests are made ready on the web side ([`http`] and [`ask`]), computed by one thread ([`worker`]), and their events
//! turned into answers or streams. Texts that were read stay in the [`library`]. Assistants find the same behind the Model
//! Context Protocol, over HTTP or through pipes ([`serve_pipe`]).

pub mod ask;
pub mod error;
pub mod http;
pub mod library;
mod mcp;
pub mod memories;
pub mod openai;
mod serve;
pub mod state;
pub mod worker;

pub use library::SavedReadings;
pub use memories::MemorySettings;
pub use serve::{ServeError, serve, serve_pipe};
pub use state::{ServedModel, Settings};
