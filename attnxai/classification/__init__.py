"""How well a classifier does, and whether its probabilities mean what they say."""
