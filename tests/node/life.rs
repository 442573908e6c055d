//! The life of a model, from the team to its production: each sentence a step.

use crate::footprint::Footprint;
use crate::stage::Stage;
use crate::steps::Steps;
use crate::{ask, citizen, costs, drift, notebook, pipelines, platform, production, tour};

/// Takes one step after the other.
macro_rules! live {
    ($steps:ident, $stage:ident, $($name:literal => $step:path,)+) => {
        $($steps.take($name, $step(&$stage)).await;)+
    };
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a node: cargo xtask test --node"]
async fn the_life_of_a_model() {
    let mut steps = Steps::default();
    let before = Footprint::look();
    let stage = steps.take("a node with the operator on it", Stage::start()).await;
    live! { steps, stage,
        "the administrator prepares the site" => platform::the_site_is_prepared,
        "pia applies the teams, and they become ready because their pods run" => platform::pia_applies_the_teams,
        "dee publishes data and features" => pipelines::dee_publishes_data_and_features,
        "ana makes a workbench" => notebook::ana_makes_a_workbench,
        "ana comes in, finds her settings, reads data and features, logs runs" => notebook::ana_works_in_it,
        "nobody else gets into it" => notebook::nobody_else_gets_in,
        "mel writes the steps; they run and register a version" => pipelines::mel_writes_the_steps_and_they_run,
        "a failing step is reported, with its log" => pipelines::a_failing_step_is_reported,
        "mel puts version 1 into production" => production::mel_releases_version_1,
        "bea asks it from the customers' namespace" => ask::bea_asks_the_model,
        "the model is reached from nowhere else" => ask::nobody_else_reaches_it,
        "it scales" => production::it_scales,
        "it rolls to the next version and back without a lost request" => production::it_rolls_to_the_next_version_and_back,
        "ana's server ended when nobody worked in it" => notebook::her_server_ends_when_nobody_works,
        "she comes back to her files" => notebook::it_comes_back_with_her_files,
        "a version that is not there never takes traffic" => production::a_missing_version_never_serves,
        "ana does mischief in the registry" => production::ana_does_mischief,
        "a version that cannot be loaded never takes traffic" => production::a_broken_version_never_serves,
        "an artefact that was changed after its release never takes traffic" => production::a_changed_artefact_never_serves,
        "mel writes a schedule" => drift::mel_writes_a_schedule,
        "the monitor finds nothing" => drift::the_monitor_finds_nothing,
        "the schedule trained anew" => drift::the_schedule_trained_anew,
        "customers ask something else" => drift::customers_ask_something_else,
        "bo makes a workbench, changes his step, starts a run" => citizen::bo_does_his_part,
        "bo can do nothing else" => citizen::bo_can_do_nothing_else,
        "what running costs" => costs::running_costs,
        "the monitor finds a drift" => drift::the_monitor_finds_a_drift,
        "a failing monitor is reported" => drift::a_failing_monitor_is_reported,
    }
    tour::was_followed(&stage);
    let folder = stage.node.directory().to_path_buf();
    let gone = async {
        drop(stage);
        before.is_back(&folder);
    };
    steps.take("nothing is left of it on the machine", gone).await;
}
