//! What traits are called in rules and reports.

use crate::contents::Trait;

impl Trait {
    /// Names of all of them.
    pub const NAMES: [&str; 20] = [
        "encrypted",
        "multi-volume",
        "macro",
        "macro-runs",
        "remote",
        "dde",
        "launches",
        "script",
        "smuggles",
        "form",
        "object",
        "overlaps",
        "leads-out",
        "link",
        "also",
        "name-says",
        "type-says",
        "name-hides",
        "damaged",
        "not-opened",
    ];

    /// As rules and reports have it: lower case, with hyphens.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Trait::Encrypted => "encrypted",
            Trait::MultiVolume => "multi-volume",
            Trait::Macro => "macro",
            Trait::MacroRuns => "macro-runs",
            Trait::Remote => "remote",
            Trait::Dde => "dde",
            Trait::Launches => "launches",
            Trait::Script => "script",
            Trait::Smuggles => "smuggles",
            Trait::Form => "form",
            Trait::Object => "object",
            Trait::Overlaps => "overlaps",
            Trait::LeadsOut => "leads-out",
            Trait::Link => "link",
            Trait::Also(_) => "also",
            Trait::NameSays(_) => "name-says",
            Trait::TypeSays => "type-says",
            Trait::NameHides => "name-hides",
            Trait::Damaged(_) => "damaged",
            Trait::NotOpened(_) => "not-opened",
        }
    }
}
