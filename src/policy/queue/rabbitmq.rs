//! A RabbitMQ: how its `host` is written, and what its queues are asked.

use percent_encoding::percent_decode_str;

/// What `host` says, apart from user and password.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RabbitHost {
    /// `http`, `https`, `amqp` or `amqps`.
    pub scheme: Box<str>,
    /// Host and port.
    pub authority: Box<str>,
    /// What stands before the virtual host, for a management API behind a proxy.
    pub prefix: Box<str>,
    /// The virtual host; `/` where none is named.
    pub vhost: Box<str>,
}

/// User and password as a URL has them.
pub type UserInfo = (String, String);

impl RabbitHost {
    /// Reads the URL: the last part of its path is the virtual host. `None` when it is none.
    #[must_use]
    pub fn parse(url: &str) -> Option<(Self, Option<UserInfo>)> {
        let (scheme, rest) = url.split_once("://")?;
        if !["http", "https", "amqp", "amqps"].contains(&scheme) {
            return None;
        }
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, authority) = match authority.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, authority),
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(is_plain) {
            return None;
        }
        let decoded =
            |text: &str| percent_decode_str(text).decode_utf8().ok().map(|it| it.into_owned());
        let (prefix, vhost) = path.rsplit_once('/').unwrap_or(("", path));
        let vhost = decoded(vhost)?;
        let user = match user {
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                Some((decoded(name)?, decoded(password)?))
            }
            None => None,
        };
        let host = Self {
            scheme: scheme.into(),
            authority: authority.into(),
            prefix: if prefix.is_empty() { "".into() } else { format!("/{prefix}").into() },
            vhost: if vhost.is_empty() { "/".into() } else { vhost.into() },
        };
        Some((host, user))
    }

    /// Whether this is the management API.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.scheme.starts_with("http")
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.scheme.ends_with('s')
    }
}

/// What is asked about a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct RabbitQuestion {
    /// The queue, or a pattern of names.
    pub queue: Box<str>,
    /// What is counted.
    pub mode: Mode,
    /// How a pattern is used; `None` for a name.
    pub pattern: Option<Pattern>,
    /// Only messages that nobody is working on.
    pub only_ready: bool,
    /// What the modes answer that divide by the rate of deliveries, while there are none.
    pub while_nothing_is_delivered: Option<f64>,
}

// The only number in it is one that people wrote, which is equal to itself.
impl Eq for RabbitQuestion {}

/// How a pattern is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// How many queues it may match.
    pub most: u32,
    /// How their numbers become one.
    pub operation: Operation,
}

/// How the numbers of several queues become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Their sum.
    Sum,
    /// Their mean; of messages, without its fraction.
    Avg,
    /// The largest.
    Max,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Messages.
    QueueLength,
    /// Published per second.
    MessageRate,
    /// Delivered per second.
    DeliverGetRate,
    /// Published for each one delivered.
    PublishedToDeliveredRatio,
    /// Seconds until the queue is empty.
    ExpectedQueueConsumptionTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_path_is_the_virtual_host_and_user_and_password_are_apart() {
        for (url, authority, prefix, vhost) in [
            ("amqp://mq:5672", "mq:5672", "", "/"),
            ("amqp://mq:5672/", "mq:5672", "", "/"),
            ("amqps://mq/jobs", "mq", "", "jobs"),
            ("http://mq:15672/%2F", "mq:15672", "", "/"),
            ("https://proxy/rabbit/a%20b", "proxy", "/rabbit", "a b"),
            ("https://proxy/rabbit/", "proxy", "/rabbit", "/"),
        ] {
            let (host, user) = RabbitHost::parse(url).unwrap();
            let found = (&*host.authority, &*host.prefix, &*host.vhost);
            assert_eq!((found, user), ((authority, prefix, vhost), None), "{url}");
        }
        let (host, user) = RabbitHost::parse("http://me:p%40ss@mq:15672/jobs").unwrap();
        assert_eq!((&*host.authority, &*host.vhost), ("mq:15672", "jobs"));
        assert_eq!(user, Some(("me".to_owned(), "p@ss".to_owned())));
        for url in ["mq:5672", "redis://mq", "http://", "http://a b/", "amqp://u:p@/"] {
            assert_eq!(RabbitHost::parse(url), None, "{url}");
        }
    }
}
