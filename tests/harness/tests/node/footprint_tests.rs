//! What counts as left by a node, and what is others'.

use std::path::Path;

use crate::footprint::Footprint;

const NODE: &str = "/tmp/strata-node-4711-0";

fn left(before: &[&str], now: &[&str]) -> Vec<String> {
    let [before, now] = [before, now].map(|things| things.iter().copied().collect::<Footprint>());
    before.left(&now, Path::new(NODE))
}

#[test]
fn what_others_make_or_end_meanwhile_is_not_left_by_a_node() {
    let ended = ["group /sys/fs/cgroup/memory/theirs", "mount tmpfs /mnt tmpfs rw 0 0", "interface veth1"];
    assert!(left(&ended, &[]).is_empty());
    let appeared = [
        "group /sys/fs/cgroup/memory/theirs",
        "group /sys/fs/cgroup/memory/strata-node-4711-01/pod",
        "group /sys/fs/cgroup/memory/strata-node-47-0",
        "mount tmpfs /mnt/theirs tmpfs rw 0 0",
        "device /sys/block/loop3 /home/theirs/disk",
        "interface strata47",
        "route 10.96.0.0/16 via 172.30.0.2 dev strata47",
        "rules table inet theirs",
        "network theirs",
        "file /run/theirs.pid",
    ];
    assert!(left(&[], &appeared).is_empty(), "{:?}", left(&[], &appeared));
}

#[test]
fn what_a_node_makes_is_found_wherever_it_is() {
    let made = [
        "device /sys/block/loop3 /tmp/strata-node-4711-0/disk/var/lib/volumes/1",
        "file /var/lib/kubelet",
        "group /sys/fs/cgroup/memory/strata-node-4711-0",
        "group /sys/fs/cgroup/memory/strata-node-4711-0/pod1/container",
        "interface strata4711",
        "mount tmpfs /tmp/strata-node-4711-0/x tmpfs rw 0 0",
        "network cni-1234",
        "route 10.96.0.0/16 via 172.30.0.2 dev strata4711",
        "rules table ip kube-proxy",
        "setting vm/overcommit_memory = 1",
    ];
    assert_eq!(left(&["setting vm/overcommit_memory = 0"], &made), made);
    assert!(left(&made, &made).is_empty(), "it was there before");
}
