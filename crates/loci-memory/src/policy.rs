//! Rules of a user's memory: what is let in, and how long it is kept.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::MemoryError;
use crate::record::{Item, Kind, Trust};
use crate::rows::{Filter, Rows, ScopeRow};
use crate::time::Time;

/// The rules of one scope. What a stored policy does not say has its default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Items of more bytes are refused.
    pub most_bytes: usize,
    /// Texts that speak to a model instead of telling something are held back until somebody has looked at them.
    pub hold_instructions: bool,
    /// Items that are believed less are held back.
    pub least_trust: Trust,
    /// New items are canaries first: found only where canaries are wanted.
    pub canary: bool,
    /// Days that items of a kind are kept, from when they were learned; kinds that are not named are kept.
    pub keep_days: BTreeMap<Kind, u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            most_bytes: 64 * 1024,
            hold_instructions: true,
            least_trust: Trust::NONE,
            canary: false,
            keep_days: BTreeMap::new(),
        }
    }
}

impl Policy {
    /// Reads a policy as JSON.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, MemoryError> {
        let wrong = |error: String| {
            MemoryError::Invalid(format!(
                "this is no policy: {error}; `loci memory policy` prints one to begin with"
            ))
        };
        if !text.trim_start().starts_with('{') {
            return Err(wrong("it is no JSON object".to_owned()));
        }
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))
    }

    /// As JSON.
    ///
    /// # Errors
    /// [`MemoryError::Invalid`] when it cannot be written down.
    pub fn to_json(&self) -> Result<String, MemoryError> {
        serde_json::to_string(self)
            .map_err(|error| MemoryError::Invalid(format!("the policy cannot be written down: {error}")))
    }

    /// The items that are no longer kept at `now`.
    pub(crate) fn expired(
        &self,
        rows: &dyn Rows,
        scope: ScopeRow,
        now: Time,
    ) -> Result<Vec<Item>, MemoryError> {
        let mut items = Vec::new();
        for (kind, days) in &self.keep_days {
            let learned_by = Some(now.plus_days(-i64::from(*days)));
            let filter = Filter { kind: Some(*kind), learned_by, ..Filter::default() };
            items.extend(rows.items(scope, &filter)?);
        }
        items.sort_by_key(|item| item.row);
        Ok(items)
    }

    /// That of a scope.
    pub(crate) fn of(rows: &dyn Rows, scope: ScopeRow) -> Result<Self, MemoryError> {
        rows.policy(scope)?.map_or_else(|| Ok(Self::default()), |text| Self::parse(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_what_it_changes() {
        let policy = Policy::parse(r#"{"keep_days":{"round":30},"canary":true}"#).unwrap();
        assert!(policy.canary && policy.hold_instructions && policy.most_bytes == 65_536);
        assert_eq!(Policy::parse(&policy.to_json().unwrap()).unwrap(), policy);
        for wrong in [r#"{"keep":1}"#, r#"{"least_trust":101}"#, r#"{"keep_days":{"nonsense":3}}"#, "[]", ""]
        {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }
}
