"""Fitting a network to labelled images."""
