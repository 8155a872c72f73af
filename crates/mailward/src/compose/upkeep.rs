//! The store, opened and looked after.

use crate::failure::Failure;
use crate::place::Place;
use mailward_core::event::Events;
use mailward_store::{LocalStore, Options};
use std::sync::Arc;

/// Opens the store of a place under its lock.
pub(crate) fn open_store(place: &Place, events: Events) -> Result<Arc<LocalStore>, Failure> {
    Ok(LocalStore::open(place.data(), Options { events, ..Options::default() })?)
}
