//! The doors: bound while there are rights to, opened when everything behind them stands.

use super::accept::{Rooms, Sessions, accept_tcp, accept_unix};
use super::privilege;
use crate::control::path;
use crate::failure::Failure;
use mailward_core::config::{Config, Loaded};
use mailward_core::limits::LISTEN_BACKLOG;
use mailward_core::{Listener, Shutdown};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind as bind_to, listen, setsockopt, socket, sockopt,
};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// Listening sockets, nobody let in yet.
pub(crate) struct Doors {
    tcp: Vec<(Listener, SocketAddr, TcpListener)>,
    unix: Vec<(Listener, PathBuf, UnixListener)>,
}

/// One door, for whoever asks what listens.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) listener: Listener,
    /// Address and port, or path.
    pub(crate) address: String,
    pub(crate) port: Option<u16>,
}

/// Binds every door of the configuration but what [`Doors::bind_the_rest`] has to, when rights are given up.
pub(crate) fn bind(loaded: &Loaded, notes: &mut Vec<String>) -> Result<Doors, Failure> {
    let mut doors = Doors { tcp: Vec::new(), unix: Vec::new() };
    for listener in Listener::ALL {
        for address in loaded.config.listen.get(listener) {
            let key = format!("listen.{listener}");
            match bind_tcp(*address) {
                Ok(socket) => doors.tcp.push((listener, *address, socket)),
                // A host without IPv6 is served by the IPv4 address beside it.
                Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL)
                    if address.is_ipv6() && address.ip().is_unspecified() =>
                {
                    notes.push(loaded.fault(&key, format!("{address} is left out: this host has no IPv6")).to_string());
                }
                Err(e) => return Err(loaded.fault(&key, format!("{address}: {}", mend(e, *address))).into()),
            }
        }
    }
    let mut later = false;
    if let Some(socket) = &loaded.config.lmtp.socket {
        later = privilege::leads_through_the_server_s(loaded, socket)?;
        if !later {
            doors.bind_unix(loaded, socket)?;
        }
    }
    if doors.tcp.is_empty() && doors.unix.is_empty() && !later {
        return Err(Failure::Refused(format!("{}: every listener is off: nothing to serve", loaded.file)));
    }
    Ok(doors)
}

/// Takes Unix sockets away again.
pub(crate) fn remove_sockets(config: &Config) {
    if let Some(socket) = &config.lmtp.socket {
        // It may be gone already.
        let _gone = std::fs::remove_file(socket);
    }
}

/// Whether an address can be bound now, for `setup`.
pub(crate) fn is_free(address: SocketAddr) -> Result<(), String> {
    bind_tcp(address).map(drop).map_err(|e| mend(e, address))
}

/// By hand, because an IPv6 socket must not take the IPv4 address that another listener names.
fn bind_tcp(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = if address.is_ipv6() { AddressFamily::Inet6 } else { AddressFamily::Inet };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &true)?;
    }
    bind_to(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&fd, Backlog::new(LISTEN_BACKLOG)?)?;
    Ok(TcpListener::from(fd))
}

fn mend(error: Errno, address: SocketAddr) -> String {
    let port = address.port();
    match error {
        Errno::EADDRINUSE => format!(
            "another program listens there: `ss -ltnp 'sport = :{port}'` tells which; stop it or choose another port"
        ),
        Errno::EACCES => format!(
            "ports under 1024 need rights: start as root, or give the program CAP_NET_BIND_SERVICE (port {port})"
        ),
        Errno::EADDRNOTAVAIL => "this host has no such address: `ip address` lists those it has".to_owned(),
        other => other.desc().to_owned(),
    }
}

impl Doors {
    fn bind_unix(&mut self, loaded: &Loaded, socket: &Path) -> Result<(), Failure> {
        // The data directory keeps others out; where the administrator puts it elsewhere, its group may deliver.
        let bound = path::listen(socket, 0o660)
            .map_err(|e| loaded.fault("lmtp.socket", format!("{}: {e}", socket.display())))?;
        self.unix.push((Listener::Lmtp, socket.to_owned(), bound));
        Ok(())
    }
    /// Binds what lies where the server's user is at home, now that we are this user.
    pub(crate) fn bind_the_rest(&mut self, loaded: &Loaded) -> Result<(), Failure> {
        match &loaded.config.lmtp.socket {
            Some(socket) if self.unix.is_empty() => self.bind_unix(loaded, socket),
            _ => Ok(()),
        }
    }
    /// What listens.
    pub(crate) fn list(&self) -> Vec<Door> {
        let tcp = self.tcp.iter().map(|(listener, address, _)| Door {
            listener: *listener,
            address: address.to_string(),
            port: Some(address.port()),
        });
        let unix = self.unix.iter().map(|(listener, path, _)| Door {
            listener: *listener,
            address: path.display().to_string(),
            port: None,
        });
        tcp.chain(unix).collect()
    }
    /// Lets people in.
    pub(crate) fn open(self, rooms: &Rooms, sessions: &Sessions, shutdown: &Shutdown) -> Result<(), Failure> {
        for (listener, address, socket) in self.tcp {
            let socket = tokio::net::TcpListener::from_std(socket).map_err(|e| Failure::io(address, e))?;
            tokio::spawn(accept_tcp(socket, listener, rooms.clone(), sessions.clone(), shutdown.clone()));
        }
        for (listener, path, socket) in self.unix {
            let failed = |e| Failure::io(path.display(), e);
            socket.set_nonblocking(true).map_err(failed)?;
            let socket = tokio::net::UnixListener::from_std(socket).map_err(failed)?;
            tokio::spawn(accept_unix(socket, listener, rooms.clone(), sessions.clone(), shutdown.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Loaded {
        Config::parse(text, "mailward.toml").unwrap()
    }

    #[test]
    fn a_port_in_use_is_told_with_file_line_and_mend() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let text = format!("[lmtp]\nsocket = \"off\"\n[listen]\nsmtp = \"{address}\"\n");
        let error = bind(&loaded(&text), &mut Vec::new()).map(|_| ()).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "mailward.toml line 4: listen.smtp = [\"{address}\"]: {address}: another program"
            )),
            "{error}"
        );
    }

    #[test]
    fn a_server_without_any_door_is_refused() {
        let mut config = loaded("");
        config.config.listen = mailward_core::config::Listen::off();
        config.config.lmtp.socket = None;
        let error = bind(&config, &mut Vec::new()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("every listener is off"), "{error}");
    }

    #[test]
    fn the_ipv6_door_leaves_the_ipv4_port_alone() {
        let v4 = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = v4.local_addr().unwrap().port();
        match bind_tcp(SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), port)) {
            Ok(_) | Err(Errno::EAFNOSUPPORT) => {}
            Err(e) => panic!("{e}"),
        }
    }
}
