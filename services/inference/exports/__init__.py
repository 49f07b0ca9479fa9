"""Model versions as folders that run without Spanloop; docs/exports.md."""
