//! Which hosts those may have asked who own no more than a namespace.
//!
//! Foresail stands inside the cluster's network and asks whatever host a policy names: without a
//! limit, whoever may write a policy could have it ask the cloud's metadata service or a database
//! of somebody else.

use crate::domain::name::Namespace;
// Addresses are data; what could speak to them is in `std` alone.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;
use std::sync::Arc;

/// Which hosts may be asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// All: for the policies of those who run the cluster.
    Anywhere,
    /// The Services of a namespace, and what the operator lists.
    Within {
        /// The policy's namespace.
        namespace: Namespace,
        /// What the operator lists.
        listed: Arc<[AllowedHost]>,
    },
}

/// What an operator lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AllowedHost {
    /// A name, in which `*` stands for any text.
    Name(Box<str>),
    /// Addresses that begin with so many bits of this one.
    Network(IpAddr, u32),
}

/// A host that may not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAllowed {
    host: Box<str>,
    address: Option<IpAddr>,
    /// Where the policy is.
    pub namespace: Namespace,
}

impl fmt::Display for NotAllowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address, namespace } = self;
        match address {
            None => write!(f, "a policy of namespace `{namespace}` may not ask host `{host}`"),
            Some(address) => write!(
                f,
                "a policy of namespace `{namespace}` may not ask host `{host}`, which is at {address}"
            ),
        }
    }
}

impl NotAllowed {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.address {
            None => format!(
                "name a Service of the namespace as `NAME.{}.svc`, or have the operator list the \
                 host under `queues.allowedHosts`",
                self.namespace
            ),
            Some(_) => {
                "only the operator can list such an address under `queues.allowedHosts`".to_owned()
            }
        }
    }
}

impl AllowedHost {
    /// Reads `redis.shared.svc`, `*.amazonaws.com`, `10.0.0.7` or `10.0.0.0/8`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(it, n)| (it, Some(n)));
        if let Ok(address) = address.parse::<IpAddr>() {
            let most = if address.is_ipv4() { 32 } else { 128 };
            let bits = bits.map_or(Some(most), |it| it.parse().ok())?;
            return (bits <= most).then_some(Self::Network(address, bits));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._*".contains(c);
        let is_name = bits.is_none() && !text.is_empty() && text.chars().all(is_plain);
        is_name.then(|| Self::Name(text.to_ascii_lowercase().into()))
    }

    fn has(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Network(IpAddr::V4(network), bits), IpAddr::V4(address)) => {
                (u32::from(*network) ^ u32::from(address)).leading_zeros() >= *bits
            }
            (Self::Network(IpAddr::V6(network), bits), IpAddr::V6(address)) => {
                (u128::from(*network) ^ u128::from(address)).leading_zeros() >= *bits
            }
            _ => false,
        }
    }
}

impl Reach {
    /// Whether a host, by its name or its address, may be asked at all.
    ///
    /// # Errors
    /// When it may not.
    pub fn permits(&self, host: &str) -> Result<(), NotAllowed> {
        let Self::Within { namespace, listed } = self else { return Ok(()) };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let refused = |address| NotAllowed {
            host: host.as_str().into(),
            address,
            namespace: namespace.clone(),
        };
        if let Ok(address) = host.parse::<IpAddr>().map(|it| it.to_canonical()) {
            if listed.iter().any(|it| it.has(address)) {
                return Ok(());
            }
            let all = AllowedHost::Name("*".into());
            let is_permitted = !is_inner(address) && listed.contains(&all);
            return if is_permitted { Ok(()) } else { Err(refused(Some(address))) };
        }
        // With `svc`: `NAME.dev` would be a host of the world, too.
        let own = ["svc", "svc.cluster.local"].map(|it| format!(".{namespace}.{it}"));
        let is_own = own.iter().any(|it| host.ends_with(it.as_str()));
        let is_listed = listed.iter().any(|it| match it {
            AllowedHost::Name(pattern) => matches(pattern, &host),
            AllowedHost::Network(..) => false,
        });
        if is_own || is_listed { Ok(()) } else { Err(refused(None)) }
    }

    /// Whether a host that may be asked may also be at this address: a name says little, since who
    /// owns it may have it lead anywhere.
    ///
    /// # Errors
    /// When it may not.
    pub fn permits_at(&self, host: &str, address: IpAddr) -> Result<(), NotAllowed> {
        let Self::Within { namespace, listed } = self else { return Ok(()) };
        let address = address.to_canonical();
        let is_listed = listed.iter().any(|it| match it {
            AllowedHost::Name(name) => name.eq_ignore_ascii_case(host),
            AllowedHost::Network(..) => it.has(address),
        });
        if is_listed || !is_inner(address) {
            return Ok(());
        }
        Err(NotAllowed { host: host.into(), address: Some(address), namespace: namespace.clone() })
    }
}

/// Addresses of this machine and of its link, with the metadata services of clouds: nobody's queue
/// is there.
fn is_inner(address: IpAddr) -> bool {
    /// Of Alibaba and of Azure.
    const METADATA: [Ipv4Addr; 2] =
        [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16)];
    /// Of AWS.
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    match address {
        IpAddr::V4(it) => {
            let is_this_network = it.octets().first() == Some(&0);
            it.is_loopback()
                || it.is_link_local()
                || is_this_network
                || it.is_multicast()
                || it.is_broadcast()
                || METADATA.contains(&it)
        }
        IpAddr::V6(it) => {
            it.is_loopback()
                || it.is_unicast_link_local()
                || it.is_unspecified()
                || it.is_multicast()
                || it == METADATA_V6
        }
    }
}

/// Whether a text is what a pattern says, in which `*` stands for any text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut pieces = rest.split('*').collect::<Vec<_>>();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(listed: &[&str]) -> Reach {
        let listed = listed.iter().map(|it| AllowedHost::parse(it).unwrap()).collect();
        Reach::Within { namespace: Namespace::new("jobs").unwrap(), listed }
    }

    #[test]
    fn a_namespaces_own_services_may_be_asked_and_what_the_operator_lists() {
        for (listed, host, is_permitted) in [
            (vec![], "redis.jobs.svc", true),
            (vec![], "redis-0.redis.jobs.svc.cluster.local", true),
            (vec![], "Redis.Jobs.SVC.", true),
            (vec![], "redis", false),
            (vec![], "redis.jobs", false),
            (vec![], "redis.other.svc", false),
            (vec![], "redis.jobs.svc.evil.example", false),
            (vec![], "evil-jobs.svc", false),
            (vec![], "10.0.0.7", false),
            (vec![], "127.0.0.1", false),
            (vec!["*.shared.svc"], "redis.shared.svc", true),
            (vec!["*.shared.svc"], "redis.jobs.svc", true),
            (vec!["*.shared.svc"], "shared.svc", false),
            (vec!["sqs.*.amazonaws.com"], "sqs.eu-west-1.amazonaws.com", true),
            (vec!["sqs.*.amazonaws.com"], "sqs.evil.example", false),
            (vec!["redis"], "redis", true),
            (vec!["10.0.0.0/8"], "10.1.2.3", true),
            (vec!["10.0.0.0/8"], "11.1.2.3", false),
            (vec!["10.0.0.0/8"], "::ffff:10.1.2.3", true),
            (vec!["fd12::/16"], "[fd12::7]", true),
            (vec!["0.0.0.0/0"], "fd12::7", false),
            (vec!["*"], "redis.example", true),
            (vec!["*"], "10.1.2.3", true),
            // Not by a `*`: only who names it means it.
            (vec!["*"], "169.254.169.254", false),
            (vec!["*"], "::ffff:169.254.169.254", false),
            (vec!["*"], "127.0.0.1", false),
            (vec!["*"], "[fe80::1]", false),
            (vec!["127.0.0.1"], "127.0.0.1", true),
        ] {
            let found = reach(&listed).permits(host).is_ok();
            assert_eq!(found, is_permitted, "{host} with {listed:?}");
        }
        assert!(Reach::Anywhere.permits("127.0.0.1").is_ok());
    }

    #[test]
    fn a_name_may_not_lead_to_the_machine_itself_or_to_its_link() {
        for (listed, address, is_permitted) in [
            (vec!["*"], "10.0.0.7", true),
            (vec!["*"], "fd12::7", true),
            (vec!["*"], "127.0.0.1", false),
            (vec!["*"], "0.0.0.0", false),
            (vec!["*"], "169.254.169.254", false),
            (vec!["*"], "fe80::1", false),
            (vec!["*"], "::1", false),
            (vec!["*"], "fd00:ec2::254", false),
            (vec!["*"], "100.100.100.200", false),
            (vec!["127.0.0.0/8"], "127.0.0.1", true),
            (vec!["here"], "127.0.0.1", true),
        ] {
            let found = reach(&listed).permits_at("here", address.parse().unwrap()).is_ok();
            assert_eq!(found, is_permitted, "{address} with {listed:?}");
        }
    }

    #[test]
    fn what_is_no_host_cannot_be_listed() {
        for text in ["", "http://redis", "redis:6379", "10.0.0.0/33", "redis/8", "10.0.0.0/x"] {
            assert_eq!(AllowedHost::parse(text), None, "{text}");
        }
    }
}
