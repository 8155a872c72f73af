//! What the controls of the host share.

pub(crate) use super::accounts::{accounts, login_settings, scheme, shadow};
pub(crate) use super::apt;
pub(crate) use super::blocks;
pub(crate) use super::demands::{Answer, Demands, base, named, tell};
pub(crate) use super::hash;
pub(crate) use super::ini::Ini;
pub(crate) use super::machine::{left_to_its_host, looks_like, machine};
pub(crate) use super::mounts::{self, Mount, holding, is_below, mounts};
pub(crate) use super::nft::{Chain, ruleset};
pub(crate) use super::packages;
pub(crate) use super::processes::{self, Process};
pub(crate) use super::program::is_asked;
pub(crate) use super::settings::setting;
pub(crate) use super::sockets::{Socket, connected, listening};
pub(crate) use super::sshd;
pub(crate) use super::sudo;
pub(crate) use super::units;
pub(crate) use super::walk::{visit, walked};
