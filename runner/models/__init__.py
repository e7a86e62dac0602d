"""What is known of Claude models: dated rules, limits, prices, usage arithmetic. No I/O but its own data file."""
