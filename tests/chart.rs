//! The charts, as helm renders them: they lint, their schema refuses what it should,
//! what they install is restricted, and nobody's rights reach further than design
//! section 4 says. What the admission policies do is tried in `fence`; no cluster
//! is needed here.

#[path = "chart/levels.rs"]
mod levels;
#[path = "chart/operator.rs"]
mod operator;
#[path = "chart/render.rs"]
mod render;
#[path = "chart/rules.rs"]
mod rules;
#[path = "chart/values.rs"]
mod values;
