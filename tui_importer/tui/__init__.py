"""The dashboard: a viewer of a run's recording, and the setup of a run. Only the command line imports it."""
