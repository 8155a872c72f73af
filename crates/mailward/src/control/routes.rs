//! Routes and gateways: made, changed, told, and what waits brought where it leads.

use super::desk::{Desk, shown};
use crate::failure::Failure;
use crate::secrets::Carried;
use mailward_core::limits::PAGE_ROWS_MAX;
use mailward_core::{Address, Clock as _, Domain, QueueId, SystemClock};
use mailward_delivery::queue::{Host, Way, reroute_step};
use mailward_directory::Resolution;
use mailward_directory::routes::{ForWhom, FromWhom, Gateway, Leads, Owner, Route, RouteChange, RouteName, is_routed};
use mailward_store::records::Lane;
use mailward_tls::outbound::Proof;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// Adds a route.
    Add { route: Route, password: Option<Carried> },
    /// Changes what is given of a route.
    Change {
        name: RouteName,
        to: Option<ForWhom>,
        from: Option<FromWhom>,
        leads: Option<Leads>,
        password: Option<Carried>,
        lifetime: Option<Setting>,
        warn_after: Option<Setting>,
    },
    /// Removes a route.
    Remove { name: RouteName },
    /// All routes.
    List,
    /// One route.
    Show { name: RouteName },
    /// Which way a message goes.
    Test { from: Option<Address>, to: Address },
    /// A step of bringing what waits in a route's or gateway's lane where it leads now.
    Settle { lane: Lane, after: Option<QueueId> },
    /// Makes a gateway; `change`: changes the one that is there.
    GatewayPut { gateway: Gateway, change: bool },
    /// Removes a gateway and its list.
    GatewayRemove { domain: Domain },
    /// All gateways.
    GatewayList,
    /// One gateway.
    GatewayShow { domain: Domain },
    /// Recipients that are listed for a gateway, after one.
    GatewayRecipients { domain: Domain, after: Option<String> },
    /// Lists recipients, or takes them off the list.
    GatewayMark { domain: Domain, recipients: Vec<Address>, on: bool },
}

/// A time that may be the configuration's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Setting {
    /// As the configuration says.
    Usual,
    /// This.
    Seconds(u64),
}

impl From<Setting> for Option<u64> {
    fn from(setting: Setting) -> Self {
        match setting {
            Setting::Usual => None,
            Setting::Seconds(secs) => Some(secs),
        }
    }
}

fn route_shown(route: &Route) -> Value {
    let user = route.leads.places().and_then(|(places, _)| places.login.as_ref()).map(|login| login.user.clone());
    json!({
        "name": route.name,
        "to": route.to,
        "from": route.from,
        "kind": route.leads.kind(),
        "leads": route.leads.to_string(),
        "user": user,
        "lifetime": route.lifetime,
        "warn_after": route.warn_after,
        "lane": Owner::Route(route.name.clone()).lane(),
    })
}

fn host_shown(host: &Host) -> Value {
    let tls = match &host.proof {
        Proof::Nothing => "where it is offered".to_owned(),
        Proof::Encrypted => "needed, with any certificate".to_owned(),
        Proof::Names(names) => format!("needed, with a certificate for {}", names.join(" or ")),
        Proof::Dane(..) => "needed, with the certificate that DNS names (DANE)".to_owned(),
    };
    json!({
        "name": host.name,
        "addresses": host.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "socket": host.access.socket,
        "tls": tls,
        "tls_first": host.access.tls_first,
        "user": host.access.login.as_ref().map(|(user, _)| user),
    })
}

fn way_shown(way: &Way) -> Value {
    match way {
        Way::Hosts(hosts) => json!({ "way": "hosts", "hosts": hosts.iter().map(host_shown).collect::<Vec<_>>() }),
        Way::Nowhere(status, why) => json!({ "way": "bounces", "status": status, "why": why }),
        Way::Later(status, why) => json!({ "way": "waits", "status": status, "why": why }),
        Way::Discard(why) => json!({ "way": "discarded", "why": why }),
        Way::Maildir { root, path } => json!({ "way": "maildir", "path": root.join(path) }),
        Way::Elsewhere => json!({ "way": "waits", "why": "the route was changed just now" }),
    }
}

impl Desk {
    /// Does it.
    pub(super) async fn routes(&self, ask: Ask) -> Result<Value, Failure> {
        let routes = &self.routes;
        match ask {
            Ask::Add { route, password } => {
                self.may_lead(&route.leads)?;
                self.not_ours(&route.to)?;
                let password = password.map(|carried| carried.0);
                Ok(route_shown(&routes.add(route, password.as_ref()).await?))
            }
            Ask::Change { name, to, from, leads, password, lifetime, warn_after } => {
                leads.as_ref().map_or(Ok(()), |leads| self.may_lead(leads))?;
                to.as_ref().map_or(Ok(()), |to| self.not_ours(to))?;
                let change = RouteChange {
                    to,
                    from,
                    leads,
                    password: password.map(|carried| carried.0),
                    lifetime: lifetime.map(Option::from),
                    warn_after: warn_after.map(Option::from),
                };
                Ok(route_shown(&routes.change(&name, change).await?))
            }
            Ask::Remove { name } => {
                routes.remove(&name).await?;
                Ok(Value::Null)
            }
            Ask::List => Ok(routes.table().routes().map(route_shown).collect()),
            Ask::Show { name } => {
                let table = routes.table();
                let route = table
                    .route(&name)
                    .ok_or_else(|| Failure::Refused(format!("there is no route {name}; see mailward route list")))?;
                Ok(route_shown(route))
            }
            Ask::Test { from, to } => self.route_test(from.as_ref(), &to).await,
            Ask::Settle { lane, after } => {
                if !is_routed(&lane) {
                    return Err(Failure::Usage(format!("{lane} is no lane of a route or gateway")));
                }
                shown(reroute_step(&*self.store, &routes.table(), lane, after, SystemClock.now()).await?)
            }
            ask => self.gateways(ask).await,
        }
    }

    async fn gateways(&self, ask: Ask) -> Result<Value, Failure> {
        let routes = &self.routes;
        let known = |domain: &Domain| {
            let gateway = routes.table().gateway(domain).cloned();
            gateway
                .ok_or_else(|| Failure::Refused(format!("there is no gateway for {domain}; see mailward gateway list")))
        };
        match ask {
            Ask::GatewayPut { gateway, change } => {
                self.may_lead(&gateway.leads)?;
                if self.directory.is_local_domain(&gateway.domain) {
                    return Err(Failure::Refused(format!("{} is a domain of this server itself", gateway.domain)));
                }
                match (known(&gateway.domain), change) {
                    (Ok(_), false) => {
                        let domain = &gateway.domain;
                        let mend = format!("change it: mailward gateway change {domain}");
                        return Err(Failure::Refused(format!("there is a gateway for {domain} already; {mend}")));
                    }
                    (Err(failure), true) => return Err(failure),
                    _ => {}
                }
                routes.put_gateway(gateway.clone()).await?;
                Ok(self.gateway_shown(&gateway))
            }
            Ask::GatewayRemove { domain } => {
                routes.remove_gateway(&domain).await?;
                Ok(Value::Null)
            }
            Ask::GatewayList => Ok(routes.table().gateways().map(|gateway| self.gateway_shown(gateway)).collect()),
            Ask::GatewayShow { domain } => shown(known(&domain)?.as_ref()),
            Ask::GatewayRecipients { domain, after } => {
                known(&domain)?;
                let table = routes.table();
                let listed = table.listed(&domain).filter(|local| after.as_deref().is_none_or(|after| *local > after));
                shown(listed.take(PAGE_ROWS_MAX).collect::<Vec<_>>())
            }
            Ask::GatewayMark { domain, recipients, on } => {
                Ok(json!({ "changed": routes.list(&domain, &recipients, on).await? }))
            }
            _ => Err(Failure::Bug("not a matter of gateways".to_owned())),
        }
    }

    fn gateway_shown(&self, gateway: &Gateway) -> Value {
        json!({
            "domain": gateway.domain,
            "leads": gateway.leads.to_string(),
            "check": gateway.check,
            "listed": self.routes.table().listed(&gateway.domain).count(),
            "lane": Owner::Gateway(gateway.domain.clone()).lane(),
        })
    }

    /// Which route decides, and what its way is now.
    async fn route_test(&self, from: Option<&Address>, to: &Address) -> Result<Value, Failure> {
        if self.directory.resolve(to) != Resolution::NotLocal {
            return Ok(json!({ "to": to, "by": "directory", "way": { "way": "here" } }));
        }
        let table = self.routes.table();
        let Some(lane) = table.lane(from, to) else {
            return Err(Failure::Usage(format!("{to} names no domain: such mail isn't sent")));
        };
        let decided = table.decide(from, to);
        let way = match &self.ways.known {
            Some(known) => way_shown(&known.guide.way(&lane).await),
            None => json!({ "way": "unknown", "why": "the DNS can't be asked: see dns.servers" }),
        };
        Ok(json!({
            "to": to,
            "from": from,
            "by": decided.as_ref().map_or_else(|| "dns".to_owned(), |decided| decided.by.owner.to_string()),
            "leads": decided.as_ref().map(|decided| decided.by.leads.to_string()),
            "lane": lane,
            "way": way,
        }))
    }

    /// A route mustn't lead to this server, nor out of the directory for Maildirs.
    fn may_lead(&self, leads: &Leads) -> Result<(), Failure> {
        if let Some((places, usual)) = leads.places()
            && let Some(own) = places.hosts.iter().find(|place| self.ways.doors.is_ours(place, usual))
        {
            return Err(Failure::Refused(format!("{own} is this server itself: mail would go in circles")));
        }
        let Leads::Maildir(path) = leads else { return Ok(()) };
        match &self.ways.maildirs {
            None => Err(Failure::Refused(
                "no route leads to a Maildir before mailward.toml names the directory that Maildirs may be in: \
                 maildirs = \"/path\" under [queue], and a restart"
                    .to_owned(),
            )),
            Some(root) if path.starts_with(root) && path != root => Ok(()),
            Some(root) => Err(Failure::Refused(format!(
                "{} isn't below {}, which queue.maildirs in mailward.toml names",
                path.display(),
                root.display()
            ))),
        }
    }

    fn not_ours(&self, to: &ForWhom) -> Result<(), Failure> {
        let domain = match to {
            ForWhom::Domain(domain) => Some(domain),
            ForWhom::Address(address) => address.domain(),
            ForWhom::Everybody | ForWhom::Under(_) => None,
        };
        match domain.filter(|domain| self.directory.is_local_domain(domain)) {
            Some(domain) => Err(Failure::Refused(format!(
                "{domain} is a domain of this server: its mail is delivered here, and no route is asked"
            ))),
            None => Ok(()),
        }
    }

    /// A domain that is passed on isn't one of ours.
    pub(super) fn no_gateway(&self, domain: &Domain) -> Result<(), Failure> {
        if self.routes.table().gateway(domain).is_none() {
            return Ok(());
        }
        let mend = format!("remove that first: mailward gateway remove {domain}");
        Err(Failure::Refused(format!("mail for {domain} is passed on by a gateway; {mend}")))
    }
}
