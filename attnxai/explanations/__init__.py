"""From a model and images to maps."""
