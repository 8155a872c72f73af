//! Looking after the store: is it whole, how big is it, give space back, rebuild what was damaged.

mod compact;
mod salvage;
mod stats;
mod verify;

pub use compact::{Compacted, compact, compact_in_background};
pub use salvage::{Salvaged, salvage};
pub use stats::{Stats, stats};
pub use verify::{Problem, Verified, verify};
