//! What the DNS says of us beyond our own records: lists, and names that nobody sends from.

use super::ask::in_time;
use super::{asked, lists, nobody};
use crate::area::Area;
use crate::control::{Check, Control};

pub(in crate::controls) const BEYOND: &[Control] = &[
    asked(
        "NET-08",
        Area::Network,
        5,
        Check::Ask(|scene| Box::pin(in_time(lists::resolvers(scene)))),
        [
            "Has the server two resolvers, or one of its own, that lists in the DNS answer?",
            "One that is elsewhere is away at times, and no mail goes. Lists shut out public resolvers: every answer is then \"not listed\", \
             and nobody notices.",
            "dns.servers, or else /etc/resolv.conf: two, or one on this host. And the test points of lists of addresses (lists.hosts, or else two \
             that most servers ask): 127.0.0.2 is on each, 127.0.0.1 isn't, and none answers with 127.255.255.x.",
            "apt-get install unbound, and dns.servers = [\"127.0.0.1:53\"] in mailward.toml, then restart the server: docs/dns.md.",
            "Lynis NETW-2705; RFC 5782 section 5",
        ],
    ),
    asked(
        "NET-16",
        Area::Network,
        5,
        Check::Ask(|scene| Box::pin(in_time(lists::listed(scene)))),
        [
            "Is no address of this server on a list of those who send spam?",
            "Half of the world refuses mail from there, and says so to the senders alone.",
            "The public addresses of the server's name at lists.hosts (those with a weight above 0), or else at two that most servers ask, after \
             their test points.",
            "Ask the list why: its pages tell. Find who sent (`mailward queue`, `mailward trace`), stop it, then have the address taken off.",
            "practice of mail servers that watch themselves; RFC 5782",
        ],
    ),
    asked(
        "ENC-02",
        Area::Encryption,
        5,
        Check::Ask(|scene| Box::pin(in_time(nobody::nothing_is_sent(scene)))),
        [
            "Are others told to refuse mail from names of yours that send none?",
            "Whoever can't send in the domain's name sends from one below it, which looks as good.",
            "For each mail domain, the DMARC policy of a name below it that there isn't: reject. For the mail hosts' own names an SPF record \
             that ends with a refusal.",
            "Add np=reject and sp=reject to the record at _dmarc; publish \"v=spf1 a -all\" for the mail host's name.",
            "M3AAWG Email Authentication Best Practices; RFC 9989; RFC 7208 section 2.3",
        ],
    ),
];
