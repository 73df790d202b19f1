"""The server for assistants. It runs in an environment of its own, and asks the command line."""
