"""What the benchmarks of serving share: real servers, models to serve, load and figures."""
