"""The annotation service: projects, tasks, completions, snapshots and their events."""
