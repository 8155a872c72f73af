//! Room being furnished.
pub mod api;
pub mod records;
pub use api::{DirectoryStore, MailStore, Pending, StoreError};
