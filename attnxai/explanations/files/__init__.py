"""Files of maps: one module a format, and what all formats share."""
