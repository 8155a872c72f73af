//! The questions on the wire: counted, bounded, and those for keys not asked twice.

use futures_util::future;
use futures_util::stream::{self, Stream, StreamExt};
use hickory_resolver::NameServerPool;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use hickory_resolver::proto::rr::{Name, RecordType};
use mailward_core::Cache;
use mailward_core::limits::{
    DNS_ANSWER_RECORDS_MAX, DNS_CACHE_MAX, DNS_KEYS_TTL_MAX, DNS_NEGATIVE_TTL_MAX, DNS_QUESTIONS_MAX, DNS_TTL_MIN,
};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

type Response = Result<DnsResponse, NetError>;
type Pool = RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>;

tokio::task_local! {
    /// The lookup that this task is at.
    static LOOKUP: Count;
}

/// What one lookup has cost, and what went wrong on its way.
#[derive(Debug, Default)]
pub(crate) struct Count {
    questions: Cell<usize>,
    trouble: RefCell<Option<String>>,
}

/// Runs one lookup with a count of its own.
pub(crate) async fn counted<T>(lookup: impl Future<Output = T>) -> T {
    LOOKUP.scope(Count::default(), lookup).await
}

/// What went wrong first with a question of this lookup that isn't an answer: a validation that fails because of it says
/// nothing of the zone.
pub(crate) fn trouble() -> Option<String> {
    LOOKUP.try_with(|count| count.trouble.borrow().clone()).ok().flatten()
}

fn note(error: &NetError) {
    let _ = LOOKUP.try_with(|count| {
        count.trouble.borrow_mut().get_or_insert_with(|| words(error));
    });
}

/// Takes one question from what the lookup may cost.
fn take() -> Result<(), NetError> {
    let within = LOOKUP.try_with(|count| {
        let asked = count.questions.get().saturating_add(1);
        count.questions.set(asked);
        asked <= DNS_QUESTIONS_MAX
    });
    if within.unwrap_or(false) {
        return Ok(());
    }
    let error = NetError::Msg(format!("it would cost more than {DNS_QUESTIONS_MAX} questions to resolvers"));
    note(&error);
    Err(error)
}

/// The servers, with everything that is asked of them counted. Below validation: the answers are as they came.
#[derive(Clone)]
pub(crate) struct Upstream {
    pool: Pool,
    /// Answers to the questions of validation itself. What they say is checked again each time.
    keys: Arc<Mutex<Cache<Key, Response>>>,
}

type Key = (Name, RecordType);

impl Upstream {
    pub(crate) fn new(pool: Pool) -> Self {
        Self { pool, keys: Arc::new(Mutex::new(Cache::new(DNS_CACHE_MAX))) }
    }

    fn known(&self, key: &Key) -> Option<Response> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(key, Instant::now())
    }

    fn keep(&self, key: Key, response: &Response) {
        let time = match response {
            Ok(answer) => answer.answers.iter().map(|record| record.ttl).min().or_else(|| answer.negative_ttl()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => {
                none.negative_ttl.map(|ttl| ttl.min(u32::try_from(DNS_NEGATIVE_TTL_MAX.as_secs()).unwrap_or(u32::MAX)))
            }
            // Failures are kept by lookups, as a whole.
            Err(_) => return,
        };
        let time = Duration::from_secs(time.unwrap_or(0).into()).clamp(DNS_TTL_MIN, DNS_KEYS_TTL_MAX);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key, response.clone(), time, Instant::now());
    }
}

impl DnsHandle for Upstream {
    type Response = Pin<Box<dyn Stream<Item = Response> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let key = request
            .queries
            .first()
            .map(|query| (query.name().to_lowercase(), query.query_type()))
            .filter(|(_, kind)| matches!(kind, RecordType::DNSKEY | RecordType::DS | RecordType::NS));
        if let Some(known) = key.as_ref().and_then(|key| self.known(key)) {
            return Box::pin(stream::once(future::ready(known)));
        }
        if let Err(error) = take() {
            return Box::pin(stream::once(future::ready(Err(error))));
        }
        let this = self.clone();
        Box::pin(self.pool.send(request).map(move |response| {
            let response = response.and_then(bounded);
            match (&response, &key) {
                (Err(error), _) if !is_answer(error) => note(error),
                (_, Some(key)) => this.keep(key.clone(), &response),
                _ => {}
            }
            response
        }))
    }
}

/// Refuses an answer with more records than anyone needs, before each is looked at.
fn bounded(answer: DnsResponse) -> Response {
    let records = [&answer.answers, &answer.authorities, &answer.additionals];
    let count = records.iter().fold(0_usize, |sum, section| sum.saturating_add(section.len()));
    if count > DNS_ANSWER_RECORDS_MAX {
        return Err(NetError::Msg(format!(
            "its answer has {count} records; at most {DNS_ANSWER_RECORDS_MAX} are looked at"
        )));
    }
    Ok(answer)
}

/// Whether an "error" is an answer: there is none.
fn is_answer(error: &NetError) -> bool {
    matches!(error, NetError::Dns(DnsError::NoRecordsFound(_) | DnsError::Nsec { .. }))
}

/// What happened, for a person.
pub(crate) fn words(error: &NetError) -> String {
    match error {
        NetError::Timeout => "no resolver answered in time".to_owned(),
        NetError::NoConnections => "no resolver can be reached".to_owned(),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            format!("the resolver answered \"{code}\"")
        }
        NetError::Io(error) => format!("no resolver can be reached: {error}"),
        NetError::Msg(text) => text.clone(),
        other => format!("the resolver's answer can't be used: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_lookup_has_so_many_questions_and_no_more() {
        counted(async {
            for _ in 0..DNS_QUESTIONS_MAX {
                assert!(take().is_ok());
            }
            assert_eq!(trouble(), None);
            assert!(take().is_err());
            assert!(trouble().is_some_and(|why| why.contains("questions")));
        })
        .await;
        // The next one has its own.
        counted(async { assert!(take().is_ok()) }).await;
        // What belongs to no lookup asks nothing.
        assert!(take().is_err());
    }
}
