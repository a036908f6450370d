//! Whose request it is: the peer, or what trusted proxies say of whom they pass on.
//!
//! Each proxy appends to `X-Forwarded-For` the address that it was asked from. With `n` proxies of our own in
//! between, the `n`-th entry from the right was written by the outermost of them and names the client; all to
//! the left of it is the client's own writing, and worth nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A household or a server has a /64 of IPv6, and could ask from each address of it in turn.
const IPV6_NETWORK: u128 = !(u64::MAX as u128);

/// Who is counted as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// An address.
    V4(u32),
    /// A network of 2^64 addresses.
    V6(u64),
}

impl Client {
    /// Whose request came from `peer` with these `X-Forwarded-For` headers, in their order, through so many
    /// proxies of our own. What is missing or malformed where the client should stand is the peer's request.
    pub(crate) fn of<'header>(
        peer: Option<IpAddr>,
        forwarded_for: impl Iterator<Item = &'header [u8]>,
        trusted_hops: usize,
    ) -> Self {
        let named = match trusted_hops {
            0 => None,
            hops => named_by(forwarded_for, hops),
        };
        Self::at(named.or(peer).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6(((address.to_bits() & IPV6_NETWORK) >> 64) as u64),
        }
    }

    /// Bytes that name the client and nobody else.
    pub(crate) fn bytes(self) -> [u8; 9] {
        let (kind, number) = match self {
            Self::V4(address) => (4, u64::from(address)),
            Self::V6(network) => (6, network),
        };
        let mut bytes = [kind; 9];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        bytes
    }
}

/// The entry so many places from the right, when it is an address.
fn named_by<'header>(headers: impl Iterator<Item = &'header [u8]>, hops: usize) -> Option<IpAddr> {
    let headers: Vec<&[u8]> = headers.collect();
    let mut from_the_right = headers
        .iter()
        .rev()
        .flat_map(|header| header.rsplit(|byte| *byte == b','));
    let entry = from_the_right.nth(hops.checked_sub(1)?)?;
    parse(std::str::from_utf8(entry).ok()?.trim())
}

/// An address as proxies write it: bare, in brackets, or with the port it was asked from.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(entry);
    bare.parse()
        .ok()
        .or_else(|| entry.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(headers: &[&str], hops: usize) -> Client {
        let peer = Some(IpAddr::from([10, 0, 0, 9]));
        Client::of(peer, headers.iter().map(|header| header.as_bytes()), hops)
    }

    fn v4(text: &str) -> Client {
        Client::V4(text.parse::<Ipv4Addr>().unwrap().to_bits())
    }

    /// Prevents a client from choosing whom it is counted as, by writing the header itself.
    #[test]
    fn hops_are_counted_from_the_right() {
        let headers = ["1.1.1.1, 2.2.2.2", "3.3.3.3 ,4.4.4.4"];
        for (hops, address) in [
            (0, "10.0.0.9"),
            (1, "4.4.4.4"),
            (2, "3.3.3.3"),
            (3, "2.2.2.2"),
            (4, "1.1.1.1"),
            (5, "10.0.0.9"),
            (usize::MAX, "10.0.0.9"),
        ] {
            assert_eq!(client(&headers, hops), v4(address), "{hops} hops");
        }
        assert_eq!(
            client(&["nonsense, 9.9.9.9"], 1),
            v4("9.9.9.9"),
            "the rest does not matter"
        );
    }

    /// Prevents garbage where the client should stand from being counted as an address of its own, or a
    /// request without the header from being counted as nobody's.
    #[test]
    fn what_is_malformed_is_the_peers() {
        for header in [
            "",
            ",",
            "unknown",
            "1.1.1.1,",
            "1.2.3",
            "1.2.3.4:99999",
            "[::1",
            "fe80::1%eth0",
            "a\u{e9}",
        ] {
            assert_eq!(client(&[header], 1), v4("10.0.0.9"), "{header:?}");
        }
        assert_eq!(client(&[], 1), v4("10.0.0.9"));
        let unreadable: &[u8] = b"\xff\xfe";
        let peer = Some(IpAddr::from([10, 0, 0, 9]));
        assert_eq!(Client::of(peer, std::iter::once(unreadable), 1), v4("10.0.0.9"));
        assert_eq!(Client::of(None, std::iter::empty(), 1), v4("0.0.0.0"));
    }

    /// Prevents one client from being counted as several: by its port, by its form, or by its 2^64 addresses.
    #[test]
    fn one_client_is_one_whatever_its_form() {
        for form in [
            "7.7.7.7",
            " 7.7.7.7 ",
            "7.7.7.7:81",
            "::ffff:7.7.7.7",
            "[::ffff:7.7.7.7]:81",
        ] {
            assert_eq!(client(&[form], 1), v4("7.7.7.7"), "{form}");
        }
        let network = Client::V6(0x2001_0db8_0000_0001);
        for form in [
            "2001:db8:0:1::1",
            "2001:db8:0:1:ffff::",
            "[2001:db8:0:1::2]",
            "[2001:db8:0:1::3]:443",
        ] {
            assert_eq!(client(&[form], 1), network, "{form}");
        }
        assert_ne!(client(&["2001:db8:0:2::1"], 1), network);
        assert_ne!(Client::V4(7).bytes(), Client::V6(7).bytes());
    }
}
