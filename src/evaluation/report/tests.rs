//! What a person reads about a policy in each state of it and of its source.

use super::*;
use crate::domain::finite::Finite;
use crate::domain::name::{Namespace, PolicyName};
use crate::domain::policy_object::{PolicyKind, PolicyObject, PolicyObjectId};
use crate::domain::sample::Sample;
use crate::evaluation::{Evaluation, Readings};
use crate::forecast::gate;
use crate::pipeline::forecast::{Bound, Chosen, Told, Verdict as PipelineVerdict};
use crate::pipeline::outcome::Foreseen;
use crate::policy::resolve::load;
use crate::policy::resolve::objects::Objects;
use crate::policy::status::report::{ForecastState, Model};
use crate::published::Published;
use std::collections::BTreeMap;
use std::sync::Arc;

const FILE: &str = "apiVersion: foresail.dev/v1alpha1\nkind: AdapterConfig\nsources: [{name: default, \
                    prometheus: {url: 'http://prometheus:9090'}}]\n";

/// One object, its evaluation, and what became of it.
struct World {
    objects: Objects,
    object: PolicyObject,
    evaluation: Evaluation,
    verdict: Verdict,
}

impl World {
    fn new() -> Self {
        let text = r#"{"metadata": {"name": "a", "namespace": "inference"}, "spec": {
            "metric": {"name": "demand", "type": "External"},
            "guard": {"maxAge": "60s", "hold": "60s"},
            "signals": {"x": {"source": "default", "prometheus": {"query": "x"}}}}}"#;
        let object = PolicyObject {
            id: PolicyObjectId {
                namespace: Namespace::new("inference").ok(),
                name: PolicyName::new("a").unwrap(),
                kind: PolicyKind::Namespaced,
            },
            uid: "uid".into(),
            generation: 1,
            created: Timestamp::UNIX_EPOCH,
            text: Some(text.into()),
        };
        let (mut objects, mut evaluation) = (Objects::default(), Evaluation::default());
        let verdict = configure(&mut objects, &mut evaluation, &object);
        Self { objects, object, evaluation, verdict }
    }

    fn edit(&mut self, from: &str, to: &str) {
        self.object.generation += 1;
        self.object.text = self.object.text.as_ref().map(|it| it.replace(from, to).into());
        self.verdict = configure(&mut self.objects, &mut self.evaluation, &self.object);
    }

    fn read(&mut self, reading: Result<f64, &str>, second: i64) {
        let reading = reading.map(|value| {
            let value = Finite::new(value).unwrap();
            BTreeMap::from([(None, Sample { at: at(second), value })])
        });
        let readings: Readings = vec![reading.map_err(str::to_owned)];
        let policy = Arc::clone(self.verdict.running.as_ref().unwrap());
        self.evaluation.evaluate(&policy, readings, None, at(second)).unwrap();
    }

    fn report(&self, second: i64) -> PolicyReport {
        let published = Published::default();
        self.evaluation.publish(&published);
        report(&self.verdict, &published.load(), Learned::default(), at(second))
    }

    /// Ready and Fresh as `status reason: message`, and the value.
    fn shown(&self, second: i64) -> (String, String, Option<f64>) {
        let report = self.report(second);
        let shown = |it: &Claim| format!("{} {:?}: {}", it.status.name(), it.reason, it.message);
        (shown(&report.ready), shown(&report.fresh), report.value.map(Finite::get))
    }
}

fn configure(objects: &mut Objects, evaluation: &mut Evaluation, object: &PolicyObject) -> Verdict {
    let joined = objects.join(&load(FILE).unwrap(), &[Arc::new(object.clone())]);
    evaluation.configure(&joined.config);
    joined.verdicts[&object.id].clone()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

const PUBLISHED: &str =
    "True Published: published as external metric demand in namespace inference";

#[test]
fn a_value_warms_up_is_published_held_and_refused() {
    let mut world = World::new();
    let waiting = "Unknown WarmingUp: not evaluated yet";
    assert_eq!(world.shown(0), (waiting.to_owned(), waiting.to_owned(), None));
    world.read(Ok(13.0), 0);
    let fresh = "True Published: newer than maxAge";
    assert_eq!(world.shown(0), (PUBLISHED.to_owned(), fresh.to_owned(), Some(13.0)));
    let refused = "connection refused";
    world.read(Err(refused), 90);
    let held = format!("False Stale: source default: {refused}");
    assert_eq!(world.shown(90), (PUBLISHED.to_owned(), held, Some(13.0)));
    world.read(Err(refused), 121);
    let failing = format!("False SourceFailing: source default: {refused}");
    assert_eq!(world.shown(121), (failing.clone(), failing, None));
    world.read(Ok(14.0), 130);
    assert_eq!(world.shown(130), (PUBLISHED.to_owned(), fresh.to_owned(), Some(14.0)));
    let late = "False SourceFailing: evaluation is late";
    assert_eq!(world.shown(251), (late.to_owned(), late.to_owned(), None));
}

#[test]
fn what_may_mislead_is_told_beside_a_policy_that_works() {
    assert_eq!(World::new().report(0).misleading, None);
    let busy = "spec.signals.x.prometheus.query: DCGM_FI_DEV_GPU_UTIL is near its largest as soon \
                as an LLM engine has one request (scale on what the engine has to do";
    let mean = "spec.signals.x.prometheus.query: a mean over pods falls as pods are added";
    for (query, expected) in [
        (
            "avg(DCGM_FI_DEV_GPU_UTIL)",
            vec![(Reason::GpuUtilization, busy), (Reason::GpuUtilization, mean)],
        ),
        ("sum(DCGM_FI_DEV_FB_USED)", vec![(Reason::GpuMemory, "does not change with load")]),
        ("avg(x)", vec![(Reason::MeanNotTotal, mean)]),
        ("sum(x)", vec![]),
        // What cannot run is told to be wrong, not to mislead.
        ("sum(DCGM_FI_DEV_FB_USED", vec![]),
    ] {
        let mut world = World::new();
        let spec = format!(
            r#""capacity": {{"perPod": 8}}, "signals": {{"x": {{"source": "default", "prometheus": {{"query": "{query}""#
        );
        world.edit(r#""signals": {"x": {"source": "default", "prometheus": {"query": "x""#, &spec);
        let report = world.report(0);
        assert_eq!(report.misleading.is_some(), !expected.is_empty(), "{query}: {report:?}");
        let status = report.status(&Default::default(), at(0));
        assert_eq!(status.conditions.len(), 3 + usize::from(!expected.is_empty()), "{query}");
        for (reason, told) in expected {
            let last = &status.conditions[3];
            assert_eq!((last.condition_type.name(), last.status.name()), ("Misleading", "True"));
            assert_eq!((last.reason, last.observed_generation), (reason, 2), "{query}");
            assert!(last.message.contains(told), "{query}: {}", last.message);
        }
    }
}

#[test]
fn a_bad_edit_is_not_ready_while_its_last_good_value_is_fresh() {
    let mut world = World::new();
    world.read(Ok(13.0), 0);
    world.edit(r#""query": "x""#, r#""query": "x[""#);
    let (ready, fresh, value) = world.shown(0);
    assert!(ready.starts_with("False InvalidQuery: spec.signals.x.prometheus.query: not PromQL"));
    assert!(ready.ends_with("; the last good spec stays in use"), "{ready}");
    assert_eq!((fresh.as_str(), value), ("True Published: newer than maxAge", Some(13.0)));
    assert_eq!(world.report(0).generation, 2);
    let mut world = World::new();
    world.object.uid = "another".into();
    world.edit(r#""x""#, "1");
    let (ready, fresh, value) = world.shown(0);
    assert!(ready.starts_with("False InvalidSpec: "), "{ready}");
    assert_eq!((fresh, value), (ready, None));
}

#[test]
fn a_forecast_is_told_with_what_keeps_it_from_being_served() {
    let mut world = World::new();
    assert_eq!(world.report(0).forecast, ForecastState::NotConfigured);
    world.edit(r#""guard""#, r#""forecast": {"model": "analog", "leadTime": "1m"}, "guard""#);
    let told = |world: &World, second| world.report(second).forecast;
    assert_eq!(told(&world, 0), ForecastState::WarmingUp(NOT_YET.to_owned()));
    world.read(Ok(13.0), 0);
    let progress = world.report(0).history.unwrap();
    assert!(progress.chunks_done == 0 && progress.chunks_total > 1, "{progress:?}");
    let ForecastState::WarmingUp(why) = told(&world, 0) else { panic!("{:?}", told(&world, 0)) };
    assert_eq!(why, format!("the past is being read: 0 of {} chunks", progress.chunks_total));
    world.evaluation.skip_backfill(world.verdict.running.as_ref().unwrap());
    world.read(Ok(13.0), 15);
    let ForecastState::WarmingUp(why) = told(&world, 15) else { panic!("{:?}", told(&world, 15)) };
    assert!(why.starts_with("there is too little history"), "{why}");
    let refused = "connection refused";
    world.read(Err(refused), 200);
    assert_eq!(told(&world, 200), ForecastState::NoValue(format!("source default: {refused}")));
}

/// What becomes of a forecast with this verdict and score.
fn judged(verdict: PipelineVerdict, skill: Option<f64>) -> ForecastState {
    let mut world = World::new();
    world.edit(r#""guard""#, r#""forecast": {"model": "analog", "leadTime": "1m"}, "guard""#);
    let policy = world.verdict.running.as_deref().unwrap();
    let value = Finite::new(13.0).unwrap();
    let chosen = Chosen { model: crate::forecast::Model::Analog, ..Chosen::default() };
    let told =
        Told { value, chosen, forecast: Some(20.0), rise: 0.0, verdict, bound: Bound::Forecast };
    let score = gate::Verdict {
        is_open: true,
        reason: gate::Reason::Skilled,
        skill,
        coverage: Some(0.9),
        n_resolved: 7,
    };
    let foreseen = Some(Foreseen { told, score: Some(score) });
    forecast::state(policy, Some(&Outcome { foreseen, ..Outcome::default() }), None)
}

#[test]
fn each_verdict_on_a_forecast_has_its_state() {
    let analog = |skill| Model { name: "analog".to_owned(), skill: Finite::new(skill) };
    let of_gate = |reason| judged(PipelineVerdict::Gated(reason), Some(-0.1));
    assert_eq!(judged(PipelineVerdict::Active, Some(0.2)), ForecastState::Active(analog(0.2)));
    assert_eq!(judged(PipelineVerdict::Shadow, Some(0.2)), ForecastState::Shadow(analog(0.2)));
    let ForecastState::WarmingUp(why) = of_gate(gate::Reason::WarmingUp) else { panic!() };
    assert_eq!(why, "7 of 60 forecasts can be judged so far");
    for reason in [gate::Reason::Unskilled, gate::Reason::ChangePoint] {
        let state = of_gate(reason);
        assert!(matches!(&state, ForecastState::Gated(it, _) if *it == analog(-0.1)), "{state:?}");
    }
    for state in [judged(PipelineVerdict::Late, None), of_gate(gate::Reason::Stale)] {
        assert!(matches!(state, ForecastState::Stale(..)), "{state:?}");
    }
}
