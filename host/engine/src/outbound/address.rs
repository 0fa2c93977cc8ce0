//! Address policy: hosts may have public addresses only, unless the operator has allowed an address
//! itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http1_strict::Host;

/// Whether a request to the allowed `host` may go to `address`.
///
/// A name may have any public address. An allowed address matches itself, public or not, and
/// `localhost` matches loopback addresses.
pub(super) fn is_allowed(host: &Host, address: IpAddr) -> bool {
    match host {
        Host::Ip(named) => *named == address,
        Host::Name(name) if name == "localhost" => address.is_loopback(),
        Host::Name(_) => is_public(address),
    }
}

/// Whether the address is globally routable, according to IANA's registries of special-purpose
/// addresses. All of their entries count as not public, including the few services that are
/// reachable.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        // "This network", private, loopback; multicast, reserved, broadcast.
        [0 | 10 | 127 | 224..=255, ..]
            // Between a provider and its customers (RFC 6598).
            | [100, 64..128, ..]
            // Link-local, with the metadata services of clouds.
            | [169, 254, ..]
            // Private.
            | [172, 16..32, ..]
            | [192, 168, ..]
            // Protocols, documentation, relays of 6to4.
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            // Benchmarks, documentation.
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Embedded IPv4 addresses: mapped, and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocols, among them Teredo and 6to4, which carry IPv4 addresses, and
        // documentation.
        [0x2001, 0..0x200 | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..0x1000, ..] => false,
        // Global unicast. Outside of it are loopback, unspecified, IPv4-compatible, local NAT64,
        // unique-local, link-local and multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed_for(host: &str, address: &str) -> bool {
        let host = Host::parse(host).expect(host);
        is_allowed(&host, address.parse().expect(address))
    }

    #[test]
    fn a_name_may_have_any_public_address() {
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2000::1",
            "2001:200::1",
            "2606:4700:4700::1111",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_allowed_for("api.example", address), "{address}");
        }
    }

    #[test]
    fn a_name_may_not_have_a_private_or_reserved_address() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::1.1.1.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "5f00::1",
            "fc00::1",
            "fdff:ffff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_allowed_for("api.example", address), "{address}");
        }
    }

    #[test]
    fn an_allowed_address_matches_itself_public_or_not() {
        for address in ["127.0.0.1", "10.0.0.7", "169.254.169.254"] {
            assert!(is_allowed_for(address, address), "{address}");
            assert!(!is_allowed_for(address, "10.0.0.8"), "{address}");
        }
        assert!(is_allowed_for("[::1]", "::1"));
        assert!(!is_allowed_for("[::1]", "127.0.0.1"));
    }

    #[test]
    fn localhost_matches_loopback_addresses_only() {
        for (host, address, is_allowed) in [
            ("localhost", "127.0.0.1", true),
            ("localhost", "127.1.2.3", true),
            ("localhost", "::1", true),
            ("localhost", "10.0.0.1", false),
            ("localhost", "1.1.1.1", false),
            ("localhost", "::ffff:127.0.0.1", false),
            ("localhost.example", "127.0.0.1", false),
            ("api.localhost", "127.0.0.1", false),
        ] {
            assert_eq!(
                is_allowed_for(host, address),
                is_allowed,
                "{host} {address}"
            );
        }
    }
}
