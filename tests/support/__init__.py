"""Toys, servers and helpers that several test files share."""
