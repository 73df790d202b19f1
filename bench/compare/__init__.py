"""Programs that ``python -m simulator score`` compares: one adapter each, by the program's public face alone."""
