//! Pipelines of the project chargeback, resolved step by step.

use serde_json::json;

use super::*;
use crate::plan::work::fixtures::Scene;

/// Components in Shared, and one that is a person's own.
fn scene() -> Scene {
    Scene::new()
        .component("fraud--shared", "generate", "{image: python, command: [generate], outputs: [{name: rows}]}")
        .component(
            "fraud--shared",
            "train",
            "{image: train, size: large, args: ['--epochs=$(epochs)', '$(rows)', '$(model)', '$$(x)'], datasets: [cards],
              parameters: [{name: epochs}, {name: rate, default: 'a$b'}], inputs: [{name: rows}], outputs: [{name: model}]}",
        )
        .component("fraud--shared", "evaluate", "{image: python, inputs: [{name: model}], datasets: [mine, cards]}")
        .component("fraud--shared", "plain", "{image: python}")
        .component("fraud--shared", "on-gpu", "{image: python, size: gpu}")
        .component("fraud--shared", "on-cpu", "{image: python, size: other}")
        .component("fraud--shared", "broken", "{image: python, args: ['$(nothing)']}")
        .component("fraud--shared", "pictureless", "{image: nothing}")
        .component("fraud--chargeback", "own", "{image: python}")
        .dataset("fraud--shared", "cards", "{uri: 's3://cards', credentials: {secret: store}}")
        .dataset("fraud--chargeback", "mine", "{volume: {size: 1Gi}}")
}

fn resolved(namespace: &str, pipeline: &str, values: &[(&str, &str)]) -> Result<Resolved, String> {
    let spec: PipelineSpec = serde_saphyr::from_str(pipeline).unwrap_or_else(|error| panic!("{pipeline}: {error}"));
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    scene().facts(namespace, |facts| resolve(&spec, &values, facts)).map_err(|hold| hold.message)
}

fn order(pipeline: &str) -> (Vec<String>, Option<(String, String)>) {
    let resolved = resolved("fraud--chargeback", pipeline, &[]).unwrap_or_else(|message| panic!("{message}"));
    (resolved.steps.into_iter().map(|step| step.name).collect(), resolved.side_by_side)
}

const WHOLE: &str = "
parameters: [{name: n}]
steps:
- {component: evaluate, inputs: [{name: model, step: fit, output: model}]}
- {name: fit, component: train, arguments: {epochs: '$(n)0 $$(n) $x'}, inputs: [{name: rows, step: generate, output: rows}]}
- {component: generate}
";

#[test]
fn steps_are_connected_and_given_their_values() {
    let found = resolved("fraud--chargeback", WHOLE, &[("n", "$(rate)")]).unwrap();
    let variable = |name: &str, value: &str| VariableInputs { name: name.to_owned(), value: value.to_owned() };
    let [generate, fit, evaluate] = found.steps.as_slice() else { panic!("{found:?}") };
    assert_eq!(generate.env, [variable("rows", "/run/files/generate/rows")]);
    assert_eq!((&generate.command, &generate.args), (&Some(vec!["generate".to_owned()]), &None));
    assert_eq!(
        (fit.name.as_str(), fit.image.as_str(), &fit.resources["limits"]["memory"]),
        ("fit", "registry.example.com/own/train:2", &json!("64Gi"))
    );
    // Nothing in a value is a reference any more: neither in the Run's nor in the default.
    assert_eq!(
        fit.env,
        [
            variable("epochs", "$$(rate)0 $$(n) $$x"),
            variable("rate", "a$$b"),
            variable("rows", "/run/files/generate/rows"),
            variable("model", "/run/files/fit/model")
        ]
    );
    assert_eq!(evaluate.env, [variable("model", "/run/files/fit/model")]);
    let mounted: Vec<_> =
        found.datasets.iter().map(|data| (data.name.as_str(), data.claim.as_deref(), data.secret.as_deref())).collect();
    assert_eq!(mounted, [("cards", None, Some("dataset-cards")), ("mine", Some("dataset-mine"), None)]);
    // Each step gets the datasets of its own component only.
    let of = |step: &StepInputs| step.datasets.iter().map(|data| data.name.clone()).collect::<Vec<_>>();
    assert_eq!([of(generate), of(fit), of(evaluate)], [vec![], vec!["cards"], vec!["mine", "cards"]]);
    assert_eq!((found.files.as_str(), found.side_by_side), ("64Gi", None));
}

#[test]
fn a_step_is_recorded_with_its_values_in_their_places() {
    let found = resolved("fraud--chargeback", WHOLE, &[("n", "7")]).unwrap();
    let step = recorded(&found.steps[1]);
    assert_eq!(step.command, ["--epochs=70 $(n) $x", "/run/files/generate/rows", "/run/files/fit/model", "$(x)"]);
    assert_eq!((step.image.as_str(), step.state), ("registry.example.com/own/train:2", RunState::Pending));

    let long = StepInputs { args: Some(vec!["é".repeat(3000); 64]), ..StepInputs::default() };
    let command = recorded(&long).command;
    assert!(command.iter().all(|word| word.len() <= 4096));
    assert!(command.iter().map(String::len).sum::<usize>() <= RECORDED);
    assert!(command.last().unwrap().ends_with('…'));
}

#[test]
fn steps_run_in_their_order() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let pair = |first: &str, second: &str| Some((first.to_owned(), second.to_owned()));
    for (steps, expected, side_by_side) in [
        (
            "{steps: [{name: a, component: plain}, {name: b, component: plain}, {name: c, component: plain}]}",
            names(&["a", "b", "c"]),
            None,
        ),
        (
            "{steps: [{name: a, component: plain, after: [c]}, {name: b, component: plain, after: [a]}, {name: c, component: plain}]}",
            names(&["c", "a", "b"]),
            None,
        ),
        (
            "{steps: [{name: a, component: plain}, {name: b, component: plain, after: [a]}, {name: c, component: plain, after: [a]}]}",
            names(&["a", "b", "c"]),
            pair("b", "c"),
        ),
    ] {
        assert_eq!(order(steps), (expected, side_by_side), "{steps}");
    }
}

/// Steps that cannot be, by namespace, with the message on each.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "fraud--chargeback",
        "[{component: gone}]",
        "step gone names component gone, which fraud--shared does not have; available: broken, evaluate, generate, \
         on-cpu, on-gpu, pictureless, plain, train",
    ),
    (
        "fraud--chargeback",
        "[{component: own}]",
        "step own names component own, which fraud--shared does not have; fraud--chargeback has one: set `from: \
         Workspace` to use it",
    ),
    (
        "fraud--chargeback",
        "[{component: plain, from: Workspace}]",
        "step plain names component plain, which fraud--chargeback does not have; fraud--shared has one: remove \
         `from` to use it",
    ),
    (
        "fraud--chargeback--live",
        "[{component: own, from: Workspace}]",
        "step own takes component own from a Workspace, but pipelines in Live use components of fraud--shared \
         only. Create it there, and remove `from`",
    ),
    (
        "fraud--chargeback",
        "[{component: broken}]",
        "spec.args[0] of component fraud--shared/broken refers to $(nothing), which is no parameter, input or \
         output. Available: none. Declare it, or write $$(nothing) for the literal text",
    ),
    (
        "fraud--chargeback",
        "[{component: pictureless}]",
        "spec.image of component fraud--shared/pictureless is 'nothing', which is neither in the team's \
         shared.images nor in Blueprint default. Available: train, python",
    ),
    (
        "fraud--chargeback--live",
        "[{component: evaluate}]",
        "spec.datasets of component fraud--shared/evaluate names dataset 'mine', which exists in neither \
         fraud--chargeback--live nor fraud--shared. Create it first",
    ),
    (
        "fraud--chargeback",
        "[{component: plain, after: [gone]}]",
        "step plain has `after` 'gone', which is no step. Available: plain",
    ),
    (
        "fraud--chargeback",
        "[{name: a, component: plain}, {name: b, component: plain, after: [c]}, {name: c, component: plain, after: [b, a]}]",
        "the steps b, c depend on each other in a circle. Remove one `after` or `inputs`",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: train, arguments: {epoch: '1'}}]",
        "step train has 'epoch', which component fraud--shared/train does not declare. Available: epochs, rate",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: train, arguments: {epoch: '1', epochs: '1', rat: '2'}}]",
        "step train has 'epoch', 'rat', which component fraud--shared/train does not declare. Available: epochs, \
         rate",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: train}]",
        "component fraud--shared/train needs a value for 'epochs', which has no default, and step train has none. \
         Set it under `arguments`",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: train, arguments: {epochs: '$(m)'}}]",
        "argument 'epochs' of step train refers to $(m), which is no parameter of the pipeline. Available: n. \
         Declare it, or write $$(m) for the literal text",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: train, arguments: {epochs: '1'}}]",
        "component fraud--shared/train reads input 'rows', which step train does not connect. Set `inputs: [{name: \
         rows, step: ..., output: ...}]`",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: evaluate, inputs: [{name: model, step: generate, output: model}]}]",
        "step evaluate reads output 'model' of step generate, which does not write it. Available: rows",
    ),
    (
        "fraud--chargeback",
        "[{component: generate}, {component: plain, inputs: [{name: rows, step: generate, output: rows}]}]",
        "step plain connects input 'rows', which component fraud--shared/plain does not read. Available: none",
    ),
    (
        "fraud--chargeback",
        "[{component: on-gpu}, {name: report, component: on-cpu}]",
        "step on-gpu has size gpu, for nodes pool=a100; step report has size other, for nodes pool=cpu. All steps \
         run in one pod: give their components sizes for the same nodes",
    ),
];

#[test]
fn what_cannot_be_is_said_with_both_sides() {
    for (namespace, steps, message) in REFUSED {
        let found = resolved(namespace, &format!("{{parameters: [{{name: n}}], steps: {steps}}}"), &[("n", "1")]);
        assert_eq!(found.err().as_deref(), Some(*message), "{steps}");
    }
}
