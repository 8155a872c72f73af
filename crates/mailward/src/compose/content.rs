//! Rules for what messages hold: those of the configuration with their dictionaries, and those that were made at run time.

use crate::failure::Failure;
use crate::migrate::files::read_at_most;
use mailward_core::config::{ConfigError, Loaded};
use mailward_core::limits::CONTENT_DICTIONARY_MAX;
use mailward_inspect::policy::{ContentRulesError, Dictionaries, Dictionary, KeptContent, Rulebook};
use mailward_store::LocalStore;
use std::sync::Arc;

/// The dictionaries that a configuration names, read.
pub(crate) fn dictionaries(loaded: &Loaded) -> Result<Dictionaries, ConfigError> {
    let mut all = Dictionaries::new();
    for file in &loaded.config.content.dictionaries {
        let fault = |what: String| loaded.fault("content.dictionaries", what);
        let bytes = read_at_most(&file.path, CONTENT_DICTIONARY_MAX).map_err(|error| fault(error.to_string()))?;
        let dictionary =
            Dictionary::parse(&bytes).map_err(|error| fault(format!("{}: {error}", file.path.display())))?;
        all.insert(file.name.clone(), dictionary);
    }
    Ok(all)
}

/// The book of a configuration; what is wrong with it is told with its line.
pub(crate) fn book(loaded: &Loaded) -> Result<Rulebook, ConfigError> {
    Rulebook::new(&loaded.config, dictionaries(loaded)?)
        .map_err(|(place, error)| loaded.fault("content.rules", format!("rule {place}: {error}")))
}

/// Reads those that were made at run time. A server whose rules can't be read, or can't be followed, doesn't run: it would let
/// through what they forbid.
pub(crate) async fn open(loaded: &Loaded, store: &Arc<LocalStore>) -> Result<Arc<KeptContent>, Failure> {
    let content = KeptContent::open(store.clone(), book(loaded)?).await?;
    can_be_followed(loaded, content.book())?;
    Ok(content)
}

/// The same for whoever administers without a server: what is wrong with the file keeps nobody from removing a rule.
pub(crate) async fn without_server(book: Rulebook, store: &Arc<LocalStore>) -> Result<Arc<KeptContent>, Failure> {
    Ok(KeptContent::open(store.clone(), book).await?)
}

/// Takes the rules of another configuration, all or none.
pub(crate) fn reload(loaded: &Loaded, book: &Rulebook) -> Result<(), Failure> {
    let dictionaries = dictionaries(loaded)?;
    followed(loaded, book, &dictionaries)?;
    book.set(&loaded.config, dictionaries)
        .map_err(|(place, error)| loaded.fault("content.rules", format!("rule {place}: {error}")).into())
}

/// Whether the rules that were made at run time have what they need in this configuration.
pub(crate) fn can_be_followed(loaded: &Loaded, book: &Rulebook) -> Result<(), ConfigError> {
    followed(loaded, book, &dictionaries(loaded)?)
}

fn followed(loaded: &Loaded, book: &Rulebook, dictionaries: &Dictionaries) -> Result<(), ConfigError> {
    match book.lacks(dictionaries) {
        None => Ok(()),
        Some((source, name)) => Err(loaded.fault(
            "content.dictionaries",
            format!("{source} of `mailward content list` looks into {name:?}, which isn't there: name its file, or remove the rule"),
        )),
    }
}

impl From<ContentRulesError> for Failure {
    fn from(error: ContentRulesError) -> Self {
        match error {
            ContentRulesError::Store(error) => Failure::Store(error),
            ContentRulesError::Damaged(_) => Failure::Found(error.to_string()),
            error => Failure::Refused(error.to_string()),
        }
    }
}
