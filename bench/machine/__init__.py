"""What a run runs on: device, clock, memory, sensors, caches, measured ceilings."""
