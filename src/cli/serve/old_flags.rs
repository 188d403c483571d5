//! Flags of prometheus-adapter that mean nothing here: a Deployment that is handed over keeps its
//! command line, and is told once what of it has no effect.

use std::ffi::OsString;

/// Flags without a value, unless one stands behind `=`.
const SWITCHES: [&str; 18] = [
    "add-dir-header",
    "alsologtostderr",
    "audit-log-compress",
    "audit-log-truncate-enabled",
    "audit-webhook-truncate-enabled",
    "authentication-skip-lookup",
    "authentication-tolerate-lookup-failure",
    "contention-profiling",
    "debug-socket-path",
    "disable-http2",
    "disable-http2-serving",
    "logtostderr",
    "one-output",
    "permit-address-sharing",
    "permit-port-sharing",
    "profiling",
    "shutdown-send-retry-after",
    "skip-headers",
];

/// Flags with a value.
const VALUED: [&str; 26] = [
    "authentication-kubeconfig",
    "authentication-token-webhook-cache-ttl",
    "authorization-always-allow-paths",
    "authorization-kubeconfig",
    "authorization-webhook-cache-authorized-ttl",
    "authorization-webhook-cache-unauthorized-ttl",
    "bind-address",
    "cert-dir",
    "client-burst",
    "client-ca-file",
    "client-qps",
    "discovery-interval",
    "http2-max-streams-per-connection",
    "log-backtrace-at",
    "log-dir",
    "log-file",
    "log-file-max-size",
    "log-flush-frequency",
    "logging-format",
    "prometheus-auth-config",
    "stderrthreshold",
    "tls-cipher-suites",
    "tls-min-version",
    "tls-sni-cert-key",
    "tls-curve-preferences",
    "vmodule",
];

/// Beginnings of flags with a value, of which there are too many to name.
const FAMILIES: [&str; 3] = ["audit-log-", "audit-webhook-", "requestheader-"];

/// What was typed without such flags, and their names. Only `serve` knows them.
pub(in crate::cli) fn taken_out(
    args: impl IntoIterator<Item = OsString>,
) -> (Vec<OsString>, Vec<String>) {
    let args: Vec<OsString> = args.into_iter().collect();
    if !args.iter().skip(1).any(|it| it == "serve") {
        return (args, Vec::new());
    }
    let (mut kept, mut ignored) = (Vec::new(), Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let Some((name, has_own_value)) = arg.to_str().and_then(named) else {
            kept.push(arg);
            continue;
        };
        if takes_value(&name) && !has_own_value {
            // What stands behind it belongs to it.
            args.next();
        }
        ignored.push(format!("--{name}"));
    }
    (kept, ignored)
}

/// The name of such a flag, and whether its value stands in the same word.
fn named(arg: &str) -> Option<(String, bool)> {
    let text = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-'))?;
    let (name, has_value) = match text.split_once('=') {
        Some((name, _)) => (name, true),
        None => (text, false),
    };
    // klog's verbosity is also written `-v6`.
    if name.strip_prefix('v').is_some_and(|it| it.chars().all(|c| c.is_ascii_digit())) {
        return Some(("v".to_owned(), has_value || name.len() > 1));
    }
    // klog takes both ways of writing.
    let name = name.replace('_', "-");
    let is_known = SWITCHES.contains(&&*name) || takes_value(&name);
    (is_known && arg.starts_with("--")).then_some((name, has_value))
}

fn takes_value(name: &str) -> bool {
    let is_of_family = FAMILIES.iter().any(|it| name.starts_with(it));
    name == "v" || VALUED.contains(&name) || (is_of_family && !SWITCHES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_flag_is_taken_out_with_its_value() {
        for (typed, kept, ignored) in [
            ("f serve --config a", "f serve --config a", ""),
            ("f serve --v=6 --config a", "f serve --config a", "--v"),
            ("f serve -v 6 --config a", "f serve --config a", "--v"),
            ("f serve -v6", "f serve", "--v"),
            ("f serve --logtostderr=true --standalone", "f serve --standalone", "--logtostderr"),
            ("f serve --logtostderr --standalone", "f serve --standalone", "--logtostderr"),
            ("f serve --cert-dir /tmp --standalone", "f serve --standalone", "--cert-dir"),
            (
                "f serve --audit-log-path - --audit-log-compress x",
                "f serve x",
                "--audit-log-path --audit-log-compress",
            ),
            ("f serve --requestheader-allowed-names=a", "f serve", "--requestheader-allowed-names"),
            ("f serve --tls_min_version=VersionTLS13", "f serve", "--tls-min-version"),
            ("f serve --tls-cert-file=a --verbose", "f serve --tls-cert-file=a --verbose", ""),
            ("f serve --version", "f serve --version", ""),
            ("f check --v=6", "f check --v=6", ""),
        ] {
            let (left, out) = taken_out(typed.split(' ').map(OsString::from));
            let left: Vec<&str> = left.iter().map(|it| it.to_str().unwrap()).collect();
            assert_eq!(
                (left.join(" "), out.join(" ")),
                (kept.to_owned(), ignored.to_owned()),
                "{typed}"
            );
        }
    }
}
