"""From a source, a plan and a target to what will be done."""
