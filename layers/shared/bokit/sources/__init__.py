"""Where content comes from. The only home of outgoing requests."""
