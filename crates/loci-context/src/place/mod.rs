//! At which distance do the chosen keys stand?

use crate::select::Role;

/// How the keys of a span stand towards a query, by their true distance `i - j`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stand {
    /// Keys nearer than this stand at their true distance.
    pub near: usize,
    /// Keys at `near` or farther all stand at this distance (or at the query's own position, where that is
    /// smaller); `None`: they are not seen.
    pub far: Option<f64>,
}

impl Stand {
    /// Every key at its true distance.
    pub const TRUE: Self = Self { near: usize::MAX, far: None };
}

/// Places keys: maps the role of a span to distances.
pub trait Place: Send + Sync {
    /// How keys chosen in this role stand.
    fn stand(&self, role: Role) -> Stand;

    /// The farthest true distance plus one that any role asks for: rows beyond need no rotated keys.
    fn rotated_reach(&self) -> usize;

    /// Whether some keys are read unrotated.
    fn reads_raw_keys(&self) -> bool;

    /// The farthest distance at which a key stands to a query, however long the text is.
    fn farthest(&self) -> usize {
        self.rotated_reach().saturating_sub(1)
    }
}

/// Each key stands where it stood in the text. With a `reach`, keys farther away are not seen.
#[derive(Clone, Debug)]
pub struct TrueDistance {
    /// Tokens that a query sees, itself included; `None`: all.
    pub reach: Option<usize>,
}

impl Place for TrueDistance {
    fn stand(&self, _role: Role) -> Stand {
        Stand { near: self.reach.unwrap_or(usize::MAX), far: None }
    }

    fn rotated_reach(&self) -> usize {
        self.reach.unwrap_or(usize::MAX)
    }

    fn reads_raw_keys(&self) -> bool {
        false
    }
}

/// Each key stands where it stood in the text; recent rows farther away than `recent` are not seen.
#[derive(Clone, Debug)]
pub struct TrueDistanceByRole {
    /// Positions of recent rows that a query sees, itself included.
    pub recent: usize,
}

impl Place for TrueDistanceByRole {
    fn stand(&self, role: Role) -> Stand {
        Stand { near: if role == Role::Recent { self.recent } else { usize::MAX }, far: None }
    }

    fn rotated_reach(&self) -> usize {
        usize::MAX
    }

    fn reads_raw_keys(&self) -> bool {
        false
    }
}

/// Inside the window true distances; sinks and recalled rows beyond it stand at one shared distance each, so that
/// no distance is larger than those the model was trained for. Other rows beyond the window are not seen.
#[derive(Clone, Debug)]
pub struct Capped {
    /// Tokens of the window, the query included.
    pub window: usize,
    /// Distance of sinks beyond the window.
    pub sinks_at: f64,
    /// Distance of recalled rows beyond the window.
    pub recalled_at: f64,
    /// Distance of recent rows that have just left the window; `None`: not seen any more.
    pub leaving_at: Option<f64>,
}

impl Place for Capped {
    fn stand(&self, role: Role) -> Stand {
        let far = match role {
            Role::Sink => Some(self.sinks_at),
            Role::Recalled => Some(self.recalled_at),
            Role::Recent => self.leaving_at,
        };
        Stand { near: self.window, far }
    }

    fn rotated_reach(&self) -> usize {
        self.window
    }

    fn reads_raw_keys(&self) -> bool {
        true
    }

    fn farthest(&self) -> usize {
        let shared = [Some(self.sinks_at), Some(self.recalled_at), self.leaving_at];
        let shared = shared.into_iter().flatten().fold(0.0, f64::max).ceil();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a distance in tokens
        self.window.saturating_sub(1).max(shared as usize)
    }
}
