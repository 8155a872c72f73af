//! What people said, what is to be done, and what was told of it: files beside the runs, each replaced whole, with a line in the
//! chain for each change.

use super::chain::Chain;
use super::seal::Line;
use super::{Archive, EvidenceError, Found};
use crate::actions::Actions;
use crate::record::sha256;
use crate::reminders::Reminders;
use crate::scene::Statements;
use mailward_core::Timestamp;
use mailward_vault::EvidenceKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

const STATEMENTS: &str = "statements.json";
pub(super) const ACTIONS: &str = "actions.json";
const REMINDERS: &str = "reminders.json";

/// All there are.
pub(super) const PAPERS: [&str; 3] = [STATEMENTS, ACTIONS, REMINDERS];

impl Archive {
    /// What people said; nothing before anybody did.
    ///
    /// # Errors
    /// [`EvidenceError`]; also if it isn't what was sealed.
    pub fn statements(&self) -> Result<Statements, EvidenceError> {
        self.paper(STATEMENTS).map(Option::unwrap_or_default)
    }

    /// Keeps what people said.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_statements(
        &self,
        statements: &Statements,
        now: Timestamp,
        key: &EvidenceKey,
    ) -> Result<(), EvidenceError> {
        self.keep_paper(STATEMENTS, statements, now, key)
    }

    /// What is to be done; `None` before the first run was kept.
    ///
    /// # Errors
    /// [`EvidenceError`]; also if it isn't what was sealed.
    pub fn actions(&self) -> Result<Option<Actions>, EvidenceError> {
        self.paper(ACTIONS)
    }

    /// Keeps what is to be done, without a run that changed it.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_actions(&self, actions: &Actions, now: Timestamp, key: &EvidenceKey) -> Result<(), EvidenceError> {
        self.keep_paper(ACTIONS, actions, now, key)
    }

    /// What was told of what is to be done; nothing before somebody was reminded.
    ///
    /// # Errors
    /// [`EvidenceError`]; also if it isn't what was sealed.
    pub fn reminders(&self) -> Result<Reminders, EvidenceError> {
        self.paper(REMINDERS).map(Option::unwrap_or_default)
    }

    /// Keeps what was told.
    ///
    /// # Errors
    /// [`EvidenceError`].
    pub fn keep_reminders(
        &self,
        reminders: &Reminders,
        now: Timestamp,
        key: &EvidenceKey,
    ) -> Result<(), EvidenceError> {
        self.keep_paper(REMINDERS, reminders, now, key)
    }

    fn paper<T: DeserializeOwned>(&self, name: &'static str) -> Result<Option<T>, EvidenceError> {
        let bytes = match self.find(self.chain()?.paper(name).map(|sealed| sealed.file.as_str()), name)? {
            Found::Nothing => return Ok(None),
            Found::InPlace(bytes) | Found::Aside(bytes) => bytes,
            Found::Gone => return Err(self.changed(name, "is gone")),
            Found::Changed(why) => return Err(self.changed(name, why)),
        };
        let odd = |error| EvidenceError::Odd(format!("{}: {error}", self.directory.join(name).display()));
        serde_json::from_slice(&bytes).map(Some).map_err(odd)
    }

    fn keep_paper<T: Serialize>(
        &self,
        name: &'static str,
        document: &T,
        now: Timestamp,
        key: &EvidenceKey,
    ) -> Result<(), EvidenceError> {
        self.make()?;
        let mut chain = self.chain()?;
        if self.add_paper(&mut chain, name, document, now, key)? {
            self.keep_chain(&chain)?;
            self.put_in_place(name)?;
        }
        Ok(())
    }

    /// Writes a paper aside, and its line into a chain that isn't kept yet. `false`: it is what it was.
    pub(super) fn add_paper<T: Serialize>(
        &self,
        chain: &mut Chain,
        name: &'static str,
        document: &T,
        now: Timestamp,
        key: &EvidenceKey,
    ) -> Result<bool, EvidenceError> {
        let sealed = chain.paper(name).map(|sealed| sealed.file.clone());
        match self.find(sealed.as_deref(), name)? {
            Found::Nothing | Found::InPlace(_) => {}
            // Aside is where the next one goes.
            Found::Aside(_) => self.put_in_place(name)?,
            Found::Gone => return Err(self.changed(name, "is gone")),
            Found::Changed(why) => return Err(self.changed(name, why)),
        }
        let mut bytes = serde_json::to_vec_pretty(document).map_err(|error| EvidenceError::Odd(error.to_string()))?;
        bytes.push(b'\n');
        let hash = sha256(&bytes);
        if sealed.is_some_and(|sealed| sealed == hash) {
            return Ok(false);
        }
        chain.add(Line::of_paper(name, hash, now), key)?;
        self.lay_aside(name, &bytes)?;
        Ok(true)
    }

    fn changed(&self, name: &str, why: &str) -> EvidenceError {
        EvidenceError::Odd(format!(
            "{} {why}; put back what was there, or move the directory audit in the data directory aside to begin anew",
            self.directory.join(name).display()
        ))
    }
}
