//! What the token of an integration may do, as a set; what each operation needs is said beside it.
//!
//! Must not know: which API is doubled, its state.

use std::collections::BTreeSet;

/// Something that a token may be allowed to do.
pub trait Scope: Copy + Ord + 'static {
    /// Every scope that the double knows.
    const ALL: &'static [Self];

    /// Its name in the API.
    fn name(self) -> &'static str;
}

/// A set of scopes. Small enough to be copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scopes<S> {
    bits: u8,
    of: std::marker::PhantomData<S>,
}

impl<S: Scope> Scopes<S> {
    /// Nothing at all.
    pub const NONE: Self = Self { bits: 0, of: std::marker::PhantomData };

    /// Exactly these.
    pub fn of(scopes: &[S]) -> Self {
        let bits = scopes.iter().fold(0, |bits, scope| bits | Self::bit(*scope));
        Self { bits, ..Self::NONE }
    }

    /// All of them.
    pub fn all() -> Self {
        Self::of(S::ALL)
    }

    /// Whether `scope` is granted.
    pub fn allows(self, scope: S) -> bool {
        self.bits & Self::bit(scope) != 0
    }

    fn bit(scope: S) -> u8 {
        S::ALL.iter().position(|one| *one == scope).map_or(0, |place| 1 << place)
    }
}

/// Names of scopes, as the API writes them.
pub(super) fn names<S: Scope>(scopes: &BTreeSet<S>) -> Vec<String> {
    scopes.iter().map(|scope| scope.name().to_owned()).collect()
}
