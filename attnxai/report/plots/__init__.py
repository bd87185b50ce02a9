"""What the ``plot()`` of a result draws on one axes."""
