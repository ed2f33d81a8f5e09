//! Sessions, generation, evidence, and the [`LanguageModel`] seam.
//!
//! An [`Engine`] is a loaded model with its threads. A [`Session`] is one sequence on it: it reads tokens in
//! chunks into a contextual memory, writes an answer token by token, forgets back to a position and forks.
//! [`ask`] is the main job: documents and a question in, an answer with its [`evidence`] and a report of what
//! became of every token out. Nothing is lost silently: what was given is read, or the request is refused.
//!
//! An [`Embedder`] turns texts into vectors.
//!
//! [`model_store`] finds and fetches model files; [`documents`] turns files into text.

mod answer;
pub mod ask;
pub mod attended;
pub mod chat;
pub mod context;
mod control;
pub mod divergence;
pub mod documents;
pub mod draft;
pub mod embedder;
pub mod engine;
pub mod error;
pub mod evidence;
pub mod figures;
pub mod files;
mod fingerprint;
pub mod fit;
pub mod generate;
pub mod grammar;
pub mod inspect;
pub mod language_model;
pub mod layout;
pub mod likelihood;
pub mod method_file;
pub mod model_store;
pub mod prefix_cache;
pub mod probe;
pub mod readings;
pub mod saved;
pub mod score;
pub mod session;
pub mod shorten;
pub mod size;
pub mod system;
pub mod tools;

pub use ask::{Answer, AskRequest, ask};
pub use attended::Attended;
pub use chat::Conversation;
pub use context::{ContextOptions, ContextPlan};
pub use draft::Draft;
pub use embedder::Embedder;
pub use engine::Engine;
pub use error::EngineError;
pub use generate::{Finish, GenerateOptions, Generation, Writing};
pub use grammar::{Form, Grammar};
pub use language_model::{Account, Body, Input, LanguageModel, LocalModel, Rating};
pub use likelihood::{Drawn, Likely};
pub use readings::Readings;
pub use saved::{ReadOptions, Reading, ReadingError};
pub use session::{Control, Progress, Session};
