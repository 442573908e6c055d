//! Whether a machine can be a node: of what is known of it ([`Machine`]), every
//! answer that is no is one sentence with its remedy. Nothing here asks the
//! machine, and nothing changes it.

use super::machine::{INTERFACE, Machine};
use super::space::{COVERED, MACHINE, PODS, SERVICES};

/// Free disk for images, containers and volumes, in MiB: what the end-to-end tests use, and half as much again.
pub const DISK: u64 = 6 << 10;
/// Free memory for control plane, node and the services of one team, in MiB.
pub const MEMORY: u64 = 5 << 10;

impl Machine {
    /// All that must hold, in the order in which one would fix it.
    pub(super) fn verdict(&self) -> Result<(), String> {
        self.is_linux()?;
        self.is_root()?;
        self.is_debian()?;
        self.has_packages()?;
        self.has_namespaces()?;
        self.has_its_folders()?;
        self.has_disk()?;
        self.has_memory()?;
        self.has_nothing_left()?;
        self.has_room_in_its_network()
    }

    pub(super) fn is_linux(&self) -> Result<(), String> {
        let system = self.system;
        holds(system == "linux", || {
            format!("a node needs Linux, and this is {system}: use a virtual machine with Debian")
        })
    }

    pub(super) fn is_root(&self) -> Result<(), String> {
        holds(self.root, || {
            "a node needs root, for its namespaces and control groups: become root (sudo -E) and try again".into()
        })
    }

    pub(super) fn is_debian(&self) -> Result<(), String> {
        holds(self.debian, || {
            "a node needs Debian or a system made of it, and there is no apt-get and dpkg-query here: use a virtual \
             machine with Debian"
                .into()
        })
    }

    fn has_packages(&self) -> Result<(), String> {
        let missing = self.missing.join(" ");
        holds(missing.is_empty(), || {
            format!("a node needs Debian packages that are not installed: say --install, or apt-get install {missing}")
        })
    }

    fn has_namespaces(&self) -> Result<(), String> {
        self.namespaces.clone().map_err(|said| {
            format!("a node needs namespaces, and the kernel makes none here ({said}): leave the container, or give it all privileges")
        })
    }

    fn has_its_folders(&self) -> Result<(), String> {
        let hidden = self.folders.iter().find(|folder| COVERED.iter().any(|covered| folder.starts_with(covered)));
        hidden.map_or(Ok(()), |folder| {
            Err(format!(
                "a node hides {} from what runs in it, and {} is in there: set TMPDIR, STRATA_CACHE or both to folders elsewhere",
                COVERED.join(", "),
                folder.display()
            ))
        })
    }

    fn has_disk(&self) -> Result<(), String> {
        let folder = std::env::temp_dir();
        holds(self.disk >= DISK, || {
            format!(
                "a node needs {} GiB of free disk in {}, and there are {}: make room, or set TMPDIR to a folder that has it",
                DISK >> 10,
                folder.display(),
                self.disk >> 10
            )
        })
    }

    fn has_memory(&self) -> Result<(), String> {
        holds(self.memory >= MEMORY, || {
            format!(
                "a node needs {} GiB of free memory, and there are {}: end something, or take a larger machine",
                MEMORY >> 10,
                self.memory >> 10
            )
        })
    }

    fn has_nothing_left(&self) -> Result<(), String> {
        let left = self.left.join(", ");
        holds(left.is_empty(), || {
            format!("an earlier node was killed and left its control group ({left}): say `cargo xtask node --clean`")
        })
    }

    fn has_room_in_its_network(&self) -> Result<(), String> {
        let own = format!("{MACHINE}/30");
        let networks = [own.as_str(), SERVICES, PODS];
        let taken = self.routes.iter().find(|(route, _)| networks.iter().any(|network| overlap(route, network)));
        let Some((route, interface)) = taken else { return Ok(()) };
        Err(match interface.strip_prefix(INTERFACE) {
            Some(process) => {
                format!(
                    "there is a node on this machine, and room for one: end process {process} first, which started it"
                )
            }
            None => format!(
                "a node uses the networks {}, and this machine has a route to {route}: remove that route, or use another \
                 machine",
                networks.join(", ")
            ),
        })
    }
}

fn holds(good: bool, sentence: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(sentence()) }
}

/// Whether two networks, or a network and an address, have an address in common.
fn overlap(one: &str, other: &str) -> bool {
    let range = |text: &str| -> Option<(u32, u32)> {
        let (address, length) = text.split_once('/').unwrap_or((text, "32"));
        let address = u32::from(address.parse::<std::net::Ipv4Addr>().ok()?);
        let mask = u32::MAX.checked_shl(32 - length.parse::<u32>().ok().filter(|length| *length <= 32)?).unwrap_or(0);
        Some((address & mask, address | !mask))
    };
    matches!((range(one), range(other)), (Some(one), Some(other)) if one.0 <= other.1 && other.0 <= one.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit() -> Machine {
        Machine {
            system: "linux",
            root: true,
            debian: true,
            missing: Vec::new(),
            namespaces: Ok(()),
            folders: vec!["/tmp".into(), "/home/ana/.cache/strata-operator".into()],
            disk: DISK,
            memory: MEMORY,
            left: Vec::new(),
            routes: vec![("192.0.2.0/24".into(), "eth0".into()), ("127.0.0.0/8".into(), "lo".into())],
        }
    }

    /// The message for a machine with one fault.
    fn said_of(change: impl FnOnce(&mut Machine)) -> String {
        let mut machine = fit();
        assert_eq!(machine.verdict(), Ok(()));
        change(&mut machine);
        machine.verdict().unwrap_err()
    }

    #[test]
    fn every_answer_is_a_sentence_with_its_remedy() {
        let said = [
            (said_of(|machine| machine.system = "macos"), "this is macos: use a virtual machine"),
            (said_of(|machine| machine.root = false), "become root"),
            (said_of(|machine| machine.debian = false), "no apt-get and dpkg-query here: use"),
            (said_of(|machine| machine.missing = vec!["runc", "mount"]), "--install, or apt-get install runc mount"),
            (said_of(|machine| machine.namespaces = Err("unshare failed".into())), "(unshare failed): leave"),
            (
                said_of(|machine| machine.folders.push("/run/user/1000".into())),
                "/run/user/1000 is in there: set TMPDIR",
            ),
            (said_of(|machine| machine.disk = DISK - 1), "6 GiB of free disk"),
            (said_of(|machine| machine.memory = 1 << 10), "5 GiB of free memory, and there are 1: end"),
            (said_of(|machine| machine.left.push("strata-node-12-0".into())), "(strata-node-12-0): say `cargo xtask"),
            (
                said_of(|machine| machine.routes.push(("10.0.0.0/8".into(), "vpn".into()))),
                "a route to 10.0.0.0/8: remove",
            ),
            (said_of(|machine| machine.routes.push((SERVICES.into(), "strata12".into()))), "end process 12 first"),
        ];
        for (sentence, part) in said {
            assert!(sentence.contains(part), "{sentence}");
            assert!(!sentence.contains('\n') && !sentence.contains(". "), "one sentence: {sentence}");
        }
    }

    #[test]
    fn networks_overlap_where_they_share_an_address() {
        assert!(overlap("10.0.0.0/8", SERVICES));
        assert!(overlap("10.96.3.4", SERVICES));
        assert!(!overlap("10.97.0.0/16", SERVICES));
        assert!(overlap("0.0.0.0/0", PODS));
        assert!(!overlap("fe80::/64", PODS), "of the other family");
    }
}
