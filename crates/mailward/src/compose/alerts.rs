//! Where alerts go: every way that is configured, and the supervisor.

use super::sending::Reach;
use crate::failure::Failure;
use crate::place::Place;
use crate::supervisor::{ByCommand, Made, Supervisor};
use mailward_alert::{Alerts, ByMail, BySyslog, ByWebhook, Parts, Runner, Way, wanted};
use mailward_core::config::{AlertMail, Config};
use mailward_core::event::{Event, Events, Heard};
use mailward_core::limits::{ALERT_LAST_TIME, ALERT_SECRET_MAX, ALERT_SECRET_MIN, ALERTS_HEARD_MAX};
use mailward_core::{Domain, Secret, Shutdown, ShutdownTrigger, SystemClock, shutdown};
use mailward_delivery::alerts::{Postman, PostmanParts};
use mailward_directory::Directory;
use mailward_store::LocalStore;
use mailward_sts::Https;
use mailward_vault::Signer;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Begins to hear, before anything can go wrong.
pub(crate) fn hear(events: &Events) -> Result<Heard, Failure> {
    events.listen(wanted, ALERTS_HEARD_MAX).ok_or_else(|| Failure::Bug("somebody hears alerts already".to_owned()))
}

/// What is to be said of the ways that are configured, if something is.
pub(crate) fn note(config: &Config) -> Option<String> {
    if config.alerts.go_beside_this_server() {
        return None;
    }
    let what = match config.alerts.mail {
        AlertMail::Off => "alerts go nowhere but into the log",
        _ => "alerts go by this server's own mail alone, which may be what is broken",
    };
    Some(format!("{what}: set webhook, syslog or command under [alerts] as well; see docs/alerts.md"))
}

/// The secret that posts are signed with.
pub(crate) fn signer(place: &Place) -> Result<Option<Signer>, Failure> {
    const KEY: &str = "alerts.webhook_secret_file";
    let Some(path) = &place.config().alerts.webhook_secret_file else { return Ok(None) };
    let fault = |what: String| Failure::from(place.loaded.fault(KEY, what));
    super::checks::nobody_else_reads(&place.loaded, KEY, path)?;
    let mut secret = Vec::new();
    let most = u64::try_from(ALERT_SECRET_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let opened = std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut secret));
    opened.map_err(|e| fault(format!("can't be read: {e}")))?;
    let end = secret.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last.saturating_add(1));
    secret.truncate(end);
    if !(ALERT_SECRET_MIN..=ALERT_SECRET_MAX).contains(&secret.len()) {
        return Err(fault(format!("must hold {ALERT_SECRET_MIN} to {ALERT_SECRET_MAX} bytes")));
    }
    Ok(Some(Signer::new(&Secret::new(secret))))
}

/// Who brings mail to administrators.
pub(crate) fn postman(
    config: &Config,
    hostname: &Domain,
    store: &Arc<LocalStore>,
    directory: &Arc<Directory>,
    events: &Events,
) -> Postman {
    Postman::new(PostmanParts {
        mail: store.clone(),
        queue: store.clone(),
        directory: Arc::clone(directory),
        hostname: hostname.clone(),
        events: events.clone(),
        clock: Arc::new(SystemClock),
        lifetime: config.queue.lifetime(),
    })
}

/// What alerts are told by.
pub(crate) struct Means<'a> {
    pub(crate) place: &'a Place,
    pub(crate) hostname: &'a Domain,
    pub(crate) store: &'a Arc<LocalStore>,
    pub(crate) directory: &'a Arc<Directory>,
    pub(crate) reach: &'a Reach,
    pub(crate) made: Option<Made>,
    pub(crate) heard: Heard,
    pub(crate) events: &'a Events,
}

/// What tells them, until the very last.
pub(crate) struct Telling {
    pub(crate) alerts: Alerts,
    pub(crate) supervisor: Option<Supervisor>,
    stop: ShutdownTrigger,
    told: JoinHandle<()>,
    looked_after: Option<(ShutdownTrigger, JoinHandle<()>)>,
}

/// Begins to tell.
pub(crate) fn start(means: Means<'_>) -> Result<Telling, Failure> {
    let Means { place, hostname, store, directory, reach, made, heard, events } = means;
    let config = place.config();
    let (stop, stopped) = shutdown::channel();
    let (mut supervisor, mut looked_after) = (None, None);
    if let Some(made) = made {
        let (end, word): (ShutdownTrigger, Shutdown) = shutdown::channel();
        let (ours, task) =
            Supervisor::over(made, events.clone(), word).map_err(|e| Failure::io("the supervisor's socket", e))?;
        supervisor = Some(ours);
        looked_after = Some((end, task));
    }
    let mut ways: Vec<Arc<dyn Way>> = Vec::new();
    let to = match &config.alerts.mail {
        AlertMail::Off => None,
        AlertMail::Postmaster => Some(None),
        AlertMail::To(all) => Some(Some(all.clone())),
    };
    if let Some(to) = to {
        let postman = postman(config, hostname, store, directory, events);
        ways.push(Arc::new(ByMail::new(postman, to)));
    }
    if let Some(webhook) = &config.alerts.webhook {
        match &reach.lookup {
            Some(lookup) => {
                let https = Https::new(Arc::clone(lookup), reach.outbound.clone(), false);
                let https = if config.alerts.webhook_private { https.also_inside() } else { https };
                ways.push(Arc::new(ByWebhook::new(https, webhook.clone(), signer(place)?, hostname.clone())));
            }
            None => {
                let event = Event::alert("alert.failing").with("way", "webhook");
                let event = event.with("reason", "the DNS can't be asked");
                events.emit(event.with("mend", "give servers under [dns], or mend /etc/resolv.conf, and restart"));
            }
        }
    }
    if let Some(socket) = &config.alerts.syslog {
        ways.push(Arc::new(BySyslog::new(socket.clone(), hostname.clone())));
    }
    if let (Some(supervisor), Some(program)) = (&supervisor, config.alerts.command.first()) {
        let way = ByCommand::new(supervisor.clone(), program.clone(), hostname.clone(), events.clone());
        ways.push(Arc::new(way));
    }
    let (runner, alerts) =
        Runner::new(Parts { heard, shelf: store.clone(), ways, events: events.clone(), clock: Arc::new(SystemClock) });
    let told = tokio::spawn(runner.run(stopped));
    Ok(Telling { alerts, supervisor, stop, told, looked_after })
}

impl Telling {
    /// The end, after everybody else's: what came of the server is told if there is time, else after the next start.
    pub(crate) async fn end(self, result: &Result<(), Failure>) {
        if let Err(failure) = result {
            self.alerts.last_words(&Event::alert("server.stopped").with("why", failure));
        }
        self.stop.fire();
        let _late = tokio::time::timeout(ALERT_LAST_TIME.saturating_add(Duration::from_millis(500)), self.told).await;
        if let Some((end, task)) = self.looked_after {
            end.fire();
            let _late = tokio::time::timeout(ALERT_LAST_TIME, task).await;
        }
    }
}
