//! Blocks of addresses, as far as network policies need them: which blocks
//! contain addresses where nodes get their identity, which no pod may ever reach.

use ipnet::IpNet;

use crate::api::addresses::METADATA;

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

/// Reads `address/bits`.
pub fn parse(text: &str) -> Result<IpNet, BlockError> {
    let block = read(text).ok_or_else(|| BlockError::Notation(text.to_owned()))?;
    if is_metadata(&block) { Err(BlockError::Metadata(text.to_owned())) } else { Ok(block) }
}

/// Whether a block is nothing but metadata addresses.
#[must_use]
pub fn is_metadata(block: &IpNet) -> bool {
    METADATA.iter().filter_map(|text| read(text)).any(|addresses| addresses.contains(block))
}

/// The metadata addresses in a block, to be taken out of it.
#[must_use]
pub fn metadata_within(block: &IpNet) -> Vec<&'static str> {
    let within = |text: &&&str| read(text).is_some_and(|address| block.contains(&address));
    METADATA.iter().filter(within).copied().collect()
}

/// The block of a text. The address is read by the standard library: the parser of
/// `ipnet` takes `010.0.0.0` for `10.0.0.0`, which Kubernetes refuses.
fn read(text: &str) -> Option<IpNet> {
    let (address, bits) = text.split_once('/')?;
    IpNet::new(address.parse().ok()?, bits.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_address_is_found_wherever_it_lies() {
        let within = |text| metadata_within(&parse(text).unwrap());
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
        for text in ["", "1.2.3.4", "1.2.3.4/33", "x/8", "::/129", "1.2.3.4/-1", "010.0.0.0/8"] {
            assert_eq!(parse(text), Err(BlockError::Notation(text.to_owned())));
        }
        for text in ["169.254.169.254/32", "169.254.170.0/24", "168.63.129.16/32", "fd00:ec2::254/128", "fe80::1/128"] {
            assert!(matches!(parse(text), Err(BlockError::Metadata(_))), "{text}");
        }
    }
}
