//! The owner of a workbench: named by the team, through a group, or gone.

use super::*;

#[test]
fn the_server_of_an_owner_who_is_no_longer_named_stops() {
    let named = scene(NAMED).detail();
    assert_eq!(named.owner, Some(OwnerMembership::ByName));
    for members in [GROUP, "[{role: ProjectManager, users: [ana@example.com]}]", "[{role: DataScientist, users: [bo]}]"]
    {
        let left = scene(members).recorded(&named).detail();
        assert_eq!((left.wanted, why(&left)), (false, Some(Reason::OwnerLeft)), "{members}");
        assert_eq!((left.owner, left.owner_left.as_ref()), (Some(OwnerMembership::Left), Some(&at(100))), "{members}");
        assert_eq!(why(&scene(members).recorded(&left).detail()), Some(Reason::OwnerLeft));
        let back = scene(NAMED).recorded(&left).detail();
        assert_eq!((back.wanted, back.owner_left), (true, None), "{members}");
    }
}

#[test]
fn an_owner_who_stays_through_a_group_starts_it_again() {
    let named = scene(NAMED).detail();
    let left = scene(GROUP).recorded(&named).detail();
    let asked = scene(GROUP).recorded(&left).started(200);
    let accepted = asked.detail();
    assert_eq!((accepted.wanted, accepted.owner), (true, Some(OwnerMembership::ByGroup)));
    assert!(asked.recorded(&accepted).detail().wanted);
    let nobody = "[{role: DataScientist, users: [bo]}]";
    assert_eq!(why(&scene(nobody).recorded(&left).started(200).detail()), Some(Reason::OwnerLeft));
    // A start before that does not confirm anything.
    assert_eq!(why(&scene(GROUP).recorded(&named).started(50).detail()), Some(Reason::OwnerLeft));
}

#[test]
fn an_owner_who_had_left_before_an_upgrade_is_not_let_in() {
    let upgraded = |members| {
        let mut scene = scene(members);
        scene.status = json!({"state": "Stopped", "image": "scipy:1", "conditions": [{"type": "Ready", "status": "False",
            "reason": "OwnerLeft", "message": "", "lastTransitionTime": at(40)}]});
        scene
    };
    let left = upgraded(GROUP).detail();
    assert_eq!((why(&left), left.owner_left.as_ref()), (Some(Reason::OwnerLeft), Some(&at(40))));
    assert!(upgraded(NAMED).detail().wanted);
    assert!(upgraded(GROUP).started(50).detail().wanted);
}

#[test]
fn a_group_may_hold_the_owner_and_without_one_nobody_does() {
    let by_group = scene(GROUP).detail();
    assert_eq!((by_group.wanted, by_group.owner), (true, Some(OwnerMembership::ByGroup)));
    for members in
        ["[]", "[{role: ProjectManager, groups: [office]}]", "[{role: DataScientist, users: ['oidc:ana@example.com']}]"]
    {
        let nobody = scene(members).detail();
        assert_eq!((why(&nobody), nobody.owner), (Some(Reason::OwnerLeft), None), "{members}");
        assert!(nobody.down.as_ref().unwrap().message.contains("ana@example.com"));
        assert!(scene(GROUP).recorded(&nobody).detail().wanted);
    }
}

#[test]
fn who_left_is_stopped_even_if_nothing_else_is_sound() {
    let named = scene(NAMED).detail();
    let plan = scene(GROUP).recorded(&named).set("image", json!("gone")).plan();
    assert_eq!(plan.hold, None);
    assert_eq!((why(detail(&plan)), plan.draft.write), (Some(Reason::OwnerLeft), false));
}

#[test]
fn an_owner_with_the_prefix_is_advised_to_leave_it_out() {
    let of = |members: &'static str, owner: &str| scene(members).set("owner", json!(owner)).detail();
    let advice = "spec.owner 'oidc:ana@example.com' begins with the prefix oidc:, which Strata adds itself, and cannot be \
                  changed. Create another workbench with the owner ana@example.com, and delete this one";
    let running = of(GROUP, "oidc:ana@example.com");
    assert_eq!((running.advice.as_deref(), running.down), (Some(advice), None));
    let down = of(NAMED, "oidc:ana@example.com").down.unwrap();
    assert!(down.message.ends_with(&format!("could not enter this one. {advice}")), "{}", down.message);
    assert_eq!(of(NAMED, "ana@example.com").advice, None);
}
