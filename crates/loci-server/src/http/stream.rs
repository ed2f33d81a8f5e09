//! Answers as server-sent events, in whatever form an endpoint has.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::ask::{Asked, News, Running, Told};
use crate::error::ApiError;

/// How an endpoint writes what happens.
pub(super) trait Form: Send + 'static {
    /// Before anything happens.
    fn opened(&mut self) -> Vec<Sent>;

    /// When something happens; `told` says what was heard so far.
    fn shown(&mut self, news: News, told: &Told, asked: &Asked) -> Vec<Sent>;

    /// After the last answer.
    fn ended(&mut self, told: &Told, asked: &Asked) -> Vec<Sent>;
}

struct State<F> {
    running: Running,
    asked: Asked,
    told: Told,
    count: usize,
    form: F,
    left: VecDeque<Sent>,
    over: bool,
}

/// Sends `count` answers as they are written. A client that goes away ends the work.
pub(super) fn stream(running: Running, asked: Asked, count: usize, mut form: impl Form) -> Response {
    let left = form.opened().into();
    let start = State { running, asked, told: Told::default(), count, form, left, over: false };
    let stream = futures_util::stream::unfold(start, |mut state| async move {
        loop {
            if let Some(sent) = state.left.pop_front() {
                return Some((Ok::<_, Infallible>(sent), state));
            }
            if state.over {
                return None;
            }
            let outcome = match state.running.next().await {
                Some(event) => state.told.hear(event),
                None => Err(ApiError::internal("the worker gave a request up without a word")),
            };
            match outcome {
                Ok(Some(news)) => state.left.extend(state.form.shown(news, &state.told, &state.asked)),
                Ok(None) => {}
                // What was sent cannot be taken back: the error ends the stream.
                Err(error) => {
                    state.left.push_back(sent(&error.body()));
                    state.over = true;
                }
            }
            if !state.over && state.told.finished() >= state.count {
                state.left.extend(state.form.ended(&state.told, &state.asked));
                state.over = true;
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// `value` as an event.
pub(super) fn sent(value: &impl Serialize) -> Sent {
    // Strings and numbers can always be written; were it otherwise, the client would see an empty event.
    Sent::default().data(serde_json::to_string(value).unwrap_or_default())
}

/// What OpenAI's streams end with.
pub(super) fn done() -> Sent {
    Sent::default().data("[DONE]")
}
