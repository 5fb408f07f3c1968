"""Public IP addresses, and addresses that webhooks never reach."""

from ipaddress import IPv6Network

import pytest

from services.gateway.outbound.addresses import is_public


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_a_unicast_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.0.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"),
        *("100.64.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%1"),
        *("fec0::1", "ff02::1", "ff0e::1", "2001:db8::1", "2001::1", "3fff::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::808:808"),
        *("2a00:1::5efe:10.0.0.1", "2a00:1::200:5efe:8.8.8.8"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1"),
    ],
)
def test_a_private_or_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("prefix", "private", "public"),
    [
        ("2a00:100::/32", "2a00:100:a00:1::", "2a00:100:808:808::"),
        ("2a00:100:100::/40", "2a00:100:10a:0:1::", "2a00:100:108:808:8::"),
        ("2a00:100:122::/48", "2a00:100:122:a00:0:100::", "2a00:100:122:808:8:800::"),
        ("2a00:100:122:300::/56", "2a00:100:122:30a:0:1::", "2a00:100:122:308:8:808::"),
        ("2a00:100:122:344::/64", "2a00:100:122:344:a:0:100::", "2a00:100:122:344:8:808:800::"),
        ("2a00:100:122:344::/96", "2a00:100:122:344::a00:1", "2a00:100:122:344::808:808"),
    ],
)
def test_an_address_behind_a_nat64_prefix_counts_as_the_one_in_it(
    prefix: str, private: str, public: str
) -> None:
    """RFC 6052, section 2.2: 10.0.0.1 and 8.8.8.8, in each length of a prefix."""
    nat64 = [IPv6Network(prefix)]
    assert is_public(private), "without the setting it is an address like any other"
    assert not is_public(private, nat64)
    assert is_public(public, nat64)
    assert not is_public("64:ff9b::7f00:1", nat64)
