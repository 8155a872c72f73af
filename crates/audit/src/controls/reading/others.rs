//! Whether a user can read what isn't theirs.

use crate::area::Area;
use crate::control::{Check, Control, Needs, Probe};
use crate::doors::{IMAP, Looked, NO_CANARY, Seen, each, logged_in, no_such_door, quoted};
use crate::knock::Kind;
use crate::scene::{Door, Scene};

pub(in crate::controls) const OTHERS: &[Control] = &[Control {
    id: "POP-17",
    weight: 10,
    question: "Can a user neither see nor open others' mailboxes, nor give rights to everybody?",
    why: "One who may read what everybody may, and one mailbox that was opened to anyone, are how a stolen password becomes all mail.",
    verified: "The audit's account lists all mailboxes, and opens another user's INBOX by seven names that servers have for it: none may be there. Its own \
               INBOX may be open to nobody as it comes, and rights for `anyone` and `anonymous` must be refused.",
    mend: "Mailward gives rights to accounts by their address alone, and only their owner does. If this fails, another program listens at that port: \
           `ss -ltnp` names it.",
    source: "RFC 4314; CVE-2026-40020",
    check: Check::Ask(|scene| Box::pin(each(scene, IMAP, no_such_door, |scene, door| others(scene, door)))),
    needs: Needs::Account,
    ..Control::of(Area::Reading, Probe::Doors)
}];

fn others<'a>(scene: &'a Scene, door: &'a Door) -> Looked<'a> {
    Box::pin(async move {
        let accounts = scene.state.as_ref().and_then(|state| state.accounts.as_ref());
        let own = scene.canary.as_ref().map(|account| account.address.to_lowercase());
        let other = accounts.and_then(|all| all.keys().find(|address| Some(*address) != own.as_ref()));
        let Some(other) = other else { return Ok(Seen::unknown("the server doesn't tell of another user")) };
        let Some(mut talk) = logged_in(scene, door).await? else { return Ok(Seen::unknown(NO_CANARY)) };
        let local = other.rsplit_once('@').map_or(other.as_str(), |(local, _)| local);
        let mut bad = Vec::new();
        let listed = talk.ask("LIST \"\" \"*\"").await?;
        if listed.kind != Kind::Yes {
            return Ok(Seen::unknown(format!("mailboxes can't be listed: {}", listed.text())).heard(door, &talk));
        }
        let names = listed.whole().to_lowercase();
        if names.contains(other.as_str()) {
            bad.push(format!("a mailbox of {other} is listed"));
        }
        for name in [
            format!("Shared/{other}/INBOX"),
            format!("Other Users/{other}/INBOX"),
            format!("user/{local}"),
            format!("user.{local}"),
            format!("#user/{other}/INBOX"),
            format!("~{local}/INBOX"),
            format!("{other}/INBOX"),
        ] {
            if talk.ask(&format!("SELECT {}", quoted(&name))).await?.kind == Kind::Yes {
                bad.push(format!("{name} opens"));
            }
        }
        let rights = talk.ask("GETACL INBOX").await?.whole().to_lowercase();
        for everybody in ["anyone", "anonymous"] {
            if rights.contains(everybody) {
                bad.push(format!("INBOX is open to {everybody}"));
            }
            if talk.ask(&format!("SETACL INBOX {everybody} lr")).await?.kind == Kind::Yes {
                bad.push(format!("rights for {everybody} are taken"));
                let _back = talk.ask(&format!("DELETEACL INBOX {everybody}")).await;
            }
        }
        Ok(Seen::unless(&bad, "others' mailboxes are neither seen nor opened, and nothing is for everybody")
            .heard(door, &talk))
    })
}
