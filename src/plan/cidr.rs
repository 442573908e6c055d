//! Blocks of addresses, as far as network policies need them: which blocks
//! contain addresses where nodes get their identity, which no pod may ever reach.

use std::net::IpAddr;

use crate::api::addresses::METADATA;

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    address: u128,
    bits: u32,
    width: u32,
}

/// Why a text is no block that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It is not in the notation.
    #[error("'{0}' is no block of addresses. Write address/bits, such as 203.0.113.0/24")]
    Notation(String),
    /// It is nothing but such an address.
    #[error("'{0}' is the metadata address of nodes, which no pod may reach")]
    Metadata(String),
}

impl Block {
    /// Reads `address/bits`.
    pub fn parse(text: &str) -> Result<Self, BlockError> {
        let block = Self::read(text).ok_or_else(|| BlockError::Notation(text.to_owned()))?;
        let mut metadata = METADATA.iter().filter_map(|address| Self::read(address));
        if metadata.any(|addresses| addresses.contains(&block)) {
            return Err(BlockError::Metadata(text.to_owned()));
        }
        Ok(block)
    }

    fn read(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let (address, width) = match address.parse().ok()? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let bits: u32 = bits.parse().ok().filter(|bits| *bits <= width)?;
        Some(Self { address, bits, width })
    }

    /// Whether the other block lies within this one.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let shift = self.width - self.bits;
        let network = |address: u128| address.checked_shr(shift).unwrap_or(0);
        self.width == other.width && self.bits <= other.bits && network(self.address) == network(other.address)
    }

    /// The metadata addresses in this block, to be taken out of it.
    #[must_use]
    pub fn metadata_within(&self) -> Vec<&'static str> {
        let within = |text: &&&str| Self::read(text).is_some_and(|address| self.contains(&address));
        METADATA.iter().filter(within).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_address_is_found_wherever_it_lies() {
        let within = |text| Block::parse(text).unwrap().metadata_within();
        let v4 = ["169.254.0.0/16", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"];
        assert_eq!(within("0.0.0.0/0"), v4);
        assert_eq!(within("169.0.0.0/8"), ["169.254.0.0/16"]);
        assert_eq!(within("100.64.0.0/10"), ["100.100.100.200/32"]);
        assert_eq!(within("168.63.129.16/31"), ["168.63.129.16/32"]);
        assert_eq!(within("::/0"), ["fe80::/10", "fd00:ec2::/64", "fd20:ce::254/128"]);
        assert_eq!(within("fd00::/8"), ["fd00:ec2::/64", "fd20:ce::254/128"]);
        assert!(within("203.0.113.0/24").is_empty());
        assert!(within("2001:db8::/32").is_empty());
    }

    #[test]
    fn what_is_no_block_or_nothing_but_that_address_is_refused() {
        for text in ["", "1.2.3.4", "1.2.3.4/33", "x/8", "::/129", "1.2.3.4/-1"] {
            assert_eq!(Block::parse(text), Err(BlockError::Notation(text.to_owned())));
        }
        for text in ["169.254.169.254/32", "169.254.170.0/24", "168.63.129.16/32", "fd00:ec2::254/128", "fe80::1/128"] {
            assert!(matches!(Block::parse(text), Err(BlockError::Metadata(_))), "{text}");
        }
    }
}
