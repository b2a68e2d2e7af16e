"""What people would write instead: one script for each way, which takes FILE, DSN and TABLE, and a fourth word if the
table is there."""
