//! The gate: the one way into a memory.
//!
//! What comes in is data. A text that gives orders to a model is held back, what is there already is not kept twice, and what a
//! model only repeats of what it was shown is no new evidence: a memory that feeds on its own answers would fill with them.

use serde::Serialize;

use crate::error::MemoryError;
use crate::instructions::instructions;
use crate::policy::Policy;
use crate::record::{Content, Item, Kind, State};
use crate::rows::{Filter, Rows, ScopeRow};
use crate::search::index_words;
use crate::shingles::{Shingles, is_near};

/// What the gate says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// It may be used.
    Released,
    /// It may be used where canaries are wanted.
    Canary,
    /// Somebody has to look at it first.
    Held {
        /// Why.
        reasons: Vec<String>,
    },
    /// It is there already.
    Duplicate {
        /// The item.
        of: String,
    },
    /// It repeats what the memory said: nothing new.
    Echo {
        /// The item.
        of: String,
    },
}

impl Verdict {
    /// The state of an item with this verdict; `None` where none is kept.
    pub const fn state(&self) -> Option<State> {
        match self {
            Self::Released => Some(State::Released),
            Self::Canary => Some(State::Canary),
            Self::Held { .. } => Some(State::Proposed),
            Self::Duplicate { .. } | Self::Echo { .. } => None,
        }
    }

    /// Its word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Canary => "canary",
            Self::Held { .. } => "held",
            Self::Duplicate { .. } => "duplicate",
            Self::Echo { .. } => "echo",
        }
    }
}

/// At most so many items are compared with a new one, letter by letter.
const COMPARED: usize = 64;
/// Words that more keys have tell nothing of nearness.
const COMMON: u64 = 200;
/// Words by which near items are looked for.
const RARE: usize = 6;

/// Checks what cannot be let in at all.
///
/// # Errors
/// [`MemoryError::Invalid`] for an empty or too long text, one with a NUL, and times in the wrong order.
pub(crate) fn check(content: &Content, policy: &Policy) -> Result<(), MemoryError> {
    let invalid = |message: String| Err(MemoryError::Invalid(message));
    if content.text.trim().is_empty() {
        return invalid("there is nothing to remember: the text is empty".to_owned());
    }
    let bytes = content.text.len();
    if bytes > policy.most_bytes {
        return invalid(format!(
            "the text has {bytes} bytes, and the policy lets in {}; cut it into parts, or raise most_bytes",
            policy.most_bytes
        ));
    }
    for (what, value) in [
        ("text", Some(&content.text)),
        ("session", content.session.as_ref()),
        ("speaker", content.speaker.as_ref()),
        ("topic", content.topic.as_ref()),
        ("source", content.source.uri.as_ref()),
    ] {
        if value.is_some_and(|value| value.contains('\0')) {
            return invalid(format!("the {what} holds a NUL; give text"));
        }
        if what != "text" && value.is_some_and(|value| value.len() > 4096) {
            return invalid(format!("the {what} is longer than 4096 bytes"));
        }
    }
    if let (Some(from), Some(until)) = (content.valid_from, content.valid_until)
        && until <= from
    {
        return invalid(format!("it would be true until {until}, which is not after {from}"));
    }
    if content.source.bytes.is_some_and(|(start, end)| end < start) {
        return invalid("the source's bytes end before they begin".to_owned());
    }
    Ok(())
}

/// What becomes of `content`, which was [`check`]ed; `same` is the hash of its text.
///
/// # Errors
/// What the store fails with.
pub(crate) fn judge(
    rows: &dyn Rows,
    scope: ScopeRow,
    content: &Content,
    same: [u8; 32],
    policy: &Policy,
) -> Result<Verdict, MemoryError> {
    let live = |item: &Item| !matches!(item.state, State::Forgotten | State::RolledBack);
    let filter = Filter { same_as: Some(same), ..Filter::default() };
    for item in rows.items(scope, &filter)?.iter().filter(|item| live(item)) {
        if item.content.as_ref().is_some_and(|old| says_the_same(old, content)) {
            return Ok(Verdict::Duplicate { of: item.id.clone() });
        }
    }
    let by_a_model = content.speaker.as_deref().is_some_and(|speaker| speaker != "user");
    if by_a_model
        && content.kind != Kind::Summary
        && let Some(of) = near(rows, scope, content)?.into_iter().find(live)
    {
        return Ok(Verdict::Echo { of: of.id });
    }
    let mut reasons = Vec::new();
    if policy.hold_instructions {
        reasons.extend(instructions(&content.text));
    }
    if content.trust < policy.least_trust {
        reasons.push(format!("its trust is {}, below {}", content.trust.value(), policy.least_trust.value()));
    }
    Ok(match (reasons.is_empty(), policy.canary) {
        (false, _) => Verdict::Held { reasons },
        (true, true) => Verdict::Canary,
        (true, false) => Verdict::Released,
    })
}

/// Whether the newer of two items with one text tells nothing that the older does not. The same words in another conversation,
/// or of another time, do.
fn says_the_same(old: &Content, new: &Content) -> bool {
    old.kind == new.kind
        && old.speaker == new.speaker
        && (new.session.is_none() || old.session == new.session)
        && (new.valid_from.is_none() || old.valid_from == new.valid_from)
        && (new.valid_until.is_none() || old.valid_until == new.valid_until)
        && (new.topic.is_none() || old.topic == new.topic)
}

/// Items whose text is nearly that of `content`, found by its rarest words.
fn near(rows: &dyn Rows, scope: ScopeRow, content: &Content) -> Result<Vec<Item>, MemoryError> {
    let mut words = index_words(&content.text);
    words.sort_unstable();
    words.dedup();
    let mut counted = Vec::with_capacity(words.len());
    for word in words {
        let count = rows.frequency(scope, &word)?;
        if (1..=COMMON).contains(&count) {
            counted.push((count, word));
        }
    }
    counted.sort_unstable();
    let mut items = Vec::new();
    for (_, word) in counted.iter().take(RARE) {
        items.extend(rows.postings(scope, word)?.into_iter().map(|posting| posting.item));
    }
    items.sort_unstable();
    items.dedup();
    items.reverse();
    items.truncate(COMPARED);
    let own = Shingles::of(&content.text);
    let mut found = rows.items_at(scope, &items)?;
    found.retain(|item| is_near(&own, &Shingles::of(item.text())));
    Ok(found)
}
