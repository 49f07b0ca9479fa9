"""Reports on the quality of what a job trained. Free of torch; only `plots` needs matplotlib."""
