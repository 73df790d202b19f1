"""Where everything is kept: protocols, the table, and the memory store that ships."""
