//! The running server's side of the control socket.

use super::desk::Desk;
use super::{Request, Response, parse};
use crate::failure::Failure;
use mailward_core::Shutdown;
use mailward_core::event::{Event, Events};
use mailward_core::limits::CONTROL_REQUEST_MAX;
use std::os::fd::IntoRawFd as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Time to send one request.
pub(crate) const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Requests worked on at once; more wait.
pub(crate) const REQUESTS_AT_ONCE: usize = 16;

/// Takes requests until the server stops.
pub(crate) async fn serve(listener: UnixListener, desk: Desk, events: Events, mut shutdown: Shutdown) {
    let slots = Arc::new(Semaphore::new(REQUESTS_AT_ONCE));
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.fired() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: the sessions that end will free some.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let (desk, events) = (desk.clone(), events.clone());
        tokio::spawn(async move {
            if let Err(failure) = one(stream, &desk, &events).await {
                events.emit(Event::warn("control.failed").with("why", failure));
            }
            drop(slot);
        });
    }
}

async fn one(mut stream: UnixStream, desk: &Desk, events: &Events) -> Result<(), Failure> {
    let broken = |e| Failure::io("control socket", e);
    let uid = stream.peer_cred().map_err(broken)?.uid();
    let ours = nix::unistd::geteuid().as_raw();
    let (read, mut write) = stream.split();
    let result = if may_administer(uid, ours) {
        let most = u64::try_from(CONTROL_REQUEST_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let mut line = Vec::new();
        let mut reader = BufReader::new(read.take(most));
        let read = timeout(REQUEST_TIME, reader.read_until(b'\n', &mut line)).await;
        read.map_err(|e| broken(e.into()))?.map_err(broken)?;
        request(&line)
    } else {
        events.emit(Event::warn("control.refused").with("uid", uid));
        Err(Failure::Rights("only root and the server's own user may administer it".to_owned()))
    };
    let stops = matches!(result, Ok(Request::Stop));
    let result = match result {
        Ok(request) => desk.answer(request).await,
        Err(failure) => Err(failure),
    };
    let mut answer = serde_json::to_vec(&Response::of(result)).map_err(|e| Failure::Bug(e.to_string()))?;
    answer.push(b'\n');
    write.write_all(&answer).await.map_err(broken)?;
    if stops {
        // Whoever asked for the stop sees this connection end with the process, and not before: nobody closes it.
        let _until_the_end = stream.into_std().map_err(broken)?.into_raw_fd();
    }
    Ok(())
}

/// Root and the server's own user.
const fn may_administer(uid: u32, ours: u32) -> bool {
    uid == 0 || uid == ours
}

fn request(line: &[u8]) -> Result<Request, Failure> {
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
