//! A stranger who brings mail: what is found out about it while it speaks, and what is made of that.
//!
//! Everything that is asked is asked at once and as soon as it can be: the address when it connects, greeting and sender at
//! MAIL. It is waited for at the first RCPT, once, so that honest hosts wait for the longest chain of questions there is, and for
//! nothing beside it.
//!
//! It costs little where it can: what is remembered already is taken at once, without a task, and the store is asked for
//! correspondents only where a yes would change something.

use super::{Host, House};
use crate::guard::{Guard, Judged};
use mailward_core::limits::{JUDGEMENT_KEPT, JUDGEMENT_WAIT, LOOKUP_TURN_TIME, UNKNOWN_RECIPIENTS_SIGN};
use mailward_core::{Address, Domain, Network, SpfResult, Timestamp, config, is_public};
use mailward_dns::InTurn;
use mailward_gate::score::{Judgement, Marks, Sign, Verdict};
use mailward_gate::{
    Asked, Findings, Hello, HelloStanding, Inquiry, Listed, Ours, Reverse, SenderPermit, SenderStanding, Standing,
    judge_hello,
};
use mailward_inspect::spf::{Identity, SpfAsked, SpfOutcome, check_hello, check_host};
use mailward_smtp::server::{MailGiven, MailTicket};
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// What is known of it in one session.
pub(super) struct Stranger {
    pub(super) ip: IpAddr,
    pub(super) guard: Arc<Guard>,
    pub(super) marks: Marks,
    pub(super) settings: config::Guard,
    pub(super) inquiry: Inquiry,
    /// How it behaves.
    pub(super) seen: Judgement,
    /// Its name was waited for: what isn't known by now won't be.
    pub(super) named: bool,
    /// Recipients it asked for that aren't here.
    pub(super) unknown: usize,
    /// What was found of the last message: the next one of a session often is of the same domain.
    before: Option<Before>,
}

/// What was found of greeting and sender of a message, for `limits::JUDGEMENT_KEPT`.
struct Before {
    until: Instant,
    said: String,
    greeting: Option<Asked<HelloStanding>>,
    hello: Option<SpfOutcome>,
    sender: Option<OfDomain>,
}

/// What is the same for every sender of a domain.
struct OfDomain {
    host: mailward_core::Host,
    standing: Option<Asked<SenderStanding>>,
    spf: Option<SpfOutcome>,
}

/// The sender of a transaction: the right, and what is being found out of a stranger's.
pub(crate) struct Sender {
    pub(crate) permit: SenderPermit,
    pub(super) asked: Option<Envelope>,
}

/// What is being found out.
pub(super) struct Envelope {
    hello: Hello,
    /// The greeting as it was given.
    said: String,
    greeting: Option<Asked<HelloStanding>>,
    domain: Option<Asked<SenderStanding>>,
    found: watch::Receiver<Found>,
    /// None: all was known at once.
    task: Option<AbortHandle>,
    sender: Option<Address>,
    /// Whether somebody here wrote to the sender, if that was asked.
    correspondent: OnceLock<bool>,
}

/// What a task of its own finds out: each as soon as it is known.
#[derive(Clone, Default)]
struct Found {
    /// Of the sender, or of the greeting where the sender is nobody.
    spf: Option<SpfOutcome>,
    /// Of the greeting beside a sender.
    hello: Option<SpfOutcome>,
}

impl Found {
    /// Whether all is known that something depends on.
    const fn is_enough(&self) -> bool {
        self.spf.is_some()
    }
}

impl Drop for Envelope {
    fn drop(&mut self) {
        // The transaction is over: nobody wants to know any more.
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Stranger {
    pub(super) fn new(ip: IpAddr, guard: &Arc<Guard>, settings: config::Guard) -> Self {
        Self {
            ip,
            guard: Arc::clone(guard),
            marks: Marks::from(&settings),
            settings,
            inquiry: guard.reputation.begin(ip),
            seen: Judgement::default(),
            named: false,
            unknown: 0,
            before: None,
        }
    }

    /// What its address alone says.
    pub(super) fn at_first_sight(&self, standing: &Standing) -> Judgement {
        let mut judgement = self.seen.clone();
        of_standing(&mut judgement, standing);
        judgement
    }

    /// Whether it looks bad by now, whatever isn't known yet.
    pub(super) fn looks_bad(&self, judged: Option<&Judged>) -> bool {
        let judgement =
            judged.map_or_else(|| self.at_first_sight(&self.inquiry.now()), |judged| judged.judgement.clone());
        judgement.verdict(self.marks) >= Verdict::Bad
    }

    /// Waits for its name, which rules may be about.
    pub(super) async fn name_known(&mut self) {
        if !self.named {
            let _known = self.inquiry.reverse(JUDGEMENT_WAIT).await;
            self.named = true;
        }
    }

    /// Keeps what was found for the next message of the session, unless it is kept already. What couldn't be known now is
    /// asked again.
    fn remember(&mut self, envelope: &Envelope, found: &Found) {
        let settled = |spf: &Option<SpfOutcome>| spf.clone().filter(|spf| spf.result != SpfResult::TempError);
        let host = envelope.sender.as_ref().map(|sender| sender.host().clone());
        let hello = settled(&found.hello);
        let is_kept = self.before.as_ref().is_some_and(|before| {
            let of = before.sender.as_ref();
            before.until > Instant::now()
                && before.said == envelope.said
                && of.map(|of| &of.host) == host.as_ref()
                && before.hello.is_some() == hello.is_some()
        });
        if is_kept {
            return;
        }
        let sender = host.map(|host| OfDomain {
            host,
            standing: envelope.domain.clone().filter(|asked| asked.now().is_whole()),
            spf: settled(&found.spf).filter(|spf| !spf.personal),
        });
        let now = Instant::now();
        self.before = Some(Before {
            until: now.checked_add(JUDGEMENT_KEPT).unwrap_or(now),
            said: envelope.said.clone(),
            greeting: envelope.greeting.clone().filter(|asked| asked.now().is_whole()),
            hello,
            sender,
        });
    }

    /// Waits for all that is being found out, and weighs it.
    pub(super) async fn judge(&mut self, sender: Option<&Domain>, envelope: &Envelope, hasty: bool) -> Judged {
        if hasty {
            self.seen.sign(Sign::Hasty);
        }
        if self.unknown >= UNKNOWN_RECIPIENTS_SIGN {
            self.seen.sign(Sign::UnknownRecipients);
        }
        let (standing, greeting, domain, found) = tokio::join!(
            self.inquiry.wait(JUDGEMENT_WAIT),
            known(envelope.greeting.as_ref()),
            known(envelope.domain.as_ref()),
            envelope.found(),
        );
        self.named = true;
        self.remember(envelope, &found);
        let mut judged = Judged {
            judgement: self.at_first_sight(&standing),
            spf: found.spf,
            spf_hello: found.hello,
            reverse: standing.reverse.clone(),
            domain: domain.as_ref().map(|standing| standing.domain),
            correspondent: false,
            came_well: false,
        };
        let judgement = &mut judged.judgement;
        if standing.reverse == Reverse::Unknown && is_public(self.ip) {
            judgement.sign(Sign::ReverseFailed);
        }
        match &envelope.hello {
            // A host elsewhere may be called as a domain of ours: its web server. What can't be known isn't held against it.
            Hello::OurName(_) if greeting.as_ref().is_some_and(|greeting| greeting.confirmed != Some(false)) => {}
            Hello::OurName(_) | Hello::OurAddress(_) => judgement.sign(Sign::HelloOurs),
            Hello::OtherAddress(_) => judgement.sign(Sign::HelloLiteral),
            Hello::NoName => judgement.sign(Sign::HelloNoName),
            Hello::OwnAddress | Hello::Name(_) => {}
        }
        if let Some(greeting) = greeting {
            let is_its_own = greeting.confirmed == Some(true);
            if is_its_own {
                judgement.sign(Sign::HelloConfirmed);
            }
            of_lists_about(judgement, &greeting.listed, is_its_own);
        }
        let sign = match judged.spf.as_ref().map(|outcome| (outcome.result, outcome.identity)) {
            Some((SpfResult::Fail, _)) => Some(Sign::SpfFail),
            Some((SpfResult::SoftFail, _)) => Some(Sign::SpfSoftFail),
            Some((SpfResult::PermError, _)) => Some(Sign::SpfPermError),
            Some((SpfResult::Pass, _)) => Some(Sign::SpfPass),
            Some((SpfResult::None | SpfResult::Neutral, _)) => None,
            // Nobody is forged by it.
            Some((SpfResult::TempError, Identity::Hello)) => None,
            Some((SpfResult::TempError, Identity::MailFrom)) | None => Some(Sign::SpfTempError),
        };
        sign.into_iter().for_each(|sign| judged.judgement.sign(sign));
        // Who only names a sender, or a correspondent, has proven nothing.
        let is_theirs = judged.is_proven() || sender.is_some_and(|domain| is_of(&judged.reverse, domain));
        if let Some(domain) = &domain {
            of_lists_about(&mut judged.judgement, &domain.listed, is_theirs);
        }
        // Who looks well is taken anyway: nobody is asked what speaks for it.
        if judged.judgement.verdict(self.marks) >= Verdict::Bad {
            judged.came_well = sender.is_some_and(|domain| self.guard.greylist.has_come_well(self.ip, domain));
            judged.correspondent = envelope.is_correspondent(&self.guard).await;
        }
        if judged.correspondent && is_theirs {
            judged.judgement.sign(Sign::Correspondent);
        }
        judged
    }
}

impl Envelope {
    /// Whether somebody here wrote to the sender. What can't be found out speaks for nobody.
    async fn is_correspondent(&self, guard: &Guard) -> bool {
        let Some(sender) = &self.sender else { return false };
        if let Some(known) = self.correspondent.get() {
            return *known;
        }
        let known = guard.correspondents.has_written_to(sender.clone()).await.unwrap_or(false);
        *self.correspondent.get_or_init(|| known)
    }

    async fn found(&self) -> Found {
        let known = self.found.borrow().clone();
        if known.is_enough() {
            return known;
        }
        let mut found = self.found.clone();
        // Late, or given up: what is known then counts.
        let _either =
            tokio::time::timeout(JUDGEMENT_WAIT, found.wait_for(Found::is_enough)).await.map(|all| all.is_ok());
        found.borrow().clone()
    }
}

impl Host<'_> {
    /// Begins to find out what greeting and sender of a stranger are worth.
    pub(super) fn ask_about(&self, ticket: &MailTicket<'_, House>) -> Option<Envelope> {
        let stranger = self.stranger.as_ref()?;
        let (directory, hostname) = (&self.context.directory, &self.context.hostname);
        let (said, reputation) = (ticket.greeted().name.to_string(), &stranger.guard.reputation);
        let is_local = |domain: &Domain| directory.is_local_domain(domain);
        let ours = Ours { hostname, is_local: &is_local, addresses: &stranger.guard.addresses };
        let hello = judge_hello(&said, stranger.ip, &ours);
        let sender = ticket.path().address().cloned();
        let before = stranger.before.as_ref().filter(|before| before.until > Instant::now());
        let of_greeting = before.filter(|before| before.said == said);
        let of_sender = of_greeting.and_then(|before| before.sender.as_ref());
        let of_sender = of_sender.filter(|of| sender.as_ref().is_some_and(|sender| of.host == *sender.host()));
        let greeting = match (of_greeting, &hello) {
            (Some(Before { greeting: Some(known), .. }), _) => Some(known.clone()),
            (_, Hello::Name(name)) => Some(reputation.hello(stranger.ip, name)),
            // This server's own name is nobody else's; a domain's may lead to other hosts as well.
            (_, Hello::OurName(name)) if name != hostname => Some(reputation.hello(stranger.ip, name)),
            _ => None,
        };
        let domain = match of_sender {
            Some(OfDomain { standing: Some(known), .. }) => Some(known.clone()),
            _ => {
                // Ours are there, whatever the DNS outside says of them.
                let domain = sender.as_ref().and_then(Address::domain);
                let domain = domain.filter(|domain| !directory.is_local_domain(domain));
                domain.map(|domain| reputation.sender(stranger.ip, domain))
            }
        };
        let spf = of_sender.and_then(|of| of.spf.clone());
        let hello_spf = of_greeting.filter(|_| sender.is_some()).and_then(|before| before.hello.clone());
        let (asks_sender, asks_hello) = (spf.is_none(), sender.is_some() && hello_spf.is_none());
        let (tell, found) = watch::channel(Found { spf, hello: hello_spf });
        let task = if asks_sender || asks_hello {
            let asking = Asking {
                guard: Arc::clone(&stranger.guard),
                ip: stranger.ip,
                said: said.clone(),
                asks_sender,
                asks_hello,
                sender: sender.clone(),
                hostname: hostname.clone(),
                now: self.context.clock.now(),
            };
            begin(asking.find_out(tell))
        } else {
            None
        };
        Some(Envelope { hello, said, greeting, domain, found, task, sender, correspondent: OnceLock::new() })
    }
}

/// Does some work here and now as far as it waits for nothing, and the rest in a task. `None`: nothing was left.
fn begin(work: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
    let mut work = Box::pin(work);
    // Nobody has to be woken: a task looks at all that it waits for when it begins.
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(()) => None,
        Poll::Pending => Some(tokio::spawn(work).abort_handle()),
    }
}

/// What a task of its own asks with.
struct Asking {
    guard: Arc<Guard>,
    ip: IpAddr,
    said: String,
    /// Whether SPF is asked about the sender (or about the greeting where that is nobody).
    asks_sender: bool,
    /// Whether it is asked about the greeting too.
    asks_hello: bool,
    sender: Option<Address>,
    hostname: Domain,
    now: Timestamp,
}

impl Asking {
    async fn find_out(self, tell: watch::Sender<Found>) {
        let Self { guard, ip, said, asks_sender, asks_hello, sender, hostname, now } = self;
        let asked = SpfAsked { ip, hello: &said, sender: sender.as_ref(), hostname: &hostname, now };
        let host = Network::host(ip);
        let spf = async {
            if asks_sender {
                let lookup = InTurn::new(&*guard.lookup, &guard.turns.sender, host, LOOKUP_TURN_TIME);
                let outcome = check_host(&lookup, &asked).await;
                tell.send_modify(|found| found.spf = Some(outcome));
            }
        };
        // What it greets with must hold up nothing: turns, questions and time are its own.
        let hello = async {
            if asks_hello {
                let lookup = InTurn::new(&*guard.lookup, &guard.turns.hello, host, LOOKUP_TURN_TIME);
                let outcome = check_hello(&lookup, &asked).await;
                tell.send_modify(|found| found.hello = Some(outcome));
            }
        };
        tokio::join!(spf, hello);
    }
}

/// The domain that a stranger's sender is of.
pub(super) fn sender_domain(mail: &MailGiven<House>) -> Option<&Domain> {
    mail.path.address().and_then(Address::domain)
}

async fn known<T: Findings>(asked: Option<&Asked<T>>) -> Option<Arc<T>> {
    match asked {
        Some(asked) => Some(asked.wait(JUDGEMENT_WAIT).await),
        None => None,
    }
}

fn of_standing(judgement: &mut Judgement, standing: &Standing) {
    match &standing.reverse {
        Reverse::None => judgement.sign(Sign::NoReverse),
        Reverse::Unconfirmed(_) => judgement.sign(Sign::Unconfirmed),
        Reverse::Confirmed(_) | Reverse::Unknown => {}
    }
    if standing.generated {
        judgement.sign(Sign::Generated);
    }
    of_lists(judgement, &standing.listed);
}

fn of_lists(judgement: &mut Judgement, listed: &[Listed]) {
    for one in listed {
        judgement.listed(one.list.as_str(), one.weight);
    }
}

/// What lists say of a name that somebody gave. What speaks in favour of a name speaks for nobody but whom it is proven to be
/// of: anybody can give any.
fn of_lists_about(judgement: &mut Judgement, listed: &[Listed], is_proven: bool) {
    for one in listed.iter().filter(|one| is_proven || one.weight > 0) {
        judgement.listed(one.list.as_str(), one.weight);
    }
}

/// Whether a client's confirmed name is within a domain.
fn is_of(reverse: &Reverse, domain: &Domain) -> bool {
    let below = |name: &Domain| name.as_str().strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    reverse.confirmed().is_some_and(|name| name == domain || below(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_known_already_costs_no_task_and_what_isn_t_comes() {
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        assert!(begin(async {}).is_none());
        assert_eq!(tasks(), before);
        let go = Arc::new(tokio::sync::Notify::new());
        let (tell, mut heard) = watch::channel(0);
        let wait = Arc::clone(&go);
        let task = begin(async move {
            tell.send_replace(1);
            tokio::join!(wait.notified(), tokio::time::sleep(std::time::Duration::from_millis(1)));
            tell.send_replace(2);
        });
        assert_eq!(*heard.borrow(), 1, "it began at once");
        assert_eq!(tasks(), before.saturating_add(1));
        go.notify_one();
        heard.wait_for(|said| *said == 2).await.unwrap();
        assert!(task.is_some());
    }

    #[test]
    fn a_client_is_its_domain_s_by_its_confirmed_name_only() {
        let domain = |text: &str| Domain::parse(text).unwrap();
        let of = domain("b.example");
        assert!(is_of(&Reverse::Confirmed(domain("mx.b.example")), &of));
        assert!(is_of(&Reverse::Confirmed(domain("b.example")), &of));
        assert!(!is_of(&Reverse::Confirmed(domain("ab.example")), &of));
        assert!(!is_of(&Reverse::Confirmed(domain("example")), &of));
        assert!(!is_of(&Reverse::Unconfirmed(domain("mx.b.example")), &of));
    }
}
