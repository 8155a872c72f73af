//! Milters: how they are.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use arc_swap::ArcSwap;
use mailward_core::config::{self, Config};
use mailward_core::event::Events;
use mailward_receive::Filters;
use serde_json::{Value, json};
use std::sync::Arc;

/// The milters of all doors. A clone is the same.
#[derive(Clone)]
pub(crate) struct MilterDesk {
    filters: Arc<Filters>,
    lines: Lines,
}

/// Where it is said which there are.
#[derive(Clone)]
enum Lines {
    /// In the settings of the server, as they are now.
    Settings(Arc<ArcSwap<mailward_receive::Settings>>),
    /// In the file.
    File(config::Milters),
}

impl MilterDesk {
    pub(crate) fn with_server(settings: &Arc<ArcSwap<mailward_receive::Settings>>, events: &Events) -> Self {
        Self { filters: Arc::new(Filters::new(events)), lines: Lines::Settings(Arc::clone(settings)) }
    }

    pub(crate) fn without_server(config: &Config) -> Self {
        let filters = Arc::new(Filters::new(&Events::nowhere()));
        Self { filters, lines: Lines::File(config.milters.clone()) }
    }

    /// Those that sessions ask.
    pub(crate) fn filters(&self) -> Arc<Filters> {
        Arc::clone(&self.filters)
    }
}

impl Desk {
    /// How they are, each of them connected to for it.
    pub(super) async fn milters(&self) -> Result<Value, Failure> {
        let MilterDesk { filters, lines } = &self.milters;
        let lines = match lines {
            Lines::Settings(settings) => settings.load().milters.clone(),
            Lines::File(lines) => lines.clone(),
        };
        Ok(json!({ "milters": shown(filters.look_after(&lines).await)? }))
    }
}
