//! `mailward store`: looking after the store.

use crate::failure::Failure;
use crate::place::Where;
use clap::Args;

/// Check, repair, compact and measure the store
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mailward store verify")]
pub(crate) struct Store {}

impl Store {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let _place = place.find()?;
        Ok(())
    }
}
