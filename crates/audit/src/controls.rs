//! The catalogue: one ordered list, by area.

pub(crate) mod access;
mod awareness;
mod backup;
mod clients;
mod corrective;
mod denial;
mod encryption;
mod every;
mod files;
pub(crate) mod filtering;
pub(crate) mod logs;
mod names;
mod network;
mod not_built;
pub(crate) mod patches;
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
const BY_AREA: &[&[Control]] = &[
    every::CONTROLS,
    stated::CONTROLS,
    stated::COPIES,
    stated::PEOPLE,
    names::CONTROLS,
    names::BEYOND,
    names::BESIDE,
    names::TOLD,
    state::SERVER,
    state::USERS,
    state::MAIL,
    state::AUDITS,
    state::OWN,
    state::ENGINES,
    state::LOGINS,
    state::UPKEEP,
    physical::CONTROLS,
    physical::HOST,
    network::CONTROLS,
    network::HOST,
    network::OUTSIDE,
    services::CONTROLS,
    services::DOORS,
    services::WEB,
    services::INJECTION,
    services::SENT,
    services::WIDE_ALIASES,
    services::HOST,
    access::CONTROLS,
    access::HOST,
    logs::CONTROLS,
    logs::INJECTION,
    logs::HOST,
    logs::SHIPPED,
    logs::SPAN,
    patches::CONTROLS,
    patches::HOST,
    patches::FIRMWARE,
    viruses::CONTROLS,
    viruses::INJECTION,
    viruses::RELEASED,
    viruses::HOST,
    clients::CONTROLS,
    clients::DOORS,
    reading::CONTROLS,
    reading::DOORS,
    reading::OTHERS,
    reading::INJECTION,
    filtering::CONTROLS,
    filtering::INJECTION,
    filtering::ALIKE,
    filtering::LEARNING,
    filtering::DIGEST,
    encryption::CONTROLS,
    encryption::DOORS,
    encryption::HOST,
    encryption::INJECTION,
    encryption::DEMANDED,
    encryption::FORWARDED,
    awareness::CONTROLS,
    denial::CONTROLS,
    denial::DOORS,
    denial::INJECTION,
    denial::SLOW_ONES,
    denial::HOST,
    backup::CONTROLS,
    standby::CONTROLS,
    files::CONTROLS,
    files::HOST,
    privileges::CONTROLS,
    privileges::HOST,
    privileges::ROLES_APART,
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
