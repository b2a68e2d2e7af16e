"""Writing batches: the backend protocol, the ledger, the batch writer, encoding and verification."""
