"""How many sources and annotators are needed."""
