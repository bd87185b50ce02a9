"""A set of groups and seeds: trained, measured and compared."""
