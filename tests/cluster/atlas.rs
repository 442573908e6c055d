//! The largest example, in numbers.

use std::time::Instant;

use crate::count::{is_quiet, of_work, settled, tell};
use crate::stage::alone;
use crate::team::Team;

#[tokio::test]
async fn the_largest_example_in_numbers() {
    let (_turn, stage) = alone().await;
    let examples = harness::repository().join("deploy/examples");
    for file in ["03-blueprint-division.yaml", "60-atlas.yaml"] {
        let text = std::fs::read_to_string(examples.join(file)).expect("the example");
        if file.starts_with("60") {
            settled(stage).await;
            let (mark, begun) = (stage.plane.audit().mark(), Instant::now());
            stage.plane.apply(&text).await.expect("applied");
            let team = Team::named(stage, "atlas").await;
            team.until_ready().await;
            let ready = begun;
            settled(stage).await;
            let objects = team.objects().await.len();
            let asked = stage.asked(mark);
            tell("the largest example (until it rests)", objects, &asked, ready);
            assert!(objects > 150, "{objects} objects");
            let refused = of_work(&asked).refused();
            assert_eq!(refused.count(), 0, "{refused}");
            let asked = of_work(&asked).filter(|request| request.resource != "events");
            assert!(
                asked.count() <= objects + objects / 5,
                "{} requests for {objects} objects: {asked}",
                asked.count()
            );
        } else {
            stage.plane.apply(&text).await.expect("applied");
        }
    }
    is_quiet(stage, "the largest example", 60).await;
}
