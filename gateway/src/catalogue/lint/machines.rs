//! Machines: addresses that work inside only, hosts, internet addresses, paths and files in folders. Where the city's
//! machines are helps nobody but those who look for a way in.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use http::uri::Authority;
use regex::{Captures, Regex};

use super::{
    Code, Hit,
    pattern::{before, next, pattern, previous, stands_alone},
};

/// Links that name a port, a user or a host that is not in the public name space.
pub(super) fn addresses(text: &str) -> Vec<Hit> {
    let links = ADDRESS.find_iter(text).filter(|link| is_private(link.as_str()));
    links.map(|link| Hit::new(Code::PrivateAddress, link.range())).collect()
}

/// The same text with a blank in the place of each byte of a link: whatever looks like a date, a path or a number in
/// there is none.
pub(super) fn without_addresses(text: &str) -> String {
    let blank = |link: &Captures<'_>| " ".repeat(link.get(0).map_or(0, |link| link.len()));
    ADDRESS.replace_all(text, blank).into_owned()
}

/// Names of machines, and names with a port.
pub(super) fn hosts(text: &str) -> Vec<Hit> {
    let dotted = DOTTED_NAME.find_iter(text).filter(|name| is_private_host(name.as_str()));
    let others = [&*MACHINE, &*NAME_WITH_PORT].into_iter().flat_map(|pattern| pattern.find_iter(text));
    let others = others.filter(|name| stands_alone(text, &name.range()));
    dotted.chain(others).map(|name| Hit::new(Code::HostName, name.range())).collect()
}

/// IPv4 and IPv6.
pub(super) fn internet_addresses(text: &str) -> Vec<Hit> {
    let fourth = IPV4.find_iter(text).filter(|it| {
        let longer = previous(text, it.start()) == Some('.') || goes_on(text, it.end());
        let numbered = NUMBERED.is_match(before(text, it.start(), 16));
        it.as_str().parse::<Ipv4Addr>().is_ok() && !longer && !numbered
    });
    let sixth = IPV6.find_iter(text).filter(|it| stands_alone(text, &it.range()) && is_ipv6(it.as_str()));
    fourth.chain(sixth).map(|it| Hit::new(Code::IpAddress, it.range())).collect()
}

/// Paths of file systems and stores, and files with their folders.
pub(super) fn paths(text: &str) -> Vec<Hit> {
    let rooted = ROOTED_PATH.captures_iter(text).filter_map(|found| found.get(1));
    let paths = rooted.chain(DRIVE_OR_STORE.find_iter(text)).map(|path| Hit::new(Code::FilePath, path.range()));
    let files = FILE_IN_FOLDER.find_iter(text).map(|file| Hit::new(Code::FileInFolder, file.range()));
    paths.chain(files).collect()
}

/// Whether a link leads where strangers do not get.
fn is_private(link: &str) -> bool {
    let rest = link.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.trim_end_matches(['.', ',', ';', ':', '!', ')', '\'']);
    let Ok(authority) = authority.parse::<Authority>() else { return false };
    let usual = authority.port_u16().is_none_or(|port| matches!(port, 80 | 443));
    !usual || authority.as_str().contains('@') || is_private_host(authority.host())
}

/// Whether a host is an address, has no domain, or is called like a machine.
fn is_private_host(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let inner = labels.last().is_some_and(|last| INNER_DOMAINS.contains(last)) || host.ends_with(".home.arpa");
    let called = labels.iter().any(|label| INNER_LABELS.contains(label) || MACHINE.is_match(label));
    number || labels.len() < 2 || inner || called
}

/// Whether a dotted number has one more part.
fn goes_on(text: &str, at: usize) -> bool {
    next(text, at) == Some('.') && text.get(at + 1..).and_then(|rest| next(rest, 0)).is_some_and(|c| c.is_ascii_digit())
}

/// Whether it is an address of a machine, rather than a word between colons: global unicast, unique local, link-local
/// or loopback.
fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok_and(|it| {
        let [first, ..] = it.segments();
        it.is_loopback() || first & 0xe000 == 0x2000 || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
    })
}

/// Domains of no public name server (RFC 6762, RFC 8375, and what offices call theirs).
const INNER_DOMAINS: [&str; 8] = ["local", "localdomain", "localhost", "lan", "internal", "intra", "intranet", "corp"];

/// Labels that say that a name is for inside.
const INNER_LABELS: [&str; 7] = ["intranet", "intra", "interne", "internal", "vpn", "bastion", "localhost"];

/// A link, in printable ASCII as RFC 3986 has it, so that blanks can stand for it byte by byte.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)\b(?:https?|s?ftps?|wss?)://[!#-;=?-~]+"]));

/// A name with a domain; which are private is asked of each.
static DOTTED_NAME: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)\b(?:[a-z0-9\-]{1,63}\.){1,6}[a-z]{2,24}\b"]));

/// Names that administrators give: what it is, then a number or what it is for (`srv-sig01`, `pg-prod`). The number of
/// digits and the hyphen keep words such as `web` and products such as `postgres-16` out.
static MACHINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:localhost|srv[a-z]{0,12}[0-9]{1,4}|(?:srv|svr|serveur|esxi?|pve|nas|vm|bdd|",
        r"db)-(?:[a-z0-9]{1,20}-){0,4}[a-z]{0,20}[0-9]{1,4}|(?:srv|svr|serveur|vm|nas|bdd|db|sql|pg|pgsql|postgres|",
        r"mysql|oracle|mongo|redis|kafka|elastic|minio|hdfs|ftp|sftp|ldap|proxy|k8s|",
        r"geoserver)-(?:[a-z0-9]{1,20}-){0,4}(?:prod|prd|preprod|ppr|recette|qualif|dev|tst)-?[0-9]{0,3})\b",
    ])
});

/// A name with a port: any port behind a domain, one of the well-known ports of services behind a bare name, so that
/// `EPSG:2154` and `ISO 19115:2014` are none.
static NAME_WITH_PORT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)\b(?:(?:[a-z0-9\-]{1,63}\.){1,6}[a-z]{2,24}:[0-9]{2,5}|[a-z][a-z0-9\-]{1,62}:(?:",
        r"1433|1521|1883|27017|3128|3306|3389|5432|5672|6379|8080|8081|8443|8883|8888|9000|9092|9200))\b",
    ])
});

/// Four numbers with points between; the library reads whether they are an address.
static IPV4: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b"]));

/// What can be an IPv6 address; the library reads whether it is one.
static IPV6: LazyLock<Regex> = LazyLock::new(|| pattern(&[r"(?i)[0-9a-f]{0,4}:[0-9a-f:]{1,35}"]));

/// Words in front of versions and sections, which have points between numbers too.
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[r"(?i)(?:\bv|version|release|article|section|chapitre|chapter|annexe?|clause|oid|norme|§|n°)[.:]?\s*$"])
});

/// A path from a root that servers have. What stands before it keeps `km/h` and `et/ou` out.
static ROOTED_PATH: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        "(?:^|[\\s\"'«»“”‘’()\\[\\]`=:,;<>])",
        r"((?:~|/(?:srv|home|mnt|var|data|opt|tmp|etc|usr|root|media|exports?|nas|nfs|dbfs|volumes?|[Uu]sers|",
        r"workspace))/[^\s\x22«»“”()\[\]`,;<>]+)",
    ])
});

/// A drive, a share, or the scheme of a store or a database.
static DRIVE_OR_STORE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?:\b[a-z]:[\\/][a-z0-9_$]|\\\\[a-z0-9_.\-]+\\|\b(?:s3[an]?|gs|hdfs|file|abfss?|wasbs?|dbfs|smb|nfs|ssh|",
        r"scp|rsync|jdbc:[a-z]+|postgres(?:ql)?|mysql|mongodb|redis|amqps?|kafka|ldaps?|mqtts?):/)[^\s\x22«»“”()<>]*",
    ])
});

/// A file that has a folder in front and an extension that data has behind.
static FILE_IN_FOLDER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(&[
        r"(?i)(?:[^\s/\\\x22'’«»“”()<>,;:|]{1,60}/){1,6}[^\s/\\\x22'’«»“”()<>,;:|]{0,80}\.(?:csv|tsv|jsonl?|ndjson|",
        r"geojson|parquet|xlsx?|ods|xml|gz|zip|zst|shp|gpkg|gml|kml|tiff?|nc|sql|db|sqlite|avro|orc|feather|txt|log|",
        r"dat|bak|dump|age|pdf)\b",
    ])
});
