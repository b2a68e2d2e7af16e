"""What everything speaks of: cells, types, columns, batches, tables, plans, counters and reports."""
