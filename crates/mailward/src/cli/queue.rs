//! `mailward queue`: mail that waits for other hosts, seen and steered.

mod bounce;
mod filter;
mod list;
mod schedule;
mod steer;
mod tell;

pub(super) use steer::release_user;
pub(super) use tell::time;
pub(super) use tell::totals as tell_totals;

use crate::control::{Request, client};
use crate::failure::Failure;
use crate::place::Where;
use clap::{Args, Subcommand};
pub(super) use filter::age;
use filter::{Filter, Ids};
use mailward_core::QueueId;
use mailward_core::limits::QUEUE_LANES_PAGE;
use mailward_store::records::{Lane, Steer};

/// Look at mail that waits for other hosts, and steer it
#[derive(Debug, Args)]
#[command(
    after_help = "Without a verb: the queue in numbers. A lane is where recipients wait together: mostly their domain.
docs/queue.md tells what to do when mail is stuck.

Examples:
  mailward queue
  mailward queue list --domain example.net --older-than 2h
  mailward queue show 17
  mailward queue retry --lane example.net
  mailward queue hold --user joe@example.org --reason 'account was abused'"
)]
pub(crate) struct Queue {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    totals: Totals,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tell the queue in numbers, with its largest lanes and what keeps them
    #[command(after_help = "Examples:
  mailward queue totals --lanes 50
  mailward queue totals --json")]
    Totals(Totals),
    /// List messages and recipients that wait or are held
    #[command(after_help = "One line a recipient. What is given together must all fit. --json tells more.

Examples:
  mailward queue list --older-than 2h
  mailward queue list --held --sender '<>'
  mailward queue list --answer 4.7.1 --limit 20
  mailward queue list --user joe@example.org --json")]
    List(list::List),
    /// Show one message: envelope, recipients, and each attempt with what the other host said
    #[command(after_help = "Examples:\n  mailward queue show 17\n  mailward queue show 17 --json")]
    Show {
        /// Number of the message, as `mailward queue list` tells it
        #[arg(value_parser = filter::id)]
        id: QueueId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Try recipients that wait now, and their hosts
    #[command(after_help = "Held ones stay held: see `mailward queue release`.

Examples:
  mailward queue retry 17 18
  mailward queue retry --lane example.net
  mailward queue retry --all")]
    Retry(Act),
    /// Keep recipients until they are released; they don't expire meanwhile
    #[command(after_help = "Examples:
  mailward queue hold 17
  mailward queue hold --user joe@example.org --reason 'account was abused'")]
    Hold {
        #[command(flatten)]
        act: Act,
        /// Why, for whoever looks at them
        #[arg(long, value_name = "TEXT", default_value = "held by the administrator")]
        reason: String,
    },
    /// Let held recipients go; they are tried now
    #[command(after_help = "Examples:
  mailward queue release 17
  mailward queue release --user joe@example.org")]
    Release(Act),
    /// Take recipients out of the queue; nobody is told, nothing brings them back
    #[command(after_help = "Look first: `mailward queue list` takes the same filters.

Examples:
  mailward queue remove 17
  mailward queue remove --held --user joe@example.org
  mailward queue remove --sender '<>' --older-than 2d")]
    Remove(Act),
    /// Give recipients up now: their senders get a bounce
    #[command(
        after_help = "Look first: `mailward queue list` takes the same filters. What is being sent right now is left.

Examples:
  mailward queue bounce 17 --yes
  mailward queue bounce --lane example.net --yes --text 'their server is gone for good'
  mailward queue bounce --older-than 3d --answer 4.4.1 --yes --json"
    )]
    Bounce {
        #[command(flatten)]
        act: Act,
        /// Words for the senders, one line
        #[arg(long, value_name = "TEXT")]
        text: Option<String>,
        /// Yes, give them up; nothing brings them back
        #[arg(long)]
        yes: bool,
    },
    /// How long mail is tried and when its sender is warned, by sender and domain
    Schedule(schedule::Schedule),
    /// Put recipients into another lane; they are tried now
    #[command(after_help = "Examples:
  mailward queue reroute 17 --to backup.example.net
  mailward queue reroute --lane example.net --to backup.example.net")]
    Reroute {
        #[command(flatten)]
        act: Act,
        /// The lane they go to
        #[arg(long, value_name = "LANE", value_parser = filter::lane)]
        to: Lane,
    },
    /// Try nothing in a lane, or in all, until it is resumed
    #[command(
        after_help = "What is under way goes on, new mail is queued, and mail still expires: to keep it longer, hold it. A
pause survives a restart.

Examples:
  mailward queue pause example.net
  mailward queue pause"
    )]
    Pause(Pause),
    /// Go on with a lane, or with all
    #[command(after_help = "Examples:\n  mailward queue resume example.net\n  mailward queue resume")]
    Resume(Pause),
}

#[derive(Args, Debug)]
struct Totals {
    /// Lanes that are told of, the largest [usual: 20; at most 1000]
    #[arg(long, value_name = "NUMBER", value_parser = lanes)]
    lanes: Option<usize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Lanes that are told of if nobody says how many.
const LANES: usize = 20;

fn lanes(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| *count <= QUEUE_LANES_PAGE);
    count.ok_or_else(|| format!("a number up to {QUEUE_LANES_PAGE}"))
}

#[derive(Args, Debug)]
struct Act {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    filter: Filter,
    /// Really the whole queue, without a filter
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Pause {
    /// Which lane; none: all
    #[arg(value_parser = filter::lane)]
    lane: Option<Lane>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Queue {
    pub(crate) fn run(self, place: &Where) -> Result<(), Failure> {
        let place = &place.find()?;
        let Some(what) = self.what else { return self.totals.run(place) };
        if self.totals.json || self.totals.lanes.is_some() {
            return Err(Failure::Usage("options come after the verb: see `mailward queue --help`".to_owned()));
        }
        match what {
            What::Totals(totals) => totals.run(place),
            What::List(list) => list.run(place),
            What::Show { id, json } => list::show(place, id, json),
            What::Retry(act) => steer::run(place, act, Steer::Retry),
            What::Hold { act, reason } => steer::run(place, act, Steer::Hold(reason)),
            What::Release(act) => steer::run(place, act, Steer::Release),
            What::Remove(act) => steer::run(place, act, Steer::Remove),
            What::Bounce { act, text, yes } => bounce::run(place, act, text, yes),
            What::Schedule(schedule) => schedule.run(place),
            What::Reroute { act, to } => steer::run(place, act, Steer::Reroute(to)),
            What::Pause(pause) => steer::pause(place, pause.lane, true, pause.json),
            What::Resume(pause) => steer::pause(place, pause.lane, false, pause.json),
        }
    }
}

impl Totals {
    fn run(self, place: &crate::place::Place) -> Result<(), Failure> {
        let request = Request::QueueTotals { largest: self.lanes.unwrap_or(LANES) };
        let totals = client::Errand::on(place)?.run(&request)?;
        if self.json { crate::print::json(&totals) } else { tell_totals(&totals) }
    }
}
