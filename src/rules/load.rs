//! From the text of a configuration file to rules: all faults in one pass, and the good rules usable
//! whatever is wrong beside them.

mod advice;
mod resolve;

use crate::document::fault::{Fault, repaired};
use crate::document::path::Path;
use crate::document::schema::Schema;
use crate::document::yaml::{Node, Value};
use crate::domain::limits;
use crate::rules::askable::Askable;
use crate::rules::wire::{self, KEYS};
use crate::rules::{BrokenRule, Kind, Rule, Rules};
use std::sync::Arc;

/// Rules of one list; each costs a look at the series of its source. The field has some dozens.
pub const RULES_MAX: usize = 1_000;

/// Reads the rules of a file, either one of prometheus-adapter as it is found in the wild or one of
/// ours, whose other keys are then left to others.
///
/// ```
/// let text = "
/// rules:
///   - seriesQuery: 'vllm:num_requests_waiting{pod!=\"\"}'
///     resources: {overrides: {namespace: {resource: namespace}, pod: {resource: pod}}}
///     metricsQuery: sum(<<.Serie>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
/// ";
/// let rules = foresail::rules::load::load(text).unwrap();
/// let fault = &rules.faults[0];
/// assert_eq!(fault.problem, "line 1, column 7: there is no field `.Serie`");
/// assert_eq!(fault.hint.as_deref(), Some("did you mean `.Series`?"));
/// assert_eq!(fault.position.unwrap().line, 5);
/// ```
///
/// # Errors
/// All faults, when the file as a whole cannot be trusted: it is no YAML, or has an unknown key
/// outside of rules.
pub fn load(text: &str) -> Result<Rules, Vec<Fault>> {
    load_asking(text, None)
}

/// The same where it is known which sources there are: a rule whose source is missing is broken.
///
/// # Errors
/// As `load`.
pub fn load_asking(text: &str, askable: Option<&Askable>) -> Result<Rules, Vec<Fault>> {
    if text.len() > limits::CONFIG_BYTES_MAX {
        let problem = format!("larger than {} bytes", limits::CONFIG_BYTES_MAX);
        return Err(vec![Fault::new(Path::default(), problem).hint("a ConfigMap holds no more")]);
    }
    let document = Node::parse(text).map_err(|error| {
        let fault = Fault::new(Path::default(), format!("not YAML: {}", error.problem));
        let mut fault =
            fault.hint("look for a missing quote, bracket or blank in or above this line");
        fault.position = Some(error.at);
        vec![fault]
    })?;
    of_document(&document, askable)
}

fn of_document(document: &Node, askable: Option<&Askable>) -> Result<Rules, Vec<Fault>> {
    let own = own_keys(document);
    let schema = wire::schema();
    let found = Schema::new(&schema).check(&own);
    let is_inside = |fault: &Fault| {
        let lists = KEYS.map(|list| Path::default().key(list));
        lists.iter().any(|list| fault.path != *list && fault.path.is_within(list))
    };
    let (inside, whole): (Vec<Fault>, Vec<Fault>) = found.into_iter().partition(is_inside);
    if !whole.is_empty() {
        return Err(placed(document, whole.into_iter().chain(inside)));
    }
    let mut rules = Rules::default();
    for kind in Kind::ALL {
        list(&own, kind, &inside, askable, &mut rules);
    }
    if own.get("resourceRules").is_some_and(|it| it.value != Value::Null) {
        let path = Path::default().key("resourceRules");
        let fault =
            Fault::new(path, "`resourceRules` are ignored: Foresail serves no metrics.k8s.io");
        rules.warnings.push(fault.hint("keep or install metrics-server for `kubectl top` and CPU"));
    }
    rules.faults = placed(document, std::mem::take(&mut rules.faults));
    rules.warnings = placed(document, std::mem::take(&mut rules.warnings));
    Ok(rules)
}

/// In a file of ours only the keys that are rules; of any other file everything.
fn own_keys(document: &Node) -> Node {
    let is_ours = document.get("apiVersion").is_some() && document.get("kind").is_some();
    let value = match &document.value {
        Value::Mapping(entries) if is_ours => {
            let own = entries.iter().filter(|(key, _)| KEYS.contains(&key.text.as_str()));
            Value::Mapping(own.cloned().collect())
        }
        Value::Null => Value::Mapping(Vec::new()),
        other => other.clone(),
    };
    Node { at: document.at, value }
}

fn list(
    document: &Node,
    kind: Kind,
    schema_faults: &[Fault],
    askable: Option<&Askable>,
    rules: &mut Rules,
) {
    let path = Path::default().key(kind.key());
    let nodes = document.get(kind.key()).map(Node::elements).unwrap_or_default();
    if nodes.len() > RULES_MAX {
        let problem = format!("more than {} rules; those after it are left out", RULES_MAX);
        let fault = Fault::new(path.clone(), problem);
        rules.faults.push(fault.hint("remove those that nobody asks for"));
    }
    for (place, node) in nodes.iter().enumerate().take(RULES_MAX) {
        let path = path.index(place);
        let within = schema_faults.iter().filter(|it| it.path.is_within(&path));
        let mut own: Vec<Fault> = within.cloned().collect();
        let mut notes = Vec::new();
        let rule = decode(node, &path, &mut own).and_then(|wire| {
            let mut resolver =
                resolve::Resolver { path: &path, askable, faults: &mut own, notes: &mut notes };
            resolver.rule(&wire, kind, place)
        });
        match rule.filter(|_| own.is_empty()) {
            Some(rule) => {
                let rule = Arc::new(rule);
                notes.extend(advice::of(&rule, &path));
                rules.warnings.append(&mut notes);
                rules.add(rule);
            }
            None => {
                let faults = own.iter().cloned().map(|mut fault| {
                    fault.path = fault.path.below(&path);
                    fault
                });
                rules.broken.push(BrokenRule { kind, place, faults: faults.collect() });
            }
        }
        rules.faults.append(&mut own);
    }
}

/// The wire shape. Where the schema found faults, what remains is read on.
fn decode(node: &Node, path: &Path, faults: &mut Vec<Fault>) -> Option<wire::Rule> {
    match serde_json::from_value(repaired(node.to_json(), path, faults)) {
        Ok(wire) => Some(wire),
        Err(_) if !faults.is_empty() => None,
        Err(error) => {
            // The schema and the types are one; this is for the day on which they are not.
            faults.push(Fault::new(path.clone(), error.to_string()));
            None
        }
    }
}

fn placed(document: &Node, faults: impl IntoIterator<Item = Fault>) -> Vec<Fault> {
    let place = |mut fault: Fault| {
        fault.position.get_or_insert(document.position(&fault.path));
        fault
    };
    let mut faults: Vec<Fault> = faults.into_iter().map(place).collect();
    faults.sort_by_key(|it| it.position);
    faults
}

impl Rules {
    fn add(&mut self, rule: Arc<Rule>) {
        match rule.kind {
            Kind::Custom => self.custom.push(rule),
            Kind::External => self.external.push(rule),
        }
    }
}
