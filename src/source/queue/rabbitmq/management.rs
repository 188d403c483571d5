//! The management API of a RabbitMQ.

use super::Target;
use crate::policy::queue::QueueServer;
use crate::policy::queue::rabbitmq::{Mode, Operation, RabbitQuestion, UserInfo};
use crate::source::ReadError;
use crate::source::http::Http;
use crate::source::queue::{Failed, Login, web};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// A client of it.
pub(in crate::source::queue) struct Management {
    http: Http,
    /// Up to and with the virtual host.
    queues: String,
    user: Option<UserInfo>,
}

/// A queue. What the server has no statistics about yet is left out.
#[derive(Clone, Debug, Default, Deserialize)]
struct Queue {
    messages: Option<u64>,
    messages_ready: Option<u64>,
    #[serde(default)]
    message_stats: Stats,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Stats {
    #[serde(default)]
    publish_details: Rate,
    #[serde(default)]
    deliver_get_details: Rate,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
struct Rate {
    #[serde(default)]
    rate: f64,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    page_count: u32,
    items: Vec<Queue>,
}

/// What is counted, of one queue or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    messages: u64,
    published: f64,
    delivered: f64,
}

impl Management {
    pub(super) fn new(target: Target, server: &QueueServer, login: &Login) -> Result<Self, Failed> {
        let Target { host, vhost, user, is_unsafe } = target;
        let base = format!("{}://{}{}", host.scheme, host.authority, host.prefix);
        let http = web::client(&base, server, login, is_unsafe)?;
        let vhost = utf8_percent_encode(&vhost, NON_ALPHANUMERIC);
        Ok(Self { http, queues: format!("{base}/api/queues/{vhost}"), user })
    }

    pub(super) async fn ask(&self, question: &RabbitQuestion) -> Result<f64, Failed> {
        value(question, self.counts(question).await?)
    }

    async fn counts(&self, question: &RabbitQuestion) -> Result<Counts, Failed> {
        let Some(pattern) = question.pattern else {
            let name = utf8_percent_encode(&question.queue, NON_ALPHANUMERIC);
            let url = format!("{}/{name}", self.queues);
            let queue: Queue = web::json(&self.http, self.request(&url)).await?;
            return counts(&queue, question.only_ready);
        };
        let page_size = pattern.most.to_string();
        let request = self.request(&self.queues).query(&[
            ("page", "1"),
            ("use_regex", "true"),
            ("pagination", "false"),
            ("name", &question.queue),
            ("page_size", &page_size),
        ]);
        let page: Page = web::json(&self.http, request).await?;
        if page.page_count > 1 {
            let problem = format!("the pattern matches more than {} queues", pattern.most);
            return Err(Failed::not_understood(problem));
        }
        let all = page.items.iter().map(|it| counts(it, question.only_ready));
        Ok(together(&all.collect::<Result<Vec<Counts>, Failed>>()?, pattern.operation))
    }

    fn request(&self, url: &str) -> reqwest::RequestBuilder {
        let request = self.http.client.get(url);
        match &self.user {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    }
}

fn counts(queue: &Queue, only_ready: bool) -> Result<Counts, Failed> {
    let messages = if only_ready { queue.messages_ready } else { queue.messages };
    let Stats { publish_details, deliver_get_details } = queue.message_stats.clone();
    match messages {
        Some(messages) => Ok(Counts {
            messages,
            published: publish_details.rate,
            delivered: deliver_get_details.rate,
        }),
        // A server that has just been started; that is not an empty queue.
        None => {
            let problem = "the server has no statistics about the queue yet";
            Err(Failed::Answer(ReadError::Empty(problem.to_owned())))
        }
    }
}

/// Several queues as one; no queue at all is an empty one, as KEDA has it.
fn together(all: &[Counts], operation: Operation) -> Counts {
    let sum = all.iter().fold(Counts::default(), |sum, it| Counts {
        messages: sum.messages.saturating_add(it.messages),
        published: sum.published + it.published,
        delivered: sum.delivered + it.delivered,
    });
    #[expect(clippy::cast_precision_loss, reason = "a page has fewer queues than 2^52")]
    let count = all.len() as f64;
    match operation {
        Operation::Avg if !all.is_empty() => Counts {
            messages: sum.messages / u64::try_from(all.len()).unwrap_or(u64::MAX),
            published: sum.published / count,
            delivered: sum.delivered / count,
        },
        Operation::Sum | Operation::Avg => sum,
        Operation::Max => all.iter().fold(Counts::default(), |most, it| Counts {
            messages: most.messages.max(it.messages),
            published: larger(most.published, it.published),
            delivered: larger(most.delivered, it.delivered),
        }),
    }
}

fn larger(one: f64, other: f64) -> f64 {
    if other > one { other } else { one }
}

/// KEDA's formulas. What it answers while nothing is delivered is the trigger's activation value;
/// without one there is no number then.
fn value(question: &RabbitQuestion, counts: Counts) -> Result<f64, Failed> {
    let Counts { messages, published, delivered } = counts;
    #[expect(clippy::cast_precision_loss, reason = "no queue holds 2^53 messages")]
    let messages = messages as f64;
    let nothing_delivered = || {
        question.while_nothing_is_delivered.ok_or_else(|| {
            let problem = "nothing is being delivered, so there is no such number (or give \
                           `activationValue`)";
            Failed::Answer(ReadError::Empty(problem.to_owned()))
        })
    };
    match question.mode {
        Mode::QueueLength => Ok(messages),
        Mode::MessageRate => Ok(published),
        Mode::DeliverGetRate => Ok(delivered),
        Mode::PublishedToDeliveredRatio if published <= 0.0 => Ok(0.0),
        Mode::PublishedToDeliveredRatio if delivered > 0.0 => Ok(published / delivered),
        // What is empty needs no time.
        Mode::ExpectedQueueConsumptionTime if messages <= 0.0 => Ok(0.0),
        Mode::ExpectedQueueConsumptionTime if delivered > 0.0 => {
            let time = (published - delivered) / delivered + messages / delivered;
            // Less than a message before it is empty.
            Ok(if time > 0.0 { time } else { 0.0 })
        }
        Mode::PublishedToDeliveredRatio | Mode::ExpectedQueueConsumptionTime => nothing_delivered(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::queue::rabbitmq::Pattern;

    fn question(mode: Mode, while_nothing_is_delivered: Option<f64>) -> RabbitQuestion {
        let pattern = Some(Pattern { most: 100, operation: Operation::Sum });
        let queue = "jobs".into();
        RabbitQuestion { queue, mode, pattern, only_ready: false, while_nothing_is_delivered }
    }

    #[test]
    fn the_formulas_are_kedas() {
        use Mode::*;
        for (mode, messages, published, delivered, activation, expected) in [
            (QueueLength, 7, 1.0, 1.0, None, Some(7.0)),
            (MessageRate, 7, 1.5, 1.0, None, Some(1.5)),
            (DeliverGetRate, 7, 1.5, 1.25, None, Some(1.25)),
            (PublishedToDeliveredRatio, 7, 3.0, 2.0, None, Some(1.5)),
            (PublishedToDeliveredRatio, 7, 0.0, 2.0, None, Some(0.0)),
            (PublishedToDeliveredRatio, 7, 0.0, 0.0, None, Some(0.0)),
            (PublishedToDeliveredRatio, 7, 3.0, 0.0, None, None),
            (PublishedToDeliveredRatio, 7, 3.0, 0.0, Some(4.0), Some(4.0)),
            (ExpectedQueueConsumptionTime, 40, 6.0, 4.0, None, Some(10.5)),
            (ExpectedQueueConsumptionTime, 0, 6.0, 4.0, None, Some(0.0)),
            (ExpectedQueueConsumptionTime, 1, 0.0, 4.0, None, Some(0.0)),
            (ExpectedQueueConsumptionTime, 40, 6.0, 0.0, None, None),
            (ExpectedQueueConsumptionTime, 40, 6.0, 0.0, Some(0.0), Some(0.0)),
        ] {
            let counts = Counts { messages, published, delivered };
            let found = value(&question(mode, activation), counts).ok();
            assert_eq!(found, expected, "{mode:?} {counts:?} {activation:?}");
        }
    }

    #[test]
    fn several_queues_are_added_up_averaged_or_the_largest() {
        let counts = |messages, published, delivered| Counts { messages, published, delivered };
        let all = [counts(5, 1.0, 4.0), counts(2, 3.0, 1.0)];
        assert_eq!(together(&all, Operation::Sum), counts(7, 4.0, 5.0));
        assert_eq!(together(&all, Operation::Avg), counts(3, 2.0, 2.5));
        assert_eq!(together(&all, Operation::Max), counts(5, 3.0, 4.0));
        for operation in [Operation::Sum, Operation::Avg, Operation::Max] {
            assert_eq!(together(&[], operation), Counts::default());
        }
    }

    #[test]
    fn a_queue_without_statistics_is_not_an_empty_one() {
        let queue: Queue = serde_json::from_str(r#"{"name": "jobs"}"#).unwrap();
        assert!(counts(&queue, false).is_err());
        let queue: Queue = serde_json::from_str(r#"{"messages": 0, "messages_ready": 0}"#).unwrap();
        assert_eq!(counts(&queue, true).unwrap(), Counts::default());
    }
}
