//! Providers whose answers are known, and where to ask them.

/// Who can help: a name, and a page that anybody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose page.
    pub name: &'static str,
    /// Its address.
    pub url: &'static str,
}

/// Providers with answers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Provider {
    Apple,
    Barracuda,
    Google,
    MailRu,
    Microsoft,
    Mimecast,
    Orange,
    Proofpoint,
    TOnline,
    UnitedInternet,
    Yahoo,
    Yandex,
}

/// How a provider is known, and its place.
struct Mark {
    provider: Provider,
    /// Ends of the names of its servers.
    hosts: &'static [&'static str],
    /// What only it says, in lower case.
    words: &'static [&'static str],
    place: Place,
}

const MARKS: [Mark; 12] = [
    Mark {
        provider: Provider::Apple,
        hosts: &["mail.icloud.com", "mail.me.com"],
        words: &["support.apple.com"],
        place: Place { name: "iCloud Mail postmaster", url: "https://support.apple.com/HT204137" },
    },
    Mark {
        provider: Provider::Barracuda,
        hosts: &["barracudanetworks.com"],
        words: &["barracudanetworks.com", "barracudacentral.org", "barracuda reputation"],
        place: Place { name: "Barracuda Central", url: "https://www.barracudacentral.org/lookups" },
    },
    Mark {
        provider: Provider::Google,
        hosts: &["google.com", "googlemail.com", "smtp.goog"],
        words: &["gsmtp", "support.google.com"],
        place: Place { name: "Gmail sender guidelines", url: "https://support.google.com/mail/answer/81126" },
    },
    Mark {
        provider: Provider::MailRu,
        hosts: &["mail.ru"],
        words: &["help.mail.ru", "corp.mail.ru", "postmaster.mail.ru"],
        place: Place { name: "Mail.ru postmaster", url: "https://postmaster.mail.ru/" },
    },
    Mark {
        provider: Provider::Microsoft,
        hosts: &["protection.outlook.com", "prod.outlook.com", "mx.microsoft", "hotmail.com"],
        words: &[
            "protection.outlook.com",
            "prod.outlook.com",
            "go.microsoft.com",
            "mail.live.com",
            "postmaster.live.com",
        ],
        place: Place { name: "Outlook.com postmaster", url: "https://sendersupport.olc.protection.outlook.com/pm/" },
    },
    Mark {
        provider: Provider::Mimecast,
        hosts: &["mimecast.com", "mimecast.co.za", "mimecast-offshore.com"],
        words: &["mimecast.com"],
        place: Place {
            name: "Mimecast's list of SMTP error codes (Mimecast itself deals with its customers only: ask the recipient's \
                   administrator)",
            url: "https://community.mimecast.com/s/article/Mimecast-SMTP-Error-Codes-842605754",
        },
    },
    Mark {
        provider: Provider::Orange,
        hosts: &["orange.fr", "wanadoo.fr"],
        words: &["ofr_", "postmaster.orange.fr"],
        place: Place { name: "Orange postmaster", url: "https://postmaster.orange.fr/" },
    },
    Mark {
        provider: Provider::Proofpoint,
        hosts: &["pphosted.com", "ppe-hosted.com"],
        words: &["proofpoint.com"],
        place: Place { name: "Proofpoint IP check", url: "https://ipcheck.proofpoint.com/" },
    },
    Mark {
        provider: Provider::TOnline,
        hosts: &["t-online.de"],
        words: &["t-online.de"],
        place: Place { name: "Telekom postmaster", url: "https://postmaster.t-online.de/" },
    },
    Mark {
        provider: Provider::UnitedInternet,
        hosts: &["gmx.net", "web.de", "kundenserver.de", "mail.com", "ionos.com", "ionos.de", "1and1.com"],
        words: &[
            "postmaster.gmx.net",
            "postmaster.gmx.com",
            "postmaster.web.de",
            "postmaster.mail.com",
            "nemesis esmtp",
        ],
        place: Place { name: "GMX and WEB.DE postmaster", url: "https://postmaster.gmx.net/en/" },
    },
    Mark {
        provider: Provider::Yahoo,
        hosts: &["yahoodns.net", "yahoo.com", "aol.com"],
        words: &["yahooinc.com", "postmaster.yahoo.com", "help.yahoo.com"],
        place: Place { name: "Yahoo Sender Hub", url: "https://senders.yahooinc.com/smtp-error-codes/" },
    },
    Mark {
        provider: Provider::Yandex,
        hosts: &["yandex.ru", "yandex.net", "yandex.com"],
        words: &["ya.cc/", "yandex.ru", "yandex.com"],
        place: Place { name: "Yandex postmaster", url: "https://postmaster.yandex.com/" },
    },
];

impl Provider {
    /// Whose answer it is, by the host's name first, by words of the text (normal form) else.
    pub(super) fn of(host: &str, text: &str) -> Option<Self> {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let by_host = MARKS.iter().find(|mark| mark.hosts.iter().any(|end| is_within(&host, end)));
        by_host
            .or_else(|| MARKS.iter().find(|mark| mark.words.iter().any(|w| text.contains(w))))
            .map(|mark| mark.provider)
    }

    /// Where it answers to administrators.
    pub(super) fn place(self) -> Place {
        // Each has its mark; a test looks.
        MARKS.iter().find(|mark| mark.provider == self).map_or(Place { name: "", url: "" }, |mark| mark.place)
    }
}

/// Whether a host is in a domain.
fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_known_by_the_names_of_its_servers_and_nobody_else_s() {
        assert_eq!(Provider::of("gmail-smtp-in.l.google.com", ""), Some(Provider::Google));
        assert_eq!(Provider::of("MX.Notgoogle.com.", ""), None);
        assert_eq!(Provider::of("mx.t.example", "no such user - gsmtp"), Some(Provider::Google));
        assert_eq!(Provider::of("", ""), None);
    }

    #[test]
    fn each_provider_has_one_mark_in_their_order_and_a_page() {
        assert!(MARKS.is_sorted_by(|a, b| a.provider < b.provider));
        for mark in &MARKS {
            assert_eq!(mark.provider.place(), mark.place);
            assert!(mark.place.url.starts_with("https://") && !mark.place.name.is_empty());
            assert!(mark.words.iter().chain(mark.hosts).all(|w| *w == w.to_lowercase()));
        }
    }
}
