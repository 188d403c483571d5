//! How much the API lists of what it serves.

use crate::document::fault::Fault;
use crate::document::path::Path;
use crate::document::yaml::Node;
use crate::domain::limits;

/// What a configuration says under `discovery.metricsMax`; `None` if it says nothing. A fault there
/// is one of the whole: it concerns what all publish.
pub(super) fn metrics_max(document: &Node, faults: &mut Vec<Fault>) -> Option<usize> {
    let said = document.get("discovery")?.get("metricsMax")?;
    // What is no number has its fault from the schema.
    let number = usize::try_from(said.to_json().as_u64()?).ok()?;
    if (1..=limits::documents::METRICS_LISTED_MAX).contains(&number) {
        return Some(number);
    }
    let problem =
        format!("{number} is not between 1 and {}", limits::documents::METRICS_LISTED_MAX);
    let hint = "an HPA finds a metric that is not listed";
    let path = Path::default().key("discovery").key("metricsMax");
    faults.push(Fault::new(path, problem).hint(hint));
    None
}

#[cfg(test)]
mod tests {
    use crate::policy::resolve::load;

    #[test]
    fn a_limit_is_a_number_within_reason() {
        for (discovery, expected) in [
            ("{}", Ok(None)),
            ("{metricsMax: 1}", Ok(Some(1))),
            ("{metricsMax: 20000}", Ok(Some(20_000))),
            ("{metricsMax: 0}", Err("0 is not between 1 and 20000")),
            ("{metricsMax: 20001}", Err("20001 is not between 1 and 20000")),
        ] {
            let text = format!(
                "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\ndiscovery: {discovery}\n"
            );
            let read = load(&text).map(|it| it.discovery_metrics_max);
            let read = read.map_err(|faults| faults.first().unwrap().problem.clone());
            assert_eq!(read, expected.map_err(str::to_owned), "{discovery}");
        }
        let text = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\ndiscovery: {metricsMax: many}\n";
        assert_eq!(load(text).unwrap_err().len(), 1);
    }
}
