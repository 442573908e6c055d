//! Between NetworkPolicies and packets: which pod lets what in and out, by address
//! and port, IPv4 alone. It knows neither the objects it came from nor what becomes
//! of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The rules of each pod with an address of its own.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rules(pub BTreeMap<Ipv4Addr, PodRules>);

/// The rules of one pod. Without a set the pod is not isolated in that direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRules {
    /// Namespace and name.
    pub name: String,
    /// The rules of ingress.
    pub ingress: Option<BTreeSet<Opening>>,
    /// The rules of egress.
    pub egress: Option<BTreeSet<Opening>>,
}

/// One thing that is let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    /// To or from whom.
    pub peer: Peer,
    /// To which port of whoever is connected to.
    pub ports: Ports,
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Any person.
    Anyone,
    /// Pods, never none.
    Pods(BTreeSet<Ipv4Addr>),
    /// A block of addresses.
    Block {
        /// The block.
        within: Block,
        /// The omitted parts.
        except: BTreeSet<Block>,
    },
}

/// The ports of an opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ports {
    /// All of every protocol, also of those without ports.
    All,
    /// All of one protocol.
    Protocol(Protocol),
    /// From the first to the last.
    Range(Protocol, u16, u16),
}

/// The protocols that policies know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The default.
    Tcp,
    /// Datagrams.
    Udp,
    /// Streams of messages.
    Sctp,
}

impl Protocol {
    /// By its name in a policy or a container; TCP if none is given.
    #[must_use]
    pub fn parse(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("TCP") => Some(Self::Tcp),
            Some("UDP") => Some(Self::Udp),
            Some("SCTP") => Some(Self::Sctp),
            Some(_) => None,
        }
    }
}

/// A block of IPv4 addresses: the first, and how many leading bits all share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block(pub Ipv4Addr, pub u8);

impl Block {
    /// None if the text is no block of IPv4 addresses.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let bits = bits.parse().ok().filter(|bits| *bits <= 32)?;
        Some(Self(Ipv4Addr::from_bits(address.parse::<Ipv4Addr>().ok()?.to_bits() & mask(bits)), bits))
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn holds(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.1) == self.0.to_bits()
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}
