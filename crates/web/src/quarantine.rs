//! Pages of the quarantine's links: `/quarantine/WORD` shows a message, `/quarantine/WORD/ACT` asks, and acts by POST.

use crate::answer::Answer;
use crate::page::Page;
use crate::request::What;
use crate::serve::{Context, counted};
use hyper::StatusCode;
use mailward_core::event::Event;
use mailward_core::limits::{
    SPAM_READ_MAX, WEB_PREVIEW_PARTS_MAX, WEB_PREVIEW_READ_MAX, WEB_PREVIEW_TEXT_MAX, WEB_WRONG_TIME,
};
use mailward_core::{Address, Peer};
use mailward_delivery::digest::done::{Done, done};
use mailward_delivery::digest::link::Followed;
use mailward_inspect::quarantine::{Look, Note, Sight, look};
use mailward_inspect::spam::Lesson;
use mailward_message::date;
use mailward_store::api::StoreError;
use mailward_store::records::{KeptFor, Quarantined, ShelfChange};

/// What a user can do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Release,
    Report,
    Delete,
}

impl Act {
    const ALL: [Self; 3] = [Self::Release, Self::Report, Self::Delete];

    /// The last part of its page's address.
    const fn path(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Report => "report",
            Self::Delete => "delete",
        }
    }
    const fn button(self) -> &'static str {
        match self {
            Self::Release => "Release it to my inbox",
            Self::Report => "It is no spam: release it and learn from it",
            Self::Delete => "Delete it",
        }
    }
    /// As it is remembered, and logged behind `quarantine.`.
    const fn done(self) -> (&'static str, &'static str) {
        match self {
            Self::Release => ("released", "quarantine.released"),
            Self::Report => ("reported", "quarantine.released"),
            Self::Delete => ("discarded", "quarantine.discarded"),
        }
    }
    const fn title(self) -> &'static str {
        match self {
            Self::Release | Self::Report => "It is in your inbox",
            Self::Delete => "It is deleted",
        }
    }
}

/// Answers what is asked of a path behind `/quarantine/`.
pub(crate) async fn answer(rest: &str, what: What, peer: &Peer, context: &Context) -> Answer {
    let (word, act) = match rest.split_once('/') {
        None => (rest, None),
        Some((word, path)) => match Act::ALL.into_iter().find(|act| act.path() == path) {
            Some(act) => (word, Some(act)),
            None => return Answer::nothing(),
        },
    };
    let now = context.parts.clock.now();
    match (what, act) {
        (What::See, _) | (What::Do, Some(_)) => {}
        (_, None) => return Answer::wrong_method("GET, HEAD"),
        (What::Other, Some(_)) => return Answer::wrong_method("GET, HEAD, POST"),
    }
    if context.wrong.is_shut_for(counted(peer), now) {
        let words = "Too many links that don't work were opened from where you are. Please try again later.";
        return Answer::retry(StatusCode::TOO_MANY_REQUESTS, "Please try again", words, WEB_WRONG_TIME.as_secs());
    }
    let visit = Visit { word, peer, context };
    let answered = match visit.follow().await {
        Ok(Ok(led)) => match (what, act) {
            (What::Do, Some(act)) => visit.act(&led, act).await,
            _ => visit.show(&led, act).await,
        },
        Ok(Err(answer)) => return *answer,
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| visit.failed(&error))
}

/// Somebody with a word.
struct Visit<'a> {
    word: &'a str,
    peer: &'a Peer,
    context: &'a Context,
}

/// Where the word leads.
struct Led {
    followed: Followed,
    user: Address,
    kept: Quarantined,
    note: Note,
}

impl Visit<'_> {
    /// Finds out where the word leads; inside, what is answered if it leads nowhere.
    async fn follow(&self) -> Result<Result<Led, Box<Answer>>, StoreError> {
        let parts = &self.context.parts;
        let wrong = || Ok(Err(Box::new(self.wrong())));
        let Some(followed) = parts.digests.links().follow(self.word).await? else { return wrong() };
        let Some(user) = parts.directory.address_of(followed.account) else { return wrong() };
        let kept = parts.quarantine.quarantined(followed.message).await?;
        let is_theirs = |kept: &Quarantined| kept.ways.targets.iter().any(|to| to.account == followed.account);
        let Some(kept) = kept.filter(is_theirs) else {
            let done = done(parts.digests.shelf(), followed.message).await?;
            return Ok(Err(Box::new(gone(&done, &user))));
        };
        let note = Note::read(&kept.note).unwrap_or_default();
        if !note.is_for_users(&parts.digests.users_release()) {
            let words = "Only your administrator may decide on this message now. Please ask there.";
            return Ok(Err(Box::new(Answer::words(StatusCode::FORBIDDEN, "Ask your administrator", words))));
        }
        Ok(Ok(Led { followed, user, kept, note }))
    }

    /// One answer to every word that is wrong, old or spent.
    fn wrong(&self) -> Answer {
        let (parts, from) = (&self.context.parts, counted(self.peer));
        if self.context.wrong.note(from, parts.clock.now()) {
            parts.events.emit(Event::warn("web.wrong_links").with_peer(self.peer));
        }
        let mut page = Page::new("This link doesn't work any more");
        page.paragraph("Each link works once, and for some days. If you have used it, what you asked for is done: there is nothing more to do.");
        page.paragraph("If not, it may be too old, or some of it was lost on the way. What is still kept for you your administrator can find.");
        Answer::page(StatusCode::NOT_FOUND, page)
    }

    fn failed(&self, error: &StoreError) -> Answer {
        self.context.parts.events.emit(Event::warn("web.failed").with_peer(self.peer).with("why", error));
        Answer::retry(
            StatusCode::SERVICE_UNAVAILABLE,
            "Please try again",
            "Nothing was done; it can't be done now.",
            60,
        )
    }

    /// The message, and buttons; nothing changes.
    async fn show(&self, led: &Led, first: Option<Act>) -> Result<Answer, StoreError> {
        let most = u64::try_from(WEB_PREVIEW_READ_MAX).unwrap_or(u64::MAX);
        let bytes = self.context.parts.mail.read(led.kept.blob, 0, led.kept.size.min(most)).await?;
        let sight = Sight { header: 0, text: WEB_PREVIEW_TEXT_MAX, parts: WEB_PREVIEW_PARTS_MAX };
        let Look { parts, text, .. } = look(&bytes, sight);
        let subject = if led.note.subject.is_empty() { "(no subject)" } else { &led.note.subject };
        let mut page = Page::new(subject);
        page.paragraph(&format!(
            "This message to {} is kept, as it looks unwanted. Nothing happens until you press a button.",
            led.user
        ));
        let mut facts = vec![
            ("From", led.note.from.clone()),
            ("Sent by", led.note.sender.clone()),
            ("Came", date::format_header(led.kept.came)),
            ("Goes by itself", date::format_header(led.kept.expires)),
            ("Why it is kept", led.note.reasons().join("; ")),
        ];
        let named: Vec<String> = parts.into_iter().filter_map(|part| part.name).collect();
        if !named.is_empty() {
            facts.push(("Files", named.join(", ")));
        }
        facts.retain(|(_, value)| !value.is_empty());
        page.facts(&facts);
        page.heading("What do you want to do?");
        let mut acts = Act::ALL.to_vec();
        acts.sort_by_key(|act| Some(*act) != first);
        for act in acts.into_iter().filter(|act| *act != Act::Report || led.note.is_of_spam()) {
            page.button(&format!("/quarantine/{}/{}", self.word, act.path()), act.button(), Some(act) == first);
        }
        page.heading("Its text");
        page.paragraph("Links and pictures in it are left out; some of it may be, too.");
        page.text("Text of the message", if text.trim().is_empty() { "(no text)" } else { &text });
        Ok(Answer::page(StatusCode::OK, page))
    }

    /// Does it, and spends the word, in one commit.
    async fn act(&self, led: &Led, act: Act) -> Result<Answer, StoreError> {
        let parts = &self.context.parts;
        let (whom, id) = (KeptFor::Account(led.followed.account), led.followed.message);
        let (what, event) = act.done();
        let done = Done {
            what: what.to_owned(),
            by: led.user.to_string(),
            how: "link".to_owned(),
            user: Some(led.user.to_string()),
            at: parts.clock.now(),
        };
        let notes: Vec<ShelfChange> = vec![led.followed.spend.clone(), done.note(id)];
        // First, as what is released may be gone at once; and learned twice is learned once.
        let learned = act == Act::Report && led.note.is_of_spam() && self.learn(led).await?;
        let did = match act {
            Act::Release | Act::Report => parts.quarantine.release(id, whom, notes).await.map(drop),
            Act::Delete => parts.quarantine.discard(id, whom, notes).await,
        };
        match did {
            Ok(()) => {}
            // Somebody was faster: it is spent, or gone.
            Err(StoreError::NotFound(_)) => return Ok(self.wrong()),
            Err(StoreError::OverQuota) => {
                let words = "Your mailbox is full, so that it stays where it is. Make room, and use the link again.";
                return Ok(Answer::words(StatusCode::CONFLICT, "Your mailbox is full", words));
            }
            Err(error) => return Err(error),
        }
        let mut event = Event::info(event).with_peer(self.peer).with("quarantine", id).with("by", &led.user);
        event = event.with("how", "link").with("user", &led.user);
        if !led.note.id.is_empty() {
            event = event.with("id", &led.note.id);
        }
        if act == Act::Report {
            event = event.with("reported", "false alarm").with("learned", learned);
        }
        parts.events.emit(event);
        let words = match act {
            Act::Release => "The message was released, and the link is used up. You can close this page.",
            Act::Report if learned => {
                "The message was released, and your spam filter has learned from it. You can close this page."
            }
            Act::Report => "The message was released. You can close this page.",
            Act::Delete => "The message is gone for good, and the link is used up. You can close this page.",
        };
        Ok(Answer::words(StatusCode::OK, act.title(), words))
    }

    /// Teaches the user's own filter that it is no spam.
    async fn learn(&self, led: &Led) -> Result<bool, StoreError> {
        let parts = &self.context.parts;
        let most = u64::try_from(SPAM_READ_MAX).unwrap_or(u64::MAX);
        let bytes = parts.mail.read(led.kept.blob, 0, led.kept.size.min(most)).await?;
        match parts.spam.learn(Some(led.followed.account), &bytes, Some(Lesson::Ham)).await {
            Ok(_) => Ok(true),
            // That it comes is worth more.
            Err(error) => {
                let event = Event::warn("spam.unlearned").with_peer(self.peer).with("user", &led.user);
                parts.events.emit(event.with("why", error));
                Ok(false)
            }
        }
    }
}

/// The word is good and the message isn't there: what became of it.
fn gone(done: &[Done], user: &Address) -> Answer {
    let user = user.to_string();
    let ours = done.iter().find(|one| one.user.as_ref().is_none_or(|of| *of == user));
    let words = match ours {
        Some(done) => {
            let what = if done.what == "discarded" { "deleted" } else { "released" };
            let by = if done.by == user { "you" } else { "your administrator" };
            format!("The message was {what} by {by} on {}.", date::format_header(done.at))
        }
        None => "The message isn't kept any more: its time is over.".to_owned(),
    };
    Answer::words(StatusCode::GONE, "The message isn't here any more", &words)
}
