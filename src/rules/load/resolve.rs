//! What one rule means, and what is wrong with it.

use crate::document::fault::{Advice, Fault};
use crate::document::path::Path;
use crate::domain::name::SourceName;
use crate::rules::askable::Askable;
use crate::rules::naming::{Filter, Naming};
use crate::rules::pattern::{BadPattern, Pattern};
use crate::rules::query::{CannotBuild, QUERY, fields, written};
use crate::rules::resources::{LABEL, Resources, is_label, label};
use crate::rules::selector::{Demand, Operator};
use crate::rules::separable::parse;
use crate::rules::template::{BadTemplate, RunError, Shape, Template};
use crate::rules::{Kind, Rule, wire};
use promql_parser::parser::Expr;

/// Collects what is wrong (`faults`) and what may mislead (`notes`) in the rule at `path`.
pub(super) struct Resolver<'r> {
    pub(super) path: &'r Path,
    /// Which sources there are, if that is known.
    pub(super) askable: Option<&'r Askable>,
    pub(super) faults: &'r mut Vec<Fault>,
    pub(super) notes: &'r mut Vec<Fault>,
}

impl Resolver<'_> {
    pub(super) fn rule(&mut self, wire: &wire::Rule, kind: Kind, place: usize) -> Option<Rule> {
        let wire::Rule {
            series_query,
            series_filters,
            resources,
            name,
            metrics_query,
            on_duplicate,
            source,
        } = wire;
        self.series_query(series_query);
        let naming = self.naming(series_filters.as_deref().unwrap_or_default(), name.as_ref());
        let resources = self.resources(resources.as_ref(), kind);
        let at = self.path.key("metricsQuery");
        let query = self.template(&at, metrics_query, QUERY);
        if let Some(query) = &query {
            self.try_query(&at, query, kind);
        }
        let source = self.source(source.as_deref());
        Some(Rule {
            kind,
            place,
            series_query: series_query.trim().into(),
            naming: naming?,
            resources: resources?,
            query: query?,
            on_duplicate: on_duplicate.unwrap_or_default(),
            source,
        })
    }

    fn source(&mut self, written: Option<&str>) -> Option<SourceName> {
        let source = match written.map(SourceName::new).transpose() {
            Ok(source) => source,
            Err(bad) => {
                self.fault(&self.path.key("source"), bad.problem(), Some(bad.advice()));
                return None;
            }
        };
        self.faults.extend(self.askable.and_then(|it| it.fault(source.as_ref(), self.path)));
        source
    }

    /// What `/api/v1/series` takes is a selector and nothing else.
    fn series_query(&mut self, text: &str) {
        let at = self.path.key("seriesQuery");
        let example =
            || Some("write it like `name{label!=\"\"}` or `{__name__=~\"^a_.*\"}`".to_owned());
        match parse(text.trim()) {
            _ if text.trim().is_empty() => self.fault(&at, "no series are selected", example()),
            Ok(Expr::VectorSelector(it)) if it.offset.is_none() && it.at.is_none() => {}
            Ok(Expr::Binary(_)) => {
                let hint = "Prometheus takes one selector here: make a rule of each, or one selector of \
                            all, like `{__name__=~\"a|b\"}`";
                self.fault(&at, "this is more than one selector of series", Some(hint.to_owned()));
            }
            Ok(_) => self.fault(&at, "this is a query, not a selector of series", example()),
            Err(error) => self.fault(&at, error.to_string(), example()),
        }
    }

    fn naming(&mut self, filters: &[wire::Filter], name: Option<&wire::Name>) -> Option<Naming> {
        let list = self.path.key("seriesFilters");
        let before = self.faults.len();
        let mut checked = Vec::new();
        for (index, filter) in filters.iter().enumerate() {
            let at = list.index(index);
            match (given(filter.is.as_ref()), given(filter.is_not.as_ref())) {
                (Some(text), None) => {
                    checked.extend(self.pattern(&at.key("is"), text).map(Filter::Is));
                }
                (None, Some(text)) => {
                    checked.extend(self.pattern(&at.key("isNot"), text).map(Filter::IsNot));
                }
                (Some(_), Some(_)) => {
                    let hint = "make two filters of them; all have to hold";
                    self.fault(&at, "a filter with `is` and `isNot`", Some(hint.to_owned()));
                }
                (None, None) => {
                    let hint = "write `is: PATTERN` or `isNot: PATTERN`";
                    self.fault(
                        &at,
                        "a filter with neither `is` nor `isNot`",
                        Some(hint.to_owned()),
                    );
                }
            }
        }
        let at = self.path.key("name");
        let matches = name.and_then(|it| given(it.matches.as_ref()));
        let matches = matches.and_then(|it| self.pattern(&at.key("matches"), it));
        if self.faults.len() > before {
            return None;
        }
        let name_as = name.and_then(|it| given(it.name_as.as_ref()));
        match Naming::new(checked, matches, name_as) {
            Ok(naming) => Some(naming),
            Err(bad) => {
                let at = if name_as.is_some() { at.key("as") } else { at };
                self.fault(&at, bad.to_string(), Some(bad.advice()));
                None
            }
        }
    }

    fn resources(&mut self, wire: Option<&wire::Resources>, kind: Kind) -> Option<Resources> {
        let at = self.path.key("resources");
        let wire = wire.cloned().unwrap_or_default();
        let before = self.faults.len();
        let mut resources =
            Resources { is_namespaced: wire.namespaced.unwrap_or(true), ..Resources::default() };
        for (name, wire::GroupResource { group, resource }) in wire.overrides.iter().flatten() {
            let at = at.key("overrides").key(name);
            if !is_label(name) {
                let hint = "labels have letters, digits and `_`, and begin with no digit";
                self.fault(&at, format!("`{name}` is no label of a series"), Some(hint.to_owned()));
            } else if resource.is_empty() {
                let hint = "write `{resource: pod}`, with `group: …` outside of the core group";
                self.fault(&at, "no resource is named", Some(hint.to_owned()));
            }
            let group = group.clone().unwrap_or_default().into();
            resources.overrides.insert(name.as_str().into(), (group, resource.as_str().into()));
        }
        if let Some(text) = given(wire.template.as_ref()) {
            resources.template = self.label_template(&at.key("template"), text);
        }
        if self.faults.len() > before {
            return None;
        }
        self.note_labels(&at, &resources, kind);
        Some(resources)
    }

    /// What is no fault to prometheus-adapter and yet never answers.
    fn note_labels(&mut self, at: &Path, resources: &Resources, kind: Kind) {
        for (idle, used) in resources.idle_labels() {
            let problem =
                format!("`{idle}` names the same resource as `{used}`, which queries use");
            self.note(&at.key("overrides").key(idle), problem, "remove one of the two");
        }
        if resources.names_namespaces() {
            return;
        }
        match kind {
            Kind::External if resources.is_namespaced => {
                let problem = "no label names the namespace, so that no query can be written";
                let hint = "add `overrides: {namespace: {resource: namespace}}`, or `namespaced: false` \
                            to ask the series of all namespaces";
                self.note(at, problem, hint);
            }
            Kind::Custom if resources.overrides.is_empty() => {
                let hint =
                    "add `overrides: {namespace: {resource: namespace}, pod: {resource: pod}}`";
                self.note(at, "no label names an object, so that the rule makes no metric", hint);
            }
            Kind::Custom => {
                let problem =
                    "no label names the namespace: only objects that live in none are served";
                self.note(at, problem, "add `namespace: {resource: namespace}` to `overrides`");
            }
            Kind::External => {}
        }
    }

    fn label_template(&mut self, at: &Path, text: &str) -> Option<Template> {
        let template = self.template(at, text, LABEL)?;
        let labels = ["pod", "service"].map(|resource| label(&template, "example.com", resource));
        let [pod, service] = labels;
        if pod.is_none() || service.is_none() {
            let hint = "labels have letters, digits and `_`, and begin with no digit";
            self.fault(at, "the template makes no label of a series", Some(hint.to_owned()));
            return None;
        }
        if pod == service {
            let hint = "write it like `kube_<<.Resource>>`";
            self.fault(at, "the template makes one label of all resources", Some(hint.to_owned()));
            return None;
        }
        Some(template)
    }

    fn template(&mut self, at: &Path, text: &str, shape: Shape) -> Option<Template> {
        match Template::parse(text, shape) {
            Ok(template) => Some(template),
            Err(bad) => {
                let problem = bad.to_string();
                let BadTemplate { hint, .. } = bad;
                self.fault(at, problem, hint);
                None
            }
        }
    }

    /// Writes the queries of some requests, so that a template that can never be answered is found
    /// before anybody asks.
    fn try_query(&mut self, at: &Path, query: &Template, kind: Kind) {
        let demand = |label: &str, operator, values: &[&str]| Demand {
            label: label.into(),
            operator,
            values: values.iter().map(|it| Box::from(*it)).collect(),
        };
        let namespace = demand("namespace", Operator::Equal, &["shop"]);
        let pod = demand("pod", Operator::Equal, &["web-0"]);
        let pods = demand("pod", Operator::In, &["web-0", "web-1"]);
        let (asks, group_by): (_, &[&str]) = match kind {
            Kind::Custom => (vec![vec![namespace.clone(), pods], vec![namespace, pod]], &["pod"]),
            Kind::External => (vec![vec![namespace], Vec::new()], &[]),
        };
        let queries: Vec<_> = asks
            .iter()
            .map(|it| fields("series", it, group_by).and_then(|it| written(query, it)))
            .collect();
        let text = match queries.into_iter().reduce(Result::or) {
            // A label that only some requests give.
            None | Some(Err(CannotBuild::Template(RunError::NoValue))) => return,
            Some(Err(error)) => {
                let hint = "write it like `sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)`";
                let problem = match error {
                    CannotBuild::Template(error) => error.to_string(),
                    other => other.to_string(),
                };
                return self.fault(at, problem, Some(hint.to_owned()));
            }
            Some(Ok(text)) => text,
        };
        if let Err(error) = parse(&text) {
            let shown: String = text.chars().take(200).collect();
            let hint = "it is sent as it is, and asked for each request by itself";
            self.note(at, format!("`{shown}`: {error}"), hint);
        }
    }

    fn pattern(&mut self, at: &Path, text: &str) -> Option<Pattern> {
        match Pattern::new(text) {
            Ok(pattern) => Some(pattern),
            Err(BadPattern { problem, hint }) => {
                self.fault(at, problem, hint.map(str::to_owned));
                None
            }
        }
    }

    fn fault(&mut self, at: &Path, problem: impl Into<String>, hint: Option<String>) {
        let fault = Fault::new(at.clone(), problem);
        self.faults.push(Fault { hint, ..fault });
    }

    fn note(&mut self, at: &Path, problem: impl Into<String>, hint: &str) {
        self.notes.push(Fault::new(at.clone(), problem).hint(hint));
    }
}

/// To prometheus-adapter an empty text is none.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|it| !it.is_empty())
}
