//! The syntax of `Host`.

use std::net::Ipv6Addr;

/// Whether `value` is a valid `Host`: a host and an optional port (RFC 9110, section 7.2). User
/// information is rejected, because it only serves to deceive.
#[must_use]
pub fn is_host(value: &[u8]) -> bool {
    let Ok(value) = str::from_utf8(value) else {
        return false;
    };
    if let Some(rest) = value.strip_prefix('[') {
        return rest.split_once(']').is_some_and(|(address, port)| {
            let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            is_port && address.parse::<Ipv6Addr>().is_ok()
        });
    }
    let (name, port) = value.split_once(':').unwrap_or((value, ""));
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    !name.is_empty() && name.bytes().all(is_allowed) && is_port(port)
}

/// Whether this is a port, or empty, which stands for the default port.
fn is_port(port: &str) -> bool {
    port.is_empty() || (port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_a_name_or_an_address_with_an_optional_port() {
        for good in [
            "a",
            "a.example:80",
            "127.0.0.1:",
            "[::1]",
            "[::1]:8080",
            "x_y",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a:b", "a:+80", "a:65536", "a:1:2", "::1", "[::1", "[::1]x", "[a]", "a b",
            "a/b", "me@a", "ä",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }
}
