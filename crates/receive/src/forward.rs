//! What is asked of a transaction whose mail is forwarded, or comes back to somebody whose mail was.

use crate::Context;
use crate::program::Program;
use crate::session::House;
use mailward_core::Address;
use mailward_core::limits::FORWARDED_RECIPIENTS_MAX;
use mailward_delivery::NotForwarded;
use mailward_gate::{Bounce, Recipient, Refusal, RelayPermit, SenderPermit, decide_bounce, decide_recipient};
use mailward_inspect::Inspected;
use mailward_smtp::server::MailGiven;
use mailward_store::records::Content;

/// Where a recipient's mail goes, by the right that the sender has towards it: back to a sender that was rewritten, or where the directory says. What would have to be
/// forwarded and can't be sealed is refused.
///
/// # Errors
/// Why not.
pub(crate) async fn decide(
    context: &Context,
    mail: &MailGiven<House>,
    sender: &SenderPermit,
    program: Option<&Program>,
    recipient: Recipient<'_>,
) -> Result<RelayPermit, Refusal> {
    let permit = match (bounce(context, mail, recipient).await, program) {
        (Some(decided), _) => decided?,
        (None, Some(program)) => program.decide_recipient(&context.directory, sender, recipient)?,
        (None, None) => decide_recipient(&context.directory, sender, recipient)?,
    };
    let Some(alias) = permit.forwarded() else { return Ok(permit) };
    match &context.forwarder {
        Some(forwarder) if forwarder.is_ready(alias).await => Ok(permit),
        Some(_) | None => Err(Refusal::NoForwarding),
    }
}

async fn bounce(
    context: &Context,
    mail: &MailGiven<House>,
    recipient: Recipient<'_>,
) -> Option<Result<RelayPermit, Refusal>> {
    let (Some(forwarder), Recipient::Address(address)) = (&context.forwarder, recipient) else { return None };
    let (directory, srs, now) = (&context.directory, forwarder.srs(), context.clock.now());
    let kept = match decide_bounce(directory, srs, &mail.sender.permit, mail.path.address(), address, now)? {
        Ok(Bounce::Permitted(permit)) => return Some(Ok(permit)),
        Ok(Bounce::Kept(kept)) => kept,
        Err(refusal) => return Some(Err(refusal)),
    };
    Some(match forwarder.kept(kept.name()).await {
        Ok(Some(sender)) => kept.found(directory, srs, &sender),
        Ok(None) => Err(Refusal::UnknownUser),
        Err(_) => Err(Refusal::NoForwarding),
    })
}

/// Whether one more recipient is forwarded than a message may have.
pub(crate) fn is_one_too_many(permit: &RelayPermit, mail: &MailGiven<House>) -> bool {
    permit.forwarded().is_some() && aliases(mail).count() >= FORWARDED_RECIPIENTS_MAX
}

/// Whether anything of this transaction is forwarded.
pub(crate) fn is_due(mail: &MailGiven<House>) -> bool {
    aliases(mail).next().is_some()
}

/// Whether its message may be.
///
/// # Errors
/// Why not.
pub(crate) async fn admit(
    context: &Context,
    mail: &MailGiven<House>,
    content: &Content,
    inspected: &Inspected,
) -> Result<(), NotForwarded> {
    let Some(forwarder) = &context.forwarder else { return Ok(()) };
    let aliases: Vec<&Address> = aliases(mail).collect();
    forwarder
        .admit(content, &aliases, inspected.authentication.as_ref().map(|found| &found.results), context.clock.now())
        .await?;
    forwarder.count(mail.recipients.iter().map(|taken| &taken.permit), context.clock.now())
}

fn aliases(mail: &MailGiven<House>) -> impl Iterator<Item = &Address> {
    mail.recipients.iter().filter_map(|taken| taken.permit.forwarded())
}
