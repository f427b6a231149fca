"""What the scripts that measure are made of: mechanisms written in one word, data, clocks, tables."""
