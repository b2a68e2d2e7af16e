"""The widgets of the screens: each shows a part of one view of a run."""
