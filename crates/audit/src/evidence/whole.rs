//! What a run has to be before it is sealed.

use super::{EvidenceError, Run};
use crate::controls::all;
use crate::record::Record;
use mailward_core::Timestamp;
use mailward_core::limits::{AUDIT_CLOCK_SLACK, AUDIT_RUN_TIME};

impl Run {
    /// Whether this is an audit of all that is asked, made just now, of the server that is called `name`. What isn't never becomes a
    /// number of this server: a part of an audit would be one of what passed, and an old one, or another server's, of something else.
    ///
    /// # Errors
    /// [`EvidenceError::Odd`], which says what is wrong.
    pub fn check(&self, name: Option<&str>, now: Timestamp) -> Result<(), EvidenceError> {
        let odd = |what: String| Err(EvidenceError::Odd(format!("this is no audit to be kept: {what}")));
        if let Some(name) = name.filter(|name| *name != self.name) {
            return odd(format!("it is of {:?}, and this server is {name}", self.name));
        }
        let catalogue = all();
        if self.records.len() != catalogue.len() {
            return odd(format!("it has {} answers of {}", self.records.len(), catalogue.len()));
        }
        for (record, control) in self.records.iter().zip(catalogue) {
            let is = |record: &Record| {
                (record.id == control.id && record.area == control.area && record.dimension == control.dimension)
                    && (record.weight == control.weight && record.cap == control.cap && record.probe == control.probe)
            };
            if !is(record) {
                return odd(format!(
                    "{:?} isn't asked so here, where {} comes; if this program is newer than the server, restart the server",
                    record.id, control.id
                ));
            }
            if !follow(&[self.began, record.began, record.ended, self.ended]) {
                return odd(format!("{} was answered at another time", record.id));
            }
        }
        let too_old = Timestamp::from_secs(now.secs().saturating_sub(secs(AUDIT_RUN_TIME)));
        if !follow(&[too_old, self.ended, now]) {
            return odd(format!("it ended at {}, and now it is {}", self.ended.text(), now.text()));
        }
        Ok(())
    }
}

/// Whether these times follow each other, but for what a clock is put back while they pass.
fn follow(times: &[Timestamp]) -> bool {
    let slack = secs(AUDIT_CLOCK_SLACK);
    times.iter().zip(times.iter().skip(1)).all(|(before, after)| before.secs() <= after.secs().saturating_add(slack))
}

fn secs(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
