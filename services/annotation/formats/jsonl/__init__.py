"""The project's own format: JSON lines that hold everything that a task can hold."""
