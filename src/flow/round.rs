//! Rounds over the virtual servers and their work: what goes wrong with one of them keeps no other waiting.

use std::fmt::Display;

/// What went wrong in a round.
#[derive(Debug)]
pub struct Round<E>(Option<E>);

impl<E> Default for Round<E> {
    fn default() -> Self {
        Self(None)
    }
}

impl<E: Display> Round<E> {
    /// What came of `what`, if anything did; what went wrong with it is logged, and the round goes on.
    pub fn of<T>(&mut self, what: impl Display, done: Result<T, E>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(%what, %error, "a round goes on without it");
                self.0.get_or_insert(error);
                None
            }
        }
    }

    /// The end of the round.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn end<T>(self, value: T) -> Result<T, E> {
        self.0.map_or(Ok(value), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn everybody_has_a_turn_and_the_first_fault_is_told() {
        let mut round = Round::default();
        let turns = [Ok(1), Err("a fault"), Ok(2), Err("another")].map(|done| round.of("a tenant", done));
        assert_eq!(turns, [Some(1), None, Some(2), None]);
        assert_eq!(round.end(3), Err("a fault"));
        assert_eq!(Round::<&str>::default().end(3), Ok(3));
    }
}
