//! The parameters of a NATS JetStream: `natsJetstream`.

use super::{Credential, Place, Question, QueueAsk, QueueServer, Reader, parsed_address};
use crate::policy::queue::reach::Reach;
use crate::policy::wire::queue::NatsJetstreamSignal;

const PORT: u16 = 8222;

/// A consumer, and where it is asked about.
pub(super) fn consumer(wire: &NatsJetstreamSignal, reader: &mut Reader<'_>) -> Option<QueueAsk> {
    const KEY: &str = "natsServerMonitoringEndpoint";
    let address = parsed_address(&wire.nats_server_monitoring_endpoint, PORT);
    if address.is_none() {
        reader.fault(KEY, "not `host:port`", "write the monitoring port, e.g. `nats.nats:8222`");
    }
    let account = reader.text("account", &wire.account);
    let stream = reader.text("stream", &wire.stream);
    let consumer = reader.text("consumer", &wire.consumer);
    let timeout = reader.timeout(wire.timeout.as_deref());
    let credentials = reader.credentials(&[(Credential::Ca, "caFrom", wire.ca_from.as_ref())]);
    let scheme = if wire.use_https.unwrap_or_default() { "https" } else { "http" };
    let account = account?;
    let question = Question::NatsJetstream {
        account_id: wire.account_id.as_deref().map_or_else(|| account.clone(), Into::into),
        account,
        stream: stream?,
        consumer: consumer?,
    };
    let place = Place::Nats { url: format!("{scheme}://{}", address?).into() };
    let server =
        QueueServer { place, credentials: credentials?, timeout: timeout?, reach: Reach::Anywhere };
    Some(QueueAsk { server, question })
}
