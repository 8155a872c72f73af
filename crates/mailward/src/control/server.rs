//! The running server's side of the control socket.

use super::desk::Desk;
use super::{Call, Request, Response, parse};
use crate::failure::Failure;
use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use mailward_core::limits::{ACCEPT_PAUSE, CONTROL_REQUEST_MAX, CONTROL_REQUEST_TIME, CONTROL_REQUESTS_AT_ONCE};
use std::io;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Takes requests until the server stops.
pub(crate) async fn serve(listener: UnixListener, desk: Desk, events: Events, mut shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(CONTROL_REQUESTS_AT_ONCE));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.fired() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Before anything is read, and before a stranger takes a place.
        if let Err(failure) = owner_calls(&stream, &events) {
            if let Ok(answer) = written(Err(failure)) {
                let _unheard = stream.try_write(&answer);
            }
            continue;
        }
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let (desk, events) = (desk.clone(), events.clone());
        tokio::spawn(async move {
            if let Err(failure) = one(stream, &desk).await {
                events.emit(Event::warn("control.failed").with("why", failure));
            }
            drop(slot);
        });
    }
}

/// Asks the kernel who calls.
fn owner_calls(stream: &UnixStream, events: &Events) -> Result<(), Failure> {
    let uid = stream.peer_cred().map_err(broken)?.uid();
    if may_administer(uid, nix::unistd::geteuid().as_raw()) {
        return Ok(());
    }
    events.emit(Event::warn("control.refused").with("uid", uid));
    Err(Failure::Rights("only root and the server's own user may administer it".to_owned()))
}

async fn one(mut stream: UnixStream, desk: &Desk) -> Result<(), Failure> {
    let request = read(&mut stream).await?;
    let stops = matches!(request, Ok(Call { request: Request::Stop, .. }));
    let result = match request {
        Ok(call) => desk.answer_call(call).await,
        Err(failure) => Err(failure),
    };
    stream.write_all(&written(result)?).await.map_err(broken)?;
    if stops {
        // Whoever asked for the stop sees this connection end with the process, and not before: nobody closes it.
        let _until_the_end = stream.into_std().map_err(broken)?.into_raw_fd();
    }
    Ok(())
}

/// One request; the outer error is that nothing came, the inner that it is none.
async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Result<Call, Failure>, Failure> {
    let most = u64::try_from(CONTROL_REQUEST_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut line = Vec::new();
    let mut reader = BufReader::new(from.take(most));
    let read = timeout(CONTROL_REQUEST_TIME, reader.read_until(b'\n', &mut line)).await;
    read.map_err(|e| broken(e.into()))?.map_err(broken)?;
    Ok(request(&line))
}

/// An answer as it stands on the wire.
fn written(result: Result<serde_json::Value, Failure>) -> Result<Vec<u8>, Failure> {
    let mut answer = serde_json::to_vec(&Response::of(result)).map_err(|e| Failure::Bug(e.to_string()))?;
    answer.push(b'\n');
    Ok(answer)
}

fn broken(error: io::Error) -> Failure {
    Failure::io("control socket", error)
}

/// Root and the server's own user.
const fn may_administer(uid: u32, ours: u32) -> bool {
    uid == 0 || uid == ours
}

fn request(line: &[u8]) -> Result<Call, Failure> {
    if line.len() > CONTROL_REQUEST_MAX {
        return Err(Failure::Usage(format!("a request has at most {CONTROL_REQUEST_MAX} bytes")));
    }
    let line = line.strip_suffix(b"\n").ok_or_else(|| Failure::Usage("a request ends with a newline".to_owned()))?;
    parse(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks H12.
    #[test]
    fn only_root_and_the_server_s_own_user_administer_it() {
        assert!(may_administer(0, 110));
        assert!(may_administer(110, 110));
        assert!(!may_administer(1_000, 110));
        assert!(!may_administer(1_000, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_waited_for_so_long_and_no_longer() {
        let (mut near, mut far) = tokio::io::duplex(64);
        near.write_all(b"{\"do\":").await.unwrap();
        let began = tokio::time::Instant::now();
        assert!(read(&mut far).await.is_err());
        assert_eq!(began.elapsed(), CONTROL_REQUEST_TIME);
    }

    #[test]
    fn a_request_ends_at_its_limit_and_with_a_newline() {
        assert!(request(b"{\"do\":\"status\"}\n").is_ok());
        assert!(request(b"{\"do\":\"status\"}").is_err(), "cut off");
        let mut long = b"{\"do\":\"status\"}".to_vec();
        long.resize(CONTROL_REQUEST_MAX, b' ');
        long.push(b'\n');
        let told = request(&long).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains("at most"), "{told}");
        long.remove(CONTROL_REQUEST_MAX - 1);
        assert!(request(&long).is_ok());
    }
}
