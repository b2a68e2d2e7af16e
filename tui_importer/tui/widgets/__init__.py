"""What screens are made of: each shows a part of one view of a run."""
