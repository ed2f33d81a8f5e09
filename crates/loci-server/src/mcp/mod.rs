//! The Model Context Protocol: readings as tools of other people's assistants, by a pipe or by HTTP.
//!
//! Everything that knows the protocol's library is in this file; what the tools do is in [`tools`].

mod files;
mod input;
mod memory;
mod tools;

use std::sync::Arc;

use rmcp::handler::server::common::{schema_for_input, schema_for_type};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ProgressToken,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};
use rmcp::schemars::JsonSchema;
use rmcp::service::{Peer, QuitReason, RequestContext, ServerInitializeError};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ApiError;
use crate::http::{Client, Tenant};
use crate::state::App;
use tools::{Found, Place};

/// What an assistant is told of the tools as a whole.
const INSTRUCTIONS: &str = "Loci reads long texts once with a local language model and keeps what it read. \
    Call read with a long text or file, then ask as many questions as you like: each answer is written by the local \
    model and comes with the passages it was written from. evidence finds passages without an answer. \
    The local model may be small: trust its passages more than its words.";

/// The tools, for one pipe or for all of HTTP.
#[derive(Clone)]
pub(crate) struct Tools {
    app: Arc<App>,
}

/// Tells a caller how far its call is, if it wants to know.
pub(super) struct Told {
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
}

impl Told {
    async fn progress(&self, done: usize, total: usize, message: &str) {
        let Some(token) = self.token.clone() else { return };
        let news =
            ProgressNotificationParam::new(token, done as f64).with_total(total as f64).with_message(message);
        // Whoever has gone away needs no news.
        let _told = self.peer.notify_progress(news).await;
    }
}

impl Tools {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    /// Talks through standard input and output until the other end closes them.
    pub(crate) async fn by_pipe(self) -> Result<(), String> {
        let service = match self.serve(rmcp::transport::stdio_pipes()).await {
            Ok(service) => service,
            // It was closed before a word was said: nobody wants anything.
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        match service.waiting().await {
            Ok(QuitReason::JoinError(error)) | Err(error) => Err(error.to_string()),
            Ok(_) => Ok(()),
        }
    }

    async fn call(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Found, Wrong> {
        let client = context.extensions.get::<axum::http::request::Parts>().map_or(Client(1), Client::of);
        let tenant = context.extensions.get::<axum::http::request::Parts>();
        let tenant = tenant.map_or_else(Tenant::local, |parts| Tenant::of(parts, &self.app.settings));
        let place = Place { app: Arc::clone(&self.app), client: client.0, tenant: tenant.0 };
        let told = Told { peer: context.peer.clone(), token: context.meta.get_progress_token() };
        let arguments = request.arguments.unwrap_or_default();
        match request.name.as_ref() {
            "read" => Ok(place.read(typed(arguments)?, &told).await?),
            "ask" => Ok(place.ask(typed(arguments)?, &told).await?),
            "evidence" => Ok(place.evidence(typed(arguments)?, &told).await?),
            "list_readings" => {
                let input::List {} = typed(arguments)?;
                Ok(place.list().await?)
            }
            "remember" => Ok(place.remember(typed(arguments)?).await?),
            "recall" => Ok(place.recall(typed(arguments)?).await?),
            "forget" => Ok(place.forget(typed(arguments)?).await?),
            "timeline" => Ok(place.timeline(typed(arguments)?).await?),
            name => {
                let names: Vec<String> = self.all().iter().map(|tool| tool.name.to_string()).collect();
                let message = format!("there is no tool {name:?}; there are {}", names.join(", "));
                Err(Wrong::Protocol(ErrorData::new(ErrorCode::INVALID_PARAMS, message, None)))
            }
        }
    }
}

/// What a call ran into: the protocol's own errors are for programs, all others are told to the model, which can mend them.
enum Wrong {
    Protocol(ErrorData),
    Call(ApiError),
}

impl From<ApiError> for Wrong {
    fn from(error: ApiError) -> Self {
        Self::Call(error)
    }
}

fn typed<T: DeserializeOwned>(arguments: JsonObject) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(arguments))
        .map_err(|error| ApiError::invalid("invalid_arguments", error))
}

fn tool<T: JsonSchema + 'static>(name: &'static str, about: &'static str, hints: ToolAnnotations) -> Tool {
    let schema = schema_for_input::<T>().unwrap_or_else(|_| schema_for_type::<T>());
    Tool::new(name, about, schema).with_annotations(hints.open_world(false).destructive(false))
}

fn of_readings() -> Vec<Tool> {
    let looks = || ToolAnnotations::new().read_only(true).idempotent(true);
    vec![
        tool::<input::Read>(
            "read",
            "Reads long texts once, from files or given directly, and keeps what was read for questions. Takes about a minute for 15,000 words on a small machine; returns the reading's id.",
            ToolAnnotations::new().read_only(false).idempotent(false),
        ),
        tool::<input::Ask>(
            "ask",
            "Answers a question about a reading, with the passages that the answer was written from.",
            looks(),
        ),
        tool::<input::Evidence>(
            "evidence",
            "Finds the passages of a reading that matter for a question, with the text around them, without writing an answer.",
            looks(),
        ),
        tool::<input::List>("list_readings", "Lists what was read or is being read.", looks()),
    ]
}

/// Only where a memory is served.
fn of_memory() -> Vec<Tool> {
    let looks = || ToolAnnotations::new().read_only(true).idempotent(true);
    vec![
        tool::<input::Remember>(
            "remember",
            "Remembers something that the user told, across conversations. What gives orders to a model is held back until the user has looked at it.",
            ToolAnnotations::new().read_only(false).idempotent(true),
        ),
        tool::<input::Recall>(
            "recall",
            "Finds what is remembered about a question, what counts first. Says so when nothing that is remembered supports an answer: then do not guess.",
            looks(),
        ),
        tool::<input::Timeline>("timeline", "Shows what is remembered in the order of time.", looks()),
        tool::<input::Forget>(
            "forget",
            "Forgets for good, everywhere: what was said, what was made from it, and saved readings that hold it. Call it with dry_run first, and only when the user asks for it.",
            ToolAnnotations::new().read_only(false).idempotent(true),
        )
        .with_annotations(ToolAnnotations::new().destructive(true).open_world(false)),
    ]
}

impl Tools {
    /// The tools there are.
    fn all(&self) -> Vec<Tool> {
        let memory = self.app.settings.memory.as_ref().map(|_| of_memory());
        of_readings().into_iter().chain(memory.unwrap_or_default()).collect()
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let about = Implementation::new("loci", env!("CARGO_PKG_VERSION")).with_title("Loci");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(about)
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.all().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let outcome = tokio::select! {
            outcome = self.call(request, &context) => outcome,
            // Dropping the call ends its work.
            () = context.ct.cancelled() => {
                return Err(ErrorData::new(ErrorCode::INTERNAL_ERROR, "the call was cancelled", None));
            }
        };
        let result = match outcome {
            Ok(Found { text, value }) => {
                let mut result = CallToolResult::structured(value);
                // Many clients show a model the text alone.
                result.content = vec![ContentBlock::text(text)];
                result
            }
            Err(Wrong::Call(error)) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
            Err(Wrong::Protocol(error)) => return Err(error),
        };
        Ok(result.into())
    }
}

/// The tools over HTTP. Each request stands for itself: nothing is held for a client between two of them.
pub(crate) fn http(app: &Arc<App>) -> StreamableHttpService<Tools, NeverSessionManager> {
    let settings = &app.settings;
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(settings.body_bytes)
        // By which names it may be called is checked for all of the server.
        .disable_allowed_hosts();
    let config = if settings.origins.iter().any(|origin| origin == "*") {
        config.disable_allowed_origins()
    } else {
        config.with_allowed_origins(settings.origins.iter().map(String::as_str)).enforce_origin_validation()
    };
    let tools = Tools::new(Arc::clone(app));
    StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config)
}
