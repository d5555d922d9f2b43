"""Fixtures of the diagnostics' tests."""

from support.cldr_toy import toy  # noqa: F401  (a fixture)
