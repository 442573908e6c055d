//! Rules as one table of nft, in the text that `nft -f -` loads whole or not at
//! all. Pure: it applies nothing.
//!
//! A packet of a new connection must pass what its source lets out and what its
//! destination lets in; whatever is found to be forbidden is dropped without an
//! answer. Addresses are seen behind Services: the kernel has translated them by
//! then. What the node itself sends is never looked at, so probes pass. What a pod
//! sends to its own node passes only where a policy opens it: the specification
//! leaves that to the network plugin, and the plugins in wide use close it.
//!
//! An address of the pods' block that no known pod has is closed both ways, so that
//! a pod is never open before its policies are known. IPv6 is closed altogether.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::rules::{Block, Opening, Peer, PodRules, Ports, Protocol, Rules};

/// The table that the enforcer owns; nothing else is touched.
pub const TABLE: &str = "strata_policies";

/// One transaction: whatever was in the table is gone, the rules are in force.
#[must_use]
pub fn text(rules: &Rules, pods: Block) -> String {
    let mut text = removal();
    let known: Vec<String> = rules.0.keys().map(ToString::to_string).collect();
    let itself: Vec<String> = known.iter().map(|address| format!("{address} . {address}")).collect();
    let _ = writeln!(text, "table inet {TABLE} {{");
    text.push_str(&collection("set pods", "ipv4_addr", &known));
    text.push_str(&collection("set itself", "ipv4_addr . ipv4_addr", &itself));
    let mut chains = String::new();
    for (way, peer, side) in [
        ("egress", "daddr", (|pod| pod.egress.as_ref()) as fn(&PodRules) -> Option<&BTreeSet<Opening>>),
        ("ingress", "saddr", |pod| pod.ingress.as_ref()),
    ] {
        let isolated = rules.0.iter().filter_map(|(address, pod)| Some((address, pod, side(pod)?)));
        let mut jumps = Vec::new();
        for (address, pod, openings) in isolated {
            jumps.push(format!("{address} : jump {way}-{address}"));
            chains.push_str(&chain(way, *address, &pod.name, openings, peer));
        }
        text.push_str(&collection(&format!("map {way}"), "ipv4_addr : verdict", &jumps));
    }
    text + &chains + &hooks(pods) + "}\n"
}

/// The command that removes the table, whether it exists or not.
#[must_use]
pub fn removal() -> String {
    format!("table inet {TABLE}\ndelete table inet {TABLE}\n")
}

fn collection(what: &str, type_: &str, elements: &[String]) -> String {
    let elements =
        if elements.is_empty() { String::new() } else { format!("    elements = {{ {} }}\n", elements.join(", ")) };
    format!("  {what} {{\n    type {type_}\n{elements}  }}\n")
}

/// What lets a packet pass returns to the hook, which has the other end to ask.
fn chain(way: &str, address: Ipv4Addr, name: &str, openings: &BTreeSet<Opening>, peer: &str) -> String {
    let mut text = format!("  chain {way}-{address} {{\n    comment \"{}\"\n", quotable(name));
    for opening in openings {
        let _ = writeln!(text, "    {}", rule(opening, peer));
    }
    text + "    drop\n  }\n"
}

fn rule(opening: &Opening, peer: &str) -> String {
    let address = match &opening.peer {
        Peer::Anyone => String::new(),
        Peer::Pods(pods) => {
            let pods: Vec<String> = pods.iter().map(ToString::to_string).collect();
            format!("ip {peer} {{ {} }} ", pods.join(", "))
        }
        Peer::Block { within, except } => {
            let except = except.iter().map(|block| format!("ip {peer} != {} ", block_text(*block)));
            format!("ip {peer} {} ", block_text(*within)) + &except.collect::<String>()
        }
    };
    address + &ports(opening.ports) + "return"
}

fn ports(ports: Ports) -> String {
    match ports {
        Ports::All => String::new(),
        Ports::Protocol(protocol) => format!("meta l4proto {} ", word(protocol)),
        Ports::Range(protocol, first, last) if first == last => format!("{} dport {first} ", word(protocol)),
        Ports::Range(protocol, first, last) => format!("{} dport {first}-{last} ", word(protocol)),
    }
}

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

fn hooks(pods: Block) -> String {
    let pods = block_text(pods);
    let established = "ct state established,related accept\n    meta nfproto ipv6 drop";
    format!(
        "  chain forward {{
    type filter hook forward priority filter; policy accept;
    {established}
    ip saddr . ip daddr @itself accept
    ip saddr {pods} ip saddr != @pods drop
    ip daddr {pods} ip daddr != @pods drop
    ip saddr vmap @egress
    ip daddr vmap @ingress
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iif lo accept
    {established}
    ip saddr {pods} ip saddr != @pods drop
    ip saddr vmap @egress
  }}
"
    )
}

fn block_text(Block(first, bits): Block) -> String {
    format!("{first}/{bits}")
}

/// Names of objects hold nothing that ends a quotation; whatever else comes, too.
fn quotable(name: &str) -> String {
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || "-./".contains(*letter);
    name.chars().filter(plain).take(128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(peer: Peer, ports: Ports) -> Opening {
        Opening { peer, ports }
    }

    #[test]
    fn each_kind_of_opening_is_one_rule() {
        let block = |text: &str| Block::parse(text).unwrap();
        let pods = Peer::Pods([Ipv4Addr::new(10, 244, 0, 6), Ipv4Addr::new(10, 244, 0, 7)].into());
        let within = Peer::Block { within: block("0.0.0.0/0"), except: [block("169.254.169.254/32")].into() };
        for (opening, wanted) in [
            (opening(Peer::Anyone, Ports::All), "return"),
            (opening(Peer::Anyone, Ports::Protocol(Protocol::Sctp)), "meta l4proto sctp return"),
            (
                opening(pods, Ports::Range(Protocol::Tcp, 80, 80)),
                "ip saddr { 10.244.0.6, 10.244.0.7 } tcp dport 80 return",
            ),
            (
                opening(within, Ports::Range(Protocol::Udp, 1000, 2000)),
                "ip saddr 0.0.0.0/0 ip saddr != 169.254.169.254/32 udp dport 1000-2000 return",
            ),
        ] {
            assert_eq!(rule(&opening, "saddr"), wanted);
        }
    }

    #[test]
    fn a_pod_that_is_not_isolated_is_known_and_jumps_nowhere() {
        let address = Ipv4Addr::new(10, 244, 0, 5);
        let pod = PodRules { name: "a/b\"; drop".into(), ingress: Some([].into()), egress: None };
        let text = text(&Rules([(address, pod)].into()), Block::parse("10.244.0.0/16").unwrap());
        assert!(text.contains("elements = { 10.244.0.5 : jump ingress-10.244.0.5 }"), "{text}");
        assert!(text.contains("chain ingress-10.244.0.5 {\n    comment \"a/bdrop\"\n    drop\n"), "{text}");
        assert!(!text.contains("egress-10.244.0.5"), "{text}");
        assert!(text.contains("set pods {\n    type ipv4_addr\n    elements = { 10.244.0.5 }\n"), "{text}");
    }

    #[test]
    fn one_text_removes_the_table_and_defines_it() {
        let text = text(&Rules::default(), Block::parse("10.244.0.0/16").unwrap());
        assert!(text.starts_with(&removal()), "{text}");
        assert!(!text.contains("elements"), "an empty list is no list to nft: {text}");
    }
}
