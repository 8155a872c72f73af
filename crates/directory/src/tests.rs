//! The room's tests, over a store in memory.

mod administering;
mod fake;
mod logging_in;
mod properties;
mod resolving;
mod watching;
