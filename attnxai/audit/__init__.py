"""Is an explanation worth comparing at all: what it keeps under the symmetries it should have."""
