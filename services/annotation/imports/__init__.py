"""Reading task files: bytes to lines, lines to texts or refusals. Nothing here stores anything."""
