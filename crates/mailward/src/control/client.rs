//! The command line's side: asks the running server, or does it itself.

use super::desk::Desk;
use super::path::Short;
use super::{Call, Request, Response};
use crate::compose::privilege;
use crate::failure::Failure;
use crate::place::Place;
use mailward_core::event::Events;
use mailward_core::limits::CONTROL_ANSWER_MAX;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{BufReader, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long a stop is waited for: twice what a server takes at most, and a busy disk.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// Does one thing, in the running server or here.
pub(crate) fn run(place: &Place, request: &Request) -> Result<Value, Failure> {
    place.must_exist()?;
    match ask(place, request)? {
        Some(value) => Ok(value),
        None => here(place, request.clone()),
    }
}

/// Does many things one after the other, in the running server or here. What is opened here stays open until the last
/// is done, so that a server that starts meanwhile doesn't come between.
pub(crate) struct Errand<'a> {
    place: &'a Place,
    here: Option<(Runtime, Desk)>,
}

impl<'a> Errand<'a> {
    /// Begins; nothing is opened yet.
    pub(crate) fn on(place: &'a Place) -> Result<Self, Failure> {
        place.must_exist()?;
        Ok(Self { place, here: None })
    }

    /// Does one thing, and reads what is answered.
    pub(crate) fn run<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Failure> {
        let value = self.value(request)?;
        serde_json::from_value(value).map_err(|e| Failure::Bug(format!("the answer can't be read: {e}")))
    }

    fn value(&mut self, request: &Request) -> Result<Value, Failure> {
        if self.here.is_none() {
            if let Some(value) = ask(self.place, request)? {
                return Ok(value);
            }
            self.here = Some(open(self.place)?);
        }
        let (runtime, desk) = self.here.as_ref().ok_or_else(|| Failure::Bug("nothing is open".to_owned()))?;
        runtime.block_on(desk.answer_call(Call::new(request.clone())))
    }
}

impl Drop for Errand<'_> {
    fn drop(&mut self) {
        if let Some((runtime, desk)) = self.here.take() {
            runtime.block_on(desk.close());
        }
    }
}

/// Does one thing that only a running server can do.
pub(crate) fn run_there(place: &Place, request: &Request) -> Result<Value, Failure> {
    place.must_exist()?;
    ask(place, request)?.ok_or_else(|| no_server(place))
}

fn no_server(place: &Place) -> Failure {
    Failure::NoServer(format!("no server runs on {}", place.data().display()))
}

/// `None` if nobody listens.
fn ask(place: &Place, request: &Request) -> Result<Option<Value>, Failure> {
    let Some(mut answers) = send(place, request)? else { return Ok(None) };
    answer(place, &mut answers).map(Some)
}

/// Asks the server to stop and waits until its process is gone.
pub(crate) fn stop(place: &Place) -> Result<(), Failure> {
    place.must_exist()?;
    let mut answers = send(place, &Request::Stop)?.ok_or_else(|| no_server(place))?;
    answer(place, &mut answers)?;
    // The server holds the connection as long as it lives.
    answers.get_ref().get_ref().set_read_timeout(Some(STOP_PATIENCE)).map_err(|e| Failure::io("control socket", e))?;
    match answers.read_to_end(&mut Vec::new()) {
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(Failure::NoServer(format!(
            "the server on {} was told to stop and still runs after {} s: see its log",
            place.data().display(),
            STOP_PATIENCE.as_secs()
        ))),
        // An error of any other kind is the end of the server too.
        _ => Ok(()),
    }
}

fn send(place: &Place, request: &Request) -> Result<Option<BufReader<std::io::Take<UnixStream>>>, Failure> {
    let path = place.socket();
    let failed = |e| Failure::io(path.display(), e);
    let short = match Short::of(&path) {
        Ok(short) => short,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut stream = match UnixStream::connect(short.path()) {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => return Ok(None),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            return Err(Failure::Rights(format!(
                "{}: only root and the server's own user may administer it",
                path.display()
            )));
        }
        Err(e) => return Err(failed(e)),
    };
    let mut line = serde_json::to_vec(&Call::new(request.clone())).map_err(|e| Failure::Bug(e.to_string()))?;
    line.push(b'\n');
    match stream.write_all(&line) {
        // Whoever is sent away gets the reason before the question is out.
        Err(e) if e.kind() == ErrorKind::BrokenPipe => {}
        written => written.map_err(failed)?,
    }
    Ok(Some(BufReader::new(stream.take(CONTROL_ANSWER_MAX))))
}

fn answer(place: &Place, from: &mut impl std::io::BufRead) -> Result<Value, Failure> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).map_err(|e| Failure::io(place.socket().display(), e))?;
    if line.last() != Some(&b'\n') {
        return Err(Failure::NoServer(format!(
            "the server on {} went away without an answer: see its log",
            place.data().display()
        )));
    }
    let response: Response =
        serde_json::from_slice(&line).map_err(|e| Failure::Bug(format!("the server's answer can't be read: {e}")))?;
    response.into_result()
}

/// Does it in this process.
fn here(place: &Place, request: Request) -> Result<Value, Failure> {
    let (runtime, desk) = open(place)?;
    runtime.block_on(async {
        let result = desk.answer_call(Call::new(request)).await;
        desk.close().await;
        result
    })
}

/// Opens the store under its lock.
fn open(place: &Place) -> Result<(Runtime, Desk), Failure> {
    // Files that root would make could not be written by the server later.
    privilege::become_owner_of(place.data())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::io("threads", e))?;
    let desk = runtime.block_on(Desk::open(place, Events::nowhere()))?;
    Ok((runtime, desk))
}
