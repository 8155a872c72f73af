//! How a worker is made.

use std::io::Result;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};

/// Makes workers.
pub trait Launch: Send + Sync + 'static {
    /// One more. Called within tokio's runtime.
    ///
    /// # Errors
    /// It can't be started.
    fn launch(&self) -> Result<Launched>;
}

/// A worker that was started. It may not be ready yet.
#[derive(Debug)]
pub struct Launched {
    /// Our end of the socket.
    pub socket: UnixStream,
    /// Its process, killed when this is dropped; none: it is no process of its own.
    pub child: Option<Child>,
}

/// A program that is a worker: it gets its end of the socket as standard input, nothing in its environment, and nowhere to
/// write to.
#[derive(Clone, Debug)]
pub struct Program {
    path: PathBuf,
    words: Vec<String>,
}

impl Program {
    /// The program of a file, with these words.
    pub fn new(path: impl Into<PathBuf>, words: &[&str]) -> Self {
        Self { path: path.into(), words: words.iter().map(|&word| word.to_owned()).collect() }
    }
}

impl Launch for Program {
    fn launch(&self) -> Result<Launched> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = Command::new(&self.path)
            .arg0("mailward")
            .args(&self.words)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A key that ends the server on its terminal isn't meant for it: it ends with the server.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Launched { socket, child: Some(child) })
    }
}
