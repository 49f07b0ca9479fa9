"""How the labels of a project hang together: inheritance, aliases, renames."""
