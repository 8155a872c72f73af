//! To a server: its addresses, TCP, TLS with a certificate that proves its name. There is no other way.

use crate::account::Server;
use crate::error::Trouble;
use crate::wire::Wire;
use mailward_core::limits::{FETCH_ADDRESSES_TRIED, FETCH_CONNECT_TIME, QUEUE_RACE_TIME};
use mailward_dns::Lookup;
use mailward_tls::outbound::{Outbound, Proof};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The way to the network.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) lookup: Option<Arc<dyn Lookup>>,
    pub(crate) outbound: Outbound,
}

impl Net {
    /// Connects to one of the server's addresses.
    pub(crate) async fn connect(&self, server: &Server, port: u16) -> Result<(TcpStream, IpAddr), Trouble> {
        let connecting = async {
            let addresses = self.addresses(server).await?.into_iter().take(FETCH_ADDRESSES_TRIED);
            let addresses: Vec<SocketAddr> = addresses.map(|address| SocketAddr::new(address, port)).collect();
            if addresses.is_empty() {
                return Err(Trouble::Wire(format!("{server} has no address")));
            }
            let connected = mailward_tls::connect(&addresses, QUEUE_RACE_TIME, FETCH_CONNECT_TIME).await;
            let (stream, address) = connected.map_err(|error| {
                let tried: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
                Trouble::Wire(format!("no connection to {server} at {}, port {port}: {error}", tried.join(", ")))
            })?;
            Ok((stream, address.ip()))
        };
        let late = || Trouble::Wire(format!("no connection to {server} within {} s", FETCH_CONNECT_TIME.as_secs()));
        timeout(FETCH_CONNECT_TIME, connecting).await.map_err(|_| late())?
    }

    async fn addresses(&self, server: &Server) -> Result<Vec<IpAddr>, Trouble> {
        match server {
            Server::Address(address) => Ok(vec![*address]),
            Server::Named(domain) => {
                let lookup = self
                    .lookup
                    .as_ref()
                    .ok_or_else(|| Trouble::Wire("the DNS can't be asked: see [dns] in mailward.toml".to_owned()))?;
                let found = lookup.addresses(domain).await.map_err(|error| Trouble::Wire(error.to_string()))?;
                Ok(found.records)
            }
        }
    }

    /// Who may sign for the server.
    pub(crate) fn trusting(&self, authority: Option<&str>) -> Result<Outbound, Trouble> {
        match authority {
            None => Ok(self.outbound.clone()),
            Some(pem) => Outbound::trusting(pem.as_bytes()).map_err(|error| Trouble::Settings(error.to_string())),
        }
    }

    /// Starts TLS; the server must prove its name.
    pub(crate) async fn secure<S>(
        &self,
        outbound: &Outbound,
        stream: S,
        host: &str,
    ) -> Result<(Wire, &'static str, &'static str), Trouble>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let proof = Proof::Names(vec![host.to_owned()]);
        let secured = outbound.connect(stream, host, &proof).await;
        let (stream, secured) = secured.map_err(|error| Trouble::Wire(format!("no TLS with {host}: {error}")))?;
        Ok((Wire::new(stream), secured.version, secured.cipher))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailward_core::Domain;
    use mailward_dns::{Answer, Mx, Name, TlsaRecord};

    /// A DNS that never answers.
    struct Silent;

    impl Lookup for Silent {
        fn mx<'a>(&'a self, _domain: &'a Domain) -> Answer<'a, Mx> {
            Box::pin(std::future::pending())
        }
        fn addresses<'a>(&'a self, _host: &'a Domain) -> Answer<'a, IpAddr> {
            Box::pin(std::future::pending())
        }
        fn tlsa<'a>(&'a self, _port: u16, _host: &'a Domain) -> Answer<'a, TlsaRecord> {
            Box::pin(std::future::pending())
        }
        fn txt<'a>(&'a self, _name: &'a Name) -> Answer<'a, Vec<u8>> {
            Box::pin(std::future::pending())
        }
        fn ptr(&self, _address: IpAddr) -> Answer<'_, Domain> {
            Box::pin(std::future::pending())
        }
        fn listed<'a>(&'a self, _name: &'a Name) -> Answer<'a, IpAddr> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_can_t_be_found_is_given_up() {
        let net = Net { lookup: Some(Arc::new(Silent)), outbound: Outbound::trusting_system() };
        let server: Server = "mail.example.net".parse().unwrap();
        let error = net.connect(&server, 993).await.unwrap_err().to_string();
        assert!(error.contains("within 30 s"), "{error}");
        let net = Net { lookup: None, ..net };
        let error = net.connect(&server, 993).await.unwrap_err().to_string();
        assert!(error.contains("DNS can't be asked"), "{error}");
    }
}
