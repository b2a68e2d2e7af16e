"""The data model: cells, types, columns, batches, tables, plans, counters and reports."""
