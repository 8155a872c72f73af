//! Room being furnished.
pub mod body;
pub mod command;
pub mod input;
pub mod params;
pub mod path;
pub mod reply;
pub mod server;
pub mod xtext;
