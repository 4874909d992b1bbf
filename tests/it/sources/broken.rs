//! What a user is told when there is no media.
