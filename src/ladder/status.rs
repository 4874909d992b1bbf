//! How an encoder process tells by its exit status how its job went (docs/wire.md).

/// The source has come to its end. There is nothing more to do.
pub const ENDED: i32 = 0;
/// The job cannot be done. Another attempt may succeed.
pub const FAILED: i32 = 1;
/// There was no server, or it had no job, or it has gone or said `quit`. 2 is for a command line that is wrong.
pub const NO_SERVER: i32 = 3;
