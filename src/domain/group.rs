//! Groups: what rollouts, policies and assignments are staged by.

use crate::domain::ids::GroupId;

/// A group of users in one virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The identifier; settings refer to it, so that renaming a group keeps them.
    pub id: GroupId,
    /// Unique in the virtual server, compared by [`crate::domain::name::key_of`].
    pub name: String,
}
