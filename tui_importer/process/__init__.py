"""A run as a process of its own: how it is begun, what it is told, and how it behaves towards signals."""
