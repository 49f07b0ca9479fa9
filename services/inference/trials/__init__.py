"""Candidates that are tried on live traffic: shadow and canary."""
