//! The catalogue: one ordered list, by area.

mod access;
mod awareness;
mod backup;
mod clients;
mod corrective;
mod denial;
mod encryption;
mod every;
mod files;
mod filtering;
mod logs;
mod names;
mod network;
mod not_built;
mod patches;
mod physical;
mod privileges;
mod reading;
mod services;
mod standby;
mod state;
mod stated;
mod viruses;

pub use not_built::NOT_BUILT;

use crate::control::Control;

/// What each area has of its own, in the order of the score sheet; what every area has (Who and Why) is before it.
const BY_AREA: [&[Control]; 25] = [
    every::CONTROLS,
    stated::CONTROLS,
    names::CONTROLS,
    state::SERVER,
    state::USERS,
    state::MAIL,
    state::AUDITS,
    physical::CONTROLS,
    network::CONTROLS,
    services::CONTROLS,
    access::CONTROLS,
    logs::CONTROLS,
    patches::CONTROLS,
    viruses::CONTROLS,
    clients::CONTROLS,
    reading::CONTROLS,
    filtering::CONTROLS,
    encryption::CONTROLS,
    awareness::CONTROLS,
    denial::CONTROLS,
    backup::CONTROLS,
    standby::CONTROLS,
    files::CONTROLS,
    privileges::CONTROLS,
    corrective::CONTROLS,
];

/// Every control, by area and dimension.
pub fn all() -> Vec<&'static Control> {
    let mut all: Vec<&'static Control> = BY_AREA.iter().flat_map(|controls| controls.iter()).collect();
    // By what is answered, then by number: names of a kind have the same length.
    all.sort_by_key(|control| (control.area, control.dimension, control.id));
    all
}

/// The control of that name, upper or lower case.
pub fn find(id: &str) -> Option<&'static Control> {
    BY_AREA.iter().flat_map(|controls| controls.iter()).find(|control| control.id.eq_ignore_ascii_case(id))
}
