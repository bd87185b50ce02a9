"""Attention networks and their files."""
