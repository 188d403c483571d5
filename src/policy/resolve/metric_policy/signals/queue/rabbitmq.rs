//! The parameters of a RabbitMQ: `rabbitmq`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader};
use crate::policy::queue::rabbitmq::{Mode, Operation, Pattern, RabbitHost, RabbitQuestion};
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::{
    RabbitmqMode, RabbitmqOperation, RabbitmqProtocol, RabbitmqSignal,
};

/// How many queues a pattern may match, as KEDA has it.
const PAGE_SIZE: u32 = 100;
/// A name of AMQP is no longer.
const NAME_BYTES_MAX: usize = 255;

/// A queue, and what is asked about it.
pub(super) fn queue(wire: &RabbitmqSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    let queue = reader.text("queueName", &wire.queue_name);
    if wire.queue_name.len() > NAME_BYTES_MAX {
        reader.fault("queueName", "longer than 255 bytes", "name it as the server knows it");
    }
    let host = host(wire, reader);
    let timeout = reader.timeout(wire.timeout.as_deref());
    if wire.username.is_some() && wire.username_from.is_some() {
        reader.fault("usernameFrom", "there is a `username` too", "leave one of them out");
    }
    let has_name = wire.username.is_some() || wire.username_from.is_some();
    if has_name != wire.password_from.is_some() {
        let problem = "a user's name and a password go together";
        reader.fault("passwordFrom", problem, "give both, or have both in `hostFrom`");
    }
    let credentials = reader.credentials(&[
        (Credential::Host, "hostFrom", wire.host_from.as_ref()),
        (Credential::Username, "usernameFrom", wire.username_from.as_ref()),
        (Credential::Password, "passwordFrom", wire.password_from.as_ref()),
        (Credential::Ca, "caFrom", wire.ca_from.as_ref()),
    ]);
    let question = question(wire, queue?);
    let place = Place::Rabbitmq {
        host: host?,
        vhost: wire.vhost_name.as_deref().map(Into::into),
        username: wire.username.as_deref().map(Into::into),
        is_unsafe: wire.unsafe_ssl.unwrap_or_default(),
    };
    let server =
        QueueServer { place, credentials: credentials?, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question: Question::Rabbitmq(question) })
}

/// `Some(None)` where it is a secret.
fn host(wire: &RabbitmqSignal, reader: &mut Reader<'_>) -> Option<Option<RabbitHost>> {
    const HINT: &str = "write `http://host:15672/vhost` or `amqp://host:5672/vhost`";
    let text = match (&wire.host, &wire.host_from) {
        (None, Some(_)) => return Some(None),
        (Some(host), None) => host,
        _ => {
            reader.fault("host", "expected either `host` or `hostFrom`", HINT);
            return None;
        }
    };
    let Some((host, user)) = RabbitHost::parse(text) else {
        reader.fault("host", "not the URL of a RabbitMQ", HINT);
        return None;
    };
    if user.is_some() {
        let hint = "it would show in logs; use `hostFrom`, or `username` and `passwordFrom`";
        reader.fault("host", "a URL must not carry a password", hint);
        return None;
    }
    let is_http = match wire.protocol {
        Some(RabbitmqProtocol::Http) => true,
        Some(RabbitmqProtocol::Amqp) => false,
        Some(RabbitmqProtocol::Auto) | None => host.is_http(),
    };
    if is_http != host.is_http() {
        reader.fault("protocol", "does not fit the scheme of `host`", "leave it out");
        return None;
    }
    let needs_http = [
        ("useRegex", wire.use_regex == Some(true)),
        ("excludeUnacknowledged", wire.exclude_unacknowledged == Some(true)),
        ("mode", !matches!(wire.mode, Some(RabbitmqMode::QueueLength) | None)),
    ];
    for (key, _) in needs_http.iter().filter(|(_, needs)| *needs && !is_http) {
        let hint = "give `host: http://host:15672/vhost`";
        reader.fault(key, "needs the management API: AMQP tells only what is ready", hint);
    }
    Some(Some(host))
}

fn question(wire: &RabbitmqSignal, queue: Box<str>) -> RabbitQuestion {
    let mode = match wire.mode {
        Some(RabbitmqMode::QueueLength) | None => Mode::QueueLength,
        Some(RabbitmqMode::MessageRate) => Mode::MessageRate,
        Some(RabbitmqMode::DeliverGetRate) => Mode::DeliverGetRate,
        Some(RabbitmqMode::PublishedToDeliveredRatio) => Mode::PublishedToDeliveredRatio,
        Some(RabbitmqMode::ExpectedQueueConsumptionTime) => Mode::ExpectedQueueConsumptionTime,
    };
    let operation = match wire.operation {
        Some(RabbitmqOperation::Sum) | None => Operation::Sum,
        Some(RabbitmqOperation::Avg) => Operation::Avg,
        Some(RabbitmqOperation::Max) => Operation::Max,
    };
    let most = wire.page_size.unwrap_or(PAGE_SIZE);
    let pattern = wire.use_regex.unwrap_or_default().then_some(Pattern { most, operation });
    RabbitQuestion {
        queue,
        mode,
        pattern,
        only_ready: wire.exclude_unacknowledged.unwrap_or_default(),
        while_nothing_is_delivered: wire.activation_value,
    }
}
