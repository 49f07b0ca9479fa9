"""Spanloop: the open loop from annotations to served models."""
