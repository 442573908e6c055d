//! Addresses that no profile may open, as plain text; `plan::cidr` compares blocks.

/// Where clouds hand out the node's own identity. A profile of the Blueprint opens none
/// of these, and they are taken out of every larger block. Each is documented by its
/// cloud: link-local addresses (all of them, of pods' and tasks' credentials too), AWS by
/// IPv6, Google by IPv6, Alibaba, Oracle, Azure's wire server.
pub const METADATA: &[&str] = &[
    "169.254.0.0/16",
    "fe80::/10",
    "fd00:ec2::/64",
    "fd20:ce::254/128",
    "100.100.100.200/32",
    "192.0.0.192/32",
    "168.63.129.16/32",
];
