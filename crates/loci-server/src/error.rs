//! Errors as OpenAI's clients expect them.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loci_context::BuildError;
use loci_engine::{EngineError, ReadingError};
use loci_models::encoder::EncoderError;
use loci_models::memory::MemoryError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::worker::{Failure, Refused};

/// What went wrong, with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    param: Option<String>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What happened.
    pub error: ErrorDetail,
}

/// What happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// In words, with the way out.
    pub message: String,
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error` or `server_error`.
    pub r#type: &'static str,
    /// For programs.
    pub code: &'static str,
    /// The field that is at fault.
    pub param: Option<String>,
}

impl ApiError {
    /// The request cannot be served as it is.
    pub fn invalid(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code, message: message.to_string(), param: None }
    }

    /// There is no such thing.
    pub fn not_found(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::invalid(code, message) }
    }

    /// Something is in the way for now.
    pub fn conflict(code: &'static str, message: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::CONFLICT, ..Self::invalid(code, message) }
    }

    /// Another status.
    pub fn with_status(status: StatusCode, code: &'static str, message: impl std::fmt::Display) -> Self {
        Self { status, ..Self::invalid(code, message) }
    }

    /// A defect of the server, or of the system below it. The client is told no more than it needs.
    pub fn internal(message: impl std::fmt::Display) -> Self {
        let message = message.to_string();
        tracing::error!("{message}");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, ..Self::invalid("internal_error", message) }
    }

    /// The same naming the field at fault.
    #[must_use]
    pub fn at(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// As it is sent.
    pub fn body(&self) -> ErrorBody {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let (message, code, param) = (self.message.clone(), self.code, self.param.clone());
        ErrorBody { error: ErrorDetail { message, r#type: kind, code, param } }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// After how long it may be tried again where that helps.
const AGAIN: Duration = Duration::from_secs(2);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN.as_secs()));
        }
        response
    }
}

impl From<loci_memory::MemoryError> for ApiError {
    fn from(error: loci_memory::MemoryError) -> Self {
        use loci_memory::MemoryError as Error;
        match error {
            Error::Time { .. } | Error::Invalid(_) | Error::Import { .. } => {
                Self::invalid("invalid_memory_request", error)
            }
            Error::NoItem { .. } => Self::not_found("item_not_found", error),
            Error::Ambiguous { .. } => Self::conflict("ambiguous_id", error),
            Error::State { .. } => Self::conflict("invalid_state", error),
            Error::Busy { .. } => Self::with_status(StatusCode::SERVICE_UNAVAILABLE, "memory_busy", error),
            Error::Engine(error) => error.into(),
            error => Self::internal(error),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let (status, code) = match refused {
            Refused::Full { .. } => (StatusCode::TOO_MANY_REQUESTS, "queue_full"),
            Refused::Client { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Refused::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting_down"),
        };
        Self::with_status(status, code, refused)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Engine(error) => error.into(),
            Failure::Late { .. } => Self::with_status(StatusCode::REQUEST_TIMEOUT, "timeout", failure),
            Failure::Defect(_) => Self::internal(failure),
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Memory(MemoryError::Budget { .. })
            | EngineError::Build(BuildError::Memory(MemoryError::Budget { .. })) => {
                Self::invalid("budget_too_small", error)
            }
            EngineError::Interrupted { .. } => {
                // Nobody is there to hear it, unless the server ends.
                Self::with_status(StatusCode::SERVICE_UNAVAILABLE, "interrupted", error)
            }
            EngineError::Parameter(_) | EngineError::Build(_) | EngineError::MethodFile(_) => {
                Self::invalid("invalid_method", error)
            }
            EngineError::Grammar { .. } => Self::invalid("invalid_grammar", error),
            EngineError::Reading(ReadingError::Reserve { .. }) => {
                Self::invalid("context_length_exceeded", error)
            }
            EngineError::Encoder(EncoderError::TooLong { .. } | EncoderError::Tokenizer { .. }) => {
                Self::invalid("input_too_long", error)
            }
            EngineError::Document(_) => Self::invalid("invalid_document", error),
            EngineError::Sampling(loci_models::sampling::SamplingError::BadLogit { .. }) => {
                Self::internal(error)
            }
            EngineError::Template(_)
            | EngineError::Tokenizer(_)
            | EngineError::Sampling(_)
            | EngineError::Nothing { .. }
            | EngineError::Unsupported(_) => Self::invalid("invalid_request", error),
            other => Self::internal(other),
        }
    }
}
