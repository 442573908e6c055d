//! The blocks of a team whose presence means yes.
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

/// Where the schema of a block stands in the schema of the team.
pub(crate) fn pointer(block: &str) -> String {
    let steps = block.split('.').map(|step| match step.strip_suffix("[]") {
        Some(list) => format!("/properties/{list}/items"),
        None => format!("/properties/{step}"),
    });
    steps.collect()
}

/// Why a block that is null is refused, and what to do.
#[must_use]
pub fn refusal(block: &str) -> String {
    let name = block.rsplit('.').next().unwrap_or(block);
    format!("it is null, which takes away what the block asks for: write `{name}: {{}}`, or remove the key")
}
