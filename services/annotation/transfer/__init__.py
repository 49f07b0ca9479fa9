"""Importing and exporting files of tasks."""
