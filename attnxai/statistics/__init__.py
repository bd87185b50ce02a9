"""Values with their uncertainty: intervals, the bootstrap, and how both are written."""
