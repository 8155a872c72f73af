//! Room being furnished.

mod bindings;
pub use bindings::ChannelBindings;

/// Why a password doesn't do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too short.
    #[error("a password has at least {} characters", mailward_core::limits::PASSWORD_MIN)]
    TooShort,
}
