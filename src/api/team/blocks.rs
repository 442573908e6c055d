//! The blocks of a team that are switched on by their presence.
//!
//! Written without braces they are null, which is absence, and what they asked for
//! goes. So null is refused: by the policy `blocks` on a cluster, which needs the
//! definitions to let it through, and by `render`.

/// The blocks, by their fields; `projects[]` is every project.
pub const BLOCKS: [&str; 13] = [
    "spec.backbone",
    "spec.backbone.delivery",
    "spec.backbone.metrics",
    "spec.backbone.queue",
    "spec.backbone.secrets",
    "spec.shared",
    "spec.shared.datasets",
    "spec.shared.experiments",
    "spec.shared.featureStore",
    "spec.shared.models",
    "spec.shared.pipelines",
    "spec.shared.training",
    "spec.projects[].live",
];

/// The path of a block's schema in the schema of the team.
pub(crate) fn pointer(block: &str) -> String {
    let steps = block.split('.').map(|step| match step.strip_suffix("[]") {
        Some(list) => format!("/properties/{list}/items"),
        None => format!("/properties/{step}"),
    });
    steps.collect()
}

/// The message for a block that is null.
#[must_use]
pub fn refusal(block: &str) -> String {
    let name = block.rsplit('.').next().unwrap_or(block);
    format!("it is null, which removes what the block asks for. Write `{name}: {{}}`, or remove the key")
}
