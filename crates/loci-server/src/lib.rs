//! OpenAI-compatible endpoints over Loci: any model with any contextual memory, saved readings, and a page.
//!
//! Requests are made ready on the web side ([`http`]), computed by one thread ([`worker`]), and their events turned into
//! answers or streams. The server sees of the engine only what the command line sees.

pub mod worker;
