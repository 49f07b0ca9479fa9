"""Who may do what in a project."""
