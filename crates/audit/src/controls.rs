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
mod filtering;
mod logs;
mod network;
mod patches;
mod physical;
mod privileges;
mod reading;
mod services;
mod standby;
mod viruses;

use crate::control::Control;

/// What each area has of its own, in the order of the score sheet; what every area has (Who and Why) is before it.
const BY_AREA: [&[Control]; 29] = [
    every::CONTROLS,
    physical::CONTROLS,
    physical::HOST,
    network::CONTROLS,
    network::HOST,
    services::CONTROLS,
    services::HOST,
    access::CONTROLS,
    access::HOST,
    logs::CONTROLS,
    logs::HOST,
    patches::CONTROLS,
    patches::HOST,
    viruses::CONTROLS,
    viruses::HOST,
    clients::CONTROLS,
    reading::CONTROLS,
    filtering::CONTROLS,
    encryption::CONTROLS,
    awareness::CONTROLS,
    denial::CONTROLS,
    denial::HOST,
    backup::CONTROLS,
    standby::CONTROLS,
    files::CONTROLS,
    files::HOST,
    privileges::CONTROLS,
    privileges::HOST,
    corrective::CONTROLS,
];

/// Every control, by area and dimension.
pub fn all() -> Vec<&'static Control> {
    let mut all: Vec<&'static Control> = BY_AREA.iter().flat_map(|controls| controls.iter()).collect();
    all.sort_by_key(|control| (control.area, control.dimension));
    all
}

/// The control of that name, upper or lower case.
pub fn find(id: &str) -> Option<&'static Control> {
    BY_AREA.iter().flat_map(|controls| controls.iter()).find(|control| control.id.eq_ignore_ascii_case(id))
}
