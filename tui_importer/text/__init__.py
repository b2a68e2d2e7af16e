"""Words and numbers in readable form, shared by console, dashboard and server."""
