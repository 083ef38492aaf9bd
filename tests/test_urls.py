"""The one reading of http URLs."""

import pytest

from chidori_actors.urls import parse_http_url


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://Example.COM", "https://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:443/a#part", "http://example.com:443/a"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://user:pw@example.com/a?b=c", "https://example.com/a?b=c"),
        ("https://example.com/v1/../admin", "https://example.com/admin"),
        ("https://example.com/v1/%2E%2e/admin/.", "https://example.com/admin/"),
        ("https://example.com/../../a/..", "https://example.com/"),
        ("https://example.com/a%2Fb c/ü?q=a b&r=%zz", "https://example.com/a%2Fb%20c/%C3%BC?q=a%20b&r=%zz"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://ｅｘａｍｐｌｅ.com/", "https://example.com/"),
        ("http://[0:0::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_a_url_has_one_normal_form(given: str, normal: str) -> None:
    assert parse_http_url(given).text == normal


def test_credentials_are_decoded() -> None:
    url = parse_http_url("https://us%40er:p%3Aw@example.com/")
    assert (url.user, url.password) == ("us@er", "p:w")


@pytest.mark.parametrize(
    "given",
    [
        "ftp://example.com/",
        "example.com",
        "//example.com/",
        "https://",
        "https:///path",
        "https://api.example.com\\@evil.com/",
        "https://api.example.com\\.evil.com/",
        "https://%65vil.com/",
        "https://exam ple.com/",
        "https://example.com\t/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://a..b/",
        "https://example.com/\ud800",
    ],
)
def test_what_could_be_read_two_ways_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_http_url(given)
