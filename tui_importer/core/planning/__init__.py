"""Resolving a plan against a source and a target."""
