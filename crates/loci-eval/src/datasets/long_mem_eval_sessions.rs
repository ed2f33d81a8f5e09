//! The chats of LongMemEval.

use super::files::Record;
use crate::error::EvalError;

/// One message of a chat.
pub(crate) struct Said {
    /// `user` or `assistant`.
    pub(crate) role: String,
    /// What was said.
    pub(crate) content: String,
    /// Whether it is marked as holding evidence.
    pub(crate) has_answer: bool,
}

/// A chat.
pub(crate) struct Session {
    /// Its id; empty where the file has none.
    pub(crate) id: String,
    /// Its date, written so that dates sort as text.
    pub(crate) date: String,
    /// What was said in it.
    pub(crate) turns: Vec<Said>,
}

/// The sessions of a record, in the order of their dates.
///
/// # Errors
/// [`EvalError::Line`] for lists of unlike lengths, and fields that are missing or not what they should be.
pub(crate) fn sessions(record: &Record) -> Result<Vec<Session>, EvalError> {
    let mut all = Vec::new();
    if record.has("conversation") {
        // One list of turns with dates: a new date is a new session.
        for turn in record.records("conversation")? {
            let date = turn.text("date")?;
            if all.last().is_none_or(|last: &Session| last.date != date) {
                all.push(Session { id: String::new(), date: date.to_owned(), turns: Vec::new() });
            }
            if let Some(last) = all.last_mut() {
                last.turns.push(said(&turn)?);
            }
        }
    } else {
        let (ids, dates) = (record.texts("haystack_session_ids")?, record.texts("haystack_dates")?);
        let haystack = record.list("haystack_sessions")?;
        if ids.len() != dates.len() || ids.len() != haystack.len() {
            return Err(record.error(format!(
                "haystack_session_ids, haystack_dates and haystack_sessions should be of one length, not {}, {} and {}",
                ids.len(),
                dates.len(),
                haystack.len()
            )));
        }
        for ((id, date), session) in ids.into_iter().zip(dates).zip(haystack) {
            let fields = serde_json::Map::from_iter([("session".to_owned(), session.clone())]);
            let turns = record.of(fields).records("session")?;
            all.push(Session { id, date, turns: turns.iter().map(said).collect::<Result<_, _>>()? });
        }
    }
    all.sort_by(|one, other| one.date.cmp(&other.date));
    Ok(all)
}

fn said(turn: &Record) -> Result<Said, EvalError> {
    let has_answer = match turn.has("has_answer") {
        true => turn.flag("has_answer")?,
        false => false,
    };
    Ok(Said { role: turn.text("role")?.to_owned(), content: turn.text("content")?.to_owned(), has_answer })
}
