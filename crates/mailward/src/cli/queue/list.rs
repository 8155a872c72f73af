//! What is queued: a list, and one message.

use super::filter::{Filter, Ids};
use super::tell;
use crate::control::Request;
use crate::control::client::Errand;
use crate::control::queue::{Entry, Page, Shown, Totals};
use crate::failure::Failure;
use crate::place::Place;
use crate::print;
use clap::Args;
use mailward_core::limits::{QUEUE_LANES_PAGE, QUEUE_PAGE};
use mailward_core::{Clock as _, QueueId, SystemClock};

/// Messages of a table if nobody says how many: more than a person reads.
const LISTED: usize = 1_000;

/// What is listed.
#[derive(Args, Debug)]
pub(super) struct List {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    filter: Filter,
    /// Messages at most; 0: all [usual: 1000 in a table, all in JSON]
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(mut self, place: &Place) -> Result<(), Failure> {
        let mut errand = Errand::on(place)?;
        let limit = match self.limit {
            Some(0) => usize::MAX,
            Some(limit) => limit,
            None if self.json => usize::MAX,
            None => LISTED,
        };
        let mut out = if self.json {
            Out::Json(print::JsonList::default())
        } else {
            // What keeps a lane keeps its recipients: they are told together.
            let lanes: Totals = errand.run(&Request::QueueTotals { largest: QUEUE_LANES_PAGE })?;
            Out::Table(print::Table::new(&tell::HEADINGS), tell::Lanes::of(&lanes))
        };
        let ids = std::mem::take(&mut self.ids.ids);
        let mut which = self.filter.which(SystemClock.now());
        let mut progress = print::Progress::new();
        let (mut listed, mut more) = (0usize, false);
        'all: for ids in super::steer::portions(&ids) {
            which.messages = ids.to_vec();
            let mut after = None;
            loop {
                let left = limit.saturating_sub(listed);
                if left == 0 {
                    more = true;
                    break 'all;
                }
                let request = Request::QueueList { which: which.clone(), after, limit: left.min(QUEUE_PAGE) };
                let page: Page = errand.run(&request)?;
                progress.clear();
                listed = listed.saturating_add(page.messages.len());
                if !out.page(page.messages)? {
                    return Ok(());
                }
                after = page.next;
                let Some(id) = after else { break };
                progress.show(format_args!("{listed} found, looked up to message {id}"));
            }
        }
        drop(progress);
        out.end(listed)?;
        if more {
            print::note(format_args!("these are the first {limit} messages; there may be more: --limit 0 lists all"));
        }
        Ok(())
    }
}

enum Out {
    Json(print::JsonList),
    Table(print::Table, tell::Lanes),
}

impl Out {
    /// `false` if nobody listens any more.
    fn page(&mut self, messages: Vec<Entry>) -> Result<bool, Failure> {
        match self {
            Out::Json(list) => {
                for message in messages {
                    if !list.element(&message)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Out::Table(..) if messages.is_empty() => Ok(true),
            Out::Table(table, lanes) => {
                let now = SystemClock.now();
                let rows: Vec<Vec<String>> =
                    messages.iter().flat_map(|message| tell::rows(message, lanes, now)).collect();
                table.rows(&rows)
            }
        }
    }

    fn end(self, listed: usize) -> Result<(), Failure> {
        match self {
            Out::Json(list) => list.end(),
            Out::Table(..) if listed == 0 => print::line("nothing of that is queued"),
            Out::Table(..) => Ok(()),
        }
    }
}

/// Shows one message with all that is known of it.
pub(super) fn show(place: &Place, id: QueueId, json: bool) -> Result<(), Failure> {
    let mut errand = Errand::on(place)?;
    let Shown { mut message, mut next } = errand.run(&Request::QueueShow { message: id, from: 0 })?;
    while let Some(from) = next {
        // It may be delivered whole between two answers: then what was told last is told.
        let Ok(more) = errand.run::<Shown>(&Request::QueueShow { message: id, from }) else { break };
        message.recipients.extend(more.message.recipients);
        next = more.next.filter(|next| *next > from);
    }
    if json {
        return print::json(&message);
    }
    let lanes: Totals = errand.run(&Request::QueueTotals { largest: QUEUE_LANES_PAGE })?;
    tell::message(&message, &tell::Lanes::of(&lanes), SystemClock.now())
}
